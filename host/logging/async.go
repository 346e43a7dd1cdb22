package logging

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// maxQueued is how many records wait for a slow place. One has at most some kilobytes.
const maxQueued = 1024

// Async hands records to a handler on a goroutine of its own, so that nobody who logs waits: a client that
// does not read standard error, or a disk that takes nothing, would otherwise hold every call that has
// something to say. What does not fit the queue is dropped, and a line says how much.
type Async struct {
	queue   chan queued
	failed  func(error)
	dropped atomic.Int64
	done    chan struct{}

	closing sync.RWMutex // held for reading while a record is queued
	closed  bool         // guarded by closing
}

type queued struct {
	to     slog.Handler
	record slog.Record
}

// NewAsync starts the goroutine, which Close ends. failed is told of errors of the handler, on that
// goroutine; nil: nobody.
func NewAsync(failed func(error)) *Async {
	if failed == nil {
		failed = func(error) {}
	}
	a := &Async{queue: make(chan queued, maxQueued), failed: failed, done: make(chan struct{})}
	go a.run()
	return a
}

// Handler returns a handler that queues records for next.
func (a *Async) Handler(next slog.Handler) slog.Handler { return &asyncHandler{a, next} }

func (a *Async) run() {
	defer close(a.done)
	for q := range a.queue {
		if n := a.dropped.Swap(0); n > 0 {
			r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were dropped, because they came faster than they could be written", 0)
			r.AddAttrs(slog.Int64("lines", n))
			a.write(queued{q.to, r})
		}
		a.write(q)
	}
}

// write hands one record on. A value whose methods panic must not end the process.
func (a *Async) write(q queued) {
	defer func() {
		if p := recover(); p != nil {
			a.failed(fmt.Errorf("writing log: panic: %v", p))
		}
	}()
	if err := q.to.Handle(context.Background(), q.record); err != nil {
		a.failed(err)
	}
}

// Close waits until what is queued was written, or ctx ends. Records that come later are dropped.
func (a *Async) Close(ctx context.Context) error {
	a.closing.Lock()
	if !a.closed {
		a.closed = true
		close(a.queue)
	}
	a.closing.Unlock()
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("closing log: %w", ctx.Err())
	}
}

func (a *Async) put(q queued) {
	a.closing.RLock()
	defer a.closing.RUnlock()
	if a.closed {
		return
	}
	select {
	case a.queue <- q:
	default:
		a.dropped.Add(1)
	}
}

type asyncHandler struct {
	async *Async
	next  slog.Handler
}

// Enabled implements slog.Handler.
func (h *asyncHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler. What may change after it returns is read now.
func (h *asyncHandler) Handle(_ context.Context, r slog.Record) error {
	h.async.put(queued{h.next, settle(r)})
	return nil
}

// settle returns a record whose values nobody changes any more.
func settle(r slog.Record) slog.Record {
	moving := false
	r.Attrs(func(a slog.Attr) bool {
		k := a.Value.Kind()
		moving = k == slog.KindAny || k == slog.KindLogValuer || k == slog.KindGroup
		return !moving
	})
	if !moving {
		return r.Clone()
	}
	out := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(still(a))
		return true
	})
	return out
}

func still(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindGroup:
		var inner []slog.Attr
		for _, one := range v.Group() {
			inner = append(inner, still(one))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(inner...)}
	case slog.KindAny:
		none := 0
		return slog.Any(a.Key, value(v.Any(), &none))
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// WithAttrs implements slog.Handler.
func (h *asyncHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &asyncHandler{h.async, h.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *asyncHandler) WithGroup(name string) slog.Handler {
	return &asyncHandler{h.async, h.next.WithGroup(name)}
}
