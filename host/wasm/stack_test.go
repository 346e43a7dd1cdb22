package wasm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Every way out of a function gives its stack back, however many values it returns and however deep in
// blocks it is when it leaves.
func TestStackIsRestored(t *testing.T) {
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
				}), 1000, plenty)
				for range 3 {
					got, err := mod.ExportedFunction("f").Call(t.Context(), 1)
					if err != nil || got[0] != 2 {
						t.Fatalf("%v, %v; want 2", got, err)
					}
					if left := mod.ExportedGlobal(wasm.StackExport).Get(); left != plenty {
						t.Errorf("%d of %d bytes of stack are left", left, plenty)
					}
				}
			})
		}
	}
}

// tail makes a body whose last block leaves nothing valid.
func tail(body []byte) []byte {
	if bytes.HasPrefix(body, []byte{0x02}) {
		return w.Unreachable()
	}
	return nil
}

// Calls nest as deep as the stack says and no deeper; a function that calls nothing takes none.
func TestStackEnds(t *testing.T) {
	direct := with(func(m *w.Module) {
		m.Memory(w.AtLeast(1))
		leaf := m.Func("", "", "")
		m.Func("f", "i", "", w.Call(leaf), w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.Call(1)))
	})
	indirect := with(func(m *w.Module) {
		m.Memory(w.AtLeast(1))
		m.Table(w.AtLeast(1))
		m.Func("", "", "")
		f := m.Func("f", "i", "", w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.I32(0), w.Op(0x11, []byte{1, 0})))
		m.Elements(w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b, 1, byte(f)}))
	})
	loop := with(func(m *w.Module) { // a function that begins with a loop
		m.Memory(w.AtLeast(1))
		m.Func("", "", "")
		m.Func("f", "i", "", w.Op(0x03, []byte{0x40}), w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.Call(1)), []byte{0x0b})
	})
	for engine, config := range engines() {
		for name, module := range map[string][]byte{"direct": direct, "through the table": indirect, "out of a loop": loop} {
			t.Run(fmt.Sprint(engine, "/", name), func(t *testing.T) {
				frames := wasm.Frames(module)
				if frames[0] != 0 || frames[1] < 512 {
					t.Fatalf("frames %v, want none of the first, which calls nothing", frames)
				}
				m := newMachine(t, config)
				mod := metered(t, m, module, 1<<40, 1000*int64(frames[1]))
				if _, err := mod.ExportedFunction("f").Call(t.Context(), 999); err != nil {
					t.Errorf("1000 calls in each other: %v", err)
				}
				if _, err := mod.ExportedFunction("f").Call(t.Context(), 1000); !errors.Is(err, errStack) {
					t.Errorf("1001 calls in each other: %v, want %v", err, errStack)
				}
			})
		}
	}
}

// probed runs function "f", which calls one host function before a call of the function in question and
// inside it, and returns by how much that function's frame moved the end of the runtime's stack.
func probed(t *testing.T, module []byte) (taken int64) {
	var at []uintptr
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	here := func(_ context.Context, _ api.Module, stack []uint64) {
		at = append(at, reflect.ValueOf(stack).Pointer())
	}
	if _, err := m.NewHostModuleBuilder("test").NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(here), nil, nil).Export("here").Instantiate(t.Context()); err != nil {
		t.Fatal(err)
	}
	mod := metered(t, m, module, 1<<40, plenty)
	f := mod.ExportedFunction("f")
	for range 2 { // the second time its stack has grown as large as it needs to be
		at = at[:0]
		if _, err := f.Call(t.Context()); err != nil || len(at) != 2 {
			t.Fatalf("%d looks at the stack: %v", len(at), err)
		}
		mod.ExportedGlobal(wasm.StackExport).(api.MutableGlobal).Set(plenty)
	}
	return int64(at[0] - at[1])
}

// What a call is charged is more than its frame on the runtime's stack can be, whatever has the runtime
// keep values there: the bytes of the stack are bounded by it.
func TestFramesAreBounded(t *testing.T) {
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("the runtime has no compiler for this processor")
	}
	const here = 0
	many := func(n int, letter string) string { return strings.Repeat(letter, n) }
	locals := func(n int, valType byte) []byte { return w.Code([]byte{1}, w.U32(uint32(n)), []byte{valType}) }
	each := func(n int, make func(i uint32) []byte) []byte {
		return repeat(n, func(i int) []byte { return make(uint32(i)) })
	}
	store := func(op byte, value ...[]byte) []byte { return w.Code(w.I32(0), w.Code(value...), []byte{op, 0, 0}) }
	lane := w.Op(0xfd, []byte{21, 3})
	load := w.Op(0xfd, []byte{0, 0, 0})
	shapes := map[string]func(m *w.Module) (f uint32){
		"nothing": func(m *w.Module) uint32 { return m.Func("", "", "", w.Call(here)) },
		"numbers": func(m *w.Module) uint32 {
			return m.Func("", "", "", w.I32(0), bytes.Repeat(w.Code(w.I32(0), w.Load32(), w.I32(1), w.Add()), 2000), w.Call(here), bytes.Repeat(w.Add(), 1999), w.Store32())
		},
		"sizes of memory": func(m *w.Module) uint32 {
			return m.Func("", "", "", w.I32(0), bytes.Repeat(w.Op(0x3f, []byte{0}), 20_000), w.Call(here), bytes.Repeat(w.Add(), 19_999), w.Store32())
		},
		"results": func(m *w.Module) uint32 {
			one := m.Func("", "", "I", w.I64(1))
			return m.Func("", "", "", w.I32(0), bytes.Repeat(w.Call(one), 20_000), w.Call(here), bytes.Repeat([]byte{0x7c}, 19_999), w.Store64())
		},
		"globals": func(m *w.Module) uint32 {
			for range 2000 {
				m.Global(3)
			}
			return m.Func("", "", "", w.I32(0), each(2000, func(i uint32) []byte { return w.Op(0x23, w.U32(i)) }), w.Call(here),
				bytes.Repeat([]byte{0x7c}, 1999), w.Store64())
		},
		"constants": func(m *w.Module) uint32 {
			return m.Func("", "", "", w.I32(0), each(10_000, func(i uint32) []byte { return w.F64(float64(i)) }), w.Call(here),
				bytes.Repeat([]byte{0xa0}, 9999), []byte{0x39, 0, 0})
		},
		"references": func(m *w.Module) uint32 {
			m.Table(w.AtLeast(1))
			return m.Func("", "", "", bytes.Repeat(w.Code(w.I32(0), w.I32(0), w.Op(0x25, []byte{0})), 2000), w.Call(here),
				bytes.Repeat(w.Op(0x26, []byte{0}), 2000))
		},
		"many results": func(m *w.Module) uint32 {
			thousand := m.Func("", "", many(1000, "I"), bytes.Repeat(w.I64(1), 1000))
			return m.Func("", "", "", w.I32(0), bytes.Repeat(w.Call(thousand), 50), w.Call(here), bytes.Repeat([]byte{0x7c}, 49_999), w.Store64())
		},
		"arguments": func(m *w.Module) uint32 {
			last := m.Func("", many(1000, "I"), "I", w.Call(here), w.Get(999))
			return m.Func("", "", "", bytes.Repeat(w.I64(1), 1000), w.Call(last), w.Drop())
		},
		"vectors": func(m *w.Module) uint32 {
			return m.FuncLocals("", "", "", locals(1, wasm.V128), w.I32(0), bytes.Repeat(w.Code(w.I32(0), load), 3000), w.Call(here),
				bytes.Repeat(w.Op(0xfd, []byte{81}), 2999), lane, w.Store32())
		},
		"floats in locals": func(m *w.Module) uint32 {
			return m.FuncLocals("", "", "", locals(900, wasm.F64),
				each(900, func(i uint32) []byte { return w.Code(w.I32(0), []byte{0x2b, 0, 0}, w.Set(i)) }), w.Call(here),
				each(900, func(i uint32) []byte { return store(0x39, w.Get(i)) }))
		},
		"locals that branches join": func(m *w.Module) uint32 {
			set := func(b uint32) []byte {
				return each(60, func(i uint32) []byte { return w.Code(w.I32(0), w.Load32(), w.I32(int32(i+b)), w.Add(), w.Set(i)) })
			}
			arm := func(i uint32) []byte { return w.Code(w.I32(0), w.Load32(), w.If(set(i))) }
			return m.FuncLocals("", "", "", locals(60, wasm.I32), set(0), each(40, arm), w.Call(here),
				each(40, arm), each(60, func(i uint32) []byte { return store(0x36, w.Get(i)) }))
		},
		"locals that loops join": func(m *w.Module) uint32 {
			set := each(32, func(i uint32) []byte { return w.Code(w.I32(0), w.Load32(), w.Set(i)) })
			loop := w.Code([]byte{0x03, 0x40}, set, w.I32(0), w.Load32(), w.BrIf(0), []byte{0x0b})
			return m.FuncLocals("", "", "", locals(32, wasm.I32), bytes.Repeat(loop, 20), w.Call(here), bytes.Repeat(loop, 20),
				each(32, func(i uint32) []byte { return store(0x36, w.Get(i)) }))
		},
		"block results": func(m *w.Module) uint32 {
			wide := byte(m.TypeOf("", many(100, "i")))
			return m.Func("", "", "", w.I32(0), w.Block(wide, bytes.Repeat(w.Code(w.I32(0), w.Load32()), 100), w.I32(0), w.Load32(), w.BrIf(0)), w.Call(here),
				bytes.Repeat(w.Add(), 99), w.Store32())
		},
		"globals that branches join": func(m *w.Module) uint32 {
			for range 200 {
				m.Global(3)
			}
			arm := w.Code(w.I32(0), w.Load32(), w.If(w.Call(here+1)))
			return m.Func("", "", "", w.I32(0), bytes.Repeat(arm, 100), each(200, func(i uint32) []byte { return w.Op(0x23, w.U32(i)) }), w.Call(here),
				bytes.Repeat([]byte{0x7c}, 199), w.Store64())
		},
		"addresses": func(m *w.Module) uint32 {
			half := each(500, func(i uint32) []byte { return w.Code(w.I32(0), w.Load32(), w.Set(i)) })
			use := each(500, func(i uint32) []byte { return w.Code(w.Get(i), w.Load32(), w.Drop(), w.Get(i), w.Get(i), w.Store32()) })
			return m.FuncLocals("", "", "", locals(500, wasm.I32), half, use, w.Call(here), use)
		},
	}
	for _, name := range sortedKeys(shapes) {
		t.Run(name, func(t *testing.T) {
			var f uint32
			module := with(func(m *w.Module) {
				m.Import("test", "here", "", "")
				m.Memory(w.AtLeast(1))
				m.Func("", "", "")
				f = shapes[name](m)
				m.Func("f", "", "", w.Call(here), w.Call(f))
			})
			charged, taken := int64(wasm.Frames(module)[f-1]), probed(t, module)
			t.Logf("%d bytes are charged, %d taken", charged, taken)
			if taken > charged || taken <= 0 {
				t.Errorf("%d bytes are charged, %d taken", charged, taken)
			}
		})
	}
}
