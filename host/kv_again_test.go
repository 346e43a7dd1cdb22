package host_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// again is a home in which each run of keep_do reads and writes a key. Before the first one writes, another call
// has changed it, so that it is overtaken; then goes on with what the test says, by the number of the run.
func again(t *testing.T, change func(*capabilities.Manifest), then func(h *fixture, run int, ctx context.Context, call sandbox.Call) sandbox.Outcome) *fixture {
	t.Helper()
	h := newFixture(t, guard.Network{})
	in := h.keeper(me, "keep", "publisher", keeping(change))
	runs := 0
	h.host.Runner(func(ctx context.Context, call sandbox.Call) sandbox.Outcome {
		runs++
		asked := func(req effect.KVRequest) {
			if _, err := call.Host.Keep(ctx, req); err != nil && err.Code != effect.NotFound {
				t.Errorf("run %d: %+v", runs, err)
			}
		}
		asked(effect.KVRequest{Op: effect.KVGet, Key: "a"})
		asked(effect.KVRequest{Op: effect.KVSet, Key: "b", Value: []byte("late")})
		if runs == 1 {
			kv, err := h.reg.KV(me, in, in.Grant.Rights)
			if err == nil {
				err = kv.Commit(context.Background(), []registry.KVChange{{Key: "a", Value: []byte("other")}}, 1<<10)
			}
			if err != nil {
				t.Error(err)
			}
		}
		return then(h, runs, ctx, call)
	})
	return h
}

var nothing = []byte(`{"content":[{"type":"text","text":""}]}`)

// What a call costs is what all its runs cost, and its progress does not begin anew.
func TestRunsOfACallAreOneCall(t *testing.T) {
	h := again(t, nil, func(_ *fixture, run int, _ context.Context, call sandbox.Call) sandbox.Outcome {
		for _, done := range [][]float64{{0, 1, 2, 3}, {0, 1, 2}}[run-1] {
			call.Progress(done, 3, "")
		}
		return sandbox.Outcome{Output: nothing, Fuel: 5}
	})
	var told []float64
	a, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "keep_do", Arguments: steps(""), Progress: func(done, _ float64, _ string) { told = append(told, done) }})
	if err != nil {
		t.Fatal(err)
	}
	wantSaid(t, a, "")
	if a.Fuel != 10 {
		t.Errorf("fuel %d", a.Fuel)
	}
	if len(told) == 0 || !slices.IsSorted(told) || told[len(told)-1] != 3 {
		t.Errorf("told of %v", told)
	}
}

func installed(t *testing.T, h *fixture) registry.Installation {
	t.Helper()
	in, err := h.reg.Lookup(t.Context(), me, "keep")
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// A call that is ended from outside says why, also when it has just been overtaken, or is about to be kept.
func TestEndedWhileItIsKept(t *testing.T) {
	closed := func(h *fixture, ctx context.Context) {
		now, cancel := context.WithCancel(ctx)
		cancel()
		go h.host.Close(now)
		<-ctx.Done()
	}
	for name, endsIn := range map[string]int{"overtaken": 1, "about to be kept": 2} {
		t.Run(name, func(t *testing.T) {
			h := again(t, nil, func(h *fixture, run int, ctx context.Context, _ sandbox.Call) sandbox.Outcome {
				if run == endsIn {
					closed(h, ctx)
				}
				return sandbox.Outcome{Output: nothing}
			})
			a := h.run(me, "keep_do", "")
			value, err := h.reg.KeptValue(t.Context(), me, registry.Kept{Space: me.Space, Principal: me.Principal, Alias: "keep", Name: "acme/keep", Publisher: installed(t, h).Publisher}, "b")
			switch {
			case endsIn == 2 && a.Status == host.StatusOK && string(value) == "late": // it was faster
			case a.Status != host.StatusHost || text(t, a) != "Writ is shutting down." || !errors.Is(err, registry.ErrNotFound):
				t.Errorf("%s: %s; kept %q, %v", a.Status, a.Result, value, err)
			}
		})
	}
}

// Who does more than is recorded of one call keeps nothing, and is told: it is no failure of the host's.
func TestCallThatDoesTooMuchKeepsNothing(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) { m.Capabilities.KV.QuotaKB = 8 << 10 }))
	h.host.Runner(func(ctx context.Context, call sandbox.Call) sandbox.Outcome {
		for i := range 30_000 {
			req := effect.KVRequest{Op: effect.KVSet, Key: strings.Repeat("k", 250) + fmt.Sprintf("%05d", i/2)}
			if i%2 == 1 {
				req.Op = effect.KVDelete
			}
			if _, err := call.Host.Keep(ctx, req); err != nil {
				if err.Code != effect.Limit {
					t.Errorf("%+v", err)
				}
				return sandbox.Outcome{Output: nothing}
			}
		}
		t.Error("there is no limit")
		return sandbox.Outcome{Output: nothing}
	})
	a := h.run(me, "keep_do", "")
	if a.Status != host.StatusTool || !strings.HasPrefix(text(t, a), "The tool did more than is recorded of one call, so nothing of this call was kept.") {
		t.Errorf("%s: %s", a.Status, a.Result)
	}
	if all, err := h.reg.Kept(t.Context(), me); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// What was removed while a call ran, and installed again, has nothing of what that call wrote.
func TestInstalledAgainWhileItRan(t *testing.T) {
	h := again(t, nil, func(h *fixture, run int, _ context.Context, _ sandbox.Call) sandbox.Outcome {
		if run == 2 {
			if err := h.reg.Remove(context.Background(), me, "keep", true); err != nil {
				t.Error(err)
			}
			h.keeper(me, "keep", "publisher", keeping(nil))
		}
		return sandbox.Outcome{Output: nothing}
	})
	if a := h.run(me, "keep_do", ""); a.Status != host.StatusDenied {
		t.Errorf("%s: %s", a.Status, a.Result)
	}
	if all, err := h.reg.Kept(t.Context(), me); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// A run that hangs is left behind at the call's own time, not at that of reading an answer.
func TestLaterRunHasTheCallsTime(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	h := again(t, func(m *capabilities.Manifest) { m.Limits.WallMS = 300 }, func(_ *fixture, run int, _ context.Context, _ sandbox.Call) sandbox.Outcome {
		if run > 1 {
			<-free
		}
		return sandbox.Outcome{Output: nothing}
	})
	defer close(free)
	answered := make(chan host.Answer, 1)
	go func() { answered <- h.run(me, "keep_do", "") }()
	select {
	case a := <-answered:
		if a.Limit != host.LimitLeftBehind {
			t.Errorf("%s: %s", a.Limit, a.Result)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("no answer")
	}
}

// Runs end when what they leave in the audit together is as much as one call may leave there.
func TestRunsThatRecordMuchEnd(t *testing.T) {
	runs := 0
	h := newFixture(t, guard.Network{})
	in := h.keeper(me, "keep", "publisher", keeping(func(m *capabilities.Manifest) { m.Capabilities.KV.QuotaKB = 8 << 10 }))
	h.host.Runner(func(ctx context.Context, call sandbox.Call) sandbox.Outcome {
		runs++
		call.Host.Keep(ctx, effect.KVRequest{Op: effect.KVGet, Key: "a"})
		for i := range 9_000 {
			key := strings.Repeat("k", 250) + string(rune('a'+i%26)) + string(rune(0x100+i))
			if _, err := call.Host.Keep(ctx, effect.KVRequest{Op: effect.KVSet, Key: key}); err != nil {
				t.Errorf("%+v", err)
				break
			}
		}
		kv, err := h.reg.KV(me, in, in.Grant.Rights)
		if err == nil {
			err = kv.Commit(context.Background(), []registry.KVChange{{Key: "a"}}, 1<<10)
		}
		if err != nil && !errors.Is(err, registry.ErrKVQuota) {
			t.Error(err)
		}
		return sandbox.Outcome{Output: nothing}
	})
	a := h.run(me, "keep_do", "")
	if a.Limit != host.LimitKVConflict || runs != 2 {
		t.Errorf("%d runs, %s: %s", runs, a.Limit, a.Result)
	}
}
