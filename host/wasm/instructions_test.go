package wasm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// badInstructions are bodies that the gate must refuse.
func badInstructions() (list []refusal) {
	table := func(targets int) []byte {
		return w.Block(0x40, w.I32(0), w.Op(0x0e, w.U32(uint32(targets-1)), make([]byte, targets)))
	}
	nested := func(n int) []byte {
		return w.Code(bytes.Repeat([]byte{0x02, 0x40}, n), bytes.Repeat([]byte{0x0b}, n))
	}
	cases := []struct {
		name, want string
		body       []byte
	}{
		{"try", "opcode 0x06: exceptions: not allowed", w.Op(0x06, []byte{0x40})},
		{"throw", "opcode 0x08: exceptions: not allowed", w.Op(0x08, []byte{0})},
		{"try_table", "opcode 0x1f: exceptions: not allowed", w.Op(0x1f, []byte{0x40, 0})},
		{"return_call", "opcode 0x12: tail calls: not allowed", w.Op(0x12, []byte{0})},
		{"return_call_indirect", "opcode 0x13: tail calls: not allowed", w.Op(0x13, []byte{0, 0})},
		{"call_ref", "opcode 0x14: typed function references: not allowed", w.Op(0x14, []byte{0})},
		{"br_on_null", "opcode 0xd5: typed function references: not allowed", w.Op(0xd5, []byte{0})},
		{"ref.eq", "opcode 0xd3: garbage collection: not allowed", w.Op(0xd3)},
		{"struct.new", "opcode 0xfb: garbage collection: not allowed", w.Op(0xfb, []byte{0, 0})},
		{"an atomic access", "opcode 0xfe: threads: not allowed", w.Op(0xfe, []byte{0x10, 2, 0})},
		{"relaxed SIMD", "opcode 0xfd 256: relaxed SIMD is not allowed", w.Op(0xfd, []byte{0x80, 2})},
		// A runtime reads one byte of the number: the next would begin an instruction that nobody metered.
		{"a vector instruction in a longer form", "the number of a vector instruction is not in its shortest form",
			w.Code(w.I32(0), w.Op(0xfd, []byte{0x8c, 0}), []byte{0x0b, 0x03, 0x40, 0x0c, 0, 0x0b, 0x02, 0x40}, bytes.Repeat([]byte{1}, 8))},
		{"a block of a typed reference", "block type 0x63 is not one of WebAssembly 2.0", w.Op(0x02, []byte{0x63, 0x28, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b})},
		{"a block of a reference that cannot be null", "block type 0x64 is not one of WebAssembly 2.0", w.Op(0x02, []byte{0x64, 0x28, 0x0b})},
		{"a block of a value in a longer form", "a block type is not in its shortest form", w.Op(0x02, []byte{0xff, 0x7f, 0x0b})},
		{"a block of nothing in a longer form", "a block type is not in its shortest form", w.Op(0x02, []byte{0xc0, 0x7f, 0x0b})},
		{"memory.discard", "opcode 0xfc 18 is not one of WebAssembly 2.0", w.Op(0xfc, []byte{18, 0})},
		{"an opcode that nobody uses", "opcode 0xff is not one of WebAssembly 2.0", w.Op(0xff)},
		{"a load from another memory", "an access to another memory; multi-memory is not allowed", w.Op(0x28, []byte{0x42, 1, 0})},
		{"a vector load from another memory", "an access to another memory; multi-memory is not allowed", w.Op(0xfd, []byte{0, 0x44, 1, 0})},
		{"memory.grow of another memory", "memory.size or memory.grow of another memory; multi-memory is not allowed", w.Op(0x40, []byte{1})},
		{"memory.fill of another memory", "a bulk operation on another memory; multi-memory is not allowed", w.Op(0xfc, []byte{11, 1})},
		{"memory.copy to another memory", "a bulk operation on another memory; multi-memory is not allowed", w.Op(0xfc, []byte{10, 0, 1})},
		{"memory.init of another memory", "a bulk operation on another memory; multi-memory is not allowed", w.Op(0xfc, []byte{8, 0, 1})},
		{"select of too many types", "types of select: found 1001, limit 1000", w.Op(0x1c, w.U32(1001))},
		{"select of an unknown type", "value type 0x64 is not one of WebAssembly 2.0", w.Op(0x1c, []byte{1, 0x64})},
		{"a null of an unknown type", "reference type 0x64 is not one of WebAssembly 2.0", w.Op(0xd0, []byte{0x64})},
		{"a constant of 33 bits", "integer does not fit its type", w.Op(0x41, []byte{0x80, 0x80, 0x80, 0x80, 0x47})},
		{"a constant of 65 bits", "integer does not fit its type", w.Op(0x42, bytes.Repeat([]byte{0x80}, 9), []byte{0x41})},
		{"a local of 33 bits", "integer does not fit its type", w.Op(0x20, []byte{0x80, 0x80, 0x80, 0x80, 0x10})},
		{"an offset of 33 bits", "integer does not fit its type", w.Op(0x28, []byte{2, 0x80, 0x80, 0x80, 0x80, 0x10})},
		{"a constant that never ends", "integer is too long", w.Op(0x41, bytes.Repeat([]byte{0x80}, 5), []byte{0})},
		{"an offset that never ends", "integer is too long", w.Op(0x28, []byte{2}, bytes.Repeat([]byte{0x80}, 5), []byte{0})},
		{"code after the end", "instructions after the function's end", w.Op(0x0b, []byte{1})},
		{"blocks nested too deep", "nesting: found more than the limit 2000", nested(2_001)},
		{"a switch too wide", "targets of br_table: found 16385, limit 16384", table(16_385)},
		{"switches too wide together", "targets of br_table: found 16385, limit 16384", w.Code(table(16_000), table(385))},
		{"targets that lie", "targets of br_table: found 4294967295, limit 2147483648", w.Op(0x0e, w.U32(1<<32-1))},
		{"twenty thousand branches", "blocks and branches: found 40008, limit 10000", bytes.Repeat(w.Code(w.I32(0), w.BrIf(0)), 20_000)},
		{"too many calls through the table", "weight of its instructions: found 1498000, limit 800000", bytes.Repeat(w.Code(w.I32(0), w.Op(0x11, []byte{0, 0})), 14_000)},
	}
	for _, c := range cases {
		list = append(list, refusal{c.name, "code section function body 1 at byte N: " + c.want, good(func(m *w.Module) { m.Func("", "", "", c.body) })})
	}
	return list
}

// What lies just below the limits that the rows above break passes.
func TestGateAdmitsInstructions(t *testing.T) {
	cases := map[string]func(m *w.Module){
		"deep nesting": func(m *w.Module) {
			m.Func("", "", "", bytes.Repeat([]byte{0x02, 0x40}, 2_000), bytes.Repeat([]byte{0x0b}, 2_000))
		},
		"a wide switch": func(m *w.Module) {
			m.Func("", "", "", w.Block(0x40, w.I32(0), w.Op(0x0e, w.U32(16_383), make([]byte, 16_384))))
		},
		"many branches": func(m *w.Module) { m.Func("", "", "", bytes.Repeat(w.Code(w.I32(0), w.BrIf(0)), 4_996)) },
		"many calls": func(m *w.Module) {
			m.Table(w.AtLeast(1))
			m.Func("", "", "", bytes.Repeat(w.Code(w.I32(0), w.Op(0x11, []byte{0, 0})), 7_000))
		},
		"vectors": func(m *w.Module) {
			m.Func("", "", "", w.Op(0xfd, []byte{12}, make([]byte, 16)), w.Op(0xfd, []byte{21, 15}), w.Drop(),
				w.I32(0), w.Op(0xfd, []byte{84, 0, 0, 3}), w.Op(0xfd, []byte{0xff, 1}), w.Drop())
		},
		"long forms of integers": func(m *w.Module) {
			m.Func("", "", "", w.Op(0x41, []byte{0x80, 0x80, 0x80, 0x80, 0}), w.Op(0x28, []byte{0x82, 0}, []byte{0x80, 0x80, 0x80, 0x80, 0}), w.Drop())
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := wasm.Gate(good(change), rules()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Locals that are many, and globals that are reloaded after calls, cost a compiler as much as branches.
func TestGateBoundsProducts(t *testing.T) {
	branches := func(n int) []byte { return bytes.Repeat(w.Code(w.I32(0), w.BrIf(0)), n) }
	locals := func(n int) []byte { return w.Code([]byte{1}, w.U32(uint32(n)), []byte{wasm.I32}) }
	const joined = "locals and mutable globals x blocks"
	passes := func(m *w.Module, values, calls int) {
		types := strings.Repeat("i", values)
		f := m.Func("", types, types, w.Unreachable())
		m.Func("", types, types, w.Unreachable(), bytes.Repeat(w.Call(f), calls))
	}
	globals := func(m *w.Module, n int) {
		for range n {
			m.Global(0)
		}
	}
	cases := []struct {
		name   string
		admit  bool
		rule   string
		change func(m *w.Module)
	}{
		// Four values more change in every function: what metering adds, and where the memory is.
		{"246 locals x 1000 branches", true, joined, func(m *w.Module) { m.FuncLocals("", "", "", locals(246), branches(1000)) }},
		{"247 locals x 1000 branches", false, joined, func(m *w.Module) { m.FuncLocals("", "", "", locals(247), branches(1000)) }},
		{"246 parameters x 1001 branches", false, joined, func(m *w.Module) { m.Func("", strings.Repeat("i", 246), "", branches(1001)) }},
		{"246 globals x 1000 branches", true, joined, func(m *w.Module) { globals(m, 246); m.Func("", "", "", branches(1000)) }},
		{"247 globals x 1000 branches", false, joined, func(m *w.Module) { globals(m, 247); m.Func("", "", "", branches(1000)) }},
		{"247 results x 1000 branches", false, joined, func(m *w.Module) {
			m.Func("", "", strings.Repeat("i", 247), w.Unreachable(), branches(1000))
		}},
		{"1000 globals x 499 calls, and one for the function", true, "mutable globals x calls", func(m *w.Module) { globals(m, 1000); m.Func("", "", "", bytes.Repeat(w.Call(0), 499)) }},
		{"1000 globals x 500 calls, and one for the function", false, "mutable globals x calls", func(m *w.Module) { globals(m, 1000); m.Func("", "", "", bytes.Repeat(w.Call(0), 500)) }},
		{"10 values passed and returned by 6000 calls", true, "", func(m *w.Module) { passes(m, 10, 6000) }},
		{"100 values passed and returned by 1000 calls", false, "weight of its instructions", func(m *w.Module) { passes(m, 100, 1000) }},
		{"block types of 300 values x 1000 branches", false, joined, func(m *w.Module) {
			m.Func("", strings.Repeat("i", 300), "")
			wide := byte(m.TypeOf(strings.Repeat("i", 300), ""))
			m.Func("", "", "", w.Unreachable(), w.Block(wide), branches(1000))
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := wasm.Gate(good(c.change), rules())
			if (err == nil) != c.admit || err != nil && !strings.Contains(err.Error(), c.rule+": found") {
				t.Error(err)
			}
		})
	}
}

// loadsInFunctions has n functions, each of which passes.
func loadsInFunctions(n int) []byte {
	return good(func(m *w.Module) {
		for range n {
			m.Func("", "", "", bytes.Repeat(w.Code(w.I32(0), w.Load32(), w.Drop()), 30_000))
		}
	})
}

// Functions that pass one by one are too much in sum; a larger class takes more of them.
func TestGateBoundsTheSum(t *testing.T) {
	if _, err := wasm.Gate(loadsInFunctions(48), rules()); err != nil {
		t.Error(err)
	}
	large := rules()
	large.Class = wasm.ClassRuntime
	if _, err := wasm.Gate(loadsInFunctions(49), large); err != nil {
		t.Error(err)
	}
}

// A module that exports a name of the meter's could pass its own counter off as the fuel.
func TestGateKeepsNamesForTheMeter(t *testing.T) {
	for _, name := range []string{wasm.FuelExport, wasm.StackExport, wasm.StartExport, wasm.GlobalExport + "0", "writ.anything"} {
		_, err := wasm.Gate(good(func(m *w.Module) { m.Func(name, "", "") }), rules())
		if want := fmt.Sprintf("gating module: export %q: names that start with \"writ.\" are reserved", name); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := wasm.Gate(imports(func(m *w.Module) { m.Import(wasm.YieldModule, wasm.YieldName, "", "") }), rules()); err == nil {
		t.Error("the import of yield is admitted")
	}
}
