package wasm_test

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Every way out of a function gives its call back, however many values it returns and however deep in
// blocks it is when it leaves.
func TestDepthIsRestored(t *testing.T) {
	two := w.Code(w.I32(1), w.I32(2))
	ways := map[string][]byte{
		"falling through":              two,
		"return":                       w.Code(two, w.Return()),
		"return in blocks":             w.Block(0x40, w.Block(0x40, w.Loop(two, w.Return())), two, w.Return()),
		"a branch to the function":     w.Code(two, w.Br(0)),
		"a branch to it out of blocks": w.Block(0x40, w.Block(0x40, two, w.Br(2))),
		"a branch that is taken":       w.Code(two, w.Get(0), w.BrIf(0), w.Drop(), w.Drop(), two),
		"a switch to the function":     w.Code(w.Block(0x40, two, w.Get(0), w.Op(0x0e, []byte{1, 1, 1})), w.Unreachable()),
	}
	for engine, config := range engines() {
		m := newMachine(t, config)
		for name, body := range ways {
			t.Run(engine+"/"+name, func(t *testing.T) {
				// The branches leave a function whose type has two results.
				mod := metered(t, m, with(func(m *w.Module) {
					m.Memory(w.AtLeast(1))
					leaf := m.Func("", "", "")
					f := m.Func("", "i", "ii", w.Call(leaf), body, tail(body))
					m.Func("f", "i", "i", w.Get(0), w.Call(f), w.Drop(), w.Get(0), w.Call(f), w.Drop(), w.Add())
				}), 1000, 2)
				for range 3 {
					got, err := mod.ExportedFunction("f").Call(t.Context(), 1)
					if err != nil || got[0] != 2 {
						t.Fatalf("%v, %v; want 2", got, err)
					}
					if depth := mod.ExportedGlobal(wasm.DepthExport).Get(); depth != 2 {
						t.Errorf("depth %d is left of 2", depth)
					}
				}
			})
		}
	}
}

// A function that keeps many values on the runtime's stack counts for many, so that the depth bounds
// the stack's bytes.
func TestDepthBoundsTheStack(t *testing.T) {
	const kept, depth = 20_000, 4_000
	module := with(func(m *w.Module) {
		m.Memory(w.AtLeast(1))
		one := m.Func("", "", "i", w.I32(1))
		m.Func("f", "", "", bytes.Repeat(w.Call(one), kept), w.Call(1), bytes.Repeat(w.Code(w.Add()), kept-1), w.Drop())
	})
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	mod := metered(t, m, module, 1<<40, depth)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := mod.ExportedFunction("f").Call(t.Context())
	runtime.ReadMemStats(&after)
	if err == nil || trapText(err) != "wasm error: unreachable" {
		t.Errorf("error %v", err)
	}
	// The stack grows by doubling, so twice its final size is allocated, and up to twice what it needs.
	if took := after.TotalAlloc - before.TotalAlloc; took > 4*depth*8<<10 {
		t.Errorf("%d bytes of stack for a depth of %d", took, depth)
	}
}

// tail makes a body whose last block leaves nothing valid.
func tail(body []byte) []byte {
	if bytes.HasPrefix(body, []byte{0x02}) {
		return w.Unreachable()
	}
	return nil
}

// Calls nest as deep as the counter says and no deeper; a function that calls nothing is not counted.
// What is left tells a host why the call trapped.
func TestDepthTraps(t *testing.T) {
	direct := with(func(m *w.Module) {
		m.Memory(w.AtLeast(1))
		m.Func("f", "i", "", w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.Call(0)))
	})
	indirect := with(func(m *w.Module) {
		m.Memory(w.AtLeast(1))
		m.Table(w.AtLeast(1))
		m.Func("f", "i", "", w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.I32(0), w.Op(0x11, []byte{0, 0})))
		m.Elements(w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b, 1, 0}))
	})
	for engine, config := range engines() {
		for name, module := range map[string][]byte{"direct": direct, "through the table": indirect} {
			t.Run(fmt.Sprint(engine, "/", name), func(t *testing.T) {
				m := newMachine(t, config)
				mod := metered(t, m, module, 1<<40, 1000)
				if _, err := mod.ExportedFunction("f").Call(t.Context(), 999); err != nil {
					t.Errorf("1000 calls in each other: %v", err)
				}
				_, err := mod.ExportedFunction("f").Call(t.Context(), 1000)
				if err == nil || trapText(err) != "wasm error: unreachable" {
					t.Errorf("1001 calls in each other: %v", err)
				}
				if depth := int32(mod.ExportedGlobal(wasm.DepthExport).Get()); depth >= 0 {
					t.Errorf("depth %d after the trap, want one below 0", depth)
				}
			})
		}
	}
}
