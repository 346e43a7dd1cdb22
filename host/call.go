package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/trace"
	"github.com/writ-run/writ/registry"
)

// Limits of a call that no manifest changes.
const (
	maxLog       = 64 << 10 // bytes of log lines
	maxHostCalls = 100_000
)

var errPanic = errors.New("the host failed")

// call is one tool call on its way. Its methods are the steps, in order.
type call struct {
	host    *Host
	id      string
	by      capabilities.Caller
	req     Request
	started time.Time

	client context.Context // of who asked; that of the steps ends with the call's time too
	cancel context.CancelCauseFunc
	watch  *deadline.Watch
	state  atomic.Int32                 // underWay, hasEnded or leftBehind
	named  atomic.Pointer[metrics.Tool] // nil until the tool is found
	trace  trace.Context
	checks time.Duration // spent on arguments and result

	alias, tool string // of the name
	generation  uint64 // of the registry when in was looked up
	in          registry.Installation
	values      map[string]string // configured for in
	recorder    *recorder         // nil until the call is recorded
	loaded      *loaded
	signed      *tool
	policy      capabilities.Policy
	wall        time.Duration // what the tool may take
	arguments   json.RawMessage
	warden      warden
	reports     *reports // nil: no one asked, or no guest has run
	done        ending
	logs        []effect.LogLine
}

// CallTool runs one call. The only errors are ErrUnknownTool, a cancelled ctx and a registry that
// cannot be read; everything else is an Answer. A panic below it is an Answer of StatusHost.
//
// It comes back at 120 % of the call's time at the latest, whatever the call waits for then.
func (h *Host) CallTool(ctx context.Context, by capabilities.Caller, req Request) (Answer, error) {
	c := &call{host: h, id: newCallID(), by: by, req: req, started: time.Now(), client: ctx, trace: trace.From(ctx)}
	if !h.enter() {
		return c.refused(c.closing()), nil
	}
	return c.watched(ctx)
}

// run is the call on its own goroutine. ctx is the client's, and ends with the call's time too.
func (c *call) run(ctx context.Context) (answer Answer, err error) {
	// Last of all, when the call has left its place and is recorded: only a client that does not read
	// its own progress waits for this.
	defer func() {
		if c.reports != nil {
			c.reports.end()
		}
	}()
	// One call must not end the process that serves the others. The panic's text may hold anything:
	// it goes to the log alone.
	defer func() {
		if p := recover(); p != nil {
			c.host.log.Error("call panicked", "call", c.id, "panic", p, "stack", string(debug.Stack()))
			answer, err = c.refused(c.hostFailure("panic")), nil
		}
	}()
	result, err := c.steps(ctx)
	var no *refusal
	switch late := c.late(ctx); {
	case err == nil:
		return c.end(result), nil
	case errors.As(err, &no):
		return c.refused(no), nil
	case late != nil:
		return c.refused(c.hostTime(late)), nil
	}
	c.done.Status, c.done.Reason = StatusHost, unanswered(c.client, err)
	c.finish()
	return Answer{}, err
}

func unanswered(ctx context.Context, err error) string {
	switch {
	case errors.Is(err, ErrUnknownTool):
		return "unknown tool"
	case ctx.Err() != nil:
		return "cancelled by the client"
	}
	return "the registry could not be read"
}

// steps are the call. Each returns a *refusal, or an error of CallTool.
func (c *call) steps(ctx context.Context) (json.RawMessage, error) {
	for _, step := range []func(context.Context) error{c.admit, c.find, c.intend, c.prepare} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	c.watch.Begin(deadline.Phase{Name: phaseLoad, Time: c.host.times.Load})
	release, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := c.check(ctx); err != nil {
		return nil, err
	}
	return c.perform(ctx)
}

// find splits the name and looks the servlet up, with its configuration. An alias has no underscore,
// so a name has one reading. A name of no servlet leaves no entry in the audit: nothing of the space
// was touched, and the names that a client can make up have no end.
func (c *call) find(ctx context.Context) error {
	alias, name, ok := strings.Cut(c.req.Tool, "_")
	if !ok || capabilities.ValidAlias(alias) != nil {
		return c.unknown()
	}
	c.alias, c.tool = alias, name
	// What is configured for an alias is another servlet's when the alias was given to another between
	// the two looks: its values must not reach the code of the one that was found first.
	for range 2 {
		c.generation = c.host.store.Generation()
		in, err := c.lookup(ctx)
		if err != nil {
			return err
		}
		values, err := c.host.store.Config(ctx, c.by, alias)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return c.unread(ctx, "reading configuration of", err)
		}
		// Nothing was changed, and nothing was about to be: both are of one moment.
		if c.generation%2 == 0 && c.host.store.Generation() == c.generation {
			c.in, c.values = in, values
			return nil
		}
		again, err := c.lookup(ctx)
		if err != nil {
			return err
		}
		if in.Revision == again.Revision && sameServlet(in, again) {
			c.in, c.values = in, values
			return nil
		}
	}
	return c.overtaken()
}

func (c *call) lookup(ctx context.Context) (registry.Installation, error) {
	in, err := c.host.store.Lookup(ctx, c.by, c.alias)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return in, c.unknown()
	case err != nil:
		return in, c.unread(ctx, "looking up", err)
	}
	return in, nil
}

func (c *call) unknown() error {
	return fmt.Errorf("%w: %s (see `%s`)", ErrUnknownTool, capabilities.Printable(c.req.Tool, 80), commandIn(c.by.Space, "tools"))
}

func (c *call) unread(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%s %s: %w", doing, c.alias, err)
}

// intend records that the call was asked for, before anything of it happens.
func (c *call) intend(ctx context.Context) error {
	r := &recorder{store: c.host.store, by: c.by, alias: c.alias, call: c.id}
	err := r.write(ctx, eventCall, intent{
		Tool: capabilities.Printable(c.req.Tool, 80), Servlet: c.in.Name + "@" + c.in.Version,
		Manifest: c.in.Grant.Manifest, Arguments: len(c.req.Arguments), Trace: c.trace.Trace, Parent: c.trace.Parent,
	}, false)
	if err != nil {
		c.host.log.Error("recording call", "call", c.id, "error", err)
		return refuse(StatusHost, "Writ could not record this call, so it was not run. The reason is in Writ's log: the command writes it to standard error.", "not recorded")
	}
	c.recorder = r
	return nil
}

// prepare makes the call's policy from what was signed and what was granted.
func (c *call) prepare(ctx context.Context) error {
	s, err := c.host.loader.read(ctx, c.in.Digest)
	if err != nil {
		return c.unloadable(ctx, err)
	}
	c.signed = s.tool(c.tool)
	if c.signed == nil {
		return c.unknown()
	}
	policy, err := capabilities.Effective(s.manifest, s.digest, c.in.Grant, c.by, c.alias, c.tool, c.values)
	if p := ungranted(c.in, s, err); p != nil {
		return p.refuse(c.req.Tool)
	}
	c.policy = policy
	c.wall = min(time.Duration(policy.Limits.WallMS)*time.Millisecond, c.host.times.Tool)
	c.named.Store(&metrics.Tool{Space: c.by.Space, Servlet: c.alias, Name: c.tool})
	return c.opens(ctx)
}

// load makes sure that the servlet is compiled.
func (c *call) load(ctx context.Context) (release func(), err error) {
	l, release, err := c.host.loader.acquire(ctx, c.by, c.in.Digest)
	if err != nil {
		return nil, c.unloadable(ctx, err)
	}
	// The policy was made of what the envelope alone said: the code has to be of the same manifest.
	if l.digest != c.in.Grant.Manifest {
		release()
		return nil, c.unloadable(ctx, errors.New("its manifest is not the one that was read before"))
	}
	c.loaded = l
	return release, nil
}

func (c *call) unloadable(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errPanic):
		return c.hostFailure("panic while loading")
	case errors.Is(err, errClosing):
		return c.closing()
	case errors.Is(err, registry.ErrNotFound) && c.host.store.Generation() != c.generation:
		return c.overtaken() // its file went with an upgrade, after this call had looked it up
	case errors.Is(err, sandbox.ErrCache):
		c.host.log.Error("code cache", "call", c.id, "alias", c.alias, "error", err)
		return refuse(StatusHost, fmt.Sprintf("%s was not run, because Writ cannot keep its compiled code: its home's disk is full or cannot be written.", c.alias), "code cache")
	}
	c.host.log.Error("servlet cannot be run", "call", c.id, "alias", c.alias, "error", err)
	c.host.metrics.ServletBlocked()
	return unreadable(c.in, err).refuse(c.req.Tool)
}

// check compares the arguments with the signed schema. What is wrong is the model's to mend, so it is
// a tool error and no protocol error.
func (c *call) check(ctx context.Context) error {
	defer c.turn(ctx, len(c.req.Arguments))()
	if err := ctx.Err(); err != nil {
		return err
	}
	defer c.checking(time.Now())
	input, err := c.signed.input()
	if err != nil {
		c.host.log.Error("input schema", "call", c.id, "tool", c.req.Tool, "error", err)
		return unreadable(c.in, err).refuse(c.req.Tool)
	}
	arguments := c.req.Arguments
	if len(arguments) == 0 || string(arguments) == "null" { // some clients write null for none
		arguments = json.RawMessage(`{}`)
	}
	if c.arguments, err = input.Read(arguments); err != nil {
		return refuse(StatusTool, misfit(err), "arguments")
	}
	return nil
}

// misfit says which argument is wrong, by its name alone.
func misfit(err error) string {
	where := strings.TrimPrefix(err.Error(), "arguments")
	return "Invalid arguments: " + strings.TrimLeft(where, ".: ")
}

// perform waits for a turn, opens the guard and runs the guest.
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
	if err := c.open(); err != nil {
		return nil, err
	}
	defer c.shut()
	input, err := c.input()
	if err != nil {
		return nil, err
	}
	out := c.loaded.code.Run(ctx, sandbox.Call{
		Entry: sandbox.EntryCall, Input: input, Host: c.warden, Progress: c.progress(), Caller: c.caller(),
		Limits: sandbox.Limits{
			Memory: c.memory(), Wall: time.Until(until), Output: c.output(),
			Log: maxLog, HostCalls: maxHostCalls,
		},
	})
	c.watch.Begin(deadline.Phase{Name: phaseAnswer, Time: c.host.times.Tool, EndsItself: true})
	c.done.Fuel = out.Fuel
	c.keepLogs(out)
	if err := c.interrupted(ctx, parent, out.Fault); err != nil {
		return nil, err
	}
	if out.Fault != nil {
		return nil, c.fault(out.Fault)
	}
	result, err := c.read(parent, out.Output)
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
	queue, stop := context.WithDeadline(ctx, until)
	defer stop()
	leave, err = c.host.lanes.enter(queue, c.caller(), c.by.Space+"/"+c.alias, c.claims())
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
	if rights := c.policy.Rights; len(rights.HTTP) > 0 || rights.Web != nil {
		claims += memory
	}
	return min(claims, all)
}

// open makes the guard: from here on, effects can happen.
func (c *call) open() error {
	w, err := c.host.open(guard.Config{
		Policy: c.policy, Recorder: c.recorder, Network: c.host.net, State: []string{c.host.store.Home()},
		Secrets: secrets{c.host.store, c.by, c.in}, Trace: c.passedOn(),
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
	c.done.Allowed, c.done.Denied = c.warden.Effects()
	if err := c.warden.End(); err != nil {
		c.host.log.Warn("closing guard", "call", c.id, "error", err)
	}
}

// input is the request as the guest reads it (sdk/ABI.md, "The request").
func (c *call) input() ([]byte, error) {
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
	c.reports = newReports(func(done, total float64, text string) {
		if c.state.Load() != leftBehind { // who asked has an answer by then
			c.req.Progress(done, total, text)
		}
	}, c.host.logPanic)
	return c.reports.put
}
