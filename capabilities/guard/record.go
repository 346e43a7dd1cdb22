package guard

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

// Event is one decision, recorded before the effect.
type Event struct {
	Time     time.Time `json:"time"`
	Kind     string    `json:"kind"`             // "http", "web", "fs", "config", "kv"
	Action   string    `json:"action"`           // "GET", "open", "write", "rename", "get", "commit" ...
	Target   string    `json:"target"`           // capability id and guest-side name, or a page without its query; never a host path or a secret
	Decision string    `json:"decision"`         // "allow", "deny", or "unknown" after an "allow" of which no one knows what it came to
	Reason   string    `json:"reason,omitempty"` // rule that denied, or why it is unknown
	Secret   string    `json:"secret,omitempty"` // keys of the secrets that the host attaches, with commas; never a value
	// Repeated is how often the refusal recorded last was asked for again without anything else in
	// between; such an event stands for all of them. What is allowed has an event each time.
	Repeated int `json:"repeated,omitempty"`
}

// Recorder keeps events. When Record fails, the effect does not happen. A Guard records one event at
// a time, so a Recorder that serves one Guard needs no lock.
type Recorder interface {
	Record(ctx context.Context, e Event) error
}

const (
	// maxRecorded bounds what one call can write into the audit, in bytes of its events' texts and
	// eventCost for each: some 25,000 effects on files with ordinary names. Past it one event tells so
	// and everything is refused.
	maxRecorded = 4 << 20
	// eventCost is what an event takes beside its texts.
	eventCost = 128
	// maxRefused bounds the recorded target of a refusal, in bytes before escapes. The target of an
	// effect is recorded whole: a long way round must not push the name of a file out of its record.
	maxRefused = 512
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

	mu       sync.Mutex // guards what follows; held while recording
	recorded int        // of maxRecorded
	full     bool
	last     Event             // recorded last; its Repeated counts what was not recorded since
	looked   map[look]struct{} // what the call was allowed once and for all
}

// look is an effect that tells the same however often it is done.
type look struct{ kind, action, target string }

// decide is the only place where an effect gets its permission, so that none can happen without a
// record: it records the decision and returns nil exactly if the effect may happen. A refusal is the
// rule that denies; empty allows.
func (g *Guard) decide(ctx context.Context, kind capabilities.Kind, action, target, refusal string) error {
	return g.settle(g.ledger.record(ctx, newEvent(kind, action, target, refusal), false), refusal)
}

// decideSending is decide for an exchange, with the keys of the secrets that go with it.
func (g *Guard) decideSending(ctx context.Context, x exchange, keys []string, refusal string) error {
	e := newEvent(x.kind, x.method, x.target(), refusal)
	e.Secret = strings.Join(keys, ",")
	return g.settle(g.ledger.record(ctx, e, false), refusal)
}

// decideLook is decideOnce for an effect that tells a name and what it stands for.
func (g *Guard) decideLook(ctx context.Context, action, target string) error {
	return g.decideOnce(ctx, capabilities.KindFS, action, target)
}

// decideOnce is decide for an effect that is allowed. In one call it is recorded once for each target: the
// second of the kind tells nothing that the first record does not.
func (g *Guard) decideOnce(ctx context.Context, kind capabilities.Kind, action, target string) error {
	return g.settle(g.ledger.record(ctx, newEvent(kind, action, target, ""), true), "")
}

// settle counts a decision that was recorded, or could not be.
func (g *Guard) settle(err error, refusal string) error {
	if err == nil && refusal != "" {
		err = errRefused
	}
	if err == nil && g.life.over() {
		err = errRefused // the call has ended meanwhile
	}
	if err != nil {
		g.ledger.denied.Add(1)
		return err
	}
	g.ledger.allowed.Add(1)
	return nil
}

func newEvent(kind capabilities.Kind, action, target, refusal string) Event {
	e := Event{Kind: string(kind), Action: capabilities.Printable(action, 32), Decision: "allow"}
	if refusal != "" {
		e.Decision, e.Reason = "deny", refusal
		if len(target) > maxRefused {
			end := maxRefused
			for end > 0 && !utf8.RuneStart(target[end]) {
				end--
			}
			target = target[:end] + "…"
		}
	}
	e.Target = capabilities.Printable(target, 6*len(target)) // no escape is longer than that: nothing is cut
	return e
}

// record records e; with once, only if it has not been in this call.
func (l *ledger) record(ctx context.Context, e Event, once bool) error {
	if l.recorder == nil {
		return errUnrecorded
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return errTooMany
	}
	if e.Reason != "" && l.last.sameRefusal(e) {
		l.last.Repeated++
		return nil
	}
	if _, ok := l.looked[look{e.Kind, e.Action, e.Target}]; ok && once {
		return nil
	}
	// A cancelled call must still leave its record.
	ctx = context.WithoutCancel(ctx)
	if err := l.endRepeats(ctx); err != nil {
		return err
	}
	l.recorded += eventCost + len(e.Action) + len(e.Target) + len(e.Reason) + len(e.Secret)
	if l.full = l.recorded > maxRecorded; l.full {
		e.Decision, e.Reason = "deny", errTooMany.Error()
	}
	if err := l.write(ctx, e); err != nil {
		return err
	}
	if l.full {
		return errTooMany
	}
	l.last = e
	if once {
		if l.looked == nil {
			l.looked = make(map[look]struct{})
		}
		l.looked[look{e.Kind, e.Action, e.Target}] = struct{}{}
	}
	return nil
}

// unknown records that an effect which was allowed has left this machine, and that nobody answered. It
// may have happened: whoever reads the audit has to ask the other side, and nothing here does it again.
func (l *ledger) unknown(ctx context.Context, e Event) {
	e.Decision, e.Reason = "unknown", "sent; it is not known what became of it"
	l.mu.Lock()
	defer l.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	// What cannot be recorded now is unknown all the same: its permission has no answer after it.
	if l.endRepeats(ctx) == nil && l.write(ctx, e) == nil {
		l.last = e
	}
}

// endRepeats records how often the last refusal was repeated. It is called with mu held.
func (l *ledger) endRepeats(ctx context.Context) error {
	if l.last.Repeated == 0 {
		return nil
	}
	l.recorded += eventCost + len(l.last.Action) + len(l.last.Target) + len(l.last.Reason)
	if err := l.write(ctx, l.last); err != nil {
		return err
	}
	l.last.Repeated = 0
	return nil
}

// end records what is left to record.
func (l *ledger) end() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.endRepeats(context.Background())
}

func (l *ledger) write(ctx context.Context, e Event) error {
	e.Time = time.Now().UTC()
	if err := l.recorder.Record(ctx, e); err != nil {
		return errUnrecorded
	}
	return nil
}

func (e Event) sameRefusal(other Event) bool {
	return e.Kind == other.Kind && e.Action == other.Action && e.Target == other.Target && e.Reason == other.Reason
}

// Effects returns how many effects were allowed and denied, for the audit record of the call. A
// request that is allowed and then turned away where it happens (a link that leaves the directory, a
// private address) counts as both.
func (g *Guard) Effects() (allowed, denied int) {
	return int(g.ledger.allowed.Load()), int(g.ledger.denied.Load())
}
