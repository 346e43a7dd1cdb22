package sandbox

import (
	"context"
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
	near sync.Pool      // of *instance: which this processor used last, and has in its cache; idle says whether it waits

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
// making one hundreds of them. It does not wait beyond the end of ctx.
func (p *pool) take(ctx *callContext, shot *snapshot, limit int64) *instance {
	near, _ := p.near.Get().(*instance)
	p.mu.Lock()
	defer p.mu.Unlock()
	watched := false
	for {
		if in := p.pick(near, shot, limit); in != nil {
			return in
		}
		if p.begun-p.ended < 2 || ctx.Err() != nil {
			return nil
		}
		if !watched {
			watched = true
			defer context.AfterFunc(ctx.timer(), func() {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.changed.Broadcast()
			})()
		}
		p.changed.Wait()
	}
}

// pick takes an instance out of those that wait: near, if it does, or the last used. Two processors that
// serve the same servlet would otherwise hand each other the memories that they have in their caches.
// p.mu is held.
func (p *pool) pick(near *instance, shot *snapshot, limit int64) *instance {
	found := -1
	for i, in := range slices.Backward(p.idle) {
		if in.shot == shot && in.memory.Fits(limit) && (found < 0 || in == near) {
			found = i
		}
	}
	if found < 0 {
		return nil
	}
	in := p.idle[found]
	p.idle = slices.Delete(p.idle, found, found+1)
	return in
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
	p.near.Put(in)
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
// have waited for long. One at a time is out of the pool meanwhile, as one that is renewed is: to unmap
// a large memory takes milliseconds, and calls go on with the others.
func (p *pool) sweep(now time.Time) {
	for in := p.pickStale(now); in != nil; in = p.pickStale(now) {
		p.putBack(in, now.Sub(in.since) <= idleFor && in.trim() == nil)
	}
}

// pickStale takes one out of the pool that has waited for long, or for a while untrimmed; nil: there is none.
func (p *pool) pickStale(now time.Time) *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.idle, func(in *instance) bool {
		waited := now.Sub(in.since)
		return waited > idleFor || waited > hotFor && !in.trimmed
	})
	if i < 0 || p.closed {
		return nil
	}
	in := p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	p.begun++
	p.work.Add(1)
	return in
}

// putBack is for an instance that was picked: where it was, or discarded.
func (p *pool) putBack(in *instance, keep bool) {
	defer p.work.Done()
	p.mu.Lock()
	keep = keep && !p.closed && len(p.idle) < maxIdle
	if keep {
		i, _ := slices.BinarySearchFunc(p.idle, in.since, func(other *instance, at time.Time) int { return other.since.Compare(at) })
		p.idle = slices.Insert(p.idle, i, in)
	}
	p.mu.Unlock()
	if !keep {
		in.discard()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended++
	p.changed.Broadcast()
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
