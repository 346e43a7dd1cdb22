package mcpserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/writ-run/writ/registry"
)

// errKeyEnded is why a call or a stream ends whose key expired or was revoked or rotated meanwhile.
var errKeyEnded = errors.New("the key that it was asked for with is not valid any more")

// standsEvery is how often it is asked whether the keys of what runs are still valid.
const standsEvery = 250 * time.Millisecond

// visits are the calls and streams that are under way, with the keys they were asked for with.
type visits struct {
	mu  sync.Mutex
	all map[*visit]bool // guarded by mu
}

type visit struct {
	key    registry.AccessKey
	cancel context.CancelCauseFunc
}

// begin registers a call or a stream until leave; its context ends when its key does.
func (f *front) begin(ctx context.Context, who identity) (_ context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	v := &visit{who.key, cancel}
	f.visits.mu.Lock()
	f.visits.all[v] = true
	f.visits.mu.Unlock()
	// A key that ended between the look at it and this line is not missed.
	if !f.stands(ctx, who.key) {
		cancel(errKeyEnded)
	}
	return ctx, func() {
		f.visits.mu.Lock()
		delete(f.visits.all, v)
		f.visits.mu.Unlock()
		cancel(nil)
	}
}

// stands says whether a client that was let in would be again. Who cannot be asked cannot say so.
func (f *front) stands(ctx context.Context, key registry.AccessKey) bool {
	if key.ID == "" {
		asks, err := f.asks(ctx)
		return !asks && err == nil
	}
	return f.access.Keys.KeyStands(ctx, key) == nil
}

// watchKeys ends what runs with a key that has ended, until ctx ends.
func (f *front) watchKeys(ctx context.Context) {
	for ctx.Err() == nil {
		wait(ctx, standsEvery)
		f.visits.mu.Lock()
		running := make([]*visit, 0, len(f.visits.all))
		for v := range f.visits.all {
			running = append(running, v)
		}
		f.visits.mu.Unlock()
		for _, v := range running {
			if !f.stands(ctx, v.key) && ctx.Err() == nil {
				v.cancel(errKeyEnded)
			}
		}
	}
}

// usesEvery is how often it is recorded which keys were used.
const usesEvery = time.Minute

// uses remembers when each key was used last. Recording it takes a transaction, for which no request
// waits.
type uses struct {
	mu   sync.Mutex
	last map[string]time.Time // guarded by mu; by id, since it was recorded last
}

func (u *uses) note(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.last == nil {
		u.last = map[string]time.Time{}
	}
	u.last[id] = time.Now()
}

func (u *uses) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := u.last
	u.last = nil
	return last
}

// recordUses records once a minute, and at the end, which keys were used.
func (f *front) recordUses(ctx context.Context) {
	for {
		wait(ctx, usesEvery)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
		if used := f.uses.take(); len(used) > 0 {
			if err := f.access.Keys.RecordUse(last, used); err != nil {
				f.logger.Debug("recording the use of keys", "error", err) // a list is less exact
			}
		}
		cancel()
		if ctx.Err() != nil {
			return
		}
	}
}
