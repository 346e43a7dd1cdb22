package host_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/registry"
)

// Servlets of one caller that take for ever to load keep nobody else's from loading, not even the one that
// both have, and none that is known to start well.
func TestSlowLoadsKeepNobodyWaiting(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.own(sandbox.Config{CacheDir: t.TempDir() + "/code"}, host.Config{Idle: time.Millisecond})
	other := capabilities.Local("other")
	install := func(by capabilities.Caller, alias string) registry.Installation {
		return h.tinyAs(by, alias, func(*w.Module) {})
	}
	prepare := func(by capabilities.Caller, alias string) {
		if _, err := h.host.Prepare(t.Context(), by, alias); err != nil {
			t.Error(err)
		}
	}
	known := install(other, "known")
	prepare(other, "known")
	until(t, "it is remembered and unloaded", func() bool {
		_, ok := h.host.Remembered(known)
		return ok && h.host.Loaded() == 0
	})
	if start, _ := h.host.Remembered(known); start.Rung == sandbox.RungPlain {
		t.Fatalf("of code that was freed at once this is remembered: %+v", start)
	}
	slow := []string{"slow-a", "slow-b", "slow-c", "slow-d"}
	for _, alias := range slow {
		install(other, alias)
	}
	install(other, "both")
	install(me, "both")
	install(me, "own")
	var inside atomic.Int32
	goOn := make(chan struct{})
	h.host.Loads(func(name string) {
		if strings.HasPrefix(name, "slow-") {
			inside.Add(1)
			<-goOn
		}
	})
	var all sync.WaitGroup
	for _, alias := range slow {
		all.Go(func() { prepare(other, alias) })
	}
	until(t, "two are loaded, and two wait", func() bool { return h.host.Loading() == len(slow) && inside.Load() == 2 })
	all.Go(func() { prepare(other, "both") })
	until(t, "one more waits", func() bool { return h.host.Loading() == len(slow)+1 })
	prepare(me, "own")
	prepare(me, "both")
	prepare(other, "known")
	if n := inside.Load(); n != 2 {
		t.Errorf("%d slow ones of one caller are loaded at a time", n)
	}
	close(goOn)
	all.Wait()
}

// What cannot be loaded is not tried by each call that comes, until something is changed.
func TestFailedLoadIsNotTriedByEachCall(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	var tried atomic.Int32
	h.own(sandbox.Config{CacheDir: t.TempDir() + "/code", Compiler: func(context.Context, sandbox.Job) error {
		tried.Add(1)
		// So that the pause is longer than what follows takes on any machine.
		time.Sleep(300 * time.Millisecond)
		return fmt.Errorf("compiling module: %w: it takes too long", sandbox.ErrCompile)
	}}, host.Config{})
	for i, change := range []func(){
		func() {},
		func() {
			m := manifest()
			m.Name = "acme/another"
			h.install("another", m)
		},
	} {
		change()
		for range 3 {
			want(t, h.call("docs_units", nil), host.StatusDenied, "docs_units is not ready: its code cannot be compiled")
		}
		if n := int(tried.Load()); n != i+1 {
			t.Errorf("after %d changes it was tried %d times", i, n)
		}
	}
}

// A load is tried again after a while, each time a longer one.
func TestFailedLoadIsTriedAgain(t *testing.T) {
	for _, row := range []struct {
		failures int
		took     time.Duration
		pause    time.Duration
	}{
		{1, 0, time.Second},
		{2, 0, 2 * time.Second},
		{4, 0, 8 * time.Second},
		{20, 0, time.Minute},
		{1, 30 * time.Second, 5 * time.Minute},
	} {
		if got := host.PauseAfter(row.failures, row.took); got > row.pause || got < row.pause-time.Second/2 {
			t.Errorf("after %d failures, of %v, the next is in %v", row.failures, row.took, got)
		}
	}
}
