package sandbox

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// fuelStep is how many units, of about an instruction each, a guest gets at a time. Between two steps
// nothing looks at the clock, and the host's garbage collector waits: it is a fraction of a millisecond.
const fuelStep = 1 << 18

// turn is how long a guest computes before it lets the host's other work go first. The scheduler by
// itself would give it ten times as long.
const turn = time.Millisecond

// yield is the function that metered code calls when its fuel ran out.
func yield(ctx context.Context, _ api.Module, _ []uint64) {
	r := ctx.Value(runKey{}).(*run)
	defer r.contain()
	r.current = "yield"
	r.refuel()
}

// fill starts an instance's meter.
func (r *run) fill(in *instance) {
	r.in, r.granted = in, 0
	in.fuel.Set(0)
	in.depth.Set(api.EncodeI32(maxDepth))
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
	if r.ctx.Err() != nil {
		r.stopEnded()
	}
	// The timer of the context needs a free processor to go off; guests may have them all.
	now := time.Now()
	if !now.Before(r.deadline) {
		r.fault = r.late()
		panic(errStopped)
	}
	if r.ops.panicked.Load() {
		panic(errStopped)
	}
	if now.Sub(r.turned) > turn {
		r.checkReferences()
		runtime.Gosched()
		r.turned = time.Now()
	}
	r.grant()
}

// grant hands out the next step. The last one is as large as what is left of the budget, so that a
// budget ends at the same instruction each time.
func (r *run) grant() {
	spent, step := r.spent(), uint64(fuelStep)
	if budget := r.call.Limits.Fuel; budget > 0 {
		if spent >= budget {
			r.stop(FaultLimit, fmt.Sprintf("the servlet used up the %d units of fuel that are granted", budget))
		}
		step = min(step, budget-spent)
	}
	r.granted = spent + step
	r.in.fuel.Set(step)
}
