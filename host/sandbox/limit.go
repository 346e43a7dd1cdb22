package sandbox

// Limit names a bound of calls. Its value is the code that a result, the audit and sdk/ABI.md have for
// it, and never changes.
type Limit string

// The limits at which a call in a sandbox ends with FaultLimit. LimitLog alone ends nothing: what is
// above it is dropped and counted.
const (
	LimitMemory      Limit = "memory"       // linear memory of the call
	LimitMemoryTotal Limit = "memory_total" // of all calls together
	LimitDepth       Limit = "depth"        // calls inside each other
	LimitFuel        Limit = "fuel"         // units of work
	LimitHostCalls   Limit = "host_calls"   // calls of host functions
	LimitInput       Limit = "input"        // bytes of the request
	LimitOutput      Limit = "output"       // bytes of the result
	LimitLog         Limit = "log"          // bytes of log lines
)

// over is the fault of a call that ends at a limit.
func over(limit Limit, text string) *Fault {
	return &Fault{Kind: FaultLimit, Limit: limit, Text: text}
}

// stopAt ends the guest at a limit, from inside a host function.
func (r *run) stopAt(limit Limit, text string) {
	r.fault = over(limit, text)
	panic(errStopped)
}
