package host

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/sandbox"
)

// perform waits for a turn and runs the guest.
func (c *call) perform(ctx context.Context) (json.RawMessage, error) {
	parent := c.client
	// Compiling, which the first call waits for, is not the tool's time.
	c.watch.Begin(deadline.Phase{Name: phaseTool, Time: c.wall, EndsItself: true})
	until := time.Now().Add(c.wall)
	if err := c.register(ctx, c.cancel); err != nil {
		return nil, err
	}
	defer c.host.calls.end(c.id)
	leave, err := c.wait(ctx, parent, until)
	if err != nil {
		return nil, err
	}
	defer leave()
	return c.attempts(ctx, parent, until)
}

// attempt opens the guard and runs the guest, once. What the guest wrote by kv is kept when it returns
// without an error and the tool reported none.
func (c *call) attempt(ctx, parent context.Context, until time.Time) (json.RawMessage, error) {
	if err := c.open(); err != nil {
		return nil, err
	}
	defer c.shut()
	c.done.Cleaned = 0
	input, err := c.input()
	if err != nil {
		return nil, err
	}
	out := c.loaded.code.Run(ctx, sandbox.Call{
		Entry: sandbox.EntryCall, Input: input, Host: c.warden, Progress: c.progress(), Caller: c.caller(), Trace: c.host.reports != nil,
		Limits: sandbox.Limits{
			Memory: c.memory(), Wall: time.Until(until), Output: c.output(),
			Log: maxLog, HostCalls: maxHostCalls,
		},
	})
	c.watch.Begin(deadline.Phase{Name: phaseAnswer, Time: c.host.times.Tool, EndsItself: true})
	c.done.Fuel += out.Fuel // of all attempts
	c.keepLogs(out)
	c.keepOutcome(out)
	if err := c.interrupted(ctx, parent, out.Fault); err != nil {
		return nil, err
	}
	if c.warden.Outdated() { // whatever it answered: it was told what never was so at one moment
		return nil, guard.ErrOutdated
	}
	if out.Fault != nil {
		return nil, c.fault(out.Fault)
	}
	result, err := c.read(parent, out.Output)
	if err == nil && c.done.Status == StatusOK {
		err = c.commit(ctx, parent)
	}
	if err == nil && c.req.Take != nil && len(result) >= weighty {
		c.req.Take(parent, len(result))
	}
	return result, err
}

// read turns what a guest wrote into a result.
func (c *call) read(ctx context.Context, output []byte) (json.RawMessage, error) {
	defer c.turn(ctx, len(output))()
	if err := ctx.Err(); err != nil { // nobody is left to read it for
		return nil, err
	}
	defer c.checking(time.Now())
	return c.accept(output)
}

// weighty is the size, in bytes, from which it takes milliseconds to read what a model or a servlet
// wrote. Messages below it are read at once, the others in turn: all processors busy with them would
// keep every small call waiting.
const weighty = 64 << 10

// heavy is the size, in bytes, from which what reading a message leaves behind is collected at once: it
// is several times the message, and the collector by itself would wait until as much as all that lives
// has been allocated again.
const heavy = 1 << 20

// turn waits for a turn to read a message of n bytes, until ctx ends.
func (c *call) turn(ctx context.Context, n int) (leave func()) {
	if n < weighty {
		return func() {}
	}
	over := c.host.engine.Turn(ctx, c.caller())
	return func() {
		if n >= heavy {
			runtime.GC()
		}
		over()
	}
}

// register makes the call known to who takes grants back, and looks again when something changed
// between the first look and now: a revocation in that gap would be seen by no one else.
func (c *call) register(ctx context.Context, cancel context.CancelCauseFunc) error {
	c.host.calls.begin(c.id, &inFlight{by: c.by, alias: c.alias, in: c.in, policy: c.policy, cancel: cancel})
	if c.host.store.Generation() == c.generation {
		return nil
	}
	now, err := c.host.store.Lookup(ctx, c.by, c.alias)
	if err == nil {
		err = stillGranted(c.in, now, c.policy)
	}
	if err == nil {
		return nil
	}
	c.host.calls.end(c.id)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errReplaced):
		return c.replaced()
	}
	return c.revoked()
}

// wait waits for a turn, at most until the call's deadline.
func (c *call) wait(ctx, parent context.Context, until time.Time) (leave func(), err error) {
	leave, err = c.host.lanes.enter(ctx, until, c.caller(), c.by.Space+"/"+c.alias, c.claims())
	var large tooLarge
	var full busy
	switch {
	case err == nil:
		return leave, nil
	case parent.Err() != nil:
		return nil, parent.Err()
	case errors.Is(err, errRevoked):
		return nil, c.revoked()
	case errors.Is(err, errReplaced):
		return nil, c.replaced()
	case errors.Is(err, errClosing):
		return nil, c.closing()
	case errors.As(err, &large):
		return nil, c.tooLarge(large)
	case errors.As(err, &full):
		return nil, c.busy(full)
	}
	return nil, err
}

// caller is who asks, for what callers share.
func (c *call) caller() string { return sharer(c.by) }

func sharer(by capabilities.Caller) string { return by.Space + "/" + by.Principal }

// memory is how many bytes the guest may have.
func (c *call) memory() int64 { return int64(c.policy.Limits.MemoryMB) << 20 }

// output is how many bytes the result may have.
func (c *call) output() int {
	most := c.policy.Limits.ResultKB << 10
	if c.host.result > 0 {
		most = min(most, c.host.result)
	}
	return most
}

// claims is how many bytes the call counts for: what its guest may have, its result and, as much as the
// guest again, its requests and their answers, which the host holds. The largest call of all has room all
// the same.
func (c *call) claims() int64 {
	memory := c.memory()
	all := c.host.lanes.single()
	if memory > all {
		return memory
	}
	claims := memory + int64(c.policy.Limits.ResultKB)<<10
	rights := c.policy.Rights
	if len(rights.HTTP) > 0 || rights.Web != nil || rights.KV != nil {
		claims += memory
	}
	if rights.KV != nil {
		claims += int64(rights.KV.QuotaKB) << 10 // what it wrote, until it is kept
	}
	return min(claims, all)
}

// open makes the guard: from here on, effects can happen.
func (c *call) open() error {
	keeper, err := c.keeps()
	if err != nil {
		c.host.log.Error("opening what a servlet keeps", "call", c.id, "alias", c.alias, "error", err)
		return c.hostFailure("kv")
	}
	w, err := c.host.open(guard.Config{
		Policy: c.policy, Recorder: c.recorder, Network: c.host.net, State: c.host.state,
		Secrets: secrets{c.host.store, c.by, c.in}, Keeper: keeper, Trace: c.passedOn(),
	})
	if err == nil {
		c.warden = w
		return nil
	}
	c.host.log.Warn("guard cannot be made", "call", c.id, "alias", c.alias, "error", err)
	if p := unguarded(c.in, c.policy.Rights, err); p != nil {
		return p.refuse(c.req.Tool)
	}
	return c.hostFailure("guard")
}

// shut ends the guard whatever happened, and keeps its count of effects.
func (c *call) shut() {
	allowed, denied := c.warden.Effects()
	c.done.Allowed, c.done.Denied = c.done.Allowed+allowed, c.done.Denied+denied
	if err := c.warden.End(); err != nil {
		c.host.log.Warn("closing guard", "call", c.id, "error", err)
	}
}

// input is the request as the guest reads it (sdk/ABI.md, "The request").
func (c *call) input() ([]byte, error) {
	inner := strictjson.NewObject(make([]byte, 0, len(c.arguments)+64))
	inner.Text("name", c.tool)
	inner.Raw("arguments", c.arguments)
	if raw, plain := inner.Bytes(); plain {
		o := strictjson.NewObject(make([]byte, 0, len(raw)+64))
		o.Text("method", "tools/call")
		o.Raw("params", raw)
		raw, _ = o.Bytes()
		return raw, nil
	}
	type params struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	raw, err := strictjson.Encode(struct {
		Method string `json:"method"`
		Params params `json:"params"`
	}{"tools/call", params{c.tool, c.arguments}})
	if err != nil {
		return nil, refuse(StatusTool, "Invalid arguments: "+err.Error(), "arguments")
	}
	return raw, nil
}

// progress takes the guest's reports. The goroutine that passes them on ends with CallTool.
func (c *call) progress() func(done, total float64, text string) {
	if c.req.Progress == nil {
		return nil
	}
	if c.reports != nil { // it runs again
		c.reports.again()
		return c.reports.put
	}
	c.reports = newReports(func(done, total float64, text string) {
		if c.state.Load() != leftBehind { // who asked has an answer by then
			c.req.Progress(done, total, text)
		}
	}, c.host.logPanic)
	return c.reports.put
}
