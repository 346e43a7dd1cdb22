package deadline_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writ-run/writ/host/deadline"
)

// told keeps what a Watch says, with the time since it was made.
type told struct {
	mu    sync.Mutex
	start time.Time
	all   []entry
}

type entry struct {
	phase string
	step  deadline.Step
	after time.Duration
}

func (t *told) tell(p deadline.Phase, s deadline.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, entry{p.Name, s, time.Since(t.start)})
}

func TestThreeSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		log := &told{start: time.Now()}
		w := deadline.New(cancel, log.tell)
		w.Begin(deadline.Phase{Name: "store", Time: 10 * time.Second})
		<-ctx.Done()
		if after := time.Since(log.start); after != 10*time.Second {
			t.Errorf("cancelled after %v", after)
		}
		var late *deadline.Exceeded
		if !errors.As(context.Cause(ctx), &late) || late.Left {
			t.Errorf("cause %v", context.Cause(ctx))
		}
		<-w.Left()
		synctest.Wait()
		want := []entry{{"store", deadline.Warned, 8 * time.Second}, {"store", deadline.Cancelled, 10 * time.Second}, {"store", deadline.Left, 12 * time.Second}}
		if !slices.Equal(log.all, want) {
			t.Errorf("%v, want %v", log.all, want)
		}
		w.Begin(deadline.Phase{Name: "late", Time: time.Second}) // nothing follows
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(log.all) != 3 {
			t.Errorf("%v", log.all)
		}
	})
}

// Each phase has its whole time, whatever timers of phases before it were set to.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		log := &told{start: time.Now()}
		w := deadline.New(cancel, log.tell)
		w.Begin(deadline.Phase{Name: "store", Time: 10 * time.Second})
		time.Sleep(7 * time.Second)
		w.Begin(deadline.Phase{Name: "tool", Time: time.Minute, EndsItself: true})
		time.Sleep(50 * time.Second)
		w.Begin(deadline.Phase{Name: "store", Time: 2 * time.Second})
		<-w.Left()
		synctest.Wait()
		want := []entry{{"tool", deadline.Warned, 55 * time.Second}, {"store", deadline.Warned, 58600 * time.Millisecond}, {"store", deadline.Cancelled, 59 * time.Second}, {"store", deadline.Left, time.Minute}}
		if !slices.Equal(log.all, want) {
			t.Errorf("%v, want %v", log.all, want)
		}
		if ctx.Err() == nil {
			t.Error("not cancelled")
		}
	})
}

func TestWhatEndsItselfIsNotCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := deadline.New(cancel, (&told{}).tell)
		w.Begin(deadline.Phase{Name: "tool", Time: time.Minute, EndsItself: true})
		<-w.Left()
		if ctx.Err() != nil {
			t.Error("cancelled")
		}
		cancel(nil)
	})
}

// A phase of milliseconds is not given up because the machine is busy.
func TestLeastGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := deadline.New(func(error) {}, func(deadline.Phase, deadline.Step) {})
		w.Begin(deadline.Phase{Name: "tool", Time: 5 * time.Millisecond})
		<-w.Left()
		if after := time.Since(start); after != 1005*time.Millisecond {
			t.Errorf("left after %v", after)
		}
	})
}

func TestStopEndsAllSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &told{start: time.Now()}
		w := deadline.New(func(error) { t.Error("cancelled") }, log.tell)
		w.Begin(deadline.Phase{Name: "store", Time: time.Second})
		w.Stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(log.all) != 0 {
			t.Errorf("%v", log.all)
		}
	})
}

func TestDo(t *testing.T) {
	phase := deadline.Phase{Name: "discovery", Time: 20 * time.Second}
	synctest.Test(t, func(t *testing.T) {
		g := &deadline.Group{Most: 2}
		if v, err := deadline.Do(t.Context(), g, phase, func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
			t.Errorf("%d, %v", v, err)
		}
		start := time.Now()
		_, err := deadline.Do(t.Context(), g, phase, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, ctx.Err() })
		var late *deadline.Exceeded
		if !errors.As(err, &late) || late.Left || time.Since(start) != 20*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		start = time.Now()
		free := make(chan struct{})
		stuck := func(context.Context) (int, error) { <-free; panic("nobody is there to see it") }
		for range 2 {
			if _, err = deadline.Do(t.Context(), g, phase, stuck); !errors.As(err, &late) || !late.Left {
				t.Errorf("%v", err)
			}
		}
		if after := time.Since(start); after != 48*time.Second {
			t.Errorf("left after %v", after)
		}
		// What is stuck is bounded: a third would be one more for ever.
		if _, err = deadline.Do(t.Context(), g, phase, stuck); !errors.Is(err, deadline.ErrTooMany) {
			t.Errorf("%v", err)
		}
		close(free)
		synctest.Wait()
		// Those that run keep nobody out.
		busy, done := make(chan struct{}), make(chan error)
		for range 5 {
			go func() {
				_, err := deadline.Do(t.Context(), g, phase, func(context.Context) (int, error) { <-busy; return 0, nil })
				done <- err
			}()
		}
		synctest.Wait()
		if _, err := deadline.Do(t.Context(), g, phase, func(context.Context) (int, error) { return 0, nil }); err != nil {
			t.Errorf("after the stuck ones ended: %v", err)
		}
		close(busy)
		for range 5 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		func() {
			defer func() {
				if recover() != "mine" {
					t.Error("a panic is the caller's")
				}
			}()
			_, _ = deadline.Do(t.Context(), g, phase, func(context.Context) (int, error) { panic("mine") })
		}()
	})
	if _, err := deadline.Do(t.Context(), &deadline.Group{}, phase, func(context.Context) (int, error) { return 0, nil }); !errors.Is(err, deadline.ErrTooMany) {
		t.Errorf("the zero group: %v", err)
	}
}

func BenchmarkWatch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w := deadline.New(func(error) {}, func(deadline.Phase, deadline.Step) {})
		w.Begin(deadline.Phase{Name: "store", Time: 5 * time.Second})
		w.Begin(deadline.Phase{Name: "tool", Time: time.Minute})
		w.Stop()
	}
}

// BenchmarkDo is what it costs to be able to go on without somebody: a goroutine, a context and a timer.
func BenchmarkDo(b *testing.B) {
	g := &deadline.Group{Most: 1}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = deadline.Do(context.Background(), g, deadline.Phase{Name: "store", Time: 5 * time.Second}, func(context.Context) (int, error) { return 0, nil })
	}
}
