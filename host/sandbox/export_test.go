package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Function describes one host function to the tests.
type Function struct {
	Module, Name, Params string
	Result               bool
}

// Functions are all host functions of the interface.
func Functions() []Function {
	var list []Function
	for _, f := range functions() {
		list = append(list, Function{f.module, f.name, f.params, f.result != 0})
	}
	return list
}

// Offered are all host functions of ABI extism1 but WASI's.
func Offered() []Function {
	var list []Function
	for _, f := range extismFunctions() {
		list = append(list, Function{f.module, f.name, f.params, f.result != 0})
	}
	return list
}

// Returns is what a host function of either ABI returns, by its letter.
func Returns(f Function) string {
	for _, g := range append(functions(), extismFunctions()...) {
		if g.module == f.Module && g.name == f.Name && g.result != 0 {
			return string(g.result)
		}
	}
	return ""
}

// TouchesPerCall is how many reads and writes of kernel memory count as one host call.
const TouchesPerCall = touchesPerCall

// Same returns a function that runs calls in one and the same captured instance, without anything that
// makes it fresh: what isolation is measured against.
func (c *Code) Same(ctx context.Context) (run func(Call) Outcome, end func()) {
	var in *instance
	return func(call Call) Outcome {
			r := c.newRun(ctx, call)
			r.openHost()
			if in == nil {
				in = c.captured(r)
			}
			r.base = in.shot.clock
			r.fill(in)
			r.enter(in)
			r.end()
			return r.outcome()
		}, func() {
			in.discard()
		}
}

// ForgetGenerators leaves the generators of the image as they were captured.
func (c *Code) ForgetGenerators() {
	c.captures.current.Load().generators = nil
	c.pool.drain()
}

// Waiting compares every instance that waits for a call with the snapshot, byte for byte but for the
// generators' seeds, and returns how many there are and the first difference.
func (c *Code) Waiting() (n int, differs string) {
	c.pool.work.Wait()
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	for i, in := range c.pool.idle {
		got := bytes.Clone(contents(in))
		want := bytes.Clone(in.shot.image.Bytes())
		for _, at := range in.shot.generators {
			clear(got[at : at+chachaCounts])
			clear(want[at : at+chachaCounts])
		}
		if !bytes.Equal(got, want) {
			return i, fmt.Sprintf("memory of %d bytes, image of %d", len(got), len(want))
		}
		for _, e := range in.entries {
			if stack := e.stack.Bytes(); len(bytes.Trim(stack, "\x00")) > 0 {
				return i, fmt.Sprintf("the stack of %s is not cleared", e.name)
			}
		}
		for k, g := range in.globals {
			if g.Get() != in.shot.globals[k] {
				return i, fmt.Sprintf("global %d", k)
			}
		}
	}
	return len(c.pool.idle), ""
}

// Parts are the runtime's own values of which one instance consists: the instance with all that it
// points to, and a function of it.
func (c *Code) Parts(ctx context.Context) (parts []any, end func()) {
	r := c.newRun(ctx, Call{Limits: Limits{Memory: maxMemory, Wall: time.Minute}})
	in := c.fresh(r)
	return []any{in.module, in.module.ExportedFunction(string(EntryCall)), in.fuel}, func() {
		in.discard()
		r.end()
	}
}

// Machines is how many compilations are kept.
func (e *Engine) Machines() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.machines)
}

// SweepAt is the janitor's work at a time.
func (e *Engine) SweepAt(now time.Time) {
	for _, c := range e.open() {
		c.pool.sweep(now)
	}
}

// Age makes the snapshot as old as it may get. No call may run.
func (c *Code) Age() {
	c.captures.calls.Store(retakeCalls)
	shot := c.captures.current.Load()
	shot.taken = shot.taken.Add(-retakePause)
}

// Validator is what the marks of valid modules name.
const Validator = validator

// Stack runs a call in a captured instance and returns the stack on which it ran, from before and after
// it was wiped; nil: it was given up.
func (c *Code) Stack(ctx context.Context, call Call) (before, after []byte) {
	r := c.newRun(ctx, call)
	r.openHost()
	in := c.captured(r)
	defer in.discard()
	r.fill(in)
	r.enter(in)
	r.end()
	before = bytes.Clone(in.entries[0].stack.Bytes())
	in.wipe()
	if len(in.entries) > 0 {
		after = in.entries[0].stack.Bytes()
	}
	return before, after
}

// Used is how many bytes of memory are counted.
func (e *Engine) Used() int64 { return e.space.Used() }

// KeepsSegments tells whether the module's data segments are in memory.
func (c *Code) KeepsSegments() bool {
	c.blank.mu.Lock()
	defer c.blank.mu.Unlock()
	return c.blank.there
}

// StackLimit bounds the stack of one call, bytes.
const StackLimit = stackLimit

// Live makes n instances in each of which a call ran, and which are fresh again; idle ones have waited.
func (c *Code) Live(ctx context.Context, n int, call Call, idle bool) (end func(), err error) {
	if err := c.Prepare(ctx, nil, call.Limits.Memory); err != nil {
		return nil, err
	}
	var all []*instance
	end = func() {
		for _, in := range all {
			in.discard()
		}
	}
	for range n {
		in, err := c.fromImage(c.captures.current.Load(), call.Limits.Memory)
		if err != nil {
			return end, err
		}
		all = append(all, in)
		r := c.newRun(ctx, call)
		r.openHost()
		r.base = in.shot.clock
		r.fill(in)
		r.enter(in)
		r.end()
		if r.fault != nil {
			return end, r.fault
		}
		if err := in.renew(); err != nil {
			return end, err
		}
		if idle {
			if err := in.trim(); err != nil {
				return end, err
			}
		}
	}
	return end, nil
}

// Turns share the processors, Seat is a guest's place in them.
type (
	Turns = turns
	Seat  = seat
)

// NewTurns makes turns for so many processors, NewSeat a guest of a caller.
func NewTurns(processors int) *Turns { return newTurns(processors) }
func NewSeat(caller string) *Seat    { return &seat{caller: caller} }

// NewBusySeat makes a guest that is known to compute.
func NewBusySeat(caller string) *Seat { return &seat{caller: caller, busy: true} }

// Wait and Leave are what a guest does.
func (t *turns) Wait(ctx context.Context, s *Seat) { t.wait(ctx, s) }
func (t *turns) Leave(s *Seat)                     { t.leave(s) }

// Waiting is how many guests wait.
func (t *turns) Waiting() (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, seats := range t.waiting {
		n += len(seats)
	}
	return n
}

// Idle tells whether all of so many turns are free and nobody waits.
func (t *turns) Idle(most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.free == most && len(t.held)+len(t.callers)+len(t.waiting) == 0
}

// Fill takes memory of the engine's that no call can have then.
func (e *Engine) Fill(bytes int64) (free func(), err error) {
	m, err := e.space.Map(nil, bytes, bytes)
	if err != nil {
		return nil, err
	}
	return m.Close, nil
}

// Retry lets the next call try a capture that failed again, as if the pause after it were over, and
// returns the pause; 0: it is not tried again.
func (c *Code) Retry() time.Duration {
	c.captures.mu.Lock()
	defer c.captures.mu.Unlock()
	if c.captures.again.IsZero() {
		return 0
	}
	c.captures.again = time.Unix(1, 0)
	return c.captures.pause
}

// Passing tells whether a capture that ended so is tried again.
func Passing(f Fault) bool { return passing(&captureError{f}) }

// Compare compares two memories as a capture does.
func (e *Engine) Compare(ctx context.Context, one, two []byte) (generators, frozen, suspects int, err error) {
	g, frozen, err := e.compare(ctx, one, two)
	c := comparison{one: one, two: two}
	c.chunk(0, len(one))
	return len(g), frozen, c.suspects, err
}

// MaxSuspects is at how many places a generator is looked for.
const MaxSuspects = maxSuspects

// FullyValidate is what finds a module valid.
var FullyValidate = fullyValidate

// Ask and GiveUp are the beginning and the end of a Wait whose time is over. Lose takes the turn of a guest
// that has not been seen to compute for long.
func (t *turns) Ask(s *Seat) (waits bool) { return t.ask(s) }
func (t *turns) GiveUp(s *Seat)           { t.giveUp(s) }
func (t *turns) Lose(s *Seat) {
	t.mu.Lock()
	s.since = s.since.Add(-2 * lostAfter)
	t.mu.Unlock()
	t.findLost()
}

// TakeWhileRenewing asks for an instance while so many are being renewed as make a call wait for one of
// them. It tells whether there was one.
func (c *Code) TakeWhileRenewing(ctx context.Context) bool {
	const renewals = 2
	r := c.newRun(ctx, Call{Limits: Limits{Wall: time.Minute}})
	p := &c.pool
	p.mu.Lock()
	p.begun += renewals
	p.mu.Unlock()
	in := p.take(&r.ctx, nil, 0)
	p.mu.Lock()
	p.ended += renewals
	p.mu.Unlock()
	r.end()
	return in != nil
}

// Picks is which of three instances that wait, the last of them used last, a call takes on a processor that
// used instance number near last; 3: one that does not wait any more.
func (c *Code) Picks(limit int64, near int) (int, error) {
	if err := c.Prepare(context.Background(), nil, limit); err != nil {
		return 0, err
	}
	shot, all := c.captures.current.Load(), [4]*instance{}
	for i := range all {
		in, err := c.fromImage(shot, limit)
		if err != nil {
			return 0, err
		}
		defer in.discard()
		all[i] = in
	}
	p := pool{idle: slices.Clone(all[:3])}
	p.init()
	in := p.pick(all[near], shot, limit)
	if len(p.idle) != 2 || slices.Contains(p.idle, in) {
		return 0, errors.New("it still waits")
	}
	return slices.Index(all[:], in), nil
}
