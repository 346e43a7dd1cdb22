package mcpserver

import (
	"context"
	"sync"
	"time"

	"github.com/writ-run/writ/host/rate"
)

// How much of the server one key has at most, so that it keeps no other out.
const (
	maxStreams   = 256 // open streams over HTTP
	maxStreamsOf = maxStreams / 4
	// What a key may ask for beside calls, whose rate the host bounds: sessions, which stay, and lists,
	// for which all servlets of a space are looked at.
	askPerMinute = 600
	askBurst     = 120
)

// streams counts the open ones of each key and space. The zero streams has none.
type streams struct {
	mu   sync.Mutex
	all  int            // guarded by mu, as below
	in   map[string]int // by space
	from map[string]int // by principal
}

// open counts a stream until done. It is false when there are too many: of all, half of which belongs to no
// space alone, or of this client. Clients that nobody was asked a key for are not told apart.
func (s *streams) open(who identity) (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.in == nil {
		s.in, s.from = map[string]int{}, map[string]int{}
	}
	space, principal := who.by.Space, who.by.Principal
	if s.all >= maxStreams || s.in[space] >= maxStreams/2 || who.key.ID != "" && s.from[principal] >= maxStreamsOf {
		return nil, false
	}
	s.add(space, principal, 1)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.add(space, principal, -1)
	}, true
}

// add counts n more. s.mu is held.
func (s *streams) add(space, principal string, n int) {
	s.all += n
	for of, name := range map[*map[string]int]string{&s.in: space, &s.from: principal} {
		if (*of)[name] += n; (*of)[name] == 0 {
			delete(*of, name)
		}
	}
}

// shares are the budgets of clients, each kept while one of its messages is under way. The zero shares has
// none.
type shares struct {
	mu  sync.Mutex
	all map[string]*share // guarded by mu
}

type share struct {
	budget
	users int // guarded by shares.mu
}

// join returns a client's budget, until leave.
func (s *shares) join(who identity) (mine *budget, leave func()) {
	// Clients that nobody was asked a key for share one in each space.
	name := who.by.Principal
	if who.key.ID == "" {
		name += "@" + who.by.Space
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[string]*share{}
	}
	one := s.all[name]
	if one == nil {
		one = &share{budget: budget{free: maxBodyBytes}}
		s.all[name] = one
	}
	one.users++
	return &one.budget, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(s.all, name)
		}
	}
}

// take waits until a message of n bytes can be held: first for what its client has, so that one that sends
// slowly, and much, waits for itself.
func (s *shares) take(ctx context.Context, n int64, who identity, space, all *budget) (give func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, roomTime)
	defer cancel()
	mine, leave := s.join(who)
	if !mine.take(ctx, n) {
		leave()
		return nil, errLoaded
	}
	others, err := takeBoth(ctx, n, space, all)
	if err != nil {
		mine.give(n)
		leave()
		return nil, err
	}
	return func() { others(); mine.give(n); leave() }, nil
}

func newAskRate() *rate.Limiter {
	limiter, err := rate.New(rate.Config{PerMinute: askPerMinute, Burst: askBurst})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return limiter
}

// mayAsk says whether a client may have a session or a list now, or after how long.
func (f *front) mayAsk(who identity, method string) (retry time.Duration, ok bool) {
	if who.key.ID == "" || method != "initialize" && method != "tools/list" {
		return 0, true
	}
	decision := f.asking.Take(who.by.Principal, time.Now())
	return decision.Retry, decision.Allowed
}
