package host_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// until waits for a condition that other goroutines bring about.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for !reached() {
		if t.Context().Err() != nil {
			t.Fatal(what)
		}
		runtime.Gosched()
	}
}

// One caller has half of all. A call counts for 64 MB and its result; with an HTTP capability for as much
// again, which the host may hold of answers.
func TestCallsShareTheMemory(t *testing.T) {
	t.Run("of guests", func(t *testing.T) { shareMemory(t, 2*3*65<<20, "t_act") })
	t.Run("of guests and answers", func(t *testing.T) { shareMemory(t, 2*3*129<<20, "t_fetch") })
}

// shareMemory calls a tool that has room to run three times.
func shareMemory(t *testing.T, memory int64, tool string) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	h.adopt(host.NewOver(host.Config{Engine: engine, Memory: memory}, h.reg))
	var running atomic.Int32
	goOn := make(chan struct{})
	h.host.Runner(func(_ context.Context, call sandbox.Call) sandbox.Outcome {
		if call.Limits.Memory != 64<<20 {
			t.Errorf("a guest may have %d bytes", call.Limits.Memory)
		}
		running.Add(1)
		defer running.Add(-1)
		<-goOn
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() { want(t, h.call(tool, args{}), host.StatusOK, "") })
	}
	until(t, "all run or wait", func() bool { return int(running.Load())+h.host.WaitingForTurn() == 12 })
	if n := running.Load(); n != 3 {
		t.Errorf("%d calls run at a time in memory for 3", n)
	}
	close(goOn)
	all.Wait() // what one gives back, the next takes
}

func TestCallThatNeverFitsIsRefusedAtOnce(t *testing.T) {
	h := newFixture(t, guard.Network{})
	m := manifest()
	m.Limits.MemoryMB = 512
	h.install("t", m)
	h.adopt(host.NewOver(host.Config{Engine: engine, Memory: 256 << 20}, h.reg))
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		t.Error("it ran")
		return sandbox.Outcome{}
	})
	want(t, h.call("t_act", args{}), host.StatusTool,
		"t_act may use 512 MB of memory, and this Writ has 192 MB for one call. Run it on a machine with more memory")
}

func TestMemoryOfTheMachine(t *testing.T) {
	const meminfo = "MemTotal:        8039872 kB\nMemFree:          123456 kB\n"
	for _, row := range []struct {
		name, meminfo, limit string
		want                 int64
	}{
		{"half of the machine", meminfo, "max\n", 8039872 << 10 / 2},
		{"half of the container", meminfo, "1073741824\n", 512 << 20},
		{"a container wider than the machine", meminfo, "1099511627776\n", 8039872 << 10 / 2},
		{"a container alone", "", "1073741824", 512 << 20},
		{"another system", "", "", 2 << 30},
		{"nonsense", "MemTotal: many kB\nMemTotal: -5 kB\n", "-1", 2 << 30},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := host.BudgetFor([]byte(row.meminfo), []byte(row.limit)); got != row.want {
				t.Errorf("got %d, want %d", got, row.want)
			}
		})
	}
}

// Whoever names many servlets at once does not get as many compilers.
func TestFewServletsAreCompiledAtATime(t *testing.T) {
	h := newFixture(t, guard.Network{})
	// A cache of its own: what another test compiled would be known to start well, and has places of its own.
	h.own(sandbox.Config{CacheDir: t.TempDir() + "/code"}, host.Config{})
	aliases := []string{"a", "b", "c", "d"}
	for _, alias := range aliases {
		h.tinyAs(me, alias, func(*w.Module) {})
	}
	var entered atomic.Int32
	goOn := make(chan struct{})
	h.host.Compiles(func() {
		entered.Add(1)
		<-goOn
	})
	var all sync.WaitGroup
	for _, alias := range aliases {
		all.Go(func() {
			if _, err := h.host.Prepare(t.Context(), me, alias); err != nil {
				t.Error(err)
			}
		})
	}
	until(t, "all are asked for", func() bool { return h.host.Loading() == len(aliases) && entered.Load() >= 2 })
	if n := entered.Load(); n != 2 {
		t.Errorf("%d are compiled at a time", n)
	}
	close(goOn)
	all.Wait()
}
