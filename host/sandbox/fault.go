package sandbox

import (
	"errors"
	"fmt"
	"strings"

	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// traps turn the runtime's reason into our sentence. The runtime's own text goes no further: after
// its reason it lists functions by names that the guest chose.
var traps = []struct{ reason, text string }{
	{"unreachable", "the servlet crashed (unreachable)"},
	{"out of bounds memory access", "the servlet crashed (memory access out of bounds)"},
	{"stack overflow", "the servlet crashed (stack overflow)"},
	{"integer divide by zero", "the servlet crashed (division by zero)"},
	{"integer overflow", "the servlet crashed (integer overflow)"},
	{"invalid conversion to integer", "the servlet crashed (number does not fit an integer)"},
	{"invalid table access", "the servlet crashed (no such function in its table)"},
	{"indirect call type mismatch", "the servlet crashed (function in its table has another signature)"},
}

// explain turns an error of the runtime into the call's fault.
func (r *run) explain(err error) {
	r.keepFrames(err)
	switch {
	case r.fault != nil: // a host function stopped the guest and said why
	case r.ops.panicked.Load(): // outcome says so
	default:
		r.fault = &Fault{Kind: FaultTrap, Text: trapText(err)}
	}
	// A guest that is told that there is no more memory mostly crashes or exits; the limit is what its
	// author and operator need to hear of.
	if r.in == nil || r.fault == nil || r.fault.Kind != FaultTrap && r.fault.Kind != FaultExit {
		return
	}
	if f := r.outgrown(r.in.memory.Refused()); f != nil {
		r.fault = f
	}
}

// full is the fault of a call that finds no memory.
func (r *run) full(err error) *Fault {
	if !errors.Is(err, image.ErrFull) {
		r.logger.Error("memory was not mapped", "error", err)
	}
	return over(LimitMemoryTotal, "the memory that all servlets of this host may use together is used up; try again later")
}

const segmentText = "the servlet crashed (a segment does not fit its memory or table)"

func trapText(err error) string {
	reason, _, _ := strings.Cut(err.Error(), "\n")
	if i := strings.LastIndex(reason, "wasm error: "); i >= 0 {
		reason = reason[i+len("wasm error: "):]
	}
	for _, t := range traps {
		if strings.HasPrefix(reason, t.reason) {
			return t.text
		}
	}
	if strings.Contains(reason, "segment") || strings.HasPrefix(reason, "data[") || strings.HasPrefix(reason, "element[") {
		return segmentText
	}
	return "the servlet crashed"
}

// ended tells why the call's context ended.
func (r *run) ended() *Fault {
	if r.ctx.parent.Err() != nil {
		return &Fault{Kind: FaultCancelled, Text: "the call was cancelled"}
	}
	return r.late()
}

// late is the fault of a call whose time is over.
func (r *run) late() *Fault {
	if r.call.Limits.Wall <= 0 {
		return &Fault{Kind: FaultDeadline, Text: "no time is granted to the call"}
	}
	return &Fault{Kind: FaultDeadline, Text: fmt.Sprintf("the servlet did not answer within %v", r.call.Limits.Wall)}
}

// size writes bytes as a person would say them.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	case n > wasm.PageSize:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}
