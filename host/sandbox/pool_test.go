package sandbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
)

// A call that waits for an instance to be renewed waits no longer than its time.
func TestWaitingForAnInstanceEndsWithTheCall(t *testing.T) {
	code := compile(t, importing())
	over, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if code.TakeWhileRenewing(over) {
		t.Error("there was an instance")
	}
}

// What waited for a while is trimmed and used again, and what waited for long is gone, while calls go on.
func TestSweepBesideCalls(t *testing.T) {
	e := newEngine(t, sandbox.Config{})
	code := compileWith(t, e, diver(10))
	call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		for i := range 200 {
			e.SweepAt(time.Now().Add(time.Duration(i%3) * 30 * time.Second))
		}
	}()
	for calling := true; calling; {
		select {
		case <-swept:
			calling = false
		default:
		}
		if out := code.Run(t.Context(), call); out.Fault != nil {
			t.Fatal(out.Fault)
		}
	}
	if n, differs := code.Waiting(); n == 0 || differs != "" {
		t.Errorf("%d instances wait: %s", n, differs)
	}
	e.SweepAt(time.Now().Add(time.Hour))
	if n := e.Instances(); n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

// A processor goes on with the instance that it used last, which it has in its cache, and takes the one that
// was used last by any when another has taken its own.
func TestProcessorsKeepTheirInstances(t *testing.T) {
	code := compile(t, importing())
	for near, want := range []int{0, 1, 2, 2} {
		if got, err := code.Picks(enough().Memory, near); err != nil || got != want {
			t.Errorf("the last one was %d: took %d, want %d, %v", near, got, want, err)
		}
	}
}
