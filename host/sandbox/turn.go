package sandbox

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

const (
	// turn is how long a guest computes before others go first.
	turn = time.Millisecond
	// lostAfter is when a turn that was not given back is lost: its guest waits for a file or another
	// part of the host, and does not compute.
	lostAfter = 50 * time.Millisecond
	// callsPerLook is how many host calls a guest makes between two looks at the clock: what the host
	// does for it takes from its turn as well.
	callsPerLook = 8
)

// turns shares the processors among guests that compute for longer than a turn. Machine code cannot be
// preempted: as many guests as there are processors would keep the network, timers and every short call
// waiting, so that one processor is left to all these. Callers that wait go in turn, however many
// guests each has.
type turns struct {
	mu      sync.Mutex
	free    int                // guarded by mu; turns that no guest has
	held    []*seat            // guarded by mu; guests that have one
	callers []string           // guarded by mu; those who wait, the next one first
	waiting map[string][]*seat // guarded by mu; by caller
}

// seat is a guest's place among the others.
type seat struct {
	caller string
	busy   bool          // it computes as long as it has a turn, and cannot be lost
	given  chan struct{} // has an element after the guest got a turn that it waits for; nil before it ever waited
	since  time.Time     // guarded by turns.mu; when it last got one or kept it
	has    bool          // guarded by turns.mu
}

func newTurns(processors int) *turns {
	return &turns{free: max(processors-1, 1), waiting: map[string][]*seat{}}
}

// wait gives the guest's turn away, if it has one and another waits, and returns with a turn, or when
// ctx ended.
func (t *turns) wait(ctx context.Context, s *seat) {
	if !t.ask(s) {
		runtime.Gosched()
		return
	}
	timer := time.NewTimer(lostAfter)
	defer timer.Stop()
	for {
		select {
		case <-s.given:
			return
		case <-ctx.Done():
			t.giveUp(s)
			return
		case <-timer.C:
			t.findLost()
			timer.Reset(lostAfter)
		}
	}
}

// ask tells whether the guest has to wait; otherwise it has a turn.
func (t *turns) ask(s *seat) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.has && len(t.callers) > 0 {
		t.drop(s)
	}
	if !s.has {
		if s.given == nil {
			s.given = make(chan struct{}, 1)
		}
		s.forgetGiven() // of a turn that was lost since
		if len(t.waiting[s.caller]) == 0 {
			t.callers = append(t.callers, s.caller)
		}
		t.waiting[s.caller] = append(t.waiting[s.caller], s)
		t.serve()
	}
	s.since = time.Now()
	if s.has {
		s.forgetGiven()
	}
	return !s.has
}

// leave is for a guest that has ended, or sleeps.
func (t *turns) leave(s *seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.has {
		t.drop(s)
		t.serve()
	}
}

// giveUp is for a guest whose time is over while it waits.
func (t *turns) giveUp(s *seat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !s.has { // with a turn that it got at the same moment, it leaves at its end
		t.forget(s)
	}
	s.forgetGiven() // of such a turn, or of one that it lost again meanwhile
}

// findLost takes turns from guests that do not compute.
func (t *turns) findLost() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range slices.Clone(t.held) {
		if !s.busy && time.Since(s.since) > lostAfter {
			t.drop(s)
		}
	}
	t.serve()
}

// forgetGiven takes back word of a turn that nobody waits for any more. turns.mu is held.
func (s *seat) forgetGiven() {
	select {
	case <-s.given:
	default:
	}
}

// drop takes a guest's turn. t.mu is held, here and below.
func (t *turns) drop(s *seat) {
	s.has = false
	t.held = slices.DeleteFunc(t.held, func(other *seat) bool { return other == s })
	t.free++
}

// serve gives free turns to callers, one to each in turn.
func (t *turns) serve() {
	for t.free > 0 && len(t.callers) > 0 {
		caller := t.callers[0]
		s := t.waiting[caller][0]
		t.forget(s)
		if len(t.waiting[caller]) > 0 { // the others of this caller wait for their next turn
			t.callers = append(slices.DeleteFunc(t.callers, func(c string) bool { return c == caller }), caller)
		}
		t.free--
		s.has, s.since = true, time.Now()
		t.held = append(t.held, s)
		select {
		case s.given <- struct{}{}:
		default: // it has not heard of the one before: all wait for t.mu, so nothing may be waited for here
		}
	}
}

// forget takes a guest out of those who wait.
func (t *turns) forget(s *seat) {
	left := slices.DeleteFunc(t.waiting[s.caller], func(other *seat) bool { return other == s })
	t.waiting[s.caller] = left
	if len(left) == 0 {
		delete(t.waiting, s.caller)
		t.callers = slices.DeleteFunc(t.callers, func(c string) bool { return c == s.caller })
	}
}

// Turn waits for a turn to compute for a caller, as guests do for theirs, until ctx ends. leave gives it
// back. It is for work that takes milliseconds by the size of what a guest wrote.
func (e *Engine) Turn(ctx context.Context, caller string) (leave func()) {
	s := &seat{caller: caller, busy: true}
	e.turns.wait(ctx, s)
	return func() { e.turns.leave(s) }
}

// waitTurn lets others go first.
func (r *run) waitTurn() {
	r.turns.wait(&r.ctx, &r.seat)
	if r.ctx.Err() != nil && !r.interrupt(r.ended()) {
		r.stopEnded()
	}
	r.turned = time.Since(r.started)
}

// leaveTurn is for a guest that does not compute now.
func (r *run) leaveTurn() {
	if r.seat.given != nil { // it has asked for one
		r.turns.leave(&r.seat)
	}
}
