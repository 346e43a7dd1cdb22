package host

import (
	"context"
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// Prepare makes an installed servlet ready for its first call, and tells how its calls will start: it is
// compiled, unless that was done before, and its initialisation runs, with a budget of its own and every
// request refused. It is for after the approval: what is not granted is not run, which is
// capabilities.ErrNotGranted. A servlet whose initialisation fails is no error: its calls start on rung
// plain, and the Start says why. An error says why no call can run.
func (h *Host) Prepare(ctx context.Context, by capabilities.Caller, alias string) (start sandbox.Start, err error) {
	if !h.enter() {
		return sandbox.Start{}, fmt.Errorf("preparing %s: %w", alias, errClosing)
	}
	defer h.leave()
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("preparing panicked", "alias", alias, "panic", p)
			start, err = sandbox.Start{}, fmt.Errorf("preparing %s: %w", alias, errPanic)
		}
	}()
	in, err := h.store.Lookup(ctx, by, alias)
	if err != nil {
		return sandbox.Start{}, err // it names the alias and the way on
	}
	s, err := h.loader.read(ctx, in.Digest)
	if err != nil {
		return sandbox.Start{}, h.unprepared(in, unreadable(in, err), err)
	}
	if in.Grant.Manifest != s.digest {
		err = capabilities.ErrGrantMismatch
	}
	if p := ungranted(in, s, err); p != nil {
		return sandbox.Start{}, h.unprepared(in, *p, capabilities.ErrNotGranted)
	}
	l, release, err := h.loader.acquire(ctx, by, in.Digest)
	if err != nil {
		return sandbox.Start{}, h.unprepared(in, unreadable(in, err), err)
	}
	defer release()
	return l.code.Start(), nil
}

// Verify reads the whole file of an installed servlet and checks it as the first call would. Its error is
// the sentence that such a call is answered with. Nothing of the servlet runs.
func (h *Host) Verify(ctx context.Context, in registry.Installation) error {
	if _, _, err := h.loader.verify(ctx, in.Digest); err != nil {
		return h.unprepared(in, unreadable(in, err), err)
	}
	return nil
}

// Remembered tells how calls of an installed servlet started when it was last loaded, by any process
// that shares the engine's cache folder. It is false when that is not known.
func (h *Host) Remembered(in registry.Installation) (sandbox.Start, bool) {
	return h.loader.engine.Remembered(in.Digest)
}

// unprepared says what keeps a servlet from being prepared as a call of it would say it.
func (h *Host) unprepared(in registry.Installation, p problem, err error) error {
	return &notReady{p.sentence(in.Alias), err}
}

// notReady is a problem as an error; it still matches what caused it.
type notReady struct {
	text string
	err  error
}

func (e *notReady) Error() string { return e.text }
func (e *notReady) Unwrap() error { return e.err }
