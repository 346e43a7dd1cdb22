package sandbox

import (
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox/extism"
)

// extismEnv is the namespace of ABI extism1 (sdk/EXTISM.md).
const extismEnv = "extism:host/env"

// foreign is what a call of a plug-in of ABI extism1 has on the host's side.
type foreign struct {
	extism.Kernel
	status  uint32 // of the last answer; 0: there was none
	headers []byte // of the last answer, as JSON
}

// touchesPerCall is how many reads and writes of kernel memory, of at most eight bytes each, count as one
// host call. They come by the hundred thousand, and what they take of the processor is paid for like the
// guest's own work: the next fuel is handed out for less.
const touchesPerCall = 1024

// levelDebug is what get_log_level answers, and kits call debug: what is below it, they need not write.
const levelDebug = 1

// offered describes a function of namespace extism:host/env.
func offered(name, params string, result byte, do func(*run, args) uint64, kinds ...capabilities.Kind) function {
	return function{module: extismEnv, name: name, params: params, result: result, kinds: kinds, do: do}
}

// touch describes one that only reads or writes kernel memory.
func touch(name, params string, result byte, do func(*run, args) uint64) function {
	f := offered(name, params, result, do)
	f.light = true
	return f
}

// extismFunctions are the functions of namespace extism:host/env.
func extismFunctions() []function {
	return []function{
		offered("alloc", "I", 'I', (*run).extismAlloc),
		offered("free", "I", 0, (*run).extismFree),
		touch("length", "I", 'I', (*run).extismLength),
		touch("length_unsafe", "I", 'I', (*run).extismLength),
		touch("load_u8", "I", 'i', (*run).extismLoad8),
		touch("load_u64", "I", 'I', (*run).extismLoad64),
		touch("store_u8", "Ii", 0, (*run).extismStore8),
		touch("store_u64", "II", 0, (*run).extismStore64),
		touch("input_length", "", 'I', (*run).extismInputLength),
		touch("input_offset", "", 'I', (*run).extismInputOffset),
		touch("input_load_u8", "I", 'i', (*run).extismInput8),
		touch("input_load_u64", "I", 'I', (*run).extismInput64),
		offered("input_set", "II", 0, (*run).extismInputSet),
		offered("output_set", "II", 0, (*run).extismOutputSet),
		offered("output_length", "", 'I', (*run).extismOutputLength),
		offered("output_offset", "", 'I', (*run).extismOutputOffset),
		offered("error_set", "I", 0, (*run).extismErrorSet),
		offered("error_get", "", 'I', (*run).extismErrorGet),
		offered("reset", "", 0, (*run).extismReset),
		offered("memory_bytes", "", 'I', (*run).extismMemoryBytes),

		offered("config_get", "I", 'I', (*run).extismConfigGet, capabilities.KindConfig),
		offered("var_get", "I", 'I', (*run).extismVarGet),
		offered("var_set", "II", 0, (*run).extismVarSet),
		offered("http_request", "II", 'I', (*run).extismRequest, capabilities.KindHTTP, capabilities.KindWeb),
		offered("http_status_code", "", 'i', (*run).extismStatus),
		offered("http_headers", "", 'I', (*run).extismHeaders),
		offered("get_log_level", "", 'i', func(*run, args) uint64 { return levelDebug }),
		offered("log_trace", "I", 0, (*run).extismTrace),
		offered("log_debug", "I", 0, extismLog(effect.Debug)),
		offered("log_info", "I", 0, extismLog(effect.Info)),
		offered("log_warn", "I", 0, extismLog(effect.Warn)),
		offered("log_error", "I", 0, extismLog(effect.Fault)),
	}
}

// absentFunctions are the functions of WASI that no servlet may import and plug-ins may: an interpreter
// that was compiled for any host links them, whether its script opens a socket or not. Each answers that
// there is no such thing.
func absentFunctions() []function {
	absent := func(*run, args) effect.Errno { return effect.ErrNoSys }
	return []function{
		preview1("sock_accept", "iii", absent),
		preview1("sock_recv", "iiiiii", absent),
		preview1("sock_send", "iiiii", absent),
		preview1("sock_shutdown", "ii", absent),
		preview1("fd_renumber", "ii", absent),
		preview1("proc_raise", "i", absent),
	}
}

// ask gives a plug-in its input, in the form that it reads.
func (r *run) ask(d dialect) bool {
	input := r.call.Input
	if d.newer {
		var err error
		if input, err = extism.NewerRequest(input); err != nil {
			r.blameGuest("the request cannot be written in the plug-in's form")
			return false
		}
	}
	if !r.kernel().SetInput(input) {
		if r.fault = r.outgrown(r.in.memory.Refused()); r.fault == nil {
			r.fault = over(LimitInput, "the input is larger than a plug-in's host memory can be")
		}
		return false
	}
	return true
}

// judgeForeign weighs what a plug-in returned. One that set an error failed, whatever it returned: hosts
// differ there, and a result beside an error is none.
func (r *run) judgeForeign(code int32) {
	if failure := r.kernel().Error(maxErrorText); code != 0 || len(failure) > 0 {
		text := validText(failure, maxErrorText)
		if text == "" {
			text = fmt.Sprintf("the plug-in failed with code %d, without a reason", code)
		}
		r.fault = &Fault{Kind: FaultTool, Text: text}
		return
	}
	output, ok := r.kernel().Output(r.call.Limits.Output)
	switch {
	case !ok:
		r.fault = over(LimitOutput, fmt.Sprintf("the result is larger than the %s that are granted", size(int64(r.call.Limits.Output))))
	case len(output) == 0:
		r.blameGuest(r.in.code.dialect.export(r.call.Entry) + " returned without an output")
	}
	r.output = output
}
