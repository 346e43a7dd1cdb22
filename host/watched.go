package host

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/deadline"
)

// Times are how long parts of a call may take. At 80 % a warning is logged, at 100 % the part is cancelled,
// and at 120 %, at least a second later, the answer goes out without it. Zero fields have the defaults.
type Times struct {
	Tool      time.Duration // a tool: the most that a manifest's wall_ms is worth here; 60 s
	Discovery time.Duration // a list of tools; 20 s
	Store     time.Duration // what is looked up and recorded before a tool runs; 5 s
	Load      time.Duration // making a servlet's code ready, which only its first call waits for; 2 min
}

// Defaults of Times.
const (
	defaultToolTime      = 60 * time.Second
	defaultDiscoveryTime = 20 * time.Second
	defaultStoreTime     = 5 * time.Second
	defaultLoadTime      = 2 * time.Minute
)

// Phases of a call, and of what else has a time.
const (
	phaseStore     = "store"
	phaseLoad      = "load"
	phaseTool      = "tool"
	phaseAnswer    = "answer" // reading, checking and recording what the tool answered
	phaseDiscovery = "discovery"
)

// States of a call.
const (
	underWay   int32 = iota
	hasEnded         // its end is recorded by itself
	leftBehind       // its end was recorded for it
)

// maxBehind is how many calls may be left behind before no other is let in: each holds a goroutine, and a
// thread if the kernel does not give it back.
const maxBehind = 256

// recordWait is how long the answer to a call that was left behind waits for its record: its store may be
// what does not answer.
const recordWait = time.Second

// watchOver sets up what Config says of limits and of what is told of calls.
func (h *Host) watchOver(cfg Config) {
	h.rate, _ = cfg.Rate.limiter() // New has checked it
	h.times = Times{
		Tool: orDefault(cfg.Times.Tool, defaultToolTime), Discovery: orDefault(cfg.Times.Discovery, defaultDiscoveryTime),
		Store: orDefault(cfg.Times.Store, defaultStoreTime), Load: orDefault(cfg.Times.Load, defaultLoadTime),
	}
	h.asked = deadline.Group{Most: 16, Tell: func(p deadline.Phase, s deadline.Step) { h.slow(p, s, "") }}
	h.result = cfg.Result
	h.metrics, h.callLog, h.passTrace = cfg.Metrics, cfg.CallLog, cfg.PassTrace
	h.gauges()
}

// watched runs the call on a goroutine of its own, and does without it when it is left behind: a file on a
// network that is gone, or a store on a disk that takes nothing, holds its thread in the kernel, and nothing
// can take it out again. Until it comes back it keeps its place among the running calls, so that those are
// bounded too.
func (c *call) watched(ctx context.Context) (Answer, error) {
	if c.host.behind.Load() >= maxBehind {
		defer c.host.leave()
		return c.refused(c.hostTime(&deadline.Exceeded{Phase: deadline.Phase{Name: phaseStore, Time: c.host.times.Store}})), nil
	}
	running, cancel := context.WithCancelCause(ctx)
	c.cancel = cancel
	c.watch = deadline.New(cancel, func(p deadline.Phase, s deadline.Step) { c.host.slow(p, s, c.id) })
	c.watch.Begin(deadline.Phase{Name: phaseStore, Time: c.host.times.Store})
	type outcome struct {
		answer Answer
		err    error
	}
	done := make(chan outcome, 1)
	c.host.crew.run(c.host.life, func() {
		defer c.host.leave()
		var out outcome
		out.answer, out.err = c.run(running)
		cancel(nil)
		c.watch.Stop()
		done <- out
		if c.state.Load() == leftBehind {
			c.host.behind.Add(-1)
			c.host.log.Warn("call that was left behind has ended", "call", c.id, "after", time.Since(c.started).Round(time.Millisecond))
		}
	})
	select {
	case out := <-done:
		return out.answer, out.err
	case <-c.watch.Left():
		return c.abandon(cancel)
	}
}

// abandon answers for a call that does not end. It touches nothing that the call's own goroutine writes.
func (c *call) abandon(cancel context.CancelCauseFunc) (Answer, error) {
	late := &deadline.Exceeded{Phase: c.watch.Phase(), Left: true}
	mine := c.state.CompareAndSwap(underWay, leftBehind)
	if mine {
		c.host.behind.Add(1)
	}
	cancel(late)
	if err := c.client.Err(); err != nil {
		return Answer{}, err
	}
	no := c.hostTime(late)
	if late.Phase.Name == phaseTool || late.Phase.Name == phaseAnswer {
		no = refuseAt(LimitLeftBehind, StatusTool, fmt.Sprintf(
			"The tool did not answer within %v, and what it waits for cannot be interrupted, so it was left behind. What it had done by then was done, and what it waits for may still happen. %s",
			late.Phase.Time, c.reference()), "left behind: "+late.Phase.Name)
	}
	alias, _, _ := strings.Cut(c.req.Tool, "_")
	end := &call{host: c.host, id: c.id, by: c.by, req: c.req, started: c.started, client: c.client, trace: c.trace}
	end.named.Store(c.named.Load())
	if capabilities.ValidAlias(alias) == nil {
		end.recorder = &recorder{store: c.host.store, by: c.by, alias: alias, call: c.id}
	}
	if !mine { // it has ended and is about to be recorded by itself
		end.state.Store(hasEnded)
	}
	answered := make(chan Answer, 1)
	if !c.host.enter() { // closing: nobody waits for a record
		end.recorder = nil
		return end.refused(no), nil
	}
	go func() {
		defer c.host.leave()
		answered <- end.refused(no)
	}()
	timer := time.NewTimer(recordWait)
	defer timer.Stop()
	select {
	case answer := <-answered:
		return answer, nil
	case <-timer.C:
		return Answer{
			Status: no.status, Limit: no.limit, Result: failure(no.text, no.limit, no.retry), Call: c.id, Wall: time.Since(c.started),
		}, nil
	}
}

// late is why the call's own time ended it; nil: something else did, or nothing.
func (c *call) late(ctx context.Context) *deadline.Exceeded {
	var late *deadline.Exceeded
	if c.client.Err() == nil && errors.As(context.Cause(ctx), &late) {
		return late
	}
	return nil
}

// hostTime is a call whose tool was not reached in time.
func (c *call) hostTime(late *deadline.Exceeded) *refusal {
	return refuseAt(LimitHostTime, StatusHost, fmt.Sprintf("Writ was not ready within %v, so the tool was not run. Try again later. %s", late.Phase.Time, c.reference()),
		"host time: "+late.Phase.Name)
}

// slow tells of a part that does not keep its time.
func (h *Host) slow(p deadline.Phase, s deadline.Step, call string) {
	h.metrics.Timeout(p.Name, int(s))
	h.log.Warn("slow", "phase", p.Name, "percent", int(s), "of", p.Time, "call", call)
}
