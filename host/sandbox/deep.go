package sandbox

import (
	"fmt"

	"github.com/writ-run/writ/host/sandbox/image"
)

const (
	// freeStack is what the nested calls of every guest may take of the runtime's stack, bytes: far more
	// than programs take that do not recurse.
	freeStack = 256 << 10
	// stackCost is what a byte of more stack than that counts for. The runtime makes a stack of twice the
	// size when one is full, so that half of it may be unused, and leaves the old ones to the collector.
	stackCost = 4
)

// deepen lets the guest have a stack of at least used bytes, which are more than it may have now, and
// counts it as memory of the guest's own until the call ends: the runtime keeps a stack that has grown.
// A stack is the host's memory: if every guest had as much as one may have, beside its memory, they would
// have more than all that is granted. If few had it at a time instead, those who sleep or compute for
// long on theirs would keep all others from their own.
func (r *run) deepen(used int64) {
	most := r.deepest
	for most < used {
		most *= 2
	}
	memory := r.in.memory
	if !memory.Beside(stackCost * (most - r.deepest)) {
		r.fault = r.outgrown(memory.Refused())
		panic(errStopped)
	}
	r.deepest = most
}

// outgrown is the fault of a guest whose memory did not grow; nil: it did.
func (r *run) outgrown(refused image.Refusal) *Fault {
	switch refused {
	case image.OverOwn:
		return over(LimitMemory, fmt.Sprintf("the servlet ended after it wanted more than the %s of memory that are granted", size(r.call.Limits.Memory)))
	case image.OverAll:
		return r.full(image.ErrFull)
	}
	return nil
}
