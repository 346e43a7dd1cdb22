package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// prepare gets an installed servlet ready for its first call. A servlet whose initialisation fails is no
// error; one that cannot run at all is, and stays installed: the approval was given.
func (a *app) prepare(ctx context.Context, h *host.Host, in registry.Installation) (start approval.Start, err error) {
	err = a.patiently("preparing "+in.Alias, func() error {
		s, err := h.Prepare(ctx, a.caller(), in.Alias)
		start = approval.Prepared(s, err)
		return err
	})
	if err != nil && ctx.Err() != nil {
		return start, fmt.Errorf("%s is installed; preparing it was interrupted, and is done by its first call", in.Alias)
	}
	return start, err
}

// sayStart says how calls of a servlet start, and what that costs when it is not the fast way. What its
// image holds of randomness is for inspect.
func sayStart(alias string, s approval.Start) string {
	s.Entropy = ""
	if s.Rung == sandbox.RungPlain {
		return fmt.Sprintf("%s is not prepared: %s", alias, startText(s))
	}
	return fmt.Sprintf("%s is prepared: %s", alias, startText(s))
}

// startText is a Start in one line.
func startText(s approval.Start) string {
	if s.Problem != "" {
		return s.Problem
	}
	text := map[sandbox.Rung]string{
		sandbox.RungReset:    "each call starts from its image, in microseconds (rung reset)",
		sandbox.RungInstance: "each call starts from its image in a new instance, in a tenth of a millisecond or so (rung instance)",
		sandbox.RungPlain:    "each call waits until it has initialised itself, in milliseconds or more (rung plain)",
	}[s.Rung]
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	if s.Entropy != "" {
		text += "; " + s.Entropy
	}
	if !s.Prepared {
		text = "at best " + text + "; its initialisation has not run, which tells the rest after install"
	}
	return text
}

const (
	patience = 300 * time.Millisecond // before a person is told what takes so long
	beat     = time.Second            // between two signs of life
)

// patiently runs f, and tells a person at a terminal that it goes on, and for how long.
func (a *app) patiently(doing string, f func() error) error {
	out, ok := a.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return f()
	}
	stop, told := make(chan struct{}), make(chan error)
	go func() { told <- tellTime(out, doing, stop) }()
	err := f()
	close(stop)
	return errors.Join(err, <-told)
}

// tellTime writes one line over and over, and leaves none behind.
func tellTime(out *os.File, doing string, stop <-chan struct{}) (err error) {
	began, next, width := time.Now(), time.NewTimer(patience), 0
	defer next.Stop()
	for {
		select {
		case <-stop:
			if width > 0 {
				_, err = fmt.Fprintf(out, "\r%*s\r", width, "")
			}
			return err
		case <-next.C:
			line := fmt.Sprintf("%s ... %.0f s", doing, time.Since(began).Seconds())
			if _, err = fmt.Fprintf(out, "\r%s", line); err != nil {
				<-stop
				return err
			}
			width = len(line)
			next.Reset(beat)
		}
	}
}
