package host

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/writ-run/writ/host/sandbox"
)

// bounds are what all calls, those of one caller and those of one installation may have at a time.
type bounds struct {
	servlet, caller, total int   // calls that run
	memory                 int64 // bytes that their guests may have together
	waiting                int   // calls that wait, each with its arguments; half of them of one caller
}

// lanes bounds how many calls run at a time: of one installation, so that a slow tool cannot keep the
// others from running; of one caller, so that nobody keeps others waiting; and of all together. It
// shares the memory of their guests in the same way: the limits of the manifests alone would allow a
// thousand times what one of them has. Counted is what a guest may grow to, since no growth can be
// taken back once the guest has it.
//
// Calls wait in the order in which they came. One that waits for its own installation or caller is
// overtaken; one that waits for what all share is not, so that a large call has its turn among small
// ones.
type lanes struct {
	bounds

	mu       sync.Mutex
	queue    []*claim          // guarded by mu; longest waiting first
	all      share             // guarded by mu
	servlets map[string]*share // guarded by mu; only those in use
	callers  map[string]*share // guarded by mu; only those in use
}

// share is what some calls have.
type share struct {
	running, waiting int
	memory           int64
}

// claim is a call that waits for its turn, or has it.
type claim struct {
	caller, servlet string
	memory          int64
	given           chan struct{} // closed, under lanes.mu, when it has its turn
}

// busy is a call that found no turn.
type busy struct {
	limit Limit
	most  int64
}

func (b busy) Error() string { return fmt.Sprintf("limit %s of %d is reached", b.limit, b.most) }

// tooLarge is a call that may have more memory than all calls together.
type tooLarge struct{ budget int64 }

func (e tooLarge) Error() string {
	return fmt.Sprintf("it may have more than %d bytes of memory", e.budget)
}

func newLanes(b bounds) *lanes {
	return &lanes{bounds: b, servlets: map[string]*share{}, callers: map[string]*share{}}
}

// enter waits for a turn of a call that may have so many bytes of memory, until ctx ends; then the
// error is busy and says for what it waited, or the cause of a ctx that was cancelled. The caller of
// enter calls leave when the call ended.
func (l *lanes) enter(ctx context.Context, caller, servlet string, bytes int64) (leave func(), err error) {
	if bytes > l.memory {
		return nil, tooLarge{l.memory}
	}
	c := &claim{caller: caller, servlet: servlet, memory: bytes, given: make(chan struct{})}
	if err := l.join(c); err != nil {
		return nil, err
	}
	select {
	case <-c.given:
	case <-ctx.Done():
		if err := l.giveUp(ctx, c); err != nil {
			return nil, err
		}
	}
	return func() { l.leave(c) }, nil
}

func (l *lanes) join(c *claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	caller := l.callers[c.caller]
	if most := l.waiting / 2; caller != nil && caller.waiting >= most {
		return busy{LimitWaiting, int64(most)}
	}
	if l.all.waiting >= l.waiting {
		return busy{LimitWaiting, int64(l.waiting)}
	}
	if caller == nil {
		l.callers[c.caller] = &share{}
	}
	if l.servlets[c.servlet] == nil {
		l.servlets[c.servlet] = &share{}
	}
	for _, s := range l.shares(c) {
		s.waiting++
	}
	l.queue = append(l.queue, c)
	l.serve()
	return nil
}

// shares are what a claim is counted in. l.mu is held, here and below.
func (l *lanes) shares(c *claim) [3]*share {
	return [3]*share{&l.all, l.callers[c.caller], l.servlets[c.servlet]}
}

// serve gives turns to whoever can have one.
func (l *lanes) serve() {
	for i := 0; i < len(l.queue); {
		c := l.queue[i]
		limit, _ := l.blocked(c)
		switch limit {
		case "":
			l.queue = slices.Delete(l.queue, i, i+1)
			for _, s := range l.shares(c) {
				s.waiting--
				s.running++
				s.memory += c.memory
			}
			close(c.given)
		case LimitTotalCalls, sandbox.LimitMemoryTotal:
			return // who came later waits too
		default:
			i++
		}
	}
}

// blocked tells what a claim waits for; empty: nothing.
func (l *lanes) blocked(c *claim) (limit Limit, most int64) {
	servlet, caller := l.servlets[c.servlet], l.callers[c.caller]
	switch {
	case servlet.running >= l.servlet:
		return LimitServletCalls, int64(l.servlet)
	case caller.running >= l.caller:
		return LimitCallerCalls, int64(l.caller)
	// A single call may have more than its caller's half: nothing else could be done with it.
	case caller.running > 0 && caller.memory+c.memory > l.memory/2:
		return LimitCallerMemory, l.memory / 2
	case l.all.running >= l.total:
		return LimitTotalCalls, int64(l.total)
	case l.all.memory+c.memory > l.memory:
		return sandbox.LimitMemoryTotal, l.memory
	}
	return "", 0
}

// giveUp takes a claim back. It is nil when the claim had its turn at the same moment.
func (l *lanes) giveUp(ctx context.Context, c *claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.queue, c)
	if i < 0 {
		return nil
	}
	limit, most := l.blocked(c)
	if limit == "" { // only because others wait before it
		limit, most = l.blocked(l.queue[0])
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	for _, s := range l.shares(c) {
		s.waiting--
	}
	l.tidy(c)
	l.serve() // it may have been all that stood in the way of the next
	if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
		return cause
	}
	return busy{limit, most}
}

func (l *lanes) leave(c *claim) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.shares(c) {
		s.running--
		s.memory -= c.memory
	}
	l.tidy(c)
	l.serve()
}

// tidy forgets the shares of a claim when nobody uses them any more.
func (l *lanes) tidy(c *claim) {
	if s := l.servlets[c.servlet]; s.running+s.waiting == 0 {
		delete(l.servlets, c.servlet)
	}
	if s := l.callers[c.caller]; s.running+s.waiting == 0 {
		delete(l.callers, c.caller)
	}
}
