package sandbox

import "github.com/writ-run/writ/host/sandbox/extism"

// kernel is the memory that the host shares with a plug-in in this call.
func (r *run) kernel() *extism.Kernel { return &r.foreign.Kernel }

// offset ends the call of a plug-in that passed an offset at which there is nothing.
func (r *run) offset(ok bool) {
	if !ok {
		r.stop(FaultABI, "the plug-in passed an offset outside its host memory to "+r.current)
	}
}

// room ends the call of a plug-in for whose kernel memory a limit left no room.
func (r *run) room(ok bool) {
	if ok {
		return
	}
	if r.fault = r.outgrown(r.in.memory.Refused()); r.fault == nil {
		r.fault = over(LimitMemory, "the plug-in wanted a block of host memory that is larger than any can be")
	}
	panic(errStopped)
}

func (r *run) extismAlloc(a args) uint64 {
	at, ok := r.kernel().Alloc(a.u64(0))
	r.room(ok)
	return at
}

func (r *run) extismFree(a args) uint64 {
	r.kernel().Free(a.u64(0))
	return 0
}

func (r *run) extismLength(a args) uint64 { return r.kernel().Length(a.u64(0)) }

func (r *run) extismLoad8(a args) uint64 {
	v, ok := r.kernel().Load8(a.u64(0))
	r.offset(ok)
	return uint64(v)
}

func (r *run) extismLoad64(a args) uint64 {
	v, ok := r.kernel().Load64(a.u64(0))
	r.offset(ok)
	return v
}

func (r *run) extismStore8(a args) uint64 {
	r.offset(r.kernel().Store8(a.u64(0), byte(a.u32(1))))
	return 0
}

func (r *run) extismStore64(a args) uint64 {
	r.offset(r.kernel().Store64(a.u64(0), a.u64(1)))
	return 0
}

func (r *run) extismInputLength(args) uint64 {
	_, n := r.kernel().Input()
	return n
}

func (r *run) extismInputOffset(args) uint64 {
	at, _ := r.kernel().Input()
	return at
}

func (r *run) extismInput8(a args) uint64 {
	v, ok := r.kernel().LoadInput8(a.u64(0))
	r.offset(ok)
	return uint64(v)
}

func (r *run) extismInput64(a args) uint64 {
	v, ok := r.kernel().LoadInput64(a.u64(0))
	r.offset(ok)
	return v
}

func (r *run) extismInputSet(a args) uint64 {
	r.offset(r.kernel().MoveInput(a.u64(0), a.u64(1)))
	return 0
}

func (r *run) extismOutputSet(a args) uint64 {
	r.offset(r.kernel().SetOutput(a.u64(0), a.u64(1)))
	return 0
}

func (r *run) extismOutputLength(args) uint64 {
	_, n := r.kernel().OutputAt()
	return n
}

func (r *run) extismOutputOffset(args) uint64 {
	at, _ := r.kernel().OutputAt()
	return at
}

func (r *run) extismErrorSet(a args) uint64 {
	r.offset(r.kernel().SetError(a.u64(0)))
	return 0
}

func (r *run) extismErrorGet(args) uint64 { return r.kernel().ErrorAt() }

// extismReset zeroes what was handed out: like randomness, each 64 KiB of it are a host call.
func (r *run) extismReset(args) uint64 {
	const piece = 64 << 10
	for n := r.kernel().Size(); n > piece; n -= piece {
		r.charge()
	}
	r.kernel().Reset()
	return 0
}

func (r *run) extismMemoryBytes(args) uint64 { return r.kernel().Size() }
