package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// How many units, of about an instruction each, a guest gets at a time. Between two steps nothing looks
// at the clock, and the host's garbage collector waits with everybody. An instruction takes a
// nanosecond, or a microsecond when it is the first to touch a page: steps get shorter until they take
// about stepTime, and begin short.
const (
	firstStep = 1 << 14
	minStep   = 1 << 10
	maxStep   = 1 << 18
	stepTime  = 200 * time.Microsecond
)

// yield is the function that metered code calls when its fuel or its stack ran out.
func yield(ctx context.Context, _ api.Module, stack []uint64) {
	r := ctx.Value(runKey{}).(*run)
	defer r.contain()
	r.current = "yield"
	spent := int64(r.in.fuel.Get()) < 0
	if spent {
		r.refuel()
	}
	// Metered code that calls itself asks for its stack far more often than it runs out of fuel.
	if !spent || int64(r.in.stack.Get()) < 0 {
		r.restack(stack)
	}
}

// fill starts an instance's meter.
func (r *run) fill(in *instance) {
	r.in, r.granted, r.step, r.stepped, r.deepest = in, 0, firstStep, time.Since(r.started), freeStack
	in.fuel.Set(0)
	in.stack.Set(freeStack)
	r.grant()
}

// spent is what the guest used since fill, units.
func (r *run) spent() uint64 {
	if r.in == nil {
		return 0
	}
	return r.granted - r.in.fuel.Get() // both wrap the same way when the counter is below zero
}

// refuel ends a guest whose time or budget is over, and lets any other run on.
func (r *run) refuel() {
	now := time.Since(r.started)
	switch {
	case r.interrupted:
		panic(errStopped) // it had its chance
	case r.ctx.errWith(r.call.Limits.Wall-now) != nil:
		if r.interrupt(r.ended()) {
			return
		}
		r.stopEnded()
	}
	if r.ops.panicked.Load() {
		panic(errStopped)
	}
	r.pace(now)
	r.stepped = now
	if now-r.turned > turn {
		if r.waitTurn(); r.interrupted {
			return // it has its fuel
		}
		r.stepped = r.turned
	}
	r.grant()
}

// pace makes the next step as long as stepTime allows, going by the last one.
func (r *run) pace(now time.Duration) {
	switch took := now - r.stepped; {
	case took > 2*stepTime:
		r.step = max(r.step*uint64(stepTime)/uint64(took), minStep)
	case took < stepTime/8:
		r.step = min(4*r.step, maxStep)
	case took < stepTime/2:
		r.step = min(2*r.step, maxStep)
	}
}

// grant hands out the next step. The last one is as large as what is left of the budget, so that a
// budget ends at the same instruction each time.
func (r *run) grant() {
	spent, step := r.spent(), r.step
	if budget := r.call.Limits.Fuel; budget > 0 {
		if spent >= budget {
			f := over(LimitFuel, fmt.Sprintf("the servlet used up the %d units of fuel that are granted", budget))
			if r.interrupt(f) {
				return
			}
			r.stopAt(f.Limit, f.Text)
		}
		step = min(step, budget-spent)
	}
	r.granted = spent + step
	r.in.fuel.Set(step)
}
