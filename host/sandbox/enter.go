package sandbox

import (
	"cmp"
	"crypto/rand"
	"errors"
	"time"

	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// obtain returns an instance for the call: one that is as it was captured, or a new one that has yet
// to be booted. Without one the fault is set.
func (c *Code) obtain(r *run) (in *instance, booted bool) {
	if r.call.Entry == EntryCall {
		if in := c.captured(r); in != nil {
			r.base = in.shot.clock
			r.fill(in)
			return in, true
		}
		if r.ctx.Err() != nil {
			r.fault = r.ended()
			return nil, false
		}
	}
	return c.fresh(r), false
}

// captured returns an instance that starts as the snapshot; nil: the call goes on rung plain.
func (c *Code) captured(r *run) *instance {
	if c.best == RungPlain {
		return nil
	}
	limit := r.memoryLimit()
	shot := c.captures.get(&r.ctx, r.preopens, limit)
	if shot == nil {
		return nil
	}
	if in := c.pool.take(&r.ctx, shot, limit); in != nil {
		in.memory.SetLimit(limit)
		return in
	}
	if r.ctx.Err() != nil || !c.captures.pin(shot) { // taken again at this moment: the next call has the new one
		return nil
	}
	defer shot.image.Close()
	in, err := c.fromImage(shot, limit)
	if err != nil {
		if !errors.Is(err, image.ErrFull) {
			r.logger.Error("instance was not made from its image", "error", err)
		}
		return nil
	}
	return in
}

// fresh returns a new instance that nothing has run in.
func (c *Code) fresh(r *run) *instance {
	memory, err := c.engine.space.Map(nil, c.memoryMin, r.memoryLimit())
	if err != nil {
		r.fault = r.full(err)
		return nil
	}
	in, err := c.instantiate(&r.ctx, memory)
	if errors.Is(err, image.ErrFull) {
		r.fault = r.full(err)
		return nil
	}
	if err != nil {
		r.explain(err)
		return nil
	}
	r.fill(in)
	return in
}

func (r *run) memoryLimit() int64 { return min(max(r.call.Limits.Memory, 0), maxMemory) }

// boot runs what comes before any entry in a new instance.
func (r *run) boot(in *instance) bool {
	if !r.write(in) {
		return false
	}
	// Initialisation reaches nothing, here as when an image is taken: a servlet must not come to
	// depend on what it will not see on another rung.
	host, refusing := r.host, r.refusing
	r.host, r.refusing = denied{preopens: r.preopens}, true
	defer func() { r.host, r.refusing = host, refusing }()
	if in.code.shape.Start && in.module.ExportedFunction(wasm.StartExport) != nil && !r.callGuest(in, wasm.StartExport) {
		return false
	}
	for _, name := range in.code.dialect.inits {
		if in.module.ExportedFunction(name) != nil && !r.callGuest(in, name) {
			return false
		}
	}
	return true
}

// enter runs the entry in an instance that was booted.
func (r *run) enter(in *instance) {
	if in.shot != nil && in.code.reseeds && !r.seed(in) {
		return
	}
	name := in.code.dialect.export(r.call.Entry)
	if name == "" || in.function(name) == nil {
		r.blameGuest("the module exports no " + cmp.Or(name, string(r.call.Entry)))
		return
	}
	if r.foreign != nil && !r.ask(in.code.dialect) {
		return
	}
	if !r.trace(in) {
		return
	}
	r.before = r.spent()
	r.stack = [2]uint64{}
	if r.callGuest(in, name) && !r.interrupted {
		r.returned = true
		r.judge(uint32(r.stack[0]))
	}
}

// callGuest calls an exported function with r.stack. When it does not return by itself, the fault is set.
func (r *run) callGuest(in *instance, name string) bool {
	if r.deepest > freeStack {
		in.shed() // a deep stack is counted once
	}
	err := in.function(name).CallWithStack(&r.ctx, r.stack[:])
	if err != nil {
		r.explain(err)
	}
	return err == nil
}

// seed gives the guest fresh randomness for the generators that it seeded before it was captured.
func (r *run) seed(in *instance) bool {
	var random [16]byte
	rand.Read(random[:])
	r.stack = [2]uint64{get64(random[:]), get64(random[8:])}
	return r.callGuest(in, reseedExport)
}

// dispose takes the instance back. One in which anything but an answer happened is not used again,
// whatever its memory looks like.
func (c *Code) dispose(r *run, now time.Time) {
	in := r.in
	switch {
	case in == nil:
	case in.shot == nil || !r.returned || r.ops.panicked.Load():
		in.discard()
	default:
		in.since = now
		c.pool.give(in, in.rung == RungReset && c.why == "" && !in.memory.Grown())
	}
}
