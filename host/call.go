package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
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
	report      *Report // nil until there is something to tell somebody
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
	if c.finish() {
		c.tell(Answer{Status: c.done.Status, Wall: time.Since(c.started)})
	}
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
	var err error
	c.in, c.values, c.generation, err = c.host.store.Configured(ctx, c.by, alias)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return c.unknown()
	case err != nil:
		return c.unread(ctx, "looking up", err)
	}
	return nil
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
	r := &recorder{store: c.host.store, by: c.by, alias: c.alias, call: c.id, keeps: c.host.reports != nil}
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
	policy, err := c.effective(s)
	if p := ungranted(c.in, s, err); p != nil {
		return p.refuse(c.req.Tool)
	}
	c.policy = policy
	c.learn()
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
