package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/capabilities/effect"
)

// errStopped is thrown through the guest by run.stop.
var errStopped = errors.New("stopped by the host")

// run is everything that one call owns on the host's side. An instance owns nothing but its memory,
// so nothing of a call can be left in one. Only operations run outside the guest's goroutine.
type run struct {
	ctx      callContext // ends with the call: deadline, cancellation
	call     Call
	host     Host
	refusing bool // host is denied: operations need not even start
	logger   *slog.Logger
	started  time.Time
	deadline time.Time

	preopens []effect.Preopen
	in       *instance     // nil before the guest has one
	granted  uint64        // fuel handed out so far
	step     uint64        // fuel to hand out at a time
	stepped  time.Duration // after started, when the guest last got some
	turned   time.Duration // after started, when the guest last let others go first
	turns    *turns        // of the engine
	seat     seat          // in turns
	deepest  int64         // bytes that the guest's nested calls may take of the runtime's stack
	before   uint64        // fuel that was spent before the entry
	returned bool          // the guest came back from the entry by itself
	base     int64         // where the monotonic clock starts
	skew     int64         // shifts both clocks
	drawn    int           // random bytes that the guest asked for

	fault       *Fault
	memory      api.Memory
	stack       [2]uint64 // arguments and results of an entry
	current     string    // function that the guest is in, for error texts
	hostCalls   int
	traced      bool     // the guest logs where its errors come from
	frames      []uint32 // of Outcome
	interrupted bool     // the fault stands, and the guest says where it was
	touches     int      // of kernel memory
	foreign     *foreign // nil: the guest is of ABI writ1

	output   []byte
	overflow bool // the guest tried to write more output than granted
	errText  []byte
	logs     logs
	progress time.Time // of the last report
	files    files
	ops      operations
}

// newRun starts a call's time. end must be called.
func (c *Code) newRun(ctx context.Context, call Call) *run {
	r := &run{
		call: call, host: call.Host, logger: c.engine.logger,
		turns: c.engine.turns, seat: seat{caller: call.Caller}, started: time.Now(),
	}
	r.deadline = r.started.Add(call.Limits.Wall)
	r.ctx.parent, r.ctx.run, r.ctx.deadline = ctx, r, r.deadline
	r.logs.limit = call.Limits.Log
	r.ops.limit = call.Limits.Memory
	if c.dialect.foreign {
		r.foreign = &foreign{}
		r.foreign.Hold = func(n int64) bool { return r.in.memory.Beside(n) }
	}
	return r
}

// end returns when nothing of the call runs any more: whoever starts a goroutine ends it.
func (r *run) end() {
	r.leaveTurn()
	r.ctx.end()
	r.ops.wait()
}

// Run runs one call in a fresh instance and always comes back: a trap, an exit, a deadline and a
// panic in a host function are outcomes. Nothing of the call is left afterwards.
func (c *Code) Run(ctx context.Context, call Call) Outcome {
	r := c.newRun(ctx, call)
	c.execute(r)
	r.end()
	out := r.outcome()
	c.dispose(r, r.started.Add(out.Wall))
	return out
}

// execute gets an instance and enters it.
func (c *Code) execute(r *run) {
	defer r.containAll()
	if !r.ready(c.memoryMin + c.beside) {
		return
	}
	r.openHost()
	in, booted := c.obtain(r)
	if in == nil || !booted && !r.boot(in) {
		return
	}
	r.enter(in)
}

// containAll turns a panic of the host's own code outside of host functions into a failed call.
func (r *run) containAll() {
	if p := recover(); p != nil && !isStop(p) {
		r.blame(p)
	}
}

// ready refuses what cannot run at all.
func (r *run) ready(memoryMin int64) bool {
	l := r.call.Limits
	switch {
	case r.call.Entry != EntryCall && r.call.Entry != EntryDescribe && r.call.Entry != EntryWarm:
		r.blameGuest(fmt.Sprintf("%q is no entry of the guest interface", string(r.call.Entry)))
	case r.ctx.errWith(l.Wall) != nil:
		r.fault = r.ended()
	case memoryMin > l.Memory:
		r.fault = over(LimitMemory, fmt.Sprintf("the servlet needs %s of memory to start; %s are granted", size(memoryMin), size(max(l.Memory, 0))))
	case len(r.call.Input) > maxInput:
		r.fault = over(LimitInput, fmt.Sprintf("the input is larger than %s", size(maxInput)))
	}
	return r.fault == nil
}

// maxInput is far above any tool call, and a length that an i32 can say.
const maxInput = 1 << 30

// openHost takes the host's directories over into the call's table. Describing and warming up must
// depend on nothing and reach nothing.
func (r *run) openHost() {
	switch {
	case r.host == nil, r.call.Entry == EntryDescribe:
		r.host, r.refusing = denied{}, true
	case r.call.Entry == EntryWarm:
		r.host, r.refusing = denied{preopens: r.host.Preopens()}, true
	}
	if r.preopens = r.host.Preopens(); len(r.preopens) > 0 {
		r.files.preopen(r.preopens)
	}
}

// serve runs one host function for the guest.
func (r *run) serve(f function, memory api.Memory, stack []uint64) uint64 {
	defer r.contain()
	r.memory, r.current = memory, f.name
	if r.touches++; !f.light || r.touches%touchesPerCall == 0 {
		r.charge()
	}
	return f.do(r, stack)
}

// charge counts a host call, so that a guest cannot keep the host busy with cheap ones, and ends a
// call whose time is over.
func (r *run) charge() {
	if !r.interrupted && r.ctx.Err() != nil && !r.interrupt(r.ended()) {
		r.stopEnded()
	}
	if r.ops.panicked.Load() {
		panic(errStopped)
	}
	if r.hostCalls++; r.hostCalls > r.call.Limits.HostCalls {
		r.stopAt(LimitHostCalls, fmt.Sprintf("the servlet made more than %d host calls", r.call.Limits.HostCalls))
	}
	if r.hostCalls%callsPerLook == 0 && time.Since(r.started)-r.turned > turn {
		r.waitTurn()
	}
}

// contain turns a panic of the host's own code into a failed call: one servlet must not be able to
// end the process that serves the others, and the panic's text may hold what is not the guest's.
func (r *run) contain() {
	p := recover()
	if p == nil {
		return
	}
	if !isStop(p) {
		r.blame(p)
	}
	panic(errStopped)
}

func isStop(p any) bool { return p == any(errStopped) }

// blame records a panic of the host's code.
func (r *run) blame(p any) {
	r.logger.Error("host function panicked", "function", r.current, "panic", p, "stack", string(debug.Stack()))
	r.fault = &Fault{Kind: FaultHost, Text: "the host failed while it served the call"}
}

func (r *run) blameGuest(text string) { r.fault = &Fault{Kind: FaultABI, Text: text} }

// stop ends the guest from inside a host function.
func (r *run) stop(kind FaultKind, text string) {
	r.fault = &Fault{Kind: kind, Text: text}
	panic(errStopped)
}

// stopEnded ends the guest because its context ended.
func (r *run) stopEnded() {
	r.fault = r.ended()
	panic(errStopped)
}

// judge weighs what the entry returned.
func (r *run) judge(code uint32) {
	if r.foreign != nil {
		r.judgeForeign(int32(code))
		return
	}
	switch {
	case code == 1:
		text := validText(r.errText, maxErrorText)
		if text == "" {
			text = "the servlet failed without a reason"
		}
		r.fault = &Fault{Kind: FaultTool, Text: text}
	case code != 0:
		r.blameGuest(fmt.Sprintf("%s returned %d; 0 or 1 is expected", r.call.Entry, int32(code)))
	case r.overflow:
		r.fault = over(LimitOutput, fmt.Sprintf("the result is larger than the %s that are granted", size(int64(r.call.Limits.Output))))
	case len(r.output) == 0 && r.call.Entry != EntryWarm:
		r.blameGuest(string(r.call.Entry) + " returned without an output")
	}
}

// outcome sums the call up. Everything that ran for it has ended.
func (r *run) outcome() Outcome {
	if r.ops.panicked.Load() {
		r.fault = &Fault{Kind: FaultHost, Text: "the host failed while it served the call"}
	}
	r.logs.flush(0)
	r.logs.flush(1)
	out := Outcome{Fault: r.fault, Frames: r.frames, Logs: r.logs.lines, Dropped: r.logs.dropped, Wall: time.Since(r.started)}
	if r.in != nil {
		out.Memory, out.Fuel, out.Rung = r.in.memory.Size(), r.spent()-r.before, r.in.rung
	}
	if r.fault == nil {
		out.Output = r.output
	}
	return out
}
