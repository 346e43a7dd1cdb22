package sandbox

import (
	"regexp"
	"strconv"
	"strings"
)

// traceExport is what a guest has that can tell its author where it is (sdk/ABI.md, "Tracing").
const traceExport = "servlet_trace"

// What traceExport is asked for.
const (
	traceErrors = 1 // before the entry: log where errors come from
	traceStop   = 2 // in the middle of it: end soon, and log where
)

// traceFuel is what a traced guest has to say where it was, units: a script engine looks whether it has to
// end every ten thousand jumps.
const traceFuel = 1 << 26

// trace lets the guest log where its errors come from, if somebody asked for that and it can.
func (r *run) trace(in *instance) bool {
	if !r.call.Trace || r.call.Entry != EntryCall || in.code.dialect.foreign || in.function(traceExport) == nil {
		return true
	}
	r.stack = [2]uint64{traceErrors}
	r.traced = r.callGuest(in, traceExport)
	return r.traced
}

// interrupt lets a traced guest that is to be ended say where it is: the fault stands, nothing is granted to
// the guest any more, and it has traceFuel to come back by itself. It is false when the guest cannot, or had
// its chance. It is called while the guest waits for a host function, and the function that it enters uses
// nothing of the guest's stack.
func (r *run) interrupt(f *Fault) bool {
	if !r.traced || r.interrupted {
		return false
	}
	r.fault, r.interrupted = f, true
	r.host, r.refusing = denied{preopens: r.preopens}, true
	r.granted = r.spent() + traceFuel
	r.in.fuel.Set(traceFuel)
	return r.in.function(traceExport).CallWithStack(&r.ctx, []uint64{traceStop}) == nil
}

// frameLine is a line of the runtime's stack trace. A gated module has no names, so that its functions are
// called by their numbers.
var frameLine = regexp.MustCompile(`^\s*\.\$(\d+)\(`)

// keepFrames reads which functions a traced guest was in when it was ended. Numbers are those of the module as
// it was admitted: metering adds the import yield behind its own imports, and other functions at the end.
func (r *run) keepFrames(err error) {
	if !r.call.Trace || r.in == nil || r.interrupted {
		return
	}
	r.frames = nil
	imports := uint64(len(r.in.code.machine.compiled.ImportedFunctions()) - 1)
	for line := range strings.Lines(err.Error()) {
		found := frameLine.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if n, err := strconv.ParseUint(found[1], 10, 32); err == nil && n > imports {
			r.frames = append(r.frames, uint32(n-1))
		}
	}
}
