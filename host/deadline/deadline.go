// Package deadline ends work in three steps, measured by the time that it may take: at 80 % somebody is
// told, at 100 % it is cancelled, at 120 % it is left behind: who waits for it goes on without it.
//
// The third step is for what no cancellation reaches. A file on a network that is gone, a disk that takes
// no more writes or a FIFO hold a thread in the kernel; nothing in the process can take it out again, and
// an answer must not depend on it.
package deadline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Phase is a part of some work that has a time of its own.
type Phase struct {
	Name string // for logs and metrics: "store", "tool"
	Time time.Duration
	// EndsItself says that the work keeps its time without being cancelled; it is left behind if it does not.
	EndsItself bool
}

// Step is what happened to a phase, as percent of its time.
type Step int

// The steps.
const (
	Warned    Step = 80
	Cancelled Step = 100
	Left      Step = 120
)

// leastGrace is the least time between the end of a phase and its being left behind: a phase of some
// milliseconds must not be given up because the machine is busy.
const leastGrace = time.Second

// after is when a step of the phase is due.
func (p Phase) after(s Step) time.Duration {
	due := p.Time / 100 * time.Duration(s)
	if s == Left {
		due = max(due, p.Time+leastGrace)
	}
	return due
}

// Exceeded is the error of work that did not keep its time.
type Exceeded struct {
	Phase Phase
	Left  bool // it did not end when it was cancelled
}

func (e *Exceeded) Error() string {
	if e.Left {
		return fmt.Sprintf("%s did not answer within %v, nor end when it was cancelled", e.Phase.Name, e.Phase.Time)
	}
	return fmt.Sprintf("%s did not answer within %v", e.Phase.Name, e.Phase.Time)
}

// Watch looks after one piece of work. Begin names its phases, one after another; Stop ends it.
type Watch struct {
	cancel context.CancelCauseFunc
	tell   func(Phase, Step)
	left   chan struct{}

	mu    sync.Mutex
	timer *time.Timer // guarded by mu; nil before the first phase
	next  time.Time   // guarded by mu; when timer ends, or earlier
	phase Phase       // guarded by mu
	begun time.Time   // guarded by mu
	step  Step        // guarded by mu; the next one
	over  bool        // guarded by mu
}

// New makes a Watch without a phase. cancel gets an *Exceeded at 100 %; tell is told of each step, on a
// goroutine of its own.
func New(cancel context.CancelCauseFunc, tell func(Phase, Step)) *Watch {
	return &Watch{cancel: cancel, tell: tell, left: make(chan struct{})}
}

// Left is closed at 120 % of a phase. After it no step follows.
func (w *Watch) Left() <-chan struct{} { return w.left }

// Phase is the phase that is under way, or was the last.
func (w *Watch) Phase() Phase {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase
}

// Begin ends a phase and begins the next. It does nothing when the work was left behind before.
func (w *Watch) Begin(p Phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return
	}
	w.phase, w.begun, w.step = p, time.Now(), Warned
	w.arm(p.after(Warned))
}

// arm sees to it that look runs in a while. A timer that ends before is left alone: it costs less to look
// once too often than to set a timer in every phase of every call. w.mu is held.
func (w *Watch) arm(in time.Duration) {
	at := w.begun.Add(in)
	switch {
	case w.timer == nil:
		w.timer = time.AfterFunc(in, w.look)
	case at.Before(w.next):
		w.timer.Reset(in)
	default:
		return
	}
	w.next = at
}

// look takes the steps that are due.
func (w *Watch) look() {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return
	}
	p, step := w.phase, w.step
	if wait := p.after(step) - time.Since(w.begun); wait > 0 {
		w.next = time.Now().Add(wait)
		w.timer.Reset(wait)
		w.mu.Unlock()
		return
	}
	switch step {
	case Warned:
		w.step = Cancelled
	case Cancelled:
		w.step = Left
	default:
		w.over = true
	}
	if !w.over {
		wait := max(p.after(w.step)-time.Since(w.begun), 0)
		w.next = time.Now().Add(wait)
		w.timer.Reset(wait)
	}
	over := w.over
	w.mu.Unlock()
	// Who waits goes on first: telling may itself wait for what is stuck.
	if over {
		close(w.left)
	}
	if step == Cancelled && !p.EndsItself {
		w.cancel(&Exceeded{Phase: p})
	}
	w.tell(p, step)
}

// Stop ends the Watch: nothing is told, cancelled or left behind afterwards, but for what began before.
func (w *Watch) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// ErrTooMany is work that is not begun because as much as is borne was left behind already.
var ErrTooMany = errors.New("too much that was left behind still runs")

// Group runs work of its own that may be left behind, so much of it at most. The zero Group refuses.
type Group struct {
	// Most may be left behind before no other is begun. What runs is not counted, so that those who come
	// together do not refuse one another; as many as run then may be left behind beyond it.
	Most int
	// Tell is told of each step of each piece; nil: nobody.
	Tell func(Phase, Step)

	left atomic.Int64 // pieces that were left behind and still run
}

// Do runs f in a phase. Its error is *Exceeded when f did not keep its time, whatever f said of it. A panic
// of f is the caller's, unless f was left behind: then it ends with f.
func Do[T any](ctx context.Context, g *Group, p Phase, f func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
		panic any
	}
	var none T
	if int(g.left.Load()) >= g.Most {
		return none, fmt.Errorf("%s: %w", p.Name, ErrTooMany)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tell := g.Tell
	if tell == nil {
		tell = func(Phase, Step) {}
	}
	w := New(cancel, tell)
	defer w.Stop()
	done := make(chan outcome, 1)
	w.Begin(p)
	var over atomic.Bool // it has ended, or was left behind: the second to say so knows of the first
	go func() {
		var out outcome
		defer func() {
			out.panic = recover()
			if over.Swap(true) {
				g.left.Add(-1)
			}
			done <- out
		}()
		out.value, out.err = f(ctx)
	}()
	select {
	case out := <-done:
		if out.panic != nil {
			panic(out.panic)
		}
		var late *Exceeded
		if out.err != nil && errors.As(context.Cause(ctx), &late) {
			return none, late
		}
		return out.value, out.err
	case <-w.Left():
		// Counted before it is marked, so that it is never taken off before it was counted.
		if g.left.Add(1); over.Swap(true) {
			g.left.Add(-1)
		}
		return none, &Exceeded{Phase: p, Left: true}
	}
}
