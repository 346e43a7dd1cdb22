package host_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
	"github.com/writ-run/writ/testdata/guests"
)

// engine is the one engine of this test process, with a cache so that each guest is compiled once.
var engine *sandbox.Engine

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "writ-host-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	engine, err = sandbox.New(context.Background(), sandbox.Config{CacheDir: filepath.Join(dir, "code")})
	if err != nil {
		panic(err)
	}
	defer engine.Close(context.Background())
	return m.Run()
}

var me = capabilities.Local(capabilities.DefaultSpace)

func key(seed string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(fmt.Sprintf("%-32s", seed))[:32])
}

// manifest describes the guest of testdata/guests/mcp: each tool uses one capability.
func manifest() capabilities.Manifest {
	tool := func(name, more string, properties ...string) json.RawMessage {
		var p []string
		for _, name := range properties {
			p = append(p, fmt.Sprintf("%q:{\"type\":\"string\"}", name))
		}
		return json.RawMessage(fmt.Sprintf(`{"description":"Tool %s","name":%q,"inputSchema":{"type":"object","properties":{%s}}%s}`, name, name, strings.Join(p, ","), more))
	}
	return capabilities.Manifest{
		Schema: capabilities.Schema, Name: "acme/tools", Version: "1.0.0",
		Module: capabilities.Module{ABI: capabilities.ABI},
		Tools: []json.RawMessage{
			tool("read", "", "path"), tool("write", `,"annotations":{"title":"Write","idempotentHint":true}`, "path", "text"),
			tool("units", ""), tool("fetch", "", "path", "method", "text"), tool("say", "", "raw"),
			tool("typed", `,"outputSchema":{"type":"object","properties":{"celsius":{"type":"number"}},"required":["celsius"]}`, "raw"),
			tool("act", "", "do", "text"),
		},
		Uses: map[string][]string{"read": {"fs:docs:ro"}, "write": {"fs:docs"}, "units": {"config:UNITS"}, "fetch": {"http:api"}},
		Capabilities: capabilities.Capabilities{
			FS:     []capabilities.FS{{ID: "docs", Guest: "/docs", Mode: capabilities.ModeFull}},
			Config: []capabilities.Config{{Key: "UNITS", Default: "metric"}},
			HTTP:   []capabilities.HTTP{{ID: "api", Origin: "user", Methods: []string{"GET", "POST"}, Paths: []string{"/v1/"}}},
		},
	}
}

// fixture is a home with a host over it.
type fixture struct {
	t    testing.TB
	reg  *registry.Registry
	host *host.Host
	docs string // granted as "docs"
}

func newFixture(t testing.TB, network guard.Network) *fixture {
	t.Helper()
	h := &fixture{t: t, reg: registrytest.Open(t), docs: realDir(t)}
	made, err := host.New(host.Config{Registry: h.reg, Engine: engine, Network: network, Rate: host.Rate{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	h.adopt(made)
	return h
}

func (h *fixture) adopt(made *host.Host) {
	h.host = made
	h.t.Cleanup(func() {
		if err := made.Close(context.Background()); err != nil {
			h.t.Errorf("closing host: %v", err)
		}
	})
}

// realDir is a temporary folder whose path has no link in it: a grant names what is really there.
func realDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// install signs the guest with a manifest and installs it with a grant of all that it asks for.
func (h *fixture) install(alias string, m capabilities.Manifest) registry.Installation {
	h.t.Helper()
	return h.installAs(me, alias, m)
}

// installAs installs for another caller.
func (h *fixture) installAs(by capabilities.Caller, alias string, m capabilities.Manifest) registry.Installation {
	h.t.Helper()
	k := key("publisher")
	file, err := capabilities.Seal(guests.Build(h.t, "mcp"), m, k)
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
	in, err := h.reg.Install(h.t.Context(), by, registry.Installation{
		Space: by.Space, Alias: alias, Name: m.Name, Version: m.Version, Publisher: s.KeyID(), Digest: s.Digest(),
		Source: "test", Development: true, Grant: h.grant(s),
	}, file)
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

func (h *fixture) grant(s capabilities.Servlet) capabilities.Grant {
	rights := capabilities.Requested(s.Manifest())
	for id, r := range rights.FS {
		r.Path = h.docs
		rights.FS[id] = r
	}
	for id, r := range rights.HTTP {
		r.Origin = "https://api.acme.test:8443"
		rights.HTTP[id] = r
	}
	return capabilities.Grant{
		Servlet: s.Manifest().Name, Publisher: s.KeyID(), Manifest: s.ManifestDigest(), Approver: "local", Rights: rights,
	}
}

// regrant changes the grant of an installation as it is now.
func (h *fixture) regrant(alias string, revoked bool, change func(*capabilities.Grant)) {
	h.t.Helper()
	in, err := h.reg.Lookup(context.Background(), me, alias)
	if err != nil {
		h.t.Fatal(err)
	}
	if change != nil {
		change(&in.Grant)
	}
	if _, err := h.reg.SetGrant(context.Background(), me, alias, in.Revision, in.Grant, revoked); err != nil {
		h.t.Fatal(err)
	}
}

// call runs a tool that has to be answered.
func (h *fixture) call(tool string, arguments any) host.Answer {
	h.t.Helper()
	return h.callAs(me, tool, arguments)
}

// callAs is call by another caller.
func (h *fixture) callAs(by capabilities.Caller, tool string, arguments any) host.Answer {
	h.t.Helper()
	raw, err := json.Marshal(arguments)
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := h.host.CallTool(h.t.Context(), by, host.Request{Tool: tool, Arguments: raw})
	if err != nil {
		h.t.Fatalf("%s: %v", tool, err)
	}
	return a
}

// args are the arguments of a call.
type args map[string]string

// text is the text of an answer.
func text(t testing.TB, a host.Answer) string {
	t.Helper()
	var r struct {
		Content []struct{ Text string }
		IsError bool
	}
	if err := json.Unmarshal(a.Result, &r); err != nil {
		t.Fatalf("result %q: %v", a.Result, err)
	}
	if r.IsError != (a.Status != host.StatusOK) {
		t.Errorf("status %q, but isError is %v", a.Status, r.IsError)
	}
	var all []string
	for _, c := range r.Content {
		all = append(all, c.Text)
	}
	return strings.Join(all, "\n")
}

// want checks status and a part of the text.
func want(t testing.TB, a host.Answer, status host.Status, part string) {
	t.Helper()
	if got := text(t, a); a.Status != status || !strings.Contains(got, part) {
		t.Fatalf("got  %s: %s\nwant %s: %s", a.Status, got, status, part)
	}
}

// events returns the audit of a call as "event" or "effect action decision".
func (h *fixture) events(call string) []string {
	h.t.Helper()
	entries, err := h.reg.Audit(h.t.Context(), me, registry.Filter{Call: call})
	if err != nil {
		h.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		var d struct{ Action, Decision, Status string }
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			h.t.Fatal(err)
		}
		words := slices.DeleteFunc([]string{e.Event, d.Action, d.Decision, d.Status}, func(s string) bool { return s == "" })
		out = append(out, strings.Join(words, " "))
	}
	return out
}
