package mcpserver

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"
)

// What the requests of HTTP clients may make the server hold at a time. Half of each belongs to nobody
// alone: the clients of one space cannot keep those of another waiting, or out.
const (
	maxCalls       = 256      // tool calls that wait for an answer
	maxOthers      = 256      // other requests that do
	maxSentBytes   = 16 << 20 // bytes of messages of weighty size that are sent to the server
	maxHeldBytes   = 8 << 20  // the same of those that it sends
	maxConnections = 1024
	idleGrace      = 5 * time.Second // in which a connection is kept for its client's next request
	roomTime       = 5 * time.Second // to wait until there is room for a message
	// weighty is the size of a message, in bytes, from which it is counted by its bytes. Those below it are
	// bounded by the number of requests.
	weighty = 64 << 10
	// heavy is the size from which what a message leaves behind is collected as soon as it is answered: it
	// is several times the message, and the collector by itself would wait until as much as all that lives
	// has been allocated again.
	heavy = 1 << 20
)

var errLoaded = errors.New("the server holds as much as it may for others")

// load counts what one space, or all together, make the server hold.
type load struct {
	calls, others count
	in, out       budget // bytes of messages that were sent to the server, and by it
}

func newLoad(part int) *load {
	return &load{
		calls: count{most: maxCalls / part}, others: count{most: maxOthers / part},
		in: budget{free: maxSentBytes / int64(part)}, out: budget{free: maxHeldBytes / int64(part)},
	}
}

// count bounds a number.
type count struct {
	mu   sync.Mutex
	now  int // guarded by mu
	most int
}

func (c *count) add() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now >= c.most {
		return false
	}
	c.now++
	return true
}

func (c *count) remove() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

// request counts a request in its space and in all, until done. It is false when there are too many.
func request(isCall bool, space, all *load) (done func(), ok bool) {
	mine, total := &space.others, &all.others
	if isCall {
		mine, total = &space.calls, &all.calls
	}
	if !mine.add() {
		return nil, false
	}
	if !total.add() {
		mine.remove()
		return nil, false
	}
	return func() { total.remove(); mine.remove() }, true
}

// budget shares bytes in the order in which they are asked for.
type budget struct {
	mu    sync.Mutex
	free  int64   // guarded by mu
	queue []*want // guarded by mu; longest waiting first
}

type want struct {
	bytes int64
	given chan struct{} // closed, under budget.mu, when it has them
}

// take waits for n bytes until ctx ends. n is at most what there is.
func (b *budget) take(ctx context.Context, n int64) bool {
	b.mu.Lock()
	w := &want{bytes: n, given: make(chan struct{})}
	b.queue = append(b.queue, w)
	b.serve()
	b.mu.Unlock()
	select {
	case <-w.given:
		return true
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.queue, w); i >= 0 {
		b.queue = slices.Delete(b.queue, i, i+1)
	} else {
		b.free += n // given at the same moment
	}
	b.serve()
	return false
}

func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.serve()
}

// serve gives to whoever is first, as long as there is enough. b.mu is held.
func (b *budget) serve() {
	for len(b.queue) > 0 && b.queue[0].bytes <= b.free {
		b.free -= b.queue[0].bytes
		close(b.queue[0].given)
		b.queue = slices.Delete(b.queue, 0, 1)
	}
}

// takeBoth waits for n bytes of a space's budget and of all, until ctx ends or a while is over.
func takeBoth(ctx context.Context, n int64, space, all *budget) (give func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	if !space.take(ctx, n) {
		return nil, errLoaded
	}
	if !all.take(ctx, n) {
		space.give(n)
		return nil, errLoaded
	}
	return func() { all.give(n); space.give(n) }, nil
}

// held is what the answer to one request holds until it was written.
type held struct {
	space, all *budget

	mu    sync.Mutex
	give  []func() // guarded by mu
	heavy bool     // guarded by mu
	over  bool     // guarded by mu
}

type heldKey struct{}

// take waits until the client's side has room for an answer of n bytes. Who does not read its answers
// waits with its next ones, which count as its running calls meanwhile.
func (h *held) take(ctx context.Context, n int) {
	give, err := takeBoth(ctx, min(int64(n), maxHeldBytes/2), h.space, h.all)
	if err != nil {
		return // its client has read nothing for a while: better too much for a moment than no calls at all
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		give()
		return
	}
	h.give, h.heavy = append(h.give, give), h.heavy || n >= heavy
}

func (h *held) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if h.heavy {
		runtime.GC()
	}
	for _, give := range h.give {
		give()
	}
}
