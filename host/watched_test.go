package host_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// short are times in which a test sees all steps: the last one comes a second after the others.
var short = host.Times{Tool: 50 * time.Millisecond, Store: 50 * time.Millisecond, Discovery: 50 * time.Millisecond}

// stuckAt returns the answer to a call that something keeps from ending.
func stuckAt(t *testing.T, h *fixture, code host.Limit) host.Answer {
	t.Helper()
	free := make(chan struct{})
	store := &stuck{Registry: h.reg, free: free, in: "Configured"}
	if code == host.LimitLeftBehind {
		store.in = ""
	}
	other := &fixture{t: t, reg: h.reg, docs: h.docs}
	other.adopt(host.NewOver(host.Config{Engine: engine, Times: short}, store))
	other.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome { <-free; return sandbox.Outcome{} })
	t.Cleanup(func() { close(free) })
	return other.call("t_act", args{})
}

// stuck is a store that does not come back from one method, whatever its context says.
type stuck struct {
	*registry.Registry
	in   string
	free chan struct{}
}

func (s *stuck) Configured(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, map[string]string, uint64, error) {
	if s.in == "Configured" {
		<-s.free
	}
	return s.Registry.Configured(ctx, by, alias)
}

func (s *stuck) List(ctx context.Context, by capabilities.Caller) ([]registry.Installation, error) {
	if s.in == "List" {
		<-s.free
	}
	return s.Registry.List(ctx, by)
}

func (s *stuck) Record(ctx context.Context, e registry.Entry, durable bool) error {
	if s.in == "Record "+e.Event {
		<-s.free
	}
	return s.Registry.Record(ctx, e, durable)
}

// lines is a log that is read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A tool that does not come back is warned of, answered for and counted; it keeps its place until it does
// come back, and its late result is nobody's.
func TestToolThatIgnoresItsEndIsLeftBehind(t *testing.T) {
	base := newFixture(t, guard.Network{})
	base.install("t", manifest())
	var log lines
	set := metrics.New(host.Statuses()...)
	h := &fixture{t: t, reg: base.reg, docs: base.docs}
	h.adopt(host.NewOver(host.Config{Engine: engine, Times: short, Running: 1, Metrics: set, Logger: slog.New(slog.NewTextHandler(&log, nil))}, base.reg))
	free := make(chan struct{})
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		<-free
		return sandbox.Outcome{Output: []byte(`{"content":[{"type":"text","text":"late"}]}`)}
	})
	reported := make(chan struct{}, 1)
	a, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "t_act", Arguments: []byte(`{}`), Progress: func(float64, float64, string) { reported <- struct{}{} }})
	if err != nil || a.Limit != host.LimitLeftBehind || a.Status != host.StatusTool {
		t.Fatalf("%+v, %v", a, err)
	}
	want(t, a, host.StatusTool, "The tool did not answer within 50ms, and what it waits for cannot be interrupted")
	if got := h.events(a.Call); len(got) != 2 || !strings.HasPrefix(got[1], "answer") {
		t.Errorf("audit %v", got)
	}
	// Its place is taken: what is stuck is bounded as what runs is.
	if b := h.call("t_act", args{}); b.Limit != host.LimitServletCalls {
		t.Errorf("%+v", b)
	}
	close(free)
	until(t, "the call ends", func() bool { return strings.Contains(log.String(), "call that was left behind has ended") })
	for _, step := range []string{"percent=80", "percent=120"} {
		if !strings.Contains(log.String(), "msg=slow phase=tool "+step+" of=50ms call="+a.Call) {
			t.Errorf("the log has no %s:\n%s", step, &log)
		}
	}
	if got := h.events(a.Call); len(got) != 2 {
		t.Errorf("audit after its end %v", got)
	}
	var page bytes.Buffer
	set.WriteTo(&page)
	for _, line := range []string{
		`writ_calls_total{space="default",servlet="t",tool="act",status="tool error"} 1`,
		`writ_timeouts_total{phase="tool",step="left"} 1`, `writ_limits_total{limit="left_behind"} 1`, "writ_calls_left_behind 0",
	} {
		if !strings.Contains(page.String(), line+"\n") {
			t.Errorf("no %s in\n%s", line, &page)
		}
	}
}

// A tool may take less than its manifest says, when the operator says so, and is ended as at its own limit.
func TestOperatorsTimeOfATool(t *testing.T) {
	base := newFixture(t, guard.Network{})
	base.install("t", manifest())
	h := &fixture{t: t, reg: base.reg, docs: base.docs}
	h.adopt(host.NewOver(host.Config{Engine: engine, Times: host.Times{Tool: 120 * time.Millisecond}}, base.reg))
	want(t, h.call("t_act", args{"do": "spin"}), host.StatusTool, "The tool did not answer within 120ms and was ended.")
}

func TestStoreThatDoesNotAnswer(t *testing.T) {
	for _, method := range []string{"Configured", "Record call", "Record answer"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			base := newFixture(t, guard.Network{})
			base.install("t", manifest())
			free := make(chan struct{})
			defer close(free)
			h := &fixture{t: t, reg: base.reg, docs: base.docs}
			h.adopt(host.NewOver(host.Config{Engine: engine, Times: short}, &stuck{Registry: base.reg, in: method, free: free}))
			answered := make(chan host.Answer, 1)
			go func() { answered <- h.call("t_units", nil) }()
			select {
			case a := <-answered:
				want, status := host.LimitHostTime, host.StatusHost
				if method == "Record answer" { // the tool has answered by then
					want, status = host.LimitLeftBehind, host.StatusTool
				}
				if a.Limit != want || a.Status != status {
					t.Errorf("%+v", a)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("no answer")
			}
		})
	}
}

// A list that cannot be made in time is an error, and the next one is tried anew.
func TestDiscoveryThatDoesNotAnswer(t *testing.T) {
	base := newFixture(t, guard.Network{})
	base.install("t", manifest())
	free := make(chan struct{})
	h := &fixture{t: t, reg: base.reg, docs: base.docs}
	h.adopt(host.NewOver(host.Config{Engine: engine, Times: short}, &stuck{Registry: base.reg, in: "List", free: free}))
	var late *deadline.Exceeded
	if _, err := h.host.Tools(t.Context(), me); !errors.As(err, &late) || !late.Left {
		t.Errorf("%v", err)
	}
	close(free)
	if tools, err := h.host.Tools(t.Context(), me); err != nil || len(tools) == 0 {
		t.Errorf("%d tools, %v", len(tools), err)
	}
}

// A client that leaves while its call is left behind gets no answer made up for it.
func TestClientLeavesAStuckCall(t *testing.T) {
	base := newFixture(t, guard.Network{})
	base.install("t", manifest())
	free := make(chan struct{})
	defer close(free)
	h := &fixture{t: t, reg: base.reg, docs: base.docs}
	h.adopt(host.NewOver(host.Config{Engine: engine, Times: short}, &stuck{Registry: base.reg, in: "Configured", free: free}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.host.CallTool(ctx, me, host.Request{Tool: "t_units"}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
