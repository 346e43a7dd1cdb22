package host_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
)

// enter takes a turn that has to be there at once.
func enter(t *testing.T, l *host.Lanes, caller, servlet string, bytes int64) (leave func()) {
	t.Helper()
	leave, err := l.Enter(t.Context(), caller, servlet, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leave
}

// refused is the limit for which a call waits until its time is over.
func refused(t *testing.T, l *host.Lanes, caller, servlet string, bytes int64) host.Limit {
	t.Helper()
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	leave, err := l.Enter(over, caller, servlet, bytes)
	if err == nil {
		leave()
	}
	return host.LimitOf(err)
}

func TestEachShareHasItsOwnLimit(t *testing.T) {
	for _, row := range []struct {
		name    string
		running []string // caller and servlet of calls that run, one byte of memory each
		caller  string
		servlet string
		bytes   int64
		want    host.Limit
	}{
		{"nothing runs", nil, "a", "s", 10, ""},
		{"another servlet of the same caller", []string{"a s", "a s"}, "a", "t", 1, ""},
		{"the servlet", []string{"a s", "a s"}, "a", "s", 1, host.LimitServletCalls},
		{"the caller", []string{"a s", "a t", "a u"}, "a", "v", 1, host.LimitCallerCalls},
		{"another caller", []string{"a s", "a t", "a u"}, "b", "v", 1, ""},
		{"the caller's memory", []string{"a s"}, "a", "t", 5, host.LimitCallerMemory},
		{"the caller's memory, of which another has none", []string{"a s"}, "b", "t", 5, ""},
		{"a single call may have more than its caller's part", []string{"b s"}, "a", "t", 9, ""},
		{"all memory", []string{"b s", "b t"}, "a", "u", 9, sandbox.LimitMemoryTotal},
		{"all calls", []string{"a s", "a t", "b u", "b v"}, "c", "w", 1, host.LimitTotalCalls},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := host.NewLanes(2, 3, 4, 10, 100)
			for _, r := range row.running {
				var caller, servlet string
				fmt.Sscan(r, &caller, &servlet)
				defer enter(t, l, caller, servlet, 1)()
			}
			if got := refused(t, l, row.caller, row.servlet, row.bytes); got != row.want {
				t.Errorf("limit %q, want %q", got, row.want)
			}
		})
	}
}

// A caller whose calls wait does not keep another's waiting, whatever they wait for.
func TestNobodyWaitsForAnotherCaller(t *testing.T) {
	l := host.NewLanes(16, 2, 4, 100, 1000)
	end, cancel := context.WithCancel(t.Context())
	var flood sync.WaitGroup
	for range 400 {
		flood.Go(func() {
			if leave, err := l.Enter(end, "flood", "s", 25); err == nil {
				<-end.Done()
				leave()
			}
		})
	}
	until(t, "all wait but two", func() bool { return l.Waiting() == 398 })
	for range 100 {
		enter(t, l, "other", "s", 50)()
	}
	cancel()
	flood.Wait()
	if !l.Idle() {
		t.Error("something is still counted")
	}
}

// The calls that wait are bounded, and half of the places are nobody's alone.
func TestWaitingIsBounded(t *testing.T) {
	l := host.NewLanes(1, 1, 1, 10, 6)
	leave := enter(t, l, "a", "s", 1)
	end, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	wait := func(caller string) {
		all.Go(func() {
			if leave, err := l.Enter(end, caller, "s", 1); err == nil {
				leave()
			}
		})
	}
	for range 3 {
		wait("a")
	}
	until(t, "three wait", func() bool { return l.Waiting() == 3 })
	if _, err := l.Enter(t.Context(), "a", "s", 1); host.LimitOf(err) != host.LimitWaiting {
		t.Errorf("a fourth of the same caller: %v", err)
	}
	for range 3 {
		wait("b")
	}
	until(t, "six wait", func() bool { return l.Waiting() == 6 })
	if _, err := l.Enter(t.Context(), "c", "s", 1); host.LimitOf(err) != host.LimitWaiting {
		t.Errorf("a seventh of all: %v", err)
	}
	cancel()
	all.Wait()
	leave()
	if !l.Idle() {
		t.Error("something is still counted")
	}
}

// A large call is not overtaken, and one that gives up does not keep those behind it waiting.
func TestTurnsComeInTheOrderOfAsking(t *testing.T) {
	l := host.NewLanes(9, 9, 9, 10, 100)
	leave := enter(t, l, "a", "s", 8)
	large, giveUp := context.WithCancel(t.Context())
	largeEnded, smallEnded := make(chan error, 1), make(chan error, 1)
	go func() { _, err := l.Enter(large, "b", "s", 10); largeEnded <- err }()
	until(t, "the large call waits", func() bool { return l.Waiting() == 1 })
	go func() { // there would be room for it
		leave, err := l.Enter(t.Context(), "c", "s", 2)
		if err == nil {
			leave()
		}
		smallEnded <- err
	}()
	until(t, "the small call waits behind the large one", func() bool { return l.Waiting() == 2 })
	giveUp()
	if err := <-largeEnded; !errors.Is(err, context.Canceled) {
		t.Errorf("the large call: %v", err)
	}
	if err := <-smallEnded; err != nil {
		t.Errorf("the small call: %v", err)
	}
	leave()
	enter(t, l, "a", "s", 10)() // nothing was lost on the way: all of it can be had
	if !l.Idle() {
		t.Error("something is still counted")
	}
}

// Turns are neither lost nor given twice, however calls come, give up and end.
func TestTurnsAreNeverOverdrawn(t *testing.T) {
	l := host.NewLanes(4, 4, 6, 10, 1000)
	var bytes, running atomic.Int64
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			size := int64(i%10 + 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if i%3 == 0 {
				go cancel()
			}
			leave, err := l.Enter(ctx, fmt.Sprint(i%3), fmt.Sprint(i%5), size)
			if err != nil {
				return
			}
			if b, n := bytes.Add(size), running.Add(1); b > 10 || n > 6 {
				t.Errorf("%d calls run with %d bytes", n, b)
			}
			runtime.Gosched()
			running.Add(-1)
			bytes.Add(-size)
			leave()
		})
	}
	all.Wait()
	if !l.Idle() {
		t.Error("something is still counted")
	}
}
