// Package rate bounds how often each caller may ask: a token bucket for every caller, in bounded memory
// and without a store.
//
// A bucket is forgotten only when it is full again, which is as good as remembering it: nobody gets
// tokens back by inventing callers until his own is pushed out. When all that may be remembered are in
// use, newcomers share one bucket until one is full: many invented callers slow one another down, and
// nobody who was there before.
package rate

import (
	"container/list"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// DefaultCallers is how many callers are remembered when Config does not say.
const DefaultCallers = 4096

// Config makes a Limiter.
type Config struct {
	PerMinute float64 // calls that a caller may make a minute in the long run; above 0
	Burst     int     // calls that it may make at once after a pause; at least 1
	Callers   int     // that are remembered, each about 300 bytes; zero: DefaultCallers
}

// ErrConfig is a Config that would let nobody through, or everybody.
var ErrConfig = errors.New("a rate needs a number of calls above 0 and a burst of at least 1")

// Limiter has a bucket for each caller. It is safe for concurrent use.
type Limiter struct {
	cfg    Config
	refill time.Duration // in which an empty bucket is full

	mu      sync.Mutex
	buckets map[string]*list.Element // guarded by mu; of *bucket
	order   *list.List               // guarded by mu; used last comes first
	shared  *bucket                  // guarded by mu; of callers for whom there is no room
}

type bucket struct {
	caller string
	tokens *rate.Limiter
	used   time.Time
	told   time.Time // when a refusal was last First
}

// New makes a Limiter, or returns ErrConfig.
func New(cfg Config) (*Limiter, error) {
	if !(cfg.PerMinute > 0 && cfg.PerMinute <= 1e9) || cfg.Burst < 1 {
		return nil, fmt.Errorf("%v a minute, burst %d: %w", cfg.PerMinute, cfg.Burst, ErrConfig)
	}
	if cfg.Callers <= 0 {
		cfg.Callers = DefaultCallers
	}
	l := &Limiter{cfg: cfg, buckets: map[string]*list.Element{}, order: list.New()}
	l.refill = time.Duration(float64(cfg.Burst) / cfg.PerMinute * float64(time.Minute))
	l.shared = l.fresh("")
	return l, nil
}

func (l *Limiter) fresh(caller string) *bucket {
	return &bucket{caller: caller, tokens: rate.NewLimiter(rate.Limit(l.cfg.PerMinute/60), l.cfg.Burst)}
}

// Decision is the answer to one call. The zero Decision refuses.
type Decision struct {
	Allowed bool
	Retry   time.Duration // after which the caller may try again; 0 when it is allowed
	// First says that none of the caller's calls was refused in the minute before: this one is worth a
	// record, and those behind it are not, as a caller must not fill the records with refusals.
	First bool
}

// firstAfter is how long a refusal is not First again.
const firstAfter = time.Minute

// Take takes one token from the caller's bucket, at now.
func (l *Limiter) Take(caller string, now time.Time) Decision {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(caller, now)
	b.used = now
	r := b.tokens.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait <= 0 {
		return Decision{Allowed: true}
	}
	r.CancelAt(now) // a refused call costs nothing: else a client that retries would wait for ever
	first := b.told.IsZero() || now.Sub(b.told) >= firstAfter
	if first {
		b.told = now
	}
	return Decision{Retry: wait, First: first}
}

// bucket finds a caller's bucket, or makes it. l.mu is held.
func (l *Limiter) bucket(caller string, now time.Time) *bucket {
	if e := l.buckets[caller]; e != nil {
		l.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	for e := l.order.Back(); e != nil && now.Sub(e.Value.(*bucket).used) >= l.refill; e = l.order.Back() {
		delete(l.buckets, l.order.Remove(e).(*bucket).caller)
	}
	if l.order.Len() >= l.cfg.Callers {
		return l.shared
	}
	b := l.fresh(caller)
	l.buckets[caller] = l.order.PushFront(b)
	return b
}

// Callers is how many callers have a bucket of their own that may not be full.
func (l *Limiter) Callers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.Len()
}

// PerMinute and Burst are what a caller is told.
func (l *Limiter) PerMinute() float64 { return l.cfg.PerMinute }

// Burst is how many calls a caller may make at once.
func (l *Limiter) Burst() int { return l.cfg.Burst }
