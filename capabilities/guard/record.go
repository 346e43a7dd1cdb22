package guard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// Event is one decision, recorded before the effect.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`             // "http", "fs", "config"
	Action   string    `json:"action"`           // "GET", "open", "write", "rename", "get" ...
	Target   string    `json:"target"`           // capability id and guest-side name; never a host path or a secret
	Decision string    `json:"decision"`         // "allow" or "deny"
	Reason   string    `json:"reason,omitempty"` // rule that denied
}

// Recorder keeps events. When Record fails, the effect does not happen. A Guard records one event at
// a time, so a Recorder that serves one Guard needs no lock.
type Recorder interface {
	Record(ctx context.Context, e Event) error
}

const (
	// maxEvents bounds what one call can write into the audit: past it everything is refused, and
	// only the first such refusal is recorded.
	maxEvents = 100_000
	// maxTarget bounds the recorded name of a target, in characters.
	maxTarget = 2 * maxPath
)

var (
	errRefused    = errors.New("refused by the policy")
	errUnrecorded = errors.New("the effect could not be recorded")
	errTooMany    = errors.New("too many effects in one call")
)

// ledger counts and records the decisions of one call.
type ledger struct {
	recorder        Recorder
	allowed, denied atomic.Int64

	mu     sync.Mutex // held while recording
	events int
}

// decide is the only place where an effect gets its permission, so that none can happen without a
// record: it records the decision and returns nil exactly if the effect may happen. A refusal is the
// rule that denies; empty allows.
func (g *Guard) decide(ctx context.Context, kind capabilities.Kind, action, target, refusal string) error {
	err := g.ledger.record(ctx, Event{
		Kind:   string(kind),
		Action: capabilities.Printable(action, 32),
		Target: capabilities.Printable(target, maxTarget),
		Reason: refusal,
	})
	if err == nil && refusal != "" {
		err = errRefused
	}
	if err == nil && g.lifetime().Err() != nil {
		err = errRefused // the call has ended meanwhile
	}
	if err != nil {
		g.ledger.denied.Add(1)
		return err
	}
	g.ledger.allowed.Add(1)
	return nil
}

func (l *ledger) record(ctx context.Context, e Event) error {
	if l.recorder == nil {
		return errUnrecorded
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events > maxEvents {
		return errTooMany
	}
	l.events++
	full := l.events > maxEvents
	if full {
		e.Reason = errTooMany.Error()
	}
	e.Time = time.Now().UTC()
	e.Decision = "allow"
	if e.Reason != "" {
		e.Decision = "deny"
	}
	// A cancelled call must still leave its record.
	if err := l.recorder.Record(context.WithoutCancel(ctx), e); err != nil {
		return errUnrecorded
	}
	if full {
		return errTooMany
	}
	return nil
}

// Effects returns how many effects were allowed and denied, for the audit record of the call. A
// request that is allowed and then turned away where it happens (a link that leaves the directory, a
// private address) counts as both.
func (g *Guard) Effects() (allowed, denied int) {
	return int(g.ledger.allowed.Load()), int(g.ledger.denied.Load())
}
