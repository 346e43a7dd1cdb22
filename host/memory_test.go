package host_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
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

func TestCallsShareTheMemory(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest()) // 64 MB for each call
	h.adopt(host.NewOver(host.Config{Engine: engine, Memory: 3*64<<20 + 1}, h.reg))
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
		all.Go(func() { want(t, h.call("t_act", args{}), host.StatusOK, "") })
	}
	until(t, "all run or wait", func() bool { return int(running.Load())+h.host.WaitingForMemory() == 12 })
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
		"t_act may use 512 MB of memory, and this Writ has 256 MB for all calls together. Run it on a machine with more memory")
}

// A large call is not overtaken, and one that gives up does not keep those behind it waiting.
func TestMemoryIsGivenInTheOrderOfAsking(t *testing.T) {
	m := host.NewMemory(10)
	if err := m.Take(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	large, giveUp := context.WithCancel(t.Context())
	largeEnded, smallEnded := make(chan error, 1), make(chan error, 1)
	go func() { largeEnded <- m.Take(large, 10) }()
	until(t, "the large call waits", func() bool { return m.Waiting() == 1 })
	go func() { smallEnded <- m.Take(t.Context(), 2) }() // there would be room for it
	until(t, "the small call waits behind the large one", func() bool { return m.Waiting() == 2 })
	giveUp()
	if err := <-largeEnded; !errors.Is(err, context.Canceled) {
		t.Errorf("the large call: %v", err)
	}
	if err := <-smallEnded; err != nil {
		t.Errorf("the small call: %v", err)
	}
	m.Give(8)
	m.Give(2)
	// Nothing was lost on the way: all of it can be had.
	if err := m.Take(t.Context(), 10); err != nil || m.Waiting() != 0 {
		t.Errorf("%v, %d wait", err, m.Waiting())
	}
}

// Shares are neither lost nor given twice, however calls come, give up and end.
func TestMemoryIsNeverOverdrawn(t *testing.T) {
	m := host.NewMemory(10)
	var used atomic.Int64
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			bytes := int64(i%10 + 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			if m.Take(ctx, bytes) != nil {
				return
			}
			if n := used.Add(bytes); n > 10 {
				t.Errorf("%d of 10 are used", n)
			}
			runtime.Gosched()
			used.Add(-bytes)
			m.Give(bytes)
		})
	}
	all.Wait()
	// Given up at the very moment at which it is given: it is had, or it is not.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if m.Take(gone, 1) == nil {
			m.Give(1)
		}
	}
	if m.Waiting() != 0 || m.Used() != 0 {
		t.Errorf("%d wait, %d of 10 are used by no one", m.Waiting(), m.Used())
	}
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
	aliases := []string{"a", "b", "c", "d"}
	for _, alias := range aliases {
		m := manifest()
		m.Name = "acme/" + alias
		h.install(alias, m)
	}
	var now, entered, most atomic.Int32
	goOn := make(chan struct{})
	h.host.Compiles(func() {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		entered.Add(1)
		<-goOn
	})
	var all sync.WaitGroup
	for _, alias := range aliases {
		all.Go(func() { want(t, h.call(alias+"_units", nil), host.StatusOK, "metric") })
	}
	until(t, "all are asked for", func() bool { return h.host.Loading() == len(aliases) && entered.Load() >= 2 })
	for range aliases {
		goOn <- struct{}{}
	}
	all.Wait()
	if n := most.Load(); n != 2 {
		t.Errorf("%d were compiled at a time", n)
	}
}
