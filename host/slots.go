package host

import (
	"context"
	"slices"
	"sync"
)

// Loads that may be under way at a time. Each takes a processor, and one that compiles hundreds of
// megabytes: a caller who names many servlets at once must not get all that at once, and one whose
// servlets take long must not have all places.
const (
	maxLoads       = 3 // of each kind
	maxCallerLoads = 2 // of them for one caller
)

// effort is how long a load is expected to take.
type effort int

const (
	// untried is the load of a servlet that has to be compiled, or was never seen to start well: compiling
	// takes seconds, and an initialisation that does not end a while.
	untried effort = iota
	// tried is the load of one whose code is there, and that started well when it was last loaded.
	tried
	efforts
)

// slots are the places for loads. Those of one effort keep none of the other waiting.
type slots struct {
	mu    sync.Mutex
	queue []*slot                 // guarded by mu; longest waiting first
	used  [efforts]map[string]int // guarded by mu; places by who has them
}

// slot is the place of one load.
type slot struct {
	effort  effort
	callers []string      // guarded by slots.mu; who wait for the load
	holder  string        // guarded by slots.mu; for whom of them it has its place
	given   chan struct{} // closed, under slots.mu, when it has one
}

func newSlot(caller string) *slot {
	return &slot{callers: []string{caller}, given: make(chan struct{})}
}

// join adds a caller to those for whom a load may take off: who waits for a load that another began does
// not wait for all others of that one.
func (s *slots) join(at *slot, caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(at.callers, caller) {
		at.callers = append(at.callers, caller)
		s.serve()
	}
}

// enter waits for a place; false: ctx ended before. The caller of enter calls leave when the load ended.
func (s *slots) enter(ctx context.Context, at *slot, e effort) bool {
	s.mu.Lock()
	at.effort = e
	s.queue = append(s.queue, at)
	s.serve()
	s.mu.Unlock()
	select {
	case <-at.given:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.queue, at)
	if i < 0 { // given at the same moment
		return true
	}
	s.queue = slices.Delete(s.queue, i, i+1)
	return false
}

func (s *slots) leave(at *slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.used[at.effort]
	if used[at.holder]--; used[at.holder] == 0 {
		delete(used, at.holder)
	}
	s.serve()
}

// serve gives places to whoever can have one. s.mu is held, here and below.
func (s *slots) serve() {
	s.queue = slices.DeleteFunc(s.queue, s.give)
}

// give tells whether a load has its place now.
func (s *slots) give(at *slot) bool {
	used := s.used[at.effort]
	all := 0
	for _, n := range used {
		all += n
	}
	i := slices.IndexFunc(at.callers, func(caller string) bool { return used[caller] < maxCallerLoads })
	if all >= maxLoads || i < 0 {
		return false
	}
	if used == nil {
		used = map[string]int{}
		s.used[at.effort] = used
	}
	at.holder = at.callers[i]
	used[at.holder]++
	close(at.given)
	return true
}
