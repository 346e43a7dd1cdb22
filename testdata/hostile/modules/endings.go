package modules

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var endings = attack.Row{
	ID:    "A12",
	Title: "endings that look like a success: proc_exit(0), a trap after the answer, no answer, strange results",
	Mutants: []string{
		"exit-ends", "trap-reported", "trap-worded", "fault-without-output", "output-required", "output-limit", "result-known",
		"meter-start", "output-bytes", "stack-limit",
	},
	Run: func(r *attack.Report) {
		for name, e := range ends() {
			for _, way := range target.Ways(r) {
				r.Variant(name+", "+string(way), func() error {
					call := target.Call(nil)
					call.Limits.Output = granted
					out, err := target.Run(way, e.module(), call)
					return errors.Join(err, target.Fault(out, e.kind, e.text))
				})
			}
		}
		h, err := target.NewHome(host.Config{})
		if err != nil {
			r.Variant("a home", func() error { return err })
			return
		}
		for name, e := range ends() {
			alias := fmt.Sprintf("ending-%d", r.Variants)
			r.Variant(name+", as a client is told", func() error { return e.tells(h, alias) })
		}
	},
}

// granted is how much an ending may answer, bytes.
const granted = 128

// hands are the functions that an ending may call.
type hands struct{ fail, write, exit uint32 }

// ending is a way to end.
type ending struct {
	how    func(m *w.Module, by hands) []byte // the end of the entry, which leaves its result
	silent bool                               // no answer was written before
	kind   sandbox.FaultKind
	text   string
	told   string // what a client is told of a limit; empty: text
}

// module answers what a client would believe, and then ends.
func (e ending) module() []byte {
	m := &w.Module{}
	by := hands{fail: target.Import(m, "error_write"), write: target.Import(m, "output_write"), exit: target.Import(m, "proc_exit")}
	fine := target.Text("fine")
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte(fine))
	answer := w.Code(w.I32(0), w.I32(int32(len(fine))), w.Call(by.write), w.Drop())
	if e.silent {
		answer = nil
	}
	m.Func("servlet_call", "", "i", answer, e.how(m, by))
	return m.Bytes()
}

// tells wants a client to be told that the tool failed.
func (e ending) tells(h *target.Home, alias string) error {
	if _, err := h.Install(capabilities.DefaultSpace, alias, e.module(), target.Manifest("acme/"+alias)); err != nil {
		return err
	}
	text := "The tool crashed. See `writ audit --call CALL`."
	switch e.kind {
	case sandbox.FaultTool:
		text = e.text
	case sandbox.FaultLimit:
		text = "The tool was ended at a limit: " + cmp.Or(e.told, e.text) + ". See `writ audit --call CALL`."
	}
	return h.Want(capabilities.DefaultSpace, alias+"_go", "{}", host.StatusTool, text)
}

// ends are the endings by name.
func ends() map[string]ending {
	code := func(parts ...[]byte) func(*w.Module, hands) []byte {
		return func(*w.Module, hands) []byte { return w.Code(parts...) }
	}
	trap := func(text string, parts ...[]byte) ending {
		return ending{how: code(parts...), kind: sandbox.FaultTrap, text: "the servlet crashed (" + text + ")"}
	}
	exits := func(code int32) ending {
		return ending{
			how:  func(_ *w.Module, by hands) []byte { return w.Code(w.I32(code), w.Call(by.exit), w.I32(0)) },
			kind: sandbox.FaultExit, text: fmt.Sprintf("the servlet exited with code %d before it answered", code),
		}
	}
	// early is something that happens before the entry, which then answers honestly.
	early := func(kind sandbox.FaultKind, text string, begin func(m *w.Module, by hands)) ending {
		return ending{how: func(m *w.Module, by hands) []byte { begin(m, by); return w.I32(0) }, kind: kind, text: text}
	}
	exit0, crashed := exits(0).text, "the servlet crashed (unreachable)"
	silentTrap := trap("unreachable", w.Unreachable())
	silentTrap.silent = true
	silentExit := exits(0)
	silentExit.silent = true
	return map[string]ending{
		"a trap":                       silentTrap,
		"proc_exit(0)":                 silentExit,
		"a trap after the answer":      trap("unreachable", w.Unreachable()),
		"memory out of bounds":         trap("memory access out of bounds", w.I32(-1), w.Load32()),
		"a division by zero":           trap("division by zero", w.I32(1), w.I32(0), w.Op(0x6d)),
		"an integer overflow":          trap("integer overflow", w.I32(-1<<31), w.I32(-1), w.Op(0x6d)),
		"proc_exit(0) after an answer": exits(0),
		"proc_exit(1) after an answer": exits(1),
		"proc_exit(-1), the runtime's": exits(-1),
		"endless recursion": {how: func(m *w.Module, _ hands) []byte {
			return w.Code(w.Call(m.Func("", "", "", w.Call(3))), w.I32(0))
		}, kind: sandbox.FaultLimit, text: tooDeepText, told: "the servlet ended after it wanted more than the 1 MiB of memory that are granted"},
		"an empty place in the table": {how: func(m *w.Module, _ hands) []byte {
			m.Table(w.Range(1, 1))
			return w.Code(w.I32(0), w.Op(0x11, w.U32(m.TypeOf("", "i")), w.U32(0)))
		}, kind: sandbox.FaultTrap, text: "the servlet crashed (no such function in its table)"},
		"data that does not fit": early(sandbox.FaultTrap, "the servlet crashed (a segment does not fit its memory or table)", func(m *w.Module, _ hands) {
			m.Data(65_535, []byte("xy"))
		}),
		"a trap in start":       early(sandbox.FaultTrap, crashed, func(m *w.Module, _ hands) { m.Start(m.Func("", "", "", w.Unreachable())) }),
		"a trap in _initialize": early(sandbox.FaultTrap, crashed, func(m *w.Module, _ hands) { m.Func("_initialize", "", "", w.Unreachable()) }),
		"proc_exit(0) in start": early(sandbox.FaultExit, exit0, func(m *w.Module, by hands) {
			m.Start(m.Func("", "", "", w.I32(0), w.Call(by.exit)))
		}),
		"proc_exit(0) in _initialize": early(sandbox.FaultExit, exit0, func(m *w.Module, by hands) {
			m.Func("_initialize", "", "", w.I32(0), w.Call(by.exit))
		}),
		"no answer": {how: code(w.I32(0)), silent: true, kind: sandbox.FaultABI, text: "servlet_call returned without an output"},
		"an answer of no bytes": {how: func(_ *w.Module, by hands) []byte {
			return w.Code(w.I32(0), w.I32(0), w.Call(by.write), w.Drop(), w.I32(0))
		}, silent: true, kind: sandbox.FaultABI, text: "servlet_call returned without an output"},
		"the result 7":                 {how: code(w.I32(7)), kind: sandbox.FaultABI, text: "servlet_call returned 7; 0 or 1 is expected"},
		"the result -1":                {how: code(w.I32(-1)), kind: sandbox.FaultABI, text: "servlet_call returned -1; 0 or 1 is expected"},
		"a failure after an answer":    {how: code(w.I32(1)), kind: sandbox.FaultTool, text: "the servlet failed without a reason"},
		"a failure without a reason":   {how: code(w.I32(1)), silent: true, kind: sandbox.FaultTool, text: "the servlet failed without a reason"},
		"a failure with a plain text":  {how: failing("no such city"), kind: sandbox.FaultTool, text: "no such city"},
		"an answer that was too large": tooLarge,
	}
}

func failing(text string) func(m *w.Module, by hands) []byte {
	return func(m *w.Module, by hands) []byte {
		m.Data(1024, []byte(text))
		return w.Code(w.I32(1024), w.I32(int32(len(text))), w.Call(by.fail), w.Drop(), w.I32(1))
	}
}

// tooLarge writes more than any call may answer, as if that had been well.
var tooLarge = ending{
	how: func(_ *w.Module, by hands) []byte {
		return w.Code(w.I32(7), w.Grow(), w.Drop(), w.I32(0), w.I32(257<<10), w.Call(by.write), w.Drop(), w.I32(0))
	},
	kind: sandbox.FaultLimit, text: fmt.Sprintf("the result is larger than the %d bytes that are granted", granted),
	told: "the result is larger than the 256 KiB that are granted", // by a home
}
