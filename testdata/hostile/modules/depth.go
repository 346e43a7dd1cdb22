package modules

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

// Bounds of a recursion. A call has 4 MiB of stack; a frame takes 48 bytes at least, and 8 more for each value that it
// keeps.
const (
	stack     = 4 << 20
	leastOf   = 48
	keptOf    = 8
	kept      = 500
	shallow   = 10_000
	manyAsked = 1 << 20
)

const tooDeepText = "the servlet ended because its nested calls wanted more than the 4 MiB of stack that a call has"

var reentrancy = attack.Row{
	ID:      "A9",
	Title:   "recursion through host functions, as deep as it goes; a host that calls the guest it serves",
	Mutants: []string{"meter-depth", "meter-depth-frames", "stack-limit", "trap-reported"},
	Run: func(r *attack.Report) {
		for _, way := range target.Ways(r) {
			r.Variant("a host that calls the servlet again, "+string(way), func() error { return nested(way) })
			r.Variant("10,000 deep is served, "+string(way), func() error {
				host, out, err := descend(way, shallow, 0)
				if err = errors.Join(err, target.Output(out, []byte("done"))); err == nil && host.Asked.Load() != shallow {
					err = fmt.Errorf("%d requests; want %d", host.Asked.Load(), shallow)
				}
				return err
			})
			if way != target.Reset && (r.First || !r.Thorough && way != target.InstancePortable) {
				continue
			}
			r.Variant("endless, "+string(way), func() error { return tooDeep(way, 0) })
			r.Variant("endless, with 500 values kept at each level, "+string(way), func() error { return tooDeep(way, kept) })
		}
	},
}

// descend runs a guest that asks the host for a value at each of so many levels, and keeps so many values on the stack
// of each.
func descend(way target.Way, levels int32, kept int) (*target.Willing, sandbox.Outcome, error) {
	m := &w.Module{}
	get, write := target.Import(m, "config_get"), target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte("KEY."))
	m.Data(16, []byte("done"))
	const self = 2
	var before, after []byte
	for i := range kept {
		before = append(before, w.Code(w.I32(0), w.Load64(), w.Set(uint32(1+i)))...)
		after = append(after, w.Code(w.I32(0), w.Get(uint32(1+i)), w.Store64())...)
	}
	down := m.FuncLocals("", "i", "", w.Code([]byte{1}, w.U32(uint32(kept)), []byte{0x7e}),
		w.I32(0), w.I32(3), w.I32(64), w.I32(64), w.Call(get), w.Drop(), before,
		w.Get(0), w.If(w.Get(0), w.I32(1), []byte{0x6b}, w.Call(self)), after)
	m.Func("servlet_call", "", "i", w.I32(levels-1), w.Call(down), w.I32(16), w.I32(4), w.Call(write), w.Drop(), w.I32(0))
	host := target.NewWilling()
	call := target.Call(host)
	call.Limits.HostCalls = manyAsked
	out, err := target.Run(way, m.Bytes(), call)
	return host, out, err
}

// tooDeep wants a recursion ended at the limit of the stack, at no more levels than that has room for.
func tooDeep(way target.Way, kept int) error {
	host, out, err := descend(way, -1, kept)
	if err = errors.Join(err, target.Fault(out, sandbox.FaultLimit, tooDeepText)); err != nil {
		return err
	}
	if asked, most := host.Asked.Load(), int64(stack/(leastOf+keptOf*kept)); asked > most || asked < most/8 {
		return fmt.Errorf("it came %d levels deep; the stack has room for %d", asked, most)
	}
	return nil
}

// nested has the host call the servlet again while it serves it. Each call has an instance of its own, and its own
// answer.
func nested(way target.Way) error {
	m := &w.Module{}
	get, read, write := target.Import(m, "config_get"), target.Import(m, "input_read"), target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(0, []byte("KEY"))
	i := w.I32
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f}, i(64), i(1), i(0), w.Call(read), w.Drop(), // its level, in memory
		i(0), i(3), i(128), i(1024), w.Call(get), w.Set(0), // what the call inside answered
		i(64), i(1), w.Call(write), w.Drop(), i(128), w.Get(0), w.Call(write), w.Drop(), i(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	const levels = 40
	var call func(level byte) sandbox.Outcome
	call = func(level byte) sandbox.Outcome {
		host := target.NewWilling()
		host.OnConfig = func(context.Context, string) (string, *effect.Error) {
			if level == levels {
				return "", nil
			}
			inner := call(level + 1)
			return string(inner.Output), nil
		}
		return code.Run(context.Background(), target.Call(host, 'A'+level))
	}
	var want strings.Builder
	for level := range byte(levels + 1) {
		want.WriteByte('A' + level)
	}
	return errors.Join(target.Output(call(0), []byte(want.String())), code.Close(context.Background()))
}
