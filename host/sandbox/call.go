package sandbox

import (
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// Entry is the exported function that a call enters.
type Entry string

// The entries of ABI writ1. In a plug-in of ABI extism1 they stand for exports of other names.
const (
	EntryCall     Entry = "servlet_call"
	EntryDescribe Entry = "servlet_describe"
	EntryWarm     Entry = "servlet_warm"
)

// Exports of ABI writ1 that are not entries.
const (
	initExport   = "_initialize"
	reseedExport = "servlet_reseed"
)

// Call is one run of a guest in an instance of its own.
type Call struct {
	Entry Entry
	Input []byte
	// Host answers the guest's requests; nil: every request is denied. EntryDescribe and EntryWarm
	// deny every request whatever Host is; EntryWarm still shows its preopened directories.
	Host   Host
	Limits Limits
	// Caller is who asks, in a form of Run's caller. Guests that compute for long share the processors:
	// each caller has as much as any other, however many guests it has.
	Caller string
	// Progress is told how far the call is, at most every 100 ms, on Run's goroutine; nil: dropped.
	// The text is the guest's: valid UTF-8 of at most 1 KiB, not fit for a terminal as it is.
	Progress func(done, total float64, text string)
	// Trace lets a guest that can (export servlet_trace) log where its errors come from and, when its time or
	// fuel is over, where it was. It is for a servlet's author: it costs time, and the log names source files.
	Trace bool
}

// Limits bound one call. A zero field but Fuel refuses (no memory, no time), so that a forgotten limit is not
// an open one.
type Limits struct {
	Memory    int64         // linear memory, bytes; also what operations hold for the guest
	Wall      time.Duration // from start to forced end
	Output    int           // bytes of output or error text
	Log       int           // bytes of log lines; what is above is counted and dropped
	HostCalls int           // calls of host functions
	Fuel      uint64        // units of work, init included; the one limit that may be 0: then Wall bounds the work alone
}

// Outcome is what a call came to.
type Outcome struct {
	Output  []byte // nil when there is a Fault
	Fault   *Fault // nil: the guest answered
	Fuel    uint64 // units of work of the entry; the same for the same work
	Logs    []effect.LogLine
	Dropped int // log bytes above the limit
	Wall    time.Duration
	Memory  int64 // linear memory at the end, bytes
	Rung    Rung  // how the call got its instance; empty: it had none
	// Frames are the functions of the module, by index, that a traced call was in when it was ended, innermost
	// first and at most 30.
	Frames []uint32
}

// FaultKind tells how a call failed.
type FaultKind string

// The ways in which a call can fail.
const (
	FaultTool      FaultKind = "tool"      // the guest reported an error; Text is the guest's own
	FaultTrap      FaultKind = "trap"      // the guest crashed
	FaultExit      FaultKind = "exit"      // the guest ended itself before it answered
	FaultDeadline  FaultKind = "deadline"  // Limits.Wall passed
	FaultCancelled FaultKind = "cancelled" // ctx was cancelled
	FaultLimit     FaultKind = "limit"     // Fault.Limit was reached
	FaultABI       FaultKind = "abi"       // the guest broke the guest interface
	FaultHost      FaultKind = "host"      // the host failed; the guest is not to blame
)

// Fault is a failed call. Text is one sentence written by the host, but for FaultTool: there it is
// the guest's, valid UTF-8 of at most 4 KiB, not fit for a terminal as it is.
type Fault struct {
	Kind  FaultKind
	Limit Limit // that was reached, with FaultLimit
	Text  string
}

func (f *Fault) Error() string { return string(f.Kind) + ": " + f.Text }
