package sandbox_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// An instance keeps its stack for the next call, cleared; one that a deep recursion made large is given up.
func TestStackIsWiped(t *testing.T) {
	const canary = 0x5a1e_ca7a_1e77_c0de
	code := compile(t, guest(func(m *w.Module) [][]byte {
		read := m.Import("writ1", "input_read", "iii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		// f(n, canary) calls itself n times. Each call needs the canary afterwards, so that it is on the stack.
		f := m.Func("", "iI", "I", w.Get(0), w.If(
			w.Get(0), w.I32(1), w.Op(0x6b), w.Get(1), w.Call(2), w.Drop()), w.Get(1))
		return [][]byte{
			w.I32(0), w.I32(4), w.I32(0), w.Call(read), w.Drop(),
			w.I32(8), w.I32(0), w.Load32(), w.I64(canary), w.Call(f), w.Store64(),
			w.I32(8), w.I32(8), w.Call(write), w.Drop(), w.I32(0),
		}
	}))
	word := binary.LittleEndian.AppendUint64(nil, canary)
	for depth, keep := range map[uint32]bool{1: true, 100: true, 20_000: false} {
		call := sandbox.Call{Entry: sandbox.EntryCall, Input: binary.LittleEndian.AppendUint32(nil, depth), Limits: enough()}
		before, after := code.Stack(t.Context(), call)
		if n := bytes.Count(before, word); n < int(depth) { // the control: there is something to wipe
			t.Errorf("%d calls deep: the canary is on the stack %d times", depth, n)
		}
		if kept := after != nil; kept != keep {
			t.Errorf("%d calls deep: a stack of %d bytes is kept: %v", depth, len(before), kept)
		}
		if len(bytes.Trim(after, "\x00")) > 0 {
			t.Errorf("%d calls deep: something is left on the stack", depth)
		}
	}
}
