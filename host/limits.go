package host

import "github.com/writ-run/writ/host/sandbox"

// Limit is the code of a bound at which a call ended. It stands in Answer.Limit, in the audit and in
// the _meta of the result, and never changes. sdk/ABI.md, "Limits", has all of them with their texts.
type Limit = sandbox.Limit

// The limits at which the Host itself ends a call; those of its sandbox are in package sandbox.
const (
	LimitTime         Limit = "time"          // the call's deadline passed
	LimitServletCalls Limit = "servlet_calls" // calls of one servlet that run at a time
	LimitCallerCalls  Limit = "caller_calls"  // calls of one caller that run at a time
	LimitTotalCalls   Limit = "total_calls"   // calls that run at a time
	LimitCallerMemory Limit = "caller_memory" // memory of one caller's calls together
	LimitWaiting      Limit = "waiting"       // calls that wait for their turn
	LimitDepth        Limit = "result_depth"  // nesting of a result
	LimitValues       Limit = "result_values" // values of a result
	LimitBlocks       Limit = "result_blocks" // content blocks of a result
	LimitRate         Limit = "rate"          // calls of one caller in a while
	LimitHostTime     Limit = "host_time"     // what the Host does before a tool runs: its store, loading
	LimitKVQuota      Limit = "kv_quota"      // bytes or keys that a servlet keeps for one owner
	LimitKVConflict   Limit = "kv_conflict"   // times that others changed what a call had read
	LimitLeftBehind   Limit = "left_behind"   // the call's deadline passed, and what it waits for cannot be ended
)

// Limits are the codes of all limits of calls.
func Limits() []Limit {
	return []Limit{
		LimitTime, LimitServletCalls, LimitCallerCalls, LimitTotalCalls, LimitCallerMemory, LimitWaiting,
		LimitDepth, LimitValues, LimitBlocks, LimitRate, LimitHostTime, LimitKVQuota, LimitKVConflict, LimitLeftBehind,
		sandbox.LimitMemory, sandbox.LimitMemoryTotal, sandbox.LimitDepth, sandbox.LimitFuel,
		sandbox.LimitHostCalls, sandbox.LimitInput, sandbox.LimitOutput, sandbox.LimitLog,
	}
}

// excess is a result that is above a limit.
type excess struct {
	limit Limit
	text  string
}

func (e excess) Error() string { return e.text }
