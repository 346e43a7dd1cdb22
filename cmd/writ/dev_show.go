package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
)

// console writes lines for a person to standard error, on a goroutine of its own: a client that started this
// command and does not read what it says must not hold its calls.
type console struct {
	to      io.Writer
	colour  bool
	queue   chan string
	ended   chan struct{}
	dropped atomic.Int64

	mu     sync.Mutex
	closed bool // guarded by mu
}

// maxShown is how many texts wait to be written.
const maxShown = 1024

func newConsole(to io.Writer, colour bool) *console {
	c := &console{to: to, colour: colour, queue: make(chan string, maxShown), ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		for text := range c.queue {
			if n := c.dropped.Swap(0); n > 0 {
				fmt.Fprintf(c.to, "(%d lines were not shown: they came faster than they were read)\n", n)
			}
			io.WriteString(c.to, text)
		}
	}()
	return c
}

// close waits until everything is written, but not for whoever does not read it. What comes afterwards, of a
// call that was left behind, is dropped.
func (c *console) close() {
	c.mu.Lock()
	c.closed = true
	close(c.queue)
	c.mu.Unlock()
	select {
	case <-c.ended:
	case <-time.After(logWait):
	}
}

// put queues text that is fit for a terminal.
func (c *console) put(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	select {
	case c.queue <- text:
	default:
		c.dropped.Add(1)
	}
}

// Write takes lines of the host's log, which are escaped already.
func (c *console) Write(p []byte) (int, error) {
	c.put(string(p))
	return len(p), nil
}

// say shows a sentence. What it is given may hold names from outside, so the whole line is escaped.
func (c *console) say(format string, args ...any) {
	c.put(capabilities.Printable(fmt.Sprintf(format, args...), maxSentence) + "\n")
}

// fail shows an error of several lines, a compiler's with its places.
func (c *console) fail(what string, err error) {
	text := strings.TrimRight(printableLines(err.Error()), "\n")
	c.put(c.paint(red, what+":") + "\n  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")
}

// The colours of a terminal (ECMA-48, SGR).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (c *console) paint(colour, text string) string {
	if !c.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// statusColours are what calls came to, in colour.
var statusColours = map[host.Status]string{
	host.StatusOK: green, host.StatusTool: yellow, host.StatusDenied: red, host.StatusHost: red,
}

// show makes a build the one that reports are explained by.
func (d *dev) show(b devBuild) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shown = b
}

// reported shows a call, and keeps what it asked for.
func (d *dev) reported(r host.Report) {
	d.mu.Lock()
	b := d.shown
	_, tool, _ := strings.Cut(r.Tool, "_")
	if d.flags.propose {
		d.calls.Add(tool, r.Effects)
	}
	d.mu.Unlock()
	d.out.put(d.out.report(r, tool, b))
}

// report is a call in lines: what it took, what it logged, where it failed, what was refused.
func (c *console) report(r host.Report, tool string, b devBuild) string {
	var lines strings.Builder
	answer := r.Answer
	fmt.Fprintf(&lines, "%s %s %s  %s  fuel %d  memory %s", time.Now().Format(time.TimeOnly), capabilities.Printable(r.Tool, 80),
		c.paint(statusColours[answer.Status], string(answer.Status)), shortTime(answer.Wall), answer.Fuel, shortSize(r.Memory))
	if r.Rung != "" {
		fmt.Fprintf(&lines, "  rung %s", r.Rung)
	}
	fmt.Fprintf(&lines, "  result %s\n", shortSize(int64(len(answer.Result))))
	line := func(format string, args ...any) {
		lines.WriteString("  " + capabilities.Printable(fmt.Sprintf(format, args...), maxSentence) + "\n")
	}
	for _, l := range answer.Logs {
		for text := range strings.Lines(l.Text) {
			line("log %s: %s", levelName(int(l.Level)), strings.TrimRight(text, "\r\n"))
		}
	}
	if answer.Status != host.StatusOK && len(answer.Result) > 0 {
		for text := range strings.Lines(resultText(answer.Result)) {
			line("error: %s", strings.TrimRight(text, "\r\n"))
		}
	}
	if answer.Status != host.StatusOK {
		if r.Fault != nil && r.Fault.Kind != sandbox.FaultTool || len(answer.Result) == 0 {
			line("reason: %s", r.Reason)
		}
		if at := b.made.Places.Where(answer.Logs, r.Frames); at != "" {
			line("%s", at)
		}
	}
	for _, e := range refusedOf(r.Effects) {
		line("refused: %s %s %s: %s%s", e.Kind, e.Action, e.Target, e.Reason, more(e.Repeated))
		if mend := advice(e, tool, b); mend != "" {
			line("  %s", mend)
		}
	}
	return lines.String()
}

// refusedOf are the decisions that denied something, each once.
func refusedOf(events []guard.Event) (all []guard.Event) {
	at := map[guard.Event]int{}
	for _, e := range events {
		if e.Decision != "deny" {
			continue
		}
		key := e
		key.Time, key.Repeated = time.Time{}, 0
		if i, ok := at[key]; ok {
			all[i].Repeated += 1 + e.Repeated
			continue
		}
		at[key] = len(all)
		all = append(all, e)
	}
	return all
}

func more(repeated int) string {
	if repeated == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d times more)", repeated)
}

func levelName(level int) string { return levels[min(level, len(levels)-1)] }

// levels are the names of a servlet's log levels.
var levels = []string{"debug", "info", "warn", "error"}

func shortTime(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

func shortSize(n int64) string {
	switch {
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	case n >= 1e4:
		return fmt.Sprintf("%d kB", n/1000)
	}
	return fmt.Sprintf("%d B", n)
}
