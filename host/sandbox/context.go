package sandbox

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// runKey finds the run in the context that the runtime hands to host functions.
type runKey struct{}

// callContext is the context of one call: it ends with the caller's context, at the call's deadline and
// with the call. Most calls never wait for anything, and need no timer: metered code and every host
// function look at the clock. The first who waits starts one.
type callContext struct {
	parent   context.Context
	run      *run
	deadline time.Time

	ended atomic.Bool

	mu     sync.Mutex
	timed  context.Context    // guarded by mu; nil until somebody waits
	cancel context.CancelFunc // guarded by mu
}

var _ context.Context = (*callContext)(nil)

// Deadline returns when the call ends.
func (c *callContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done is closed when the call ends.
func (c *callContext) Done() <-chan struct{} { return c.timer().Done() }

// Err tells whether the call has ended, by the clock: it does not need a processor for a timer to go
// off, which guests may have all of.
func (c *callContext) Err() error { return c.errWith(time.Until(c.deadline)) }

// errWith is Err for who knows how much of the call's time is left.
func (c *callContext) errWith(left time.Duration) error {
	if err := c.parent.Err(); err != nil {
		return err
	}
	if left <= 0 {
		return context.DeadlineExceeded
	}
	if c.ended.Load() {
		return context.Canceled
	}
	return nil
}

// Value finds the run, and what the caller's context has.
func (c *callContext) Value(key any) any {
	if key == (runKey{}) {
		return c.run
	}
	return c.parent.Value(key)
}

// timer returns a context of the standard library that ends with this one: others are derived from it
// without a goroutine to watch it.
func (c *callContext) timer() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.ended.Load() {
			c.cancel()
		}
	}
	return c.timed
}

// end ends the context with its call.
func (c *callContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended.Store(true)
	if c.cancel != nil {
		c.cancel()
	}
}
