package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/testdata/guests"
)

// keeping is a manifest of the guest that keeps what it is told to.
func keeping(change func(*capabilities.Manifest)) capabilities.Manifest {
	m := capabilities.Manifest{
		Schema: capabilities.Schema, Name: "acme/keep", Version: "1.0.0", Module: capabilities.Module{ABI: capabilities.ABI},
		Uses:         map[string][]string{"do": {"kv"}, "look": {"kv:ro"}},
		Capabilities: capabilities.Capabilities{KV: &capabilities.KV{QuotaKB: 1, Scope: capabilities.ScopeCaller}},
		Limits:       capabilities.Limits{WallMS: 30_000},
	}
	for _, name := range []string{"do", "look", "idle"} {
		m.Tools = append(m.Tools, json.RawMessage(`{"name":"`+name+`","inputSchema":{"type":"object","properties":{"steps":{},"end":{}}}}`))
	}
	if change != nil {
		change(&m)
	}
	return m
}

// keeper installs that guest for a caller, signed by a publisher.
func (h *fixture) keeper(by capabilities.Caller, alias, publisher string, m capabilities.Manifest) registry.Installation {
	h.t.Helper()
	file, err := capabilities.Seal(guests.Build(h.t, "keep"), m, key(publisher))
	if err != nil {
		h.t.Fatal(err)
	}
	unverified, err := capabilities.Read(file)
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := unverified.Verify()
	if err != nil {
		h.t.Fatal(err)
	}
	rights := capabilities.Requested(m)
	for id, f := range rights.FS {
		f.Path = h.docs
		rights.FS[id] = f
	}
	in, err := h.reg.Install(h.t.Context(), by, registry.Installation{
		Space: by.Space, Alias: alias, Name: m.Name, Version: m.Version, Publisher: s.KeyID(), Digest: s.Digest(), Source: "test", Development: true,
		Grant: capabilities.Grant{Servlet: m.Name, Publisher: s.KeyID(), Manifest: s.ManifestDigest(), Rights: rights},
	}, file)
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

// steps is what a call is told to do: "set k=v", "get k", "list p", "count k", "await file"; then how it ends.
func steps(end string, todo ...string) json.RawMessage {
	var all []map[string]string
	for _, s := range todo {
		do, what, _ := strings.Cut(s, " ")
		name, value, _ := strings.Cut(what, "=")
		one := map[string]string{"do": do, "key": name, "value": value}
		switch do {
		case "list":
			one = map[string]string{"do": do, "prefix": what}
		case "await":
			one = map[string]string{"do": do, "value": what}
		}
		all = append(all, one)
	}
	raw, err := json.Marshal(map[string]any{"steps": all, "end": end})
	if err != nil {
		panic(err)
	}
	return raw
}

// run calls a tool of a caller.
func (h *fixture) run(by capabilities.Caller, tool, end string, todo ...string) host.Answer {
	h.t.Helper()
	a, err := h.host.CallTool(h.t.Context(), by, host.Request{Tool: tool, Arguments: steps(end, todo...)})
	if err != nil {
		h.t.Fatalf("%s: %v", tool, err)
	}
	return a
}

func wantSaid(t *testing.T, a host.Answer, want string) {
	t.Helper()
	if a.Status != host.StatusOK || text(t, a) != want {
		t.Errorf("%s: %q, want %q", a.Status, text(t, a), want)
	}
}

// waiting comes back when a call looks for the file go.
func (h *fixture) waiting() {
	h.t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(time.Millisecond) {
		seen, err := h.reg.Audit(h.t.Context(), me, registry.Filter{Event: "effect"})
		if err != nil {
			h.t.Fatal(err)
		}
		if slices.ContainsFunc(seen, func(e registry.Entry) bool { return strings.Contains(string(e.Detail), `"kind":"fs"`) }) {
			return
		}
	}
	h.t.Fatal("no call waits")
}

func TestServletKeepsWhatItsCallSucceededWith(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) { m.Limits.WallMS = 300 }))
	wantSaid(t, h.run(me, "keep_do", "", "get a", "set a=1", "get a", "set b=2", "list "), `code -3  1  {"keys":["a","b"]}`)
	wantSaid(t, h.run(me, "keep_look", "", "get a", "list b"), `1 {"keys":["b"]}`)
	for _, end := range []string{"error", "fail", "panic", "exit", "spin", "broken"} {
		if a := h.run(me, "keep_do", end, "set a=changed", "set c=new", "delete b"); a.Status != host.StatusTool {
			t.Errorf("%s: %s", end, a.Result)
		}
	}
	wantSaid(t, h.run(me, "keep_look", "", "get a", "get b", "list "), `1 2 {"keys":["a","b"]}`)
	// A tool that only reads, and one that does not use it.
	wantSaid(t, h.run(me, "keep_look", "", "set a=x", "delete b", "get a"), "code -1 code -1 1")
	wantSaid(t, h.run(me, "keep_idle", "", "get a", "list ", "set a=x"), "code -1 code -1 code -1")
	entries, err := h.reg.Audit(t.Context(), me, registry.Filter{Event: "effect"})
	if err != nil {
		t.Fatal(err)
	}
	commits := 0
	for _, e := range entries {
		if strings.Contains(string(e.Detail), `"action":"commit"`) {
			commits++
		}
	}
	if commits != 1 {
		t.Errorf("%d commits are recorded, and one call kept something", commits)
	}
}

func TestWhatIsKeptIsForItsOwner(t *testing.T) {
	h := newFixture(t, guard.Network{})
	work := capabilities.Local("work")
	other := capabilities.Caller{Principal: "key:1", Space: me.Space, Roles: []string{capabilities.RoleUser}}
	h.keeper(me, "keep", "publisher", keeping(nil))
	h.keeper(me, "shared", "publisher", keeping(func(m *capabilities.Manifest) {
		m.Name, m.Capabilities.KV.Scope = "acme/shared", capabilities.ScopeSpace
	}))
	h.keeper(work, "keep", "publisher", keeping(nil))
	h.run(me, "keep_do", "", "set a=mine")
	h.run(me, "shared_do", "", "set a=ours")
	for _, by := range []capabilities.Caller{other, work} {
		wantSaid(t, h.run(by, "keep_do", "", "get a", "list "), `code -3 {"keys":[]}`)
	}
	wantSaid(t, h.run(other, "shared_do", "", "get a"), "ours")
	h.run(other, "keep_do", "", "set a=theirs")
	wantSaid(t, h.run(me, "keep_do", "", "get a"), "mine")
	// Another publisher's servlet of the same name takes the place: it finds nothing, and what was kept is
	// there for the first one when it comes back.
	if err := h.reg.Remove(t.Context(), me, "keep", false); err != nil {
		t.Fatal(err)
	}
	h.keeper(me, "keep", "somebody else", keeping(nil))
	wantSaid(t, h.run(me, "keep_do", "", "get a", "list ", "set a=foreign"), `code -3 {"keys":[]} `)
	if err := h.reg.Remove(t.Context(), me, "keep", false); err != nil {
		t.Fatal(err)
	}
	h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) { m.Version = "2.0.0" }))
	wantSaid(t, h.run(me, "keep_do", "", "get a"), "mine")
}

func TestParallelCallsLoseNothing(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(nil))
	const callers, calls = 8, 6
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range calls {
				a, err := h.host.CallTool(context.Background(), me, host.Request{Tool: "keep_do", Arguments: steps("", "count n")})
				if err != nil || a.Status != host.StatusOK {
					t.Errorf("%s, %v", a.Result, err)
				}
			}
		})
	}
	all.Wait()
	wantSaid(t, h.run(me, "keep_look", "", "get n"), fmt.Sprint(callers*calls))
}

// overtaken lets one call read a key, another change it, and then the first go on and write. It returns the
// answer of the first.
func overtaken(t *testing.T, mode capabilities.Mode, end string) (*fixture, host.Answer) {
	t.Helper()
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) {
		m.Capabilities.FS = []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: mode}}
		m.Uses["do"] = append(m.Uses["do"], "fs:docs")
	}))
	h.run(me, "keep_do", "", "set a=first")
	first := make(chan host.Answer)
	go func() {
		a, err := h.host.CallTool(context.Background(), me, host.Request{Tool: "keep_do", Arguments: steps(end, "get a", "await /docs/go", "set b=late", "get a")})
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	h.waiting()
	h.run(me, "keep_do", "", "set a=second")
	if err := os.WriteFile(filepath.Join(h.docs, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return h, <-first
}

// A call that reaches nothing else is run again when others were faster: what it answers is so.
func TestOvertakenCallIsRunAgain(t *testing.T) {
	h, a := overtaken(t, capabilities.ModeRead, "")
	wantSaid(t, a, "second there  second")
	wantSaid(t, h.run(me, "keep_look", "", "get b"), "late")
}

// One that could have done something else is not: its answer says so, and nothing of it is kept, however it
// ended itself.
func TestOvertakenCallThatCouldDoMoreIsAnError(t *testing.T) {
	for _, end := range []string{"", "error", "fail", "panic"} {
		t.Run(end, func(t *testing.T) {
			h, a := overtaken(t, capabilities.ModeFull, end)
			const want = "Other calls changed what this one had read, so nothing that it wanted to keep was kept. What it sent or wrote besides was done: check before you call it again."
			if a.Status != host.StatusTool || a.Limit != host.LimitKVConflict || text(t, a) != want {
				t.Errorf("%s %s: %s", a.Status, a.Limit, a.Result)
			}
			wantSaid(t, h.run(me, "keep_look", "", "get a", "get b"), "second code -3")
		})
	}
}

// The quota counts what is there when the call ends. What a call could keep when it wrote may be too much
// then: the host says so, and keeps nothing of it.
func TestQuotaThatOthersFilled(t *testing.T) {
	h, a := filled(t)
	if a.Status != host.StatusTool || a.Limit != host.LimitKVQuota || !strings.Contains(text(t, a), "more than the 1 KB") {
		t.Errorf("%s %s: %s", a.Status, a.Limit, a.Result)
	}
	wantSaid(t, h.run(me, "keep_look", "", "list "), `{"keys":["b"]}`)
}

// filled lets one call keep as much as there may be, and another fill it before the first has ended. It returns
// the answer of the first.
func filled(t *testing.T) (*fixture, host.Answer) {
	t.Helper()
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) {
		m.Capabilities.FS = []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeRead}}
		m.Uses["do"] = append(m.Uses["do"], "fs:docs")
	}))
	most := strings.Repeat("x", 1000)
	wantSaid(t, h.run(me, "keep_do", "", "set a="+most+most), "code -4")
	first := make(chan host.Answer)
	go func() {
		a, err := h.host.CallTool(context.Background(), me, host.Request{Tool: "keep_do", Arguments: steps("", "set a="+most, "await /docs/go")})
		if err != nil {
			t.Error(err)
		}
		first <- a
	}()
	h.waiting()
	wantSaid(t, h.run(me, "keep_do", "", "set b="+most), "")
	if err := os.WriteFile(filepath.Join(h.docs, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return h, <-first
}

// A commit that cannot be recorded does not happen, and the model does not read that it was done.
func TestWhatCannotBeKeptFailsTheCall(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(nil))
	effects := 0
	f, _ := h.over("Record effect", func() error {
		if effects++; effects == 2 { // the write is recorded, and then the commit
			return errDisk
		}
		return nil
	})
	f.armed.Store(true)
	a := h.run(me, "keep_do", "", "set a=1")
	if a.Status != host.StatusHost || !strings.HasPrefix(text(t, a), "Writ could not keep what the tool wrote, so nothing of this call was kept.") {
		t.Errorf("%s: %s", a.Status, a.Result)
	}
	f.armed.Store(false)
	wantSaid(t, h.run(me, "keep_look", "", "get a"), "code -3")
}
