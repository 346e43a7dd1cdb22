package host

import (
	"context"
	"slices"
	"sync"
	"time"
)

// crew runs each call on a goroutine of its own, and keeps some for the next calls: a new one would grow its
// stack, page by page and with a copy each time, in every call. It is no bound; one that is left behind with
// a call does not come back.
type crew struct {
	mu   sync.Mutex
	idle []chan func() // guarded by mu
}

const (
	maxIdle  = 32          // goroutines that wait for a call
	idleTime = time.Second // how long one does
)

// run runs f on another goroutine. Those that wait end with life.
func (c *crew) run(life context.Context, f func()) {
	if next := c.pick(); next != nil {
		select {
		case next <- f:
			return
		case <-life.Done(): // and so may be who waited
		}
	}
	go c.work(life, f)
}

func (c *crew) pick() (next chan func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := len(c.idle) - 1; last >= 0 {
		next, c.idle = c.idle[last], c.idle[:last]
	}
	return next
}

func (c *crew) work(life context.Context, f func()) {
	next, patience := make(chan func()), time.NewTimer(idleTime)
	defer patience.Stop()
	for {
		f()
		if f = nil; !c.rest(next) {
			return
		}
		patience.Reset(idleTime)
		select {
		case f = <-next:
		case <-patience.C:
			if c.forget(next) {
				return
			}
			select { // it was picked just now
			case f = <-next:
			case <-life.Done():
				return
			}
		case <-life.Done():
			return
		}
	}
}

// rest says that a goroutine waits, unless enough do.
func (c *crew) rest(next chan func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) >= maxIdle {
		return false
	}
	c.idle = append(c.idle, next)
	return true
}

// forget takes back that a goroutine waits; false: somebody has picked it.
func (c *crew) forget(next chan func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.Index(c.idle, next)
	if at < 0 {
		return false
	}
	c.idle = slices.Delete(c.idle, at, at+1)
	return true
}
