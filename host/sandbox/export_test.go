package sandbox

import (
	"bytes"
	"context"
	"fmt"
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
		list = append(list, Function{f.module, f.name, f.params, f.result})
	}
	return list
}

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

// Age makes the snapshot as old as it may get.
func (c *Code) Age() { c.captures.calls.Store(retakeCalls) }

// Validator is what the marks of valid modules name.
const Validator = validator
