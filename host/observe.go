package host

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/metrics"
)

// Statuses are all statuses of an Answer, as metrics have them.
func Statuses() []string {
	return []string{string(StatusOK), string(StatusTool), string(StatusDenied), string(StatusHost)}
}

// checking counts the time since start as spent on the call's arguments or result.
func (c *call) checking(start time.Time) {
	if c.host.metrics != nil {
		c.checks += time.Since(start)
	}
}

// observe counts the call and writes its lines to the log of calls. What goes wrong with either ends
// nothing: they are there to be looked at.
func (c *call) observe() {
	if c.host.metrics == nil && c.host.callLog == nil {
		return
	}
	defer c.host.logPanic("observing a call")
	var named metrics.Tool
	if tool := c.named.Load(); tool != nil {
		named = *tool
	}
	if c.host.metrics != nil {
		c.host.metrics.Call(metrics.Call{
			Tool: named, Status: string(c.done.Status), Limit: string(c.done.Limit), Violation: c.violation(),
			Wall: time.Since(c.started), Checks: c.checks, Fuel: c.done.Fuel, Arguments: len(c.req.Arguments), Result: c.done.Result,
			Allowed: c.done.Allowed, Denied: c.done.Denied,
			Destructive: c.warden != nil && c.signed.Destructive && writes(c.policy.Rights),
		})
	}
	if c.host.callLog != nil {
		c.logLines(named)
	}
}

// violation is the kind of check that ended the call; empty: none did.
func (c *call) violation() string {
	switch {
	case c.done.Status == StatusOK:
		return ""
	case c.done.Limit != "":
		return "limit"
	case c.done.Status == StatusDenied:
		return "grant"
	case c.done.Reason == "arguments":
		return "arguments"
	case strings.HasPrefix(c.done.Reason, "result"):
		return "result"
	}
	return ""
}

// logLines writes what the servlet wrote and what the call came to. A name that nobody has installed is
// not written: it may be anything, and as long as a message.
func (c *call) logLines(named metrics.Tool) {
	log := c.host.callLog
	about := []slog.Attr{
		slog.String("space", c.by.Space), slog.String("alias", named.Servlet), slog.String("tool", named.Name), slog.String("call", c.id),
	}
	ctx := context.Background() // a client that left must not take its call out of the log
	for _, l := range c.logs {
		log.LogAttrs(ctx, levelOf(l.Level), l.Text, append(about[:4:4], slog.String("source", "servlet"))...)
	}
	if !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	about = append(about, slog.String("who", c.by.Principal), slog.String("status", string(c.done.Status)), slog.Int64("wall_ms", c.done.WallMS))
	if c.done.Limit != "" {
		about = append(about, slog.String("limit", string(c.done.Limit)))
	}
	if c.done.Reason != "" {
		about = append(about, slog.String("reason", c.done.Reason))
	}
	if c.trace.Trace != "" {
		about = append(about, slog.String("trace", c.trace.Trace), slog.String("parent", c.trace.Parent))
	}
	log.LogAttrs(ctx, slog.LevelInfo, "call", about...)
}

func levelOf(l effect.LogLevel) slog.Level {
	switch l {
	case effect.Debug:
		return slog.LevelDebug
	case effect.Info:
		return slog.LevelInfo
	case effect.Warn:
		return slog.LevelWarn
	}
	return slog.LevelError
}

// gauges shows what is there now.
func (h *Host) gauges() {
	m := h.metrics
	m.Gauge("writ_calls_left_behind", "Calls that were answered without waiting for what they wait for.", func() float64 { return float64(h.behind.Load()) })
	m.Gauge("writ_calls_under_way", "Calls that have not ended.", func() float64 {
		h.mu.Lock()
		defer h.mu.Unlock()
		return float64(h.active)
	})
	m.Gauge("writ_rate_callers", "Callers with a bucket of their own.", func() float64 {
		if h.rate == nil {
			return 0
		}
		return float64(h.rate.Callers())
	})
	m.Gauge("writ_live_instances", "Sandboxes that run a call, or wait for one.", func() float64 { return float64(h.engine.Instances()) })
	m.Gauge("writ_guest_memory_bytes", "Linear memory of sandboxes, and of the images that they start from.", func() float64 { return float64(h.engine.UsedMemory()) })
}

// passedOn is what the servers that the servlet calls are told of the call's trace: nothing, unless the
// operator wants it. The call's own id is its part of the trace, so that it can be found in the audit.
func (c *call) passedOn() guard.Trace {
	if !c.host.passTrace || c.trace.Trace == "" {
		return guard.Trace{}
	}
	return guard.Trace{Parent: c.trace.Child(c.id), State: c.trace.State}
}
