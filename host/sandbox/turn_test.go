package sandbox_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
)

// One processor is left to everything else, and nobody has none.
func TestTurnsLeaveAProcessorFree(t *testing.T) {
	for processors, want := range map[int]int64{1: 1, 2: 1, 4: 3} {
		turns := sandbox.NewTurns(processors)
		var now, most atomic.Int64
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				seat := sandbox.NewBusySeat(fmt.Sprint("caller ", i%3))
				for range 50 {
					turns.Wait(t.Context(), seat)
					n := now.Add(1)
					for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
					}
					runtime.Gosched()
					now.Add(-1)
				}
				turns.Leave(seat)
			})
		}
		all.Wait()
		if n := most.Load(); n > want {
			t.Errorf("%d compute at a time on %d processors", n, processors)
		}
		if !turns.Idle(int(want)) {
			t.Errorf("turns of %d processors were lost", processors)
		}
	}
}

// A caller with many guests gets no more turns than one with a single guest.
func TestTurnsAreSharedByCallers(t *testing.T) {
	turns := sandbox.NewTurns(2)
	holder := sandbox.NewBusySeat("holder")
	turns.Wait(t.Context(), holder)
	var mu sync.Mutex
	var order []string
	var all sync.WaitGroup
	wait := func(caller string, rounds int) {
		all.Go(func() {
			seat := sandbox.NewBusySeat(caller)
			for range rounds {
				turns.Wait(t.Context(), seat)
				mu.Lock()
				order = append(order, caller)
				mu.Unlock()
			}
			turns.Leave(seat)
		})
	}
	for range 10 {
		wait("many", 5)
	}
	wait("one", 5)
	for turns.Waiting() < 11 {
		runtime.Gosched()
	}
	turns.Leave(holder)
	all.Wait()
	last := 0
	for i, caller := range order {
		if caller == "one" {
			last = i
		}
	}
	if last > 12 { // every other turn, and what was under way when it came back for more
		t.Errorf("a single guest had its five turns only by turn %d: %v", last, order)
	}
}

// A guest that waits for a disk keeps nobody from computing; one whose time is over takes nothing with it.
func TestTurnsAreNotLost(t *testing.T) {
	turns := sandbox.NewTurns(2)
	stuck, next := sandbox.NewSeat("a"), sandbox.NewSeat("b")
	turns.Wait(t.Context(), stuck)
	turns.Wait(t.Context(), next) // comes back although nobody gave a turn
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	turns.Wait(gone, sandbox.NewSeat("c"))
	turns.Leave(stuck)
	turns.Leave(next)
	if !turns.Idle(1) {
		t.Error("a turn was lost")
	}
}

// A guest whose time is over just when it got a turn and lost it again leaves no word of that turn behind:
// to tell it of its next one would stop everybody's turns.
func TestTurnThatNobodyTookIsForgotten(t *testing.T) {
	turns := sandbox.NewTurns(2)
	holder, late := sandbox.NewBusySeat("a"), sandbox.NewSeat("b")
	turns.Wait(t.Context(), holder)
	if !turns.Ask(late) {
		t.Fatal("there is one turn, and two have it")
	}
	turns.Leave(holder)
	turns.Lose(late)
	turns.GiveUp(late)
	turns.Wait(t.Context(), holder)
	over, cancel := context.WithCancel(t.Context())
	ended := make(chan bool)
	go func() {
		turns.Wait(over, late)
		ended <- over.Err() == nil
	}()
	for turns.Waiting() < 1 {
		select {
		case <-ended:
			t.Fatal("it has the turn of another")
		default:
			runtime.Gosched()
		}
	}
	turns.Leave(holder)
	if !<-ended {
		t.Error("it got no turn")
	}
	cancel()
	turns.Leave(late)
	if !turns.Idle(1) {
		t.Error("a turn was lost")
	}
}
