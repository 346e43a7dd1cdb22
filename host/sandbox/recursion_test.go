package sandbox_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

var recursionText = fmt.Sprintf("the servlet ended because its nested calls wanted more than the %d MiB of stack that a call has", sandbox.StackLimit>>20)

// recursion is a guest whose function f calls itself as often as an i32 of its input says, with what
// before leaves on the stack or in locals while the next call runs.
func recursion(locals, before, after []byte) []byte {
	return guest(func(m *w.Module) [][]byte {
		read := m.Import("writ1", "input_read", "iii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		f := m.FuncLocals("", "i", "", locals, w.Get(0), w.If(before, w.Get(0), w.I32(1), w.Op(0x6b), w.Call(2), after))
		return [][]byte{
			w.I32(0), w.I32(4), w.I32(0), w.Call(read), w.Drop(), w.I32(0), w.Load32(), w.Call(f),
			w.I32(0), w.I32(1), w.Call(write), w.Drop(), w.I32(0),
		}
	})
}

// Whatever its frames look like, a recursion that does not end is stopped before the stack that it takes
// of the host is above 64 MiB.
func TestEndlessRecursion(t *testing.T) {
	kept := func(n int) []byte { return bytes.Repeat(w.Code(w.I32(0), w.Load32()), n) }
	wide := func(n int) []byte {
		return recursion([]byte{0}, w.Code(w.I32(0), kept(n)), w.Code(bytes.Repeat(w.Add(), n-1), w.Store32()))
	}
	sizes := func(n int) []byte { // the largest frame of all that are admitted
		return recursion([]byte{0}, w.Code(w.I32(0), bytes.Repeat(w.Op(0x3f, []byte{0}), n)), w.Code(bytes.Repeat(w.Add(), n-1), w.Store32()))
	}
	shapes := map[string][]byte{
		"small frames":                 recursion([]byte{0}, nil, nil),
		"20 values kept":               wide(20),
		"200 values kept":              wide(200),
		"5000 values kept":             wide(5000),
		"60000 sizes of memory kept":   sizes(60_000),
		"1000 locals, used afterwards": recursion(locals(1000)),
	}
	for name, module := range shapes {
		t.Run(name, func(t *testing.T) {
			code := compile(t, module)
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte{0xff, 0xff, 0xff, 0x7f}, Limits: enough()}
			wantFault(t, code.Run(t.Context(), call), sandbox.FaultLimit, recursionText)
			stack, _ := code.Stack(t.Context(), call)
			used := len(bytes.TrimLeft(stack, "\x00"))
			t.Logf("%d of %d KiB of stack were used", used>>10, len(stack)>>10)
			if len(stack) > 64<<20 || used < sandbox.StackLimit*9/10 {
				t.Errorf("%d of %d bytes of stack were used", used, len(stack))
			}
		})
	}
}

// locals are n locals that are set before the next call and used after it.
func locals(n int) (declared, before, after []byte) {
	for i := range uint32(n) {
		before = append(before, w.Code(w.I32(0), w.Load32(), w.Set(i+1))...)
		after = append(after, w.Code(w.I32(0), w.Get(i+1), w.Store32())...)
	}
	return w.Code([]byte{1}, w.U32(uint32(n)), []byte{0x7f}), before, after
}

// Deep recursion that ends is no attack.
func TestDeepRecursion(t *testing.T) {
	declared, before, after := locals(40)
	for name, module := range map[string][]byte{"small frames": recursion([]byte{0}, nil, nil), "40 locals": recursion(declared, before, after)} {
		t.Run(name, func(t *testing.T) {
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte{0x40, 0x1f, 0, 0}, Limits: enough()} // 8,000
			if out := compile(t, module).Run(t.Context(), call); out.Fault != nil {
				t.Error(out.Fault)
			}
		})
	}
	for do, n := range map[string]int{"nest": 20_000, "decode": 9_999} {
		t.Run(fmt.Sprint(do, " ", n, " in Go"), func(t *testing.T) {
			if got := answer[int](t, probe(t), ask{Do: do, N: n}.call(nil)); got != n {
				t.Errorf("%d, want %d", got, n)
			}
		})
	}
}
