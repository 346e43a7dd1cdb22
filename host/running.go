package host

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// Causes that end a running call from outside.
var (
	errRevoked  = errors.New("the grant was taken back")
	errReplaced = errors.New("another servlet was installed in its place")
	errClosing  = errors.New("the host is closing")
)

// running are the calls that are under way, with what they may do, so that a grant that is taken back
// ends them.
type running struct {
	mu     sync.Mutex
	calls  map[string]*inFlight // by call id; guarded by mu
	ending error                // guarded by mu; why every call, and every later one, ends
}

type inFlight struct {
	by     capabilities.Caller
	alias  string
	in     registry.Installation // as it was when the call began
	policy capabilities.Policy
	cancel context.CancelCauseFunc
}

// begin registers a call, until end.
func (r *running) begin(id string, c *inFlight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls == nil {
		r.calls = map[string]*inFlight{}
	}
	r.calls[id] = c
	if r.ending != nil {
		c.cancel(r.ending)
	}
}

func (r *running) end(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.calls, id)
}

func (r *running) list() []*inFlight {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*inFlight, 0, len(r.calls))
	for _, c := range r.calls {
		out = append(out, c)
	}
	return out
}

func (r *running) cancelAll(cause error) {
	r.mu.Lock()
	r.ending = cause
	r.mu.Unlock()
	for _, c := range r.list() {
		c.cancel(cause)
	}
}

// follow relays changes of the home to listeners, and ends calls that lost their grant by one.
func (h *Host) follow() {
	for h.life.Err() == nil {
		h.followOnce()
		// The registry's Watch came back although the host lives: it failed, and said so. Polling goes
		// on a second later, so that a revocation is never missed for good.
		select {
		case <-h.life.Done():
		case <-time.After(time.Second):
			h.recheck() // what changed meanwhile was not announced
			h.notify.tell()
		}
	}
}

func (h *Host) followOnce() {
	defer h.logPanic("following the registry")
	h.store.Watch(h.life, func(uint64) {
		h.recheck()
		h.notify.tell()
	})
}

// recheck looks every running call's grant up again. A call that looked its grant up before it was
// taken back, and is registered after this has run, looks again itself (see call.register).
func (h *Host) recheck() {
	defer h.logPanic("checking running calls")
	for _, c := range h.calls.list() {
		now, err := h.store.Lookup(h.life, c.by, c.alias)
		if h.life.Err() != nil {
			return
		}
		if err != nil {
			err = errRevoked // unknown is not allowed: who cannot be asked cannot say that the grant stands
		} else {
			err = stillGranted(c.in, now, c.policy)
		}
		if err != nil {
			c.cancel(err)
		}
	}
}

// stillGranted says that an installation as it is now allows all that a policy has which was made of it
// as it was then. Else it is errReplaced or errRevoked.
func stillGranted(then, now registry.Installation, p capabilities.Policy) error {
	switch {
	case now.Revoked:
		return errRevoked
	// The rights that a grant gives to one servlet are no word about another under its alias. A newer
	// version is no other servlet: what runs of the one before ends by itself, within what both may do.
	case !sameServlet(then, now) && !upgraded(then, now):
		return errReplaced
	case capabilities.Subset(p.Rights, now.Grant.Rights) != nil:
		return errRevoked
	}
	return nil
}

// sameServlet says that two looks at an alias found the same file of the same publisher, and a grant
// of the same manifest.
func sameServlet(a, b registry.Installation) bool {
	return a.Name == b.Name && a.Publisher == b.Publisher && a.Digest == b.Digest && a.Grant.Manifest == b.Grant.Manifest
}

// upgraded says that a newer release of the same servlet has taken the place of the one before.
func upgraded(then, now registry.Installation) bool {
	return then.Name == now.Name && then.Publisher == now.Publisher && !then.Development && !now.Development && then.Seq < now.Seq
}

func (h *Host) logPanic(doing string) {
	if p := recover(); p != nil {
		h.log.Error("panic while "+doing, "panic", p)
	}
}

// listeners are told of changes. One that is busy is told once more, not once for each change.
type listeners struct {
	mu  sync.Mutex
	all map[chan struct{}]bool // guarded by mu
}

func (l *listeners) add() (told chan struct{}, remove func()) {
	told = make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[chan struct{}]bool{}
	}
	l.all[told] = true
	return told, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, told)
	}
}

func (l *listeners) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.all {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Watch calls changed whenever the tools of some space may have changed, until ctx or the Host ends.
// Changes that come while changed runs are one more call of it, not many.
func (h *Host) Watch(ctx context.Context, changed func()) {
	told, remove := h.notify.add()
	defer remove()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.life.Done():
			return
		case <-told:
			changed()
		}
	}
}
