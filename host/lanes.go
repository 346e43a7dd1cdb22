package host

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

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
// A quarter of the places and of the memory is spare: there a caller of whom nothing runs has one call.
// A call may sleep until its deadline, and large ones of two callers would otherwise have everything until
// then.
//
// Calls wait in the order in which they came. One that waits for its own installation or caller is
// overtaken; one that waits for what all share only by those that do not keep it waiting for longer, so
// that a large call has its turn among small ones, and small ones do not wait for what it waits for.
type lanes struct {
	bounds

	mu       sync.Mutex
	queue    []*claim          // guarded by mu; longest waiting first
	running  []*claim          // guarded by mu
	waits    int               // guarded by mu; calls that wait
	common   share             // guarded by mu; of calls that are not spare
	spare    share             // guarded by mu
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
	until           time.Time     // when it ends at the latest
	given           chan struct{} // closed, under lanes.mu, when it has its turn; nil when it had it at once
	has             bool          // guarded by lanes.mu; it has its turn
	spare           bool          // guarded by lanes.mu; it has a spare place
}

// busy is a call that found no turn.
type busy struct {
	limit Limit
	most  int64
}

func (b busy) Error() string { return fmt.Sprintf("limit %s of %d is reached", b.limit, b.most) }

// tooLarge is a call that may have more memory than one call can.
type tooLarge struct{ most int64 }

func (e tooLarge) Error() string {
	return fmt.Sprintf("it may have more than %d bytes of memory", e.most)
}

func newLanes(b bounds) *lanes {
	return &lanes{bounds: b, servlets: map[string]*share{}, callers: map[string]*share{}}
}

// forAll is what calls may have that are not spare: so many places, so many bytes.
func (l *lanes) forAll() (places int, memory int64) {
	return l.total - l.total/4, l.memory - l.memory/4
}

// single is how much memory one call may have, bytes.
func (l *lanes) single() int64 {
	_, memory := l.forAll()
	return memory
}

// enter waits for a turn of a call that may have so many bytes of memory, until then or until ctx ends;
// then the error is busy and says for what it waited, or the cause of a ctx that was cancelled. The call
// itself ends then too. The caller of enter calls leave when it ended.
func (l *lanes) enter(ctx context.Context, until time.Time, caller, servlet string, bytes int64) (leave func(), err error) {
	if most := l.single(); bytes > most {
		return nil, tooLarge{most}
	}
	c := &claim{caller: caller, servlet: servlet, memory: bytes, until: until}
	if err := l.join(c); err != nil {
		return nil, err
	}
	if c.given != nil { // nearly every call has its turn at once, and needs no timer
		ctx, stop := context.WithDeadline(ctx, until)
		defer stop()
		select {
		case <-c.given:
		case <-ctx.Done():
			if err := l.giveUp(ctx, c); err != nil {
				return nil, err
			}
		}
	}
	return func() { l.leave(c) }, nil
}

// join adds a claim to those that wait, unless it has its turn at once.
func (l *lanes) join(c *claim) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	caller := l.callers[c.caller]
	if most := l.waiting / 2; caller != nil && caller.waiting >= most {
		return busy{LimitWaiting, int64(most)}
	}
	if l.waits >= l.waiting {
		return busy{LimitWaiting, int64(l.waiting)}
	}
	if caller == nil {
		l.callers[c.caller] = &share{}
	}
	if l.servlets[c.servlet] == nil {
		l.servlets[c.servlet] = &share{}
	}
	l.await(c, 1)
	l.queue = append(l.queue, c)
	l.serve()
	if !c.has {
		c.given = make(chan struct{})
	}
	return nil
}

// await counts a claim that waits, or does not any more. l.mu is held, here and below.
func (l *lanes) await(c *claim, n int) {
	l.waits += n
	l.callers[c.caller].waiting += n
	l.servlets[c.servlet].waiting += n
}

// count counts a claim that runs, or does not any more.
func (l *lanes) count(c *claim, n int) {
	all := &l.common
	if c.spare {
		all = &l.spare
	}
	for _, s := range []*share{all, l.callers[c.caller], l.servlets[c.servlet]} {
		s.running += n
		s.memory += int64(n) * c.memory
	}
}

// serve gives turns to whoever can have one.
func (l *lanes) serve() {
	var head *claim // waits for what all share, for longer than any other
	var gap gap     // beside it
	for i := 0; i < len(l.queue); {
		c := l.queue[i]
		limit, _ := l.blocked(c)
		c.spare = false
		switch {
		case limit == "" && (head == nil || gap.holds(c)):
		case !shared(limit):
			i++
			continue
		case l.spareFor(c):
			c.spare = true
		default:
			if head == nil {
				head, gap = c, l.gapBeside(c)
			}
			i++
			continue
		}
		l.queue = slices.Delete(l.queue, i, i+1)
		l.await(c, -1)
		l.count(c, 1)
		l.running = append(l.running, c)
		if c.has = true; c.given != nil {
			close(c.given)
		}
		if head != nil && !c.spare {
			gap = l.gapBeside(head)
		}
	}
}

// shared tells whether a claim waits for others of any caller: for their end, or because it must not
// overtake one of them.
func shared(limit Limit) bool {
	return limit == "" || limit == LimitTotalCalls || limit == sandbox.LimitMemoryTotal
}

// spareFor tells whether a claim may have a spare place.
func (l *lanes) spareFor(c *claim) bool {
	places, memory := l.forAll()
	return l.callers[c.caller].running == 0 && l.spare.running < l.total-places && l.spare.memory+c.memory <= l.memory-memory
}

// gap is what calls may have that overtake the head of the queue: anything that is free until the head
// has its turn at the latest, and what is left beside the head from then on.
type gap struct {
	until  time.Time
	memory int64
	places int
}

func (g gap) holds(c *claim) bool {
	return c.until.Before(g.until) || g.places > 0 && c.memory <= g.memory
}

// gapBeside finds the gap beside a claim, from when those that run end at the latest.
func (l *lanes) gapBeside(head *claim) (g gap) {
	places, memory := l.forAll()
	g = gap{memory: memory - l.common.memory - head.memory, places: places - l.common.running - 1}
	slices.SortFunc(l.running, func(a, b *claim) int { return a.until.Compare(b.until) })
	for _, c := range l.running {
		if g.memory >= 0 && g.places >= 0 {
			break
		}
		if !c.spare {
			g.until, g.memory, g.places = c.until, g.memory+c.memory, g.places+1
		}
	}
	return g
}

// blocked tells what a claim waits for; empty: nothing.
func (l *lanes) blocked(c *claim) (limit Limit, most int64) {
	servlet, caller := l.servlets[c.servlet], l.callers[c.caller]
	places, memory := l.forAll()
	switch {
	case servlet.running >= l.servlet:
		return LimitServletCalls, int64(l.servlet)
	case caller.running >= l.caller:
		return LimitCallerCalls, int64(l.caller)
	// A single call may have more than its caller's half: nothing else could be done with it.
	case caller.running > 0 && caller.memory+c.memory > l.memory/2:
		return LimitCallerMemory, l.memory / 2
	case l.common.running >= places:
		return LimitTotalCalls, int64(places)
	case l.common.memory+c.memory > memory:
		return sandbox.LimitMemoryTotal, memory
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
	for k := 0; k < i && limit == ""; k++ { // it only must not overtake who waits before it
		if before, n := l.blocked(l.queue[k]); shared(before) {
			limit, most = before, n
		}
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	l.await(c, -1)
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
	l.count(c, -1)
	i := slices.Index(l.running, c)
	l.running = slices.Delete(l.running, i, i+1)
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
