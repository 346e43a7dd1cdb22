package host

import (
	"math"
	"sync"
)

// reports hands a guest's progress to who asked for the call, on a goroutine of its own: a client
// that does not read would otherwise hold the guest, with its place and its memory, past its deadline.
// It keeps the latest report alone; a slower receiver misses those between. What a guest that runs again
// repeats is not told: progress never goes back.
type reports struct {
	to    func(done, total float64, text string)
	log   func(doing string) // deferred: logs a panic
	ended chan struct{}

	mu     sync.Mutex
	more   *sync.Cond // mu; latest or over has changed
	latest *report    // guarded by mu; nil: told
	over   bool       // guarded by mu
	most   float64    // guarded by mu; the furthest of all reports
	floor  float64    // guarded by mu; the furthest from before the guest ran again
}

type report struct {
	done, total float64
	text        string
}

func newReports(to func(done, total float64, text string), log func(doing string)) *reports {
	r := &reports{to: to, log: log, ended: make(chan struct{}), most: math.Inf(-1), floor: math.Inf(-1)}
	r.more = sync.NewCond(&r.mu)
	go func() {
		defer close(r.ended)
		for next := r.next(); next != nil; next = r.next() {
			r.tell(*next)
		}
	}()
	return r
}

// put never waits for the receiver.
func (r *reports) put(done, total float64, text string) {
	text, _ = cleanText(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || done <= r.floor {
		return
	}
	r.most = max(r.most, done)
	r.latest = &report{done, total, text}
	r.more.Signal()
}

// again says that the guest begins anew.
func (r *reports) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.floor = r.most
}

// next waits for a report. It is nil when there will be none.
func (r *reports) next() *report {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.latest == nil && !r.over {
		r.more.Wait()
	}
	next := r.latest
	r.latest = nil
	return next
}

// tell passes one report on. A panic of the receiver would end the process here: no one above it on
// this goroutine recovers.
func (r *reports) tell(one report) {
	defer r.log("reporting progress")
	r.to(one.done, one.total, one.text)
}

// end waits until the last report was told. None is told after it.
func (r *reports) end() {
	r.mu.Lock()
	r.over = true
	r.more.Signal()
	r.mu.Unlock()
	<-r.ended
}
