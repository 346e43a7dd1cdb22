// Package servletlog connects log/slog to the operator's log. It is a package of its own because log/slog
// makes a servlet larger.
package servletlog

import (
	"bytes"
	"context"
	"log/slog"
	"sync"

	servlet "github.com/writ-run/writ/sdk/go"
)

// New returns a logger whose records of at least level (nil: Info) become lines of the operator's log.
// Time is left out: the host knows it better.
func New(level slog.Leveler) *slog.Logger {
	line := &line{}
	text := slog.NewTextHandler(&line.buf, &slog.HandlerOptions{Level: level, ReplaceAttr: drop})
	return slog.New(handler{text, line})
}

// drop removes what the host adds itself.
func drop(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
		return slog.Attr{}
	}
	return a
}

// line is the buffer that all handlers of one logger write to.
type line struct {
	mu  sync.Mutex // held while one record is written and read
	buf bytes.Buffer
}

type handler struct {
	slog.Handler // a text handler that writes to line
	line         *line
}

var _ slog.Handler = handler{}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.buf.Reset()
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	servlet.Log(levelOf(r.Level), string(bytes.TrimSuffix(h.line.buf.Bytes(), []byte("\n"))))
	return nil
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.Handler.WithAttrs(attrs), h.line}
}

func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.line}
}

func levelOf(l slog.Level) servlet.Level {
	switch {
	case l < slog.LevelInfo:
		return servlet.Debug
	case l < slog.LevelWarn:
		return servlet.Info
	case l < slog.LevelError:
		return servlet.Warn
	}
	return servlet.Fault
}
