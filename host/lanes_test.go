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
		{"the caller's memory", []string{"a s"}, "a", "t", 8, host.LimitCallerMemory},
		{"the caller's memory, of which another has none", []string{"a s"}, "b", "t", 8, ""},
		{"a single call may have more than its caller's part", []string{"b s"}, "a", "t", 11, ""},
		{"all memory but what is spare", []string{"b s", "b t"}, "a", "u", 11, sandbox.LimitMemoryTotal},
		{"all calls but the spare one", []string{"a s", "a t", "b u"}, "b", "w", 1, host.LimitTotalCalls},
		{"the spare call", []string{"a s", "a t", "b u"}, "c", "w", 4, ""},
		{"the spare call, with more than the spare memory", []string{"a s", "a t", "b u"}, "c", "w", 5, host.LimitTotalCalls},
		{"all calls", []string{"a s", "a t", "b u", "c v"}, "d", "w", 1, host.LimitTotalCalls},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := host.NewLanes(2, 3, 4, 16, 100)
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
			if leave, err := l.Enter(end, "flood", "s", 20); err == nil {
				<-end.Done()
				leave()
			}
		})
	}
	until(t, "all wait but two", func() bool { return l.Waiting() == 398 })
	for range 100 {
		enter(t, l, "other", "s", 35)()
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
	leave, other := enter(t, l, "a", "s", 6), enter(t, l, "c", "s", 1)
	large, giveUp := context.WithCancel(t.Context())
	largeEnded, smallEnded := make(chan error, 1), make(chan error, 1)
	go func() { _, err := l.Enter(large, "b", "s", 8); largeEnded <- err }()
	until(t, "the large call waits", func() bool { return l.Waiting() == 1 })
	go func() { // there would be room for it
		leave, err := l.Enter(t.Context(), "c", "s", 1)
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
	other()
	enter(t, l, "a", "s", 8)() // nothing was lost on the way: all of it can be had
	if !l.Idle() {
		t.Error("something is still counted")
	}
}

// However much two callers take, and however long, another has a call.
func TestNobodyHasAll(t *testing.T) {
	l := host.NewLanes(100, 100, 100, 100, 100)
	if _, err := l.Enter(t.Context(), "a", "s", 76); err == nil {
		t.Error("one call may have more than three quarters of the memory")
	}
	leaveA, leaveB := enter(t, l, "a", "s", 50), enter(t, l, "b", "s", 25)
	leave := enter(t, l, "c", "s", 20)
	if limit := refused(t, l, "c", "s", 1); limit != sandbox.LimitMemoryTotal {
		t.Errorf("a caller's second call has what is spare: limit %q", limit)
	}
	enter(t, l, "d", "s", 5)()
	leaveA()
	leave()
	enter(t, l, "c", "s", 50)() // what was spare is so again, and takes nothing from the rest
	leaveB()
	leave = enter(t, l, "a", "s", 75)
	enter(t, l, "b", "s", 25)()
	leave()
	if !l.Idle() {
		t.Error("something is still counted")
	}
}

// Who waits for a call that takes long keeps only those waiting who would take it what it waits for.
func TestLargeCallIsOvertakenWithoutLoss(t *testing.T) {
	l := host.NewLanes(100, 100, 100, 100, 100)
	within := func(d time.Duration) context.Context {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(d))
		t.Cleanup(cancel)
		return ctx
	}
	leaveLong, err := l.Enter(within(time.Hour), "a", "s", 50)
	if err != nil {
		t.Fatal(err)
	}
	leaveSmall := enter(t, l, "c", "s", 5) // so that the next ones of its caller are not spare
	large := make(chan func())
	go func() {
		leave, err := l.Enter(t.Context(), "b", "s", 60)
		if err != nil {
			t.Error(err)
		}
		large <- leave
	}()
	until(t, "the large call waits", func() bool { return l.Waiting() == 1 })
	leaveSoon, err := l.Enter(within(time.Minute), "c", "s", 10) // it ends before the large call has its turn
	if err != nil {
		t.Fatal(err)
	}
	leaveBeside, err := l.Enter(within(2*time.Hour), "c", "s", 10) // there will be room for both
	if err != nil {
		t.Fatal(err)
	}
	leaveSoon()
	late := make(chan func())
	go func() {
		leave, err := l.Enter(within(2*time.Hour), "c", "s", 1) // the large call would wait for it
		if err != nil {
			t.Error(err)
		}
		late <- leave
	}()
	until(t, "the small call waits", func() bool { return l.Waiting() == 2 })
	leaveLong()
	leaveLarge := <-large
	if l.Waiting() != 1 {
		t.Error("the small call has what the large one waited for")
	}
	leaveLarge()
	(<-late)()
	leaveBeside()
	leaveSmall()
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
