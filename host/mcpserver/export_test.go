package mcpserver

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// Bounds that tests fill.
const (
	MaxCallsOfSpace = maxCalls / 2
	MaxConnections  = maxConnections
	MaxAttempters   = maxAttempters
	MaxSessionsOf   = maxSessionsOf
	MaxStreamsOf    = maxStreamsOf
	MaxBodyBytes    = maxBodyBytes
	AskBurst        = askBurst
)

// Budget is bytes that are shared.
type Budget = budget

// NewBudget makes a budget.
func NewBudget(bytes int64) *Budget { return &budget{free: bytes} }

// Take and Give are what a request does; Left is what nobody has, and Waiting how many wait.
var (
	Take = (*budget).take
	Give = (*budget).give
)

// Left is how many bytes nobody has.
func (b *budget) Left() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free
}

// Waiting is how many requests wait.
func (b *budget) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue)
}

// SetHeaderTime changes the time for a request's header until the test ends.
func SetHeaderTime(t testing.TB, d time.Duration) {
	usual := headerTime
	headerTime = d
	t.Cleanup(func() { headerTime = usual })
}

// SetBodyTime changes the time for a request's body until the test ends.
func SetBodyTime(t testing.TB, d time.Duration) {
	usual := bodyTime
	bodyTime = d
	t.Cleanup(func() { bodyTime = usual })
}

// SetUnreadTime changes the time for the body of a request that is refused until the test ends.
func SetUnreadTime(t testing.TB, d time.Duration) {
	usual := unreadTime
	unreadTime = d
	t.Cleanup(func() { unreadTime = usual })
}

// SetSessions changes how many sessions a space has, and for how long one may be silent, until the test ends.
func SetSessions(t testing.TB, most int, silent time.Duration) {
	usual, usually := maxSessions, sessionTime
	maxSessions, sessionTime = most, silent
	t.Cleanup(func() { maxSessions, sessionTime = usual, usually })
}

// Front is what a listener on loopback serves with while its server is not ready.
func Front(ctx context.Context, s *Server) http.Handler {
	return s.newFront(ctx, ctx, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

// OpenSpace asks for a space as a request does.
func OpenSpace(ctx context.Context, s *Server, name string) error {
	_, err := s.newSpaces(ctx).open(ctx, name, false)
	return err
}

// NewConnections bounds connections, and Changed is what the server tells it.
var (
	NewConnections = newConnections
	Changed        = (*connections).changed
)

// NewAttempts counts wrong keys.
func NewAttempts(now func() time.Time) *attempts {
	return &attempts{now: now, all: map[netip.Prefix]attempter{}}
}

// Failed counts one.
var Failed = (*attempts).failed

// Attempters is how many addresses are remembered.
func Attempters(a *attempts) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.all)
}
