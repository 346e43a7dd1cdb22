package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// keeper hands a guard what one installation keeps for the owner of one call.
type keeper struct{ kv *registry.KV }

var _ guard.Keeper = keeper{}

// Get implements guard.Keeper.
func (k keeper) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := k.kv.Get(ctx, key)
	return value, keptError(err)
}

// List implements guard.Keeper.
func (k keeper) List(ctx context.Context, prefix, after string, count, bytes int, values bool) (guard.KeptPage, error) {
	all, err := k.kv.List(ctx, prefix, after, count, bytes, values)
	page := guard.KeptPage{More: all.More, Passed: all.Passed}
	for _, e := range all.Entries {
		page.Keys = append(page.Keys, e.Key)
		if values {
			page.Values = append(page.Values, e.Value)
		}
	}
	return page, keptError(err)
}

// Size implements guard.Keeper.
func (k keeper) Size(ctx context.Context, key string) (all, of int64, keys int, err error) {
	return k.kv.Size(ctx, key)
}

// Commit implements guard.Keeper.
func (k keeper) Commit(ctx context.Context, changes []guard.KeptChange, quota int64) error {
	all := make([]registry.KVChange, len(changes))
	for i, c := range changes {
		all[i] = registry.KVChange(c)
	}
	return keptError(k.kv.Commit(ctx, all, quota))
}

// keptError says an error of the registry in the guard's words.
func keptError(err error) error {
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return guard.ErrNoKey
	case errors.Is(err, registry.ErrConflict):
		return guard.ErrOutdated
	case errors.Is(err, registry.ErrKVReads):
		return guard.ErrManyRead
	case errors.Is(err, registry.ErrKVQuota):
		return guard.ErrKeepFull
	case errors.Is(err, registry.ErrKVWithdrew):
		return guard.ErrWithdrawn
	}
	return err
}

// keeps is what the call may keep data in; nil: it has no right to any.
func (c *call) keeps() (guard.Keeper, error) {
	if c.policy.Rights.KV == nil {
		return nil, nil
	}
	kv, err := c.host.store.KV(c.by, c.in, c.policy.Rights)
	if err != nil {
		return nil, err
	}
	return keeper{kv}, nil
}

// maxAttempts is how often a call is run whose data others change under it. Of those that want to change the
// same at a time one comes through each time. The others go one after the other from then on, and those of
// several processes wait for a while of no fixed length, which parts them.
const maxAttempts = 16

// repeats are the calls that are run again. One of each owner's servlet is at a time.
type repeats struct {
	mu   sync.Mutex
	held map[string]chan struct{} // guarded by mu; closed when the one that holds it ended
}

// take waits until no other call of the key is run again, or ctx ended: then it is nil.
func (r *repeats) take(ctx context.Context, key string) (release func()) {
	for {
		r.mu.Lock()
		other := r.held[key]
		if other == nil {
			if r.held == nil {
				r.held = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			r.held[key] = mine
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				delete(r.held, key)
				close(mine)
			}
		}
		r.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil
		}
	}
}

// maxRepeated is how many bytes of effects all runs of a call together leave in the audit, before it is not run
// once more.
const maxRepeated = 4 << 20

// attempts runs the guest until what it has read is still so when it ends, as far as running it again
// changes nothing: a call that could have told or changed something else is not run twice.
func (c *call) attempts(ctx, parent context.Context, until time.Time) (json.RawMessage, error) {
	wait := time.Millisecond
	for attempt := 1; ; attempt++ {
		result, err := c.attempt(ctx, parent, until)
		if !errors.Is(err, guard.ErrOutdated) {
			return result, err
		}
		pause := time.Duration(rand.Int64N(int64(wait)) + 1)
		switch {
		case ctx.Err() != nil:
			return nil, c.stopped(ctx, parent)
		case attempt == maxAttempts, !repeatable(c.policy.Rights), time.Until(until) < pause, c.recorder.bytes > maxRepeated:
			return nil, c.conflict(attempt)
		}
		c.host.metrics.KVConflict()
		// The tool's time goes on: what an attempt takes is not taken for reading its answer.
		c.watch.Begin(deadline.Phase{Name: phaseTool, Time: time.Until(until), EndsItself: true})
		if attempt == 1 {
			turn, stop := context.WithDeadline(ctx, until)
			release := c.host.repeats.take(turn, c.caller()+"/"+c.alias)
			stop()
			switch {
			case release != nil:
				defer release()
			case ctx.Err() != nil:
				return nil, c.stopped(ctx, parent)
			default:
				return nil, c.conflict(attempt)
			}
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, c.stopped(ctx, parent)
		}
		wait = min(2*wait, 64*time.Millisecond)
	}
}

// stopped is a call that was ended from outside while no guest of it ran.
func (c *call) stopped(ctx, parent context.Context) error {
	if err := c.interrupted(ctx, parent, &sandbox.Fault{Kind: sandbox.FaultCancelled}); err != nil {
		return err
	}
	return ctx.Err()
}

// repeatable says that a call with these rights leaves no trace but by what it keeps.
func repeatable(r capabilities.Rights) bool {
	if len(r.HTTP) > 0 || r.Web != nil {
		return false
	}
	for _, f := range r.FS {
		if f.Mode != capabilities.ModeRead && f.Mode != capabilities.ModeNone {
			return false
		}
	}
	return true
}

// commit keeps what a call wrote that has succeeded, before anybody hears of it.
func (c *call) commit(ctx, parent context.Context) error {
	err := c.warden.Commit(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return c.stopped(ctx, parent)
	case errors.Is(err, guard.ErrOutdated):
		return err
	case errors.Is(err, guard.ErrKeepFull):
		return refuseAt(LimitKVQuota, StatusTool, fmt.Sprintf("The tool wanted to keep more than the %d KB or %d keys that it may keep, so nothing of this call was kept.%s",
			c.policy.Rights.KV.QuotaKB, registry.MaxKVKeys, c.besides()), "kv quota")
	case errors.Is(err, guard.ErrManyEffects):
		return refuse(StatusTool, "The tool did more than is recorded of one call, so nothing of this call was kept."+c.besides()+" "+c.reference(), "kv commit: too many effects")
	case errors.Is(err, guard.ErrWithdrawn):
		return c.withdrawn(ctx)
	}
	c.host.log.Error("keeping what a call wrote", "call", c.id, "error", err)
	return refuse(StatusHost, "Writ could not keep what the tool wrote, so nothing of this call was kept."+c.besides()+" "+c.reference(), "kv commit")
}

// withdrawn is a call whose installation is not the one any more that it began with, before anybody was told.
func (c *call) withdrawn(ctx context.Context) error {
	now, err := c.host.store.Lookup(ctx, c.by, c.alias)
	if err == nil {
		err = stillGranted(c.in, now, c.policy)
	}
	if err == nil || errors.Is(err, errReplaced) { // without an error it was removed, and is there again
		return c.replaced()
	}
	return c.revoked()
}

// besides says what a call may have done that does not end with it. Who reads that nothing was kept would
// else do it again: pay twice, send twice.
func (c *call) besides() string {
	if repeatable(c.policy.Rights) {
		return ""
	}
	return " What it sent or wrote besides was done: check before you call it again."
}

// conflict is a call that others were always faster than.
func (c *call) conflict(attempts int) *refusal {
	if !repeatable(c.policy.Rights) {
		return refuseAt(LimitKVConflict, StatusTool, "Other calls changed what this one had read, so nothing that it wanted to keep was kept."+c.besides(), "kv conflict")
	}
	return refuseAt(LimitKVConflict, StatusTool, fmt.Sprintf(
		"The call was not done: other calls changed what it had read, %d times in a row, so nothing of it was kept. Call it again.", attempts), "kv conflict")
}
