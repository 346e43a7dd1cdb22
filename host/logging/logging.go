// Package logging writes the host's log and reads it again.
//
//	redact.go  what no log may hold, by the names of attributes and by the look of values
//	async.go   records on their way to a place that may be slow, full or gone
//	file.go    the log of a home: parts of JSON lines that any number of processes append to
//	read.go    the same, read and followed
//
// A log is for people and never for decisions: whatever goes wrong with it, calls go on (the audit, which
// calls do wait for, is the registry's).
package logging

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// Formats of lines.
const (
	FormatText = "text"
	FormatJSON = "json"
)

// NewHandler makes a handler that writes lines of a format to w, redacted. It is false for an unknown
// format. redacted is told how many values of a record were; nil: nobody.
func NewHandler(w io.Writer, format string, level slog.Leveler, redacted func(int)) (slog.Handler, bool) {
	opts := &slog.HandlerOptions{Level: level}
	switch format {
	case FormatText:
		return Redact(slog.NewTextHandler(w, opts), redacted), true
	case FormatJSON:
		return Redact(slog.NewJSONHandler(printable{w}, opts), redacted), true
	}
	return nil, false
}

// printable writes lines of JSON that a terminal may show: slog leaves in them what draws nothing, or
// turns the direction of what stands around it.
type printable struct{ w io.Writer }

func (p printable) Write(line []byte) (int, error) {
	if _, err := p.w.Write(capabilities.PrintableJSON(line)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// ParseLevel reads debug, info, warn or error.
func ParseLevel(name string) (slog.Level, error) {
	var l slog.Level
	switch name {
	case "debug", "info", "warn", "error":
		return l, l.UnmarshalText([]byte(strings.ToUpper(name)))
	}
	return l, fmt.Errorf("want debug, info, warn or error")
}
