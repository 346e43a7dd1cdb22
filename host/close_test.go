package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
)

// A call that ignores its cancellation does not keep the process from ending.
func TestCloseDoesNotWaitForACallThatNeverEnds(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	started, release := make(chan struct{}), make(chan struct{})
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		close(started)
		<-release
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	answered := make(chan struct{})
	go func() { h.call("t_act", args{}); close(answered) }()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.host.Close(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "calls that still run: 1") {
		t.Errorf("got %v", err)
	}
	if n := h.host.Loaded(); n != 1 {
		t.Errorf("%d servlets are loaded: code was freed under a running call", n)
	}
	close(release)
	<-answered
	if err := h.host.Close(t.Context()); err != nil || h.host.Loaded() != 0 {
		t.Errorf("closing again: %v, %d loaded", err, h.host.Loaded())
	}
}

// Compiling cannot be interrupted. Who waits for it is answered, and Close does not wait.
func TestCloseDoesNotWaitForACompilerThatNeverEnds(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	started, release := make(chan struct{}), make(chan struct{})
	h.host.Compiles(func() { close(started); <-release })
	answer := make(chan host.Answer, 1)
	go func() { answer <- h.call("t_units", nil) }()
	<-started
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.host.Close(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "servlets that are still compiled: 1") {
		t.Errorf("got %v", err)
	}
	want(t, <-answer, host.StatusHost, "Writ is shutting down")
	close(release)
	until(t, "the compiler ends", func() bool { return h.host.Loading() == 0 })
	if n := h.host.Loaded(); n != 0 {
		t.Errorf("%d servlets are kept for no one", n)
	}
	if err := h.host.Close(t.Context()); err != nil || h.host.Loaded() != 0 {
		t.Errorf("closing again: %v, %d loaded", err, h.host.Loaded())
	}
}

// A client that takes no progress holds neither the guest nor its place.
func TestSlowReceiverOfProgressDoesNotHoldTheGuest(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.adopt(host.NewOver(host.Config{Engine: engine, Running: 1}, h.reg))
	h.install("t", manifest())
	h.host.Runner(func(_ context.Context, call sandbox.Call) sandbox.Outcome {
		if call.Progress != nil {
			for i := range 100 {
				call.Progress(float64(i+1), 100, "")
			}
		}
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	first, release := make(chan struct{}), make(chan struct{})
	var told []float64
	ended := make(chan host.Answer, 1)
	go func() {
		a, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "t_act", Progress: func(done, _ float64, _ string) {
			if told = append(told, done); len(told) == 1 {
				close(first)
				<-release
			}
		}})
		if err != nil {
			t.Error(err)
		}
		ended <- a
	}()
	<-first
	want(t, h.call("t_act", args{}), host.StatusOK, "") // the one place is free again, whoever reads
	close(release)
	want(t, <-ended, host.StatusOK, "")
	// Nothing is told after the answer, so told may be read; the last report is not lost.
	if n := len(told); n < 1 || n > 3 || told[n-1] != 100 {
		t.Errorf("told of %v", told)
	}
}

func TestPanicOfAReceiverOfProgressIsItsOwn(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	h.host.Runner(func(_ context.Context, call sandbox.Call) sandbox.Outcome {
		call.Progress(1, 2, "")
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	a, err := h.host.CallTool(t.Context(), me, host.Request{
		Tool: "t_act", Arguments: json.RawMessage(`{}`), Progress: func(float64, float64, string) { panic(inPanic) },
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, a, host.StatusOK, "")
}
