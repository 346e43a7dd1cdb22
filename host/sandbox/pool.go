package sandbox

import (
	"slices"
	"sync"
	"time"
)

const (
	maxIdle    = 16   // instances of one Code that wait
	maxUses    = 5000 // calls of one instance
	hotFor     = 10 * time.Second
	idleFor    = time.Minute
	sweepEvery = 5 * time.Second
)

// pool keeps the instances of one Code that are fresh and wait for a call.
type pool struct {
	work sync.WaitGroup // renewals under way

	mu      sync.Mutex
	changed *sync.Cond
	idle    []*instance // guarded by mu; the last used is the last
	begun   int         // guarded by mu; renewals on goroutines of their own so far
	ended   int         // guarded by mu
	closed  bool        // guarded by mu
}

func (p *pool) init() { p.changed = sync.NewCond(&p.mu) }

// take returns a waiting instance of shot that a call of limit bytes can have, or nil: then one is to
// be made. It waits for one that is being renewed when there is a spare one: that takes microseconds,
// making one hundreds of them.
func (p *pool) take(shot *snapshot, limit int64) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for i := len(p.idle) - 1; i >= 0; i-- {
			if in := p.idle[i]; in.shot == shot && in.memory.Fits(limit) {
				p.idle = append(p.idle[:i], p.idle[i+1:]...)
				return in
			}
		}
		if p.begun-p.ended < 2 {
			return nil
		}
		p.changed.Wait()
	}
}

// give makes an instance fresh after its call and keeps it, or discards it. What takes long is done off
// the caller's path. Copying back the few pages that the kernel listed takes microseconds, and is done at
// once: another processor would take the memory out of this one's cache, and the next call waited four
// times as long for it to come back.
func (p *pool) give(in *instance, soon bool) {
	if soon {
		p.settle(in)
		return
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		in.discard()
		return
	}
	p.begun++
	p.mu.Unlock()
	p.work.Go(func() {
		p.settle(in)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended++
		p.changed.Broadcast()
	})
}

// settle renews an instance and keeps it, or discards it.
func (p *pool) settle(in *instance) {
	in.uses++
	in.since = time.Now()
	kept := in.code.captures.used(in) && in.uses < maxUses && in.renew() == nil
	p.mu.Lock()
	kept = kept && !p.closed && len(p.idle) < maxIdle
	if kept {
		p.idle = append(p.idle, in)
	}
	p.changed.Broadcast()
	p.mu.Unlock()
	if !kept {
		in.discard()
		return
	}
	in.code.engine.makeRoom()
}

// makeRoom gives up instances that wait, those that wait longest first, when all memory together is near
// its limit: what runs finds room without giving up all of them.
func (e *Engine) makeRoom() {
	for e.space.Used() > e.space.Limit()/4*3 {
		var oldest *pool
		var since time.Time
		for _, c := range e.open() {
			if at, ok := c.pool.oldest(); ok && (oldest == nil || at.Before(since)) {
				oldest, since = &c.pool, at
			}
		}
		if oldest == nil {
			return
		}
		oldest.giveUp()
	}
}

// oldest tells since when the instance waits that waits longest.
func (p *pool) oldest() (since time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return time.Time{}, false
	}
	return p.idle[0].since, true
}

// giveUp discards the instance that waits longest.
func (p *pool) giveUp() {
	p.mu.Lock()
	var in *instance
	if len(p.idle) > 0 {
		in = p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	p.mu.Unlock()
	if in != nil {
		in.discard()
	}
}

// drain discards all that wait, those that are being renewed included.
func (p *pool) drain() {
	p.mu.Lock()
	for begun := p.begun; p.ended < begun; {
		p.changed.Wait()
	}
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, in := range idle {
		in.discard()
	}
}

// close discards all instances and waits for those that are being renewed.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.work.Wait()
	p.drain()
}

// sweep gives back what instances keep resident that have waited for a while, and discards those that
// have waited for long.
func (p *pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[:0]
	for _, in := range p.idle {
		switch waited := now.Sub(in.since); {
		case waited > idleFor, waited > hotFor && !in.trimmed && in.trim() != nil:
			in.discard()
		default:
			kept = append(kept, in)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
}

// trim gives back what a waiting instance keeps resident.
func (in *instance) trim() error {
	in.trimmed, in.entries = true, nil
	if err := in.memory.Trim(); err != nil {
		return err
	}
	in.arm()
	return nil
}

// sweep is the janitor's work.
func (e *Engine) sweep() {
	now := time.Now()
	for _, c := range e.open() {
		c.pool.sweep(now)
		c.blank.sweep(now)
	}
}

// janitor calls a function now and then until it is stopped.
type janitor struct {
	end  chan struct{}
	work sync.WaitGroup
}

func (j *janitor) start(do func()) {
	j.end = make(chan struct{})
	j.work.Go(func() {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-j.end:
				return
			}
		}
	})
}

func (j *janitor) stop() {
	close(j.end)
	j.work.Wait()
}
