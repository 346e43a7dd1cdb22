package sandbox

import (
	"context"
	"slices"
	"sync"
)

const (
	// freeStack is what the nested calls of every guest may take of the runtime's stack, bytes: far more
	// than programs take that do not recurse.
	freeStack = 256 << 10
	// maxDeep is how many guests may have more at a time, one of each caller; the others wait.
	maxDeep = 2
)

// deepStacks are the guests with a deep stack. A stack is the host's own memory: if every guest had as
// much of it as one may have, they would have more than all their memories.
type deepStacks struct {
	mu      sync.Mutex
	callers []string // guarded by mu; of each guest that has one
	queue   []*dive  // guarded by mu; longest waiting first
}

// dive is a guest that wants a deep stack.
type dive struct {
	caller string
	given  chan struct{} // closed, under deepStacks.mu, when it may have one
}

// wait returns when the guest may have a deep stack; false: ctx ended before.
func (s *deepStacks) wait(ctx context.Context, caller string) bool {
	d := &dive{caller: caller, given: make(chan struct{})}
	s.mu.Lock()
	s.queue = append(s.queue, d)
	s.serve()
	s.mu.Unlock()
	select {
	case <-d.given:
		return true
	default:
	}
	select {
	case <-d.given:
		return true
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, d); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		return false
	}
	return true // given at the same moment
}

// leave is for a guest whose stack is gone.
func (s *deepStacks) leave(caller string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.callers, caller)
	s.callers = slices.Delete(s.callers, i, i+1)
	s.serve()
}

// serve lets in whoever may. s.mu is held.
func (s *deepStacks) serve() {
	for i := 0; i < len(s.queue) && len(s.callers) < maxDeep; {
		d := s.queue[i]
		if slices.Contains(s.callers, d.caller) {
			i++
			continue
		}
		s.queue = slices.Delete(s.queue, i, i+1)
		s.callers = append(s.callers, d.caller)
		close(d.given)
	}
}

// dive waits until the guest may have a deep stack. What it computes meanwhile is nothing: others have
// its turn.
func (r *run) dive() {
	r.leaveTurn()
	if r.deep = r.deepStacks.wait(&r.ctx, r.call.Caller); !r.deep {
		r.stopEnded()
	}
}

// surface is for a guest that has ended.
func (r *run) surface() {
	if r.deep {
		r.deep = false
		r.deepStacks.leave(r.call.Caller)
	}
}
