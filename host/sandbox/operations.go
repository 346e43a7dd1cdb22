package sandbox

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// maxOperations bounds the operations of a call, open or not yet ended.
const maxOperations = 64

// Parts of a finished operation (sdk/ABI.md, "Operations").
const (
	partHead  = 0
	partBody  = 1
	partError = 2
)

// operation is something that takes time.
type operation struct {
	cancel context.CancelFunc
	done   chan struct{}
	result result // written before done is closed
	size   int64  // bytes held: the request's and what is reserved for the result, later the result's; guarded by operations.mu
	closed bool   // the guest forgot it; guarded by operations.mu
}

// result is what an operation came to.
type result struct {
	head, body []byte
	err        *effect.Error
}

func (o *operation) finished() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// operations are the operations of one call.
type operations struct {
	next     int32
	open     map[int32]*operation // of the guest's goroutine alone; nil: none was ever started
	limit    int64                // bytes that all of them may hold
	wake     chan struct{}        // has an element after one finished; nil like open
	panicked atomic.Bool          // a host method did, outside the guest's goroutine
	group    sync.WaitGroup

	mu      sync.Mutex // guards what follows
	held    int64      // bytes
	running int        // goroutines; one that was closed counts until it ended
}

// wait returns when no goroutine is left. The call's context must have ended.
func (s *operations) wait() { s.group.Wait() }

// start runs do beside the guest and returns an id, or a negated code. size is what its request
// holds.
func (r *run) start(size int64, do func(context.Context) result) int32 {
	s := &r.ops
	if len(s.open) >= maxOperations || !s.reserve(size) {
		return failed(effect.Limit)
	}
	ctx, cancel := context.WithCancel(r.ctx.timer())
	o := &operation{cancel: cancel, size: size, done: make(chan struct{})}
	if s.open == nil {
		s.open, s.wake = map[int32]*operation{}, make(chan struct{}, 1)
	}
	s.next++
	s.open[s.next] = o
	ctx = effect.WithRoom(ctx, &room{s, o})
	logger := r.logger
	s.group.Go(func() {
		defer cancel()
		s.finish(o, s.guarded(ctx, do, logger))
	})
	return s.next
}

// startAtOnce is start for what is done on the guest's goroutine: it has ended when the guest has its id.
func (r *run) startAtOnce(size int64, do func(context.Context) result) int32 {
	s := &r.ops
	if len(s.open) >= maxOperations || !s.reserve(size) {
		return failed(effect.Limit)
	}
	o := &operation{cancel: func() {}, size: size, done: make(chan struct{})}
	if s.open == nil {
		s.open, s.wake = map[int32]*operation{}, make(chan struct{}, 1)
	}
	s.next++
	s.open[s.next] = o
	s.finish(o, do(effect.WithRoom(r.ctx.timer(), &room{s, o})))
	return s.next
}

// reserve counts one more goroutine and what its request holds.
func (s *operations) reserve(size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running >= maxOperations || s.held+size > s.limit {
		return false
	}
	s.running++
	s.held += size
	return true
}

// room is what the result of an operation takes of its call's memory before it is there.
type room struct {
	ops *operations
	o   *operation
}

var _ effect.Room = (*room)(nil)

// Take implements effect.Room.
func (r *room) Take(n int64) bool {
	r.ops.mu.Lock()
	defer r.ops.mu.Unlock()
	if n < 0 || n > r.ops.limit-r.ops.held || r.o.finished() {
		return false
	}
	r.ops.held += n
	r.o.size += n
	return true
}

// Give implements effect.Room. What an operation that is finished had reserved was given back then.
func (r *room) Give(n int64) {
	r.ops.mu.Lock()
	defer r.ops.mu.Unlock()
	if n < 0 || n > r.o.size || r.o.finished() {
		return
	}
	r.ops.held -= n
	r.o.size -= n
}

// guarded runs do and turns a panic into an error; run.charge ends the call.
func (s *operations) guarded(ctx context.Context, do func(context.Context) result, logger *slog.Logger) (res result) {
	defer func() {
		if p := recover(); p != nil {
			logger.Error("host function panicked", "function", "operation", "panic", p, "stack", string(debug.Stack()))
			s.panicked.Store(true)
			res = result{err: &effect.Error{Code: effect.Internal, Text: "the host failed"}}
		}
	}()
	return do(ctx)
}

// finish hands the result over. The bytes of the request and what was reserved are free again, those of
// the answer are not.
func (s *operations) finish(o *operation, res result) {
	s.mu.Lock()
	s.held -= o.size
	s.running--
	o.size = int64(cap(res.head) + cap(res.body))
	switch {
	case o.closed:
		o.size, res = 0, result{}
	case s.held+o.size > s.limit:
		o.size, res = 0, result{err: &effect.Error{Code: effect.Limit, Text: "the answers that this call holds are larger than its memory limit"}}
	}
	s.held += o.size
	o.result = res
	close(o.done)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// opWait is op_wait(ids_ptr, count, timeout_ms) -> i32. The end of the call's time ends the guest.
func (r *run) opWait(a args) int32 {
	ids := r.table(a.u32(0), a.u32(1), 4)
	millis := int64(a.u64(2))
	if len(ids) > 4*maxOperations || len(ids) == 0 && millis < 0 {
		return failed(effect.Invalid)
	}
	var watched []int32
	for ; len(ids) > 0; ids = ids[4:] {
		id := int32(get32(ids))
		if r.ops.open[id] == nil {
			return failed(effect.NotFound)
		}
		watched = append(watched, id)
	}
	var timeout <-chan time.Time
	if millis >= 0 {
		timer := time.NewTimer(time.Duration(min(millis, maxSleep.Milliseconds())) * time.Millisecond)
		defer timer.Stop()
		timeout = timer.C
	}
	for {
		for _, id := range watched {
			if r.ops.open[id].finished() {
				return id
			}
		}
		r.leaveTurn()
		select {
		case <-r.ops.wake:
			if r.ops.panicked.Load() {
				panic(errStopped)
			}
		case <-timeout:
			return 0
		case <-r.ctx.Done():
			r.stopEnded()
		}
	}
}

// ended returns a finished operation, or a negated code.
func (s *operations) ended(id int32) (*operation, int32) {
	o := s.open[id]
	switch {
	case o == nil:
		return nil, failed(effect.NotFound)
	case !o.finished():
		return nil, failed(effect.Running)
	}
	return o, 0
}

// opStatus is op_status(op) -> i32.
func (r *run) opStatus(a args) int32 {
	o, code := r.ops.ended(a.i32(0))
	if o != nil && o.result.err != nil {
		return failed(known(o.result.err).Code)
	}
	return code
}

// part returns a part of a finished operation, or a negated code.
func (r *run) part(id int32, part uint32) ([]byte, int32) {
	o, code := r.ops.ended(id)
	if o == nil {
		return nil, code
	}
	switch part {
	case partHead:
		return o.result.head, 0
	case partBody:
		return o.result.body, 0
	case partError:
		if o.result.err == nil {
			return nil, 0
		}
		return []byte(o.result.err.Text), 0
	}
	return nil, failed(effect.NotFound)
}

// opLen is op_len(op, part) -> i32.
func (r *run) opLen(a args) int32 {
	p, code := r.part(a.i32(0), a.u32(1))
	if code < 0 {
		return code
	}
	return int32(len(p))
}

// opRead is op_read(op, part, offset, ptr, len) -> i32.
func (r *run) opRead(a args) int32 {
	dst := r.view(a.u32(3), a.u32(4))
	p, code := r.part(a.i32(0), a.u32(1))
	if code < 0 {
		return code
	}
	return readAt(dst, p, a.u32(2))
}

// opClose is op_close(op) -> i32.
func (r *run) opClose(a args) int32 {
	id := a.i32(0)
	o := r.ops.open[id]
	if o == nil {
		return failed(effect.NotFound)
	}
	delete(r.ops.open, id)
	o.cancel()
	r.ops.mu.Lock()
	defer r.ops.mu.Unlock()
	o.closed = true
	if o.finished() {
		r.ops.held -= o.size
	}
	return 0
}
