//go:build !wasip1

package abi

import (
	"context"
	"sync"
	"time"
)

// Host answers a servlet that runs natively, in place of Writ. Its methods may be called by several
// goroutines.
type Host interface {
	// Config returns the value of a key, or a negated code.
	Config(key string) (string, int32)
	// Fetch does one exchange; head and answer are the JSON of the interface. A code other than 0 is
	// negated and text says why.
	Fetch(ctx context.Context, head, body []byte) (answer, answerBody []byte, code int32, text string)
	// FetchPage is Fetch for a page.
	FetchPage(ctx context.Context, head, body []byte) (answer, answerBody []byte, code int32, text string)
	// Keep is Fetch for what the servlet keeps. It is asked for one operation after the other.
	Keep(ctx context.Context, head, body []byte) (answer, answerBody []byte, code int32, text string)
	Log(level int32, text string)
	Progress(done, total float64, text string)
}

// Call and Describe are package servlet's entry points, set by its native build for tests to enter.
var (
	Call     func(ctx context.Context, input []byte) ([]byte, error)
	Describe func() ([]byte, error)
	Warm     func()
)

// native is the host double of the one call that runs at a time.
var native struct {
	call sync.Mutex // held for the whole of Under

	mu   sync.Mutex // guards what is below
	host Host
	ops  map[int32]*operation
	last int32
	ctx  context.Context
}

type operation struct {
	done       chan struct{} // closed when the fields below are set
	cancel     context.CancelFunc
	head, body []byte
	code       int32
	text       string
}

// Under runs f with host as the other side. Calls are serialised, as the interface's functions carry
// no call of their own. Operations that f leaves open are cancelled and waited for.
func Under(ctx context.Context, host Host, f func()) {
	native.call.Lock()
	defer native.call.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	native.mu.Lock()
	native.host, native.ops, native.last, native.ctx = host, map[int32]*operation{}, 0, ctx
	native.mu.Unlock()
	defer func() {
		cancel()
		native.mu.Lock()
		open := native.ops
		native.host, native.ops, native.ctx = nil, nil, nil
		native.mu.Unlock()
		for _, op := range open {
			<-op.done
		}
	}()
	f()
}

func current() Host {
	native.mu.Lock()
	defer native.mu.Unlock()
	return native.host
}

func find(op int32) *operation {
	native.mu.Lock()
	defer native.mu.Unlock()
	return native.ops[op]
}

// Log writes one line for the operator.
func Log(level int32, text string) {
	if h := current(); h != nil {
		h.Log(level, text)
	}
}

// Progress tells a waiting client how far the call is.
func Progress(done, total float64, text string) {
	if h := current(); h != nil {
		h.Progress(done, total, text)
	}
}

// Config returns the value of a key, or a negated code.
func Config(key string) (string, int32) {
	if h := current(); h != nil {
		return h.Config(key)
	}
	return "", -NotFound
}

// StartHTTP starts an exchange and returns its operation, or a negated code.
func StartHTTP(head, body []byte) int32 { return start(Host.Fetch, head, body) }

// StartWeb starts to fetch a page and returns its operation, or a negated code.
func StartWeb(head, body []byte) int32 { return start(Host.FetchPage, head, body) }

// StartKV does an operation on what the servlet keeps and returns it, ended, or a negated code.
func StartKV(head, body []byte) int32 {
	op := start(Host.Keep, head, body)
	if o := find(op); o != nil {
		<-o.done
	}
	return op
}

func start(do func(Host, context.Context, []byte, []byte) ([]byte, []byte, int32, string), head, body []byte) int32 {
	native.mu.Lock()
	defer native.mu.Unlock()
	host := native.host
	if host == nil {
		return -Denied
	}
	if len(native.ops) >= 64 {
		return -Limit
	}
	ctx, cancel := context.WithCancel(native.ctx)
	op := &operation{done: make(chan struct{}), cancel: cancel}
	native.last++
	native.ops[native.last] = op
	go func() {
		defer close(op.done)
		op.head, op.body, op.code, op.text = do(host, ctx, head, body)
	}()
	return native.last
}

// Wait returns the first finished operation among ids, 0 after the timeout, or a negated code.
func Wait(ids []int32, timeoutMS int64) int32 {
	end := time.Now().Add(time.Duration(timeoutMS) * time.Millisecond)
	for {
		for _, id := range ids {
			op := find(id)
			if op == nil {
				return -NotFound
			}
			select {
			case <-op.done:
				return id
			default:
			}
		}
		if timeoutMS >= 0 && !time.Now().Before(end) {
			return 0
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// Status returns 0 for an operation that succeeded, [Running], or the negated code of its failure.
func Status(op int32) int32 {
	o := find(op)
	if o == nil {
		return -NotFound
	}
	select {
	case <-o.done:
		return o.code
	default:
		return Running
	}
}

// Part returns a copy of one part of a finished operation.
func Part(op, part int32) []byte {
	o := find(op)
	if o == nil {
		return nil
	}
	<-o.done
	switch part {
	case PartHead:
		return o.head
	case PartBody:
		return o.body
	default:
		return []byte(o.text)
	}
}

// Close forgets an operation, and cancels it when it runs.
func Close(op int32) {
	native.mu.Lock()
	o := native.ops[op]
	delete(native.ops, op)
	native.mu.Unlock()
	if o != nil {
		o.cancel()
		<-o.done
	}
}
