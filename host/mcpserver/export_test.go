package mcpserver

import (
	"net/netip"
	"testing"
	"time"
)

// Bounds that tests fill.
const (
	MaxCallsOfSpace = maxCalls / 2
	MaxConnections  = maxConnections
	MaxAttempters   = maxAttempters
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
