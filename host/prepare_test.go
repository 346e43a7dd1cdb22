package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
)

// own gives the fixture a host with an engine of its own, over the same home.
func (h *fixture) own(cfg sandbox.Config, more host.Config) {
	h.t.Helper()
	e, err := sandbox.New(context.Background(), cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { e.Close(context.Background()) })
	more.Registry, more.Engine = h.reg, e
	made, err := host.New(more)
	if err != nil {
		h.t.Fatal(err)
	}
	h.adopt(made)
}

// tiny installs a servlet of a few hundred bytes, whose one tool "say" has no result that a client
// could read.
func (h *fixture) tiny(alias string, add func(m *w.Module)) registry.Installation {
	h.t.Helper()
	return h.tinyAs(me, alias, add)
}

// tinyAs is tiny for another caller.
func (h *fixture) tinyAs(by capabilities.Caller, alias string, add func(m *w.Module)) registry.Installation {
	h.t.Helper()
	m := &w.Module{}
	add(m)
	m.Memory(w.Range(1, 2))
	m.Func("servlet_call", "", "i", w.I32(0))
	file, err := capabilities.Seal(m.Bytes(), capabilities.Manifest{
		Schema: capabilities.Schema, Name: alias, Version: "1.0.0",
		Tools: []json.RawMessage{json.RawMessage(`{"name":"say","inputSchema":{"type":"object"}}`)},
	}, key("publisher"))
	if err != nil {
		h.t.Fatal(err)
	}
	u, err := capabilities.Read(file)
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := u.Verify()
	if err != nil {
		h.t.Fatal(err)
	}
	in, err := h.reg.Install(h.t.Context(), by, registry.Installation{
		Space: by.Space, Alias: alias, Name: alias, Version: "1.0.0", Publisher: s.KeyID(), Digest: s.Digest(),
		Source: "test", Development: true, Grant: h.grant(s),
	}, file)
	if err != nil {
		h.t.Fatal(err)
	}
	return in
}

func TestPrepareTellsHowCallsStart(t *testing.T) {
	h := newFixture(t, guard.Network{})
	for _, row := range []struct {
		alias string
		add   func(m *w.Module)
		want  sandbox.Rung
		why   string
	}{
		{"fast", func(*w.Module) {}, sandbox.RungReset, ""},
		{"tables", func(m *w.Module) {
			m.Table(w.Range(1, 1))
			m.Func("", "", "", w.I32(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, w.U32(0)))
		}, sandbox.RungInstance, "the module can change its tables, which a reset does not restore"},
		{"crashes", func(m *w.Module) { m.Func("_initialize", "", "", w.Unreachable()) }, sandbox.RungPlain,
			"init or warm-up failed: the servlet crashed (unreachable)"},
	} {
		in := h.tiny(row.alias, row.add)
		if _, ok := h.host.Remembered(in); ok {
			t.Errorf("%s: remembered before it was loaded", row.alias)
		}
		got, err := h.host.Prepare(t.Context(), me, row.alias)
		if _, slow := engine.MemoryMethod(); row.want == sandbox.RungReset {
			row.why = slow
		}
		if err != nil || got.Rung != row.want || got.Reason != row.why || (got.Entropy == "") != (row.want == sandbox.RungPlain) {
			t.Errorf("%s: %+v, %v; want %s: %s", row.alias, got, err, row.want, row.why)
		}
		until(t, "it is remembered", func() bool {
			kept, ok := h.host.Remembered(in)
			return ok && kept == got
		})
	}
}

// The first call after Prepare finds the code that Prepare loaded.
func TestPrepareCompilesOnce(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	n := 0
	h.host.Compiles(func() { n++ })
	for range 2 {
		if _, err := h.host.Prepare(t.Context(), me, "docs"); err != nil {
			t.Fatal(err)
		}
	}
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
	if n != 1 {
		t.Errorf("compiled %d times", n)
	}
}

// What nobody granted, or no longer, is not run to be looked at.
func TestPrepareRunsOnlyWhatIsGranted(t *testing.T) {
	h := newFixture(t, guard.Network{})
	compiled := false
	h.host.Compiles(func() { compiled = true })
	h.install("docs", manifest())
	refused := func(part string, target error) {
		t.Helper()
		if _, err := h.host.Prepare(t.Context(), me, "docs"); !errors.Is(err, target) || !strings.Contains(err.Error(), part) || compiled {
			t.Errorf("error %v, compiled %v; want %s", err, compiled, part)
		}
	}
	h.regrant("docs", true, nil)
	refused("docs is not ready: its grant was revoked. Mend it with: writ grant docs", capabilities.ErrNotGranted)
	h.regrant("docs", false, func(g *capabilities.Grant) { g.Manifest = strings.Repeat("0", 64) })
	refused("docs is not ready: it is not the version that was approved", capabilities.ErrNotGranted)
	damageBlobs(h)
	h.regrant("docs", false, func(g *capabilities.Grant) { *g = capabilities.Grant{} })
	refused("docs is not ready", capabilities.ErrNotGranted)
	if _, err := h.host.Prepare(t.Context(), me, "nosuch"); !errors.Is(err, registry.ErrNotFound) {
		t.Error(err)
	}
	h.host.Close(context.Background())
	if _, err := h.host.Prepare(t.Context(), me, "docs"); err == nil {
		t.Error("prepared after Close")
	}
}

// Listing reads kilobytes; what only the whole file tells is told by Verify, and before anything runs.
func TestVerifyReadsTheWholeFile(t *testing.T) {
	h := newFixture(t, guard.Network{})
	in := h.install("docs", manifest())
	if err := h.host.Verify(t.Context(), in); err != nil {
		t.Error(err)
	}
	damageBlobs(h)
	const why = "docs is not ready: its file is damaged or missing. Mend it with: writ remove docs, then install it again"
	if err := h.host.Verify(t.Context(), in); err == nil || err.Error() != why {
		t.Error(err)
	}
	if _, err := h.host.Prepare(t.Context(), me, "docs"); err == nil || err.Error() != why {
		t.Error(err)
	}
	want(t, h.call("docs_units", nil), host.StatusDenied, "its file is damaged or missing")
}

// A module that passes the gate and that the compiler cannot do within its limits: its calls say so, and
// the file is not blamed.
func TestServletThatCannotBeCompiled(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.own(sandbox.Config{CacheDir: t.TempDir() + "/code", Compiler: func(context.Context, sandbox.Job) error {
		return fmt.Errorf("compiling module: %w: it takes too long", sandbox.ErrCompile)
	}}, host.Config{})
	const why = "is not ready: its code cannot be compiled: it takes too long. Mend it with: writ remove docs, then install another version"
	if _, err := h.host.Prepare(t.Context(), me, "docs"); !errors.Is(err, sandbox.ErrCompile) || err.Error() != "docs "+why {
		t.Error(err)
	}
	want(t, h.call("docs_units", nil), host.StatusDenied, "docs_units "+why)
}

// A full disk is the machine's fault: the answer blames no file and names no path.
func TestCodeThatCannotBeKept(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	dir := t.TempDir() + "/code"
	h.own(sandbox.Config{CacheDir: dir}, host.Config{})
	folders, err := filepath.Glob(dir + "/*/*")
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	if err := os.Remove(folders[0]); err != nil {
		t.Fatal(err)
	}
	a := h.call("docs_units", nil)
	want(t, a, host.StatusHost, "docs was not run, because Writ cannot keep its compiled code")
	if strings.Contains(text(t, a), dir) {
		t.Errorf("it names a path: %s", text(t, a))
	}
}

// What no call uses is unloaded after a while, and loaded again by the next.
func TestUnusedServletsAreUnloaded(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.own(sandbox.Config{CacheDir: t.TempDir() + "/code"}, host.Config{Idle: time.Millisecond})
	h.install("docs", manifest())
	for range 2 {
		want(t, h.call("docs_units", nil), host.StatusOK, "metric")
		until(t, "it is unloaded", func() bool { return h.host.Loaded() == 0 })
	}
	slow := newFixture(t, guard.Network{})
	slow.install("docs", manifest())
	want(t, slow.call("docs_units", nil), host.StatusOK, "metric")
	if n := slow.host.Loaded(); n != 1 {
		t.Errorf("%d are loaded right after a call", n)
	}
}

// The code that was used last is loaded before it is asked for, and given back.
func TestForesight(t *testing.T) {
	h := newFixture(t, guard.Network{})
	dir := t.TempDir() + "/code"
	h.own(sandbox.Config{CacheDir: dir}, host.Config{})
	in := h.install("docs", manifest())
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
	until(t, "it is remembered", func() bool { _, ok := h.host.Remembered(in); return ok })

	h.own(sandbox.Config{CacheDir: dir, Compiler: func(context.Context, sandbox.Job) error {
		t.Error("it is compiled again")
		return nil
	}}, host.Config{Foresee: true})
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
	if err := h.host.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
