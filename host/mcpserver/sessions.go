package mcpserver

import (
	"context"
	"errors"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/registry"
)

// Bounds of the sessions before 2026-07-28. A client that is gone leaves its session behind, and one that
// wants to can open them by the thousand.
const (
	maxSessionsOf = 32 // of one key in a space; above it the one that was idle longest ends
	// maxHelloBytes is the longest initialize message: a session keeps it, several times over, as long as
	// it lives.
	maxHelloBytes = 64 << 10
)

// Bounds that tests lower.
var (
	maxSessions = 1024      // of a space; half of them of all clients together that nobody was asked a key for
	sessionTime = time.Hour // of silence, and without a stream, after which one ends
)

// session is one of the older era, as the space knows it.
type session struct {
	who     identity // who opened it, with the key of its last request
	sdk     *mcp.ServerSession
	running int       // requests that are under way, streams among them
	used    time.Time // when the last one began or ended
}

// own remembers who opened a session. Nobody else can use it, whatever they know.
func (sp *space) own(opened *mcp.ServerSession, who identity) {
	most := maxSessionsOf
	if who.key.ID == "" {
		most = maxSessions / 2
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.sessionsOf(who) >= most {
		sp.forgetClosed()
	}
	for sp.sessionsOf(who) >= most {
		sp.end(sp.longestIdle(who))
	}
	sp.sessions[opened.ID()] = &session{who: who, sdk: opened, used: time.Now()}
}

// sessionsOf counts a principal's sessions. sp.mu is held, in the five below too.
func (sp *space) sessionsOf(who identity) (n int) {
	for _, s := range sp.sessions {
		if s.who.by.Principal == who.by.Principal {
			n++
		}
	}
	return n
}

// forgetClosed forgets the sessions that the SDK has closed.
func (sp *space) forgetClosed() {
	open := map[string]bool{}
	for s := range sp.mcp.Sessions() {
		open[s.ID()] = true
	}
	for id := range sp.sessions {
		if !open[id] {
			delete(sp.sessions, id)
		}
	}
}

// longestIdle is the principal's session that will be missed least: one without a request under way if
// there is one, and of those the one that was used longest ago.
func (sp *space) longestIdle(who identity) (oldest string) {
	for id, s := range sp.sessions {
		if s.who.by.Principal != who.by.Principal {
			continue
		}
		if best := sp.sessions[oldest]; best == nil || s.sooner(best) {
			oldest = id
		}
	}
	return oldest
}

func (s *session) sooner(other *session) bool {
	if idle := s.running == 0; idle != (other.running == 0) {
		return idle
	}
	return s.used.Before(other.used)
}

// end makes a session unknown, and closes it.
func (sp *space) end(id string) {
	s := sp.sessions[id]
	delete(sp.sessions, id)
	sp.spaces.closeSession(s.sdk)
}

// closeSession closes a session without waiting for what runs in it.
func (s *spaces) closeSession(session *mcp.ServerSession) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.ended {
		return // endSessions closes all that there are
	}
	s.closers.Go(func() {
		s.server.shielded("closing a session", func() { _ = session.Close() }) // nobody is left to be told
	})
}

// enter says whether a session is the caller's, and lets what runs in it from now on be its with the key
// of this request, which may be newer than the one it began with. leave is called after the request.
func (sp *space) enter(id string, who identity) (leave func(), ok bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	s := sp.sessions[id]
	if s == nil || s.who.by.Principal != who.by.Principal {
		return nil, false
	}
	s.who, s.used = who, time.Now()
	s.running++
	return func() {
		sp.mu.Lock()
		defer sp.mu.Unlock()
		s.running--
		s.used = time.Now()
	}, true
}

// endSilent ends the sessions of which nothing was heard since a time, and returns, of each key that has
// others, its last use.
func (sp *space) endSilent(since time.Time, last map[string]session) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	sp.forgetClosed()
	for id, s := range sp.sessions {
		switch {
		case s.running == 0 && s.used.Before(since):
			sp.end(id)
		case last[s.who.key.ID].used.Before(s.used):
			last[s.who.key.ID] = *s
		}
	}
}

// endOf ends the sessions that were opened with keys.
func (sp *space) endOf(keys map[string]bool) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	for id, s := range sp.sessions {
		if keys[s.who.key.ID] {
			sp.end(id)
		}
	}
}

// sweepEvery is how often it is looked for sessions that have ended.
const sweepEvery = 500 * time.Millisecond

// watchSessions ends sessions until ctx ends. It does not share a goroutine with watchKeys, because a store
// that is slow to say of a session must not keep a call running.
func (f *front) watchSessions(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, sweepEvery)
		f.sweepSessions(ctx)
	}
}

// sweepSessions ends the sessions whose clients are gone, and those of keys that have ended: nobody can use
// them any more, and they would keep the room of others. A key is asked for once, with the text that was
// presented last: what is older than a rotation goes when it is silent.
func (f *front) sweepSessions(ctx context.Context) {
	last := map[string]session{}
	spaces := f.spaces.all()
	for _, sp := range spaces {
		sp.endSilent(time.Now().Add(-sessionTime), last)
	}
	ended := map[string]bool{}
	for id, s := range last {
		if f.hasEnded(ctx, s.who.key) {
			ended[id] = true
		}
	}
	if len(ended) == 0 {
		return
	}
	for _, sp := range spaces {
		sp.endOf(ended)
	}
}

// hasEnded says whether a client is known not to be let in any more. Unlike a call, a session does nothing
// by itself: that the store does not answer for a moment is no reason to end it.
func (f *front) hasEnded(ctx context.Context, key registry.AccessKey) bool {
	if key.ID == "" {
		asks, err := f.asks(ctx)
		return asks && err == nil
	}
	return errors.Is(f.access.Keys.KeyStands(ctx, key), registry.ErrKeyRefused)
}
