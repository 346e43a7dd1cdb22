package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

const inPanic = "PANIC-TEXT /home/ana/.ssh"

// faulty is a store of which one method fails in one way.
type faulty struct {
	*registry.Registry
	method string
	fail   func() error // may panic
	armed  atomic.Bool
}

func (f *faulty) maybe(method string) error {
	if f.armed.Load() && f.method == method {
		return f.fail()
	}
	return nil
}

func (f *faulty) Lookup(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, error) {
	if err := f.maybe("Lookup"); err != nil {
		return registry.Installation{}, err
	}
	return f.Registry.Lookup(ctx, by, alias)
}

func (f *faulty) List(ctx context.Context, by capabilities.Caller) ([]registry.Installation, error) {
	if err := f.maybe("List"); err != nil {
		return nil, err
	}
	return f.Registry.List(ctx, by)
}

func (f *faulty) OpenBlob(ctx context.Context, digest string) (registry.BlobReader, error) {
	if err := f.maybe("OpenBlob"); err != nil {
		return nil, err
	}
	return f.Registry.OpenBlob(ctx, digest)
}

func (f *faulty) Configured(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, map[string]string, uint64, error) {
	if err := f.maybe("Configured"); err != nil {
		return registry.Installation{}, nil, 1, err
	}
	return f.Registry.Configured(ctx, by, alias)
}

func (f *faulty) Record(ctx context.Context, e registry.Entry, durable bool) error {
	if err := f.maybe("Record " + e.Event); err != nil {
		return err
	}
	return f.Registry.Record(ctx, e, durable)
}

func (f *faulty) Generation() uint64 {
	f.maybe("Generation")
	return f.Registry.Generation()
}

// over puts a faulty store under a host of the fixture, with a log.
func (h *fixture) over(method string, fail func() error) (*faulty, *bytes.Buffer) {
	var log bytes.Buffer
	f := &faulty{Registry: h.reg, method: method, fail: fail}
	h.adopt(host.NewOver(host.Config{Engine: engine, Logger: slog.New(slog.NewTextHandler(&log, nil))}, f))
	return f, &log
}

func panics() error { panic(inPanic) }

func TestPanicOfTheStoreFailsOneCall(t *testing.T) {
	for _, method := range []string{"Configured", "OpenBlob", "Record call", "Record effect", "Generation"} {
		t.Run(method, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			h.install("docs", manifest())
			f, log := h.over(method, panics)
			f.armed.Store(true)
			a := h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"})
			want(t, a, host.StatusHost, "Writ failed while it served this call. See `writ audit --call "+a.Call+"`.")
			f.armed.Store(false)
			want(t, h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"}), host.StatusOK, "written")
			h.host.Close(context.Background()) // the log is no longer written to
			if strings.Contains(text(t, a), inPanic) || method != "Record effect" && !strings.Contains(log.String(), "PANIC-TEXT") {
				t.Errorf("answer %q, log %q", text(t, a), log)
			}
		})
	}
}

func TestPanicWhileTheAnswerIsRecordedKeepsTheAnswer(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	f, _ := h.over("Record answer", panics)
	f.armed.Store(true)
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
}

func TestPanicOfTheStoreWhileListing(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	f, _ := h.over("List", panics)
	f.armed.Store(true)
	if _, err := h.host.Tools(t.Context(), me); err == nil || strings.Contains(err.Error(), inPanic) {
		t.Errorf("got %v", err)
	}
	f.armed.Store(false)
	if tools, err := h.host.Tools(t.Context(), me); err != nil || len(tools) == 0 {
		t.Errorf("got %v, %v", tools, err)
	}
}

// cracked is a guard that panics in one message.
type cracked struct {
	host.Warden
	in string
}

func (c cracked) Open(ctx context.Context, req effect.Open) (effect.Handle, effect.Errno) {
	if c.in == "Open" {
		panic(inPanic)
	}
	return c.Warden.Open(ctx, req)
}

func (c cracked) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	panic(inPanic) // on a goroutine of the sandbox
}

func (c cracked) Effects() (allowed, denied int) {
	if c.in == "Effects" {
		panic(inPanic)
	}
	return c.Warden.Effects()
}

func (c cracked) End() error {
	err := c.Warden.End()
	if c.in == "End" {
		panic(inPanic)
	}
	return err
}

func TestPanicOfAGuardFailsOneCall(t *testing.T) {
	for _, row := range []struct {
		in, tool string
		args     args
	}{
		{"Open", "docs_read", args{"path": "/docs/a.txt"}},
		{"Fetch", "docs_fetch", args{"path": "/v1/a", "method": "GET"}},
		{"Effects", "docs_units", nil},
		{"End", "docs_units", nil},
	} {
		t.Run(row.in, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			h.install("docs", manifest())
			h.host.Guard(func(w host.Warden) host.Warden { return cracked{w, row.in} })
			a := h.call(row.tool, row.args)
			want(t, a, host.StatusHost, "Writ failed while it served this call.")
			if strings.Contains(string(a.Result), "PANIC") {
				t.Errorf("panic text in the answer: %s", a.Result)
			}
			want(t, h.call("docs_say", args{"raw": `{"content":[{"type":"text","text":"alive"}]}`}), map[bool]host.Status{true: host.StatusHost, false: host.StatusOK}[row.in == "Effects" || row.in == "End"], "")
		})
	}
}

func TestPanicOfTheRuntimeFailsOneCall(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome { panic(inPanic) })
	want(t, h.call("docs_units", nil), host.StatusHost, "Writ failed")
}

func TestGuardThatCannotBeMadeIsTheHostsFault(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.host.NoGuard(errors.New("opening /home/ana: out of handles"))
	a := h.call("docs_units", nil)
	want(t, a, host.StatusHost, "Writ failed while it served this call.")
	if strings.Contains(string(a.Result), "/home/ana") {
		t.Errorf("a path of the host: %s", a.Result)
	}
}

// What cannot be recorded does not happen: neither the call nor an effect of it.
func TestWithoutARecordNothingHappens(t *testing.T) {
	full := func() error { return errors.New("disk full") }
	t.Run("call", func(t *testing.T) {
		h := newFixture(t, guard.Network{})
		h.install("docs", manifest())
		f, _ := h.over("Record call", full)
		f.armed.Store(true)
		want(t, h.call("docs_units", nil), host.StatusHost, "Writ could not record this call, so it was not run.")
	})
	t.Run("effect", func(t *testing.T) {
		h := newFixture(t, guard.Network{})
		h.install("docs", manifest())
		f, _ := h.over("Record effect", full)
		f.armed.Store(true)
		a := h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"})
		if a.Status == host.StatusOK || a.Allowed != 0 || a.Denied == 0 {
			t.Errorf("status %s, %d allowed, %d denied", a.Status, a.Allowed, a.Denied)
		}
		f.armed.Store(false)
		if got := text(t, h.call("docs_read", args{"path": "/docs/a.txt"})); !strings.Contains(got, "No such file") {
			t.Errorf("the file is there: %s", got)
		}
	})
}

// Effects that change something are on disk before they happen; reads are batched.
func TestChangesAreRecordedDurably(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	l := &ledger{Registry: h.reg}
	h.adopt(host.NewOver(host.Config{Engine: engine}, l))
	h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"})
	if l.durable.Load() == 0 {
		t.Error("a write was recorded in a batch")
	}
	l.durable.Store(0)
	h.call("docs_read", args{"path": "/docs/a.txt"})
	h.call("docs_units", nil)
	if n := l.durable.Load(); n != 0 {
		t.Errorf("%d reads waited for the disk", n)
	}
}

type ledger struct {
	*registry.Registry
	durable atomic.Int32
}

func (l *ledger) Record(ctx context.Context, e registry.Entry, durable bool) error {
	if durable {
		l.durable.Add(1)
	}
	return l.Registry.Record(ctx, e, durable)
}

func TestRegistryThatCannotBeReadIsAnError(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	f, _ := h.over("Configured", func() error { return registry.ErrLocked })
	f.armed.Store(true)
	_, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "docs_units", Arguments: json.RawMessage(`{}`)})
	if !errors.Is(err, registry.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// A registry whose Watch fails is watched again: revocations would be missed otherwise.
func TestFollowingGoesOnAfterAPanic(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	w := &stumbling{Registry: h.reg, again: make(chan struct{})}
	h.adopt(host.NewOver(host.Config{Engine: engine}, w))
	told := make(chan struct{}, 1)
	ctx, stop := context.WithCancel(t.Context())
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		h.host.Watch(ctx, func() {
			select {
			case told <- struct{}{}:
			default:
			}
		})
	}()
	select {
	case <-w.again:
	case <-time.After(30 * time.Second):
		t.Fatal("not watched again")
	}
	<-told
	stop()
	<-watching
}

type stumbling struct {
	*registry.Registry
	times atomic.Int32
	again chan struct{}
}

func (s *stumbling) Watch(ctx context.Context, changed func(uint64)) {
	switch s.times.Add(1) {
	case 1:
		panic(inPanic)
	case 2:
		close(s.again)
	}
	s.Registry.Watch(ctx, changed)
}
