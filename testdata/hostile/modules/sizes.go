package modules

import (
	"bytes"
	"strings"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var sizes = attack.Row{
	ID:    "A16",
	Title: "modules that take a compiler minutes or gigabytes: too many, too long, too deep, too wide, too much in sum",
	Mutants: []string{
		"gate-module-size", "gate-types", "gate-values", "gate-import-count", "gate-local-runs", "gate-globals", "gate-exports", "gate-segments",
		"gate-kept", "gate-all-values", "gate-elements", "gate-name-length", "gate-functions", "gate-body", "gate-locals", "gate-all-locals", "gate-nesting", "gate-targets",
		"gate-blocks", "gate-frame", "gate-references", "gate-products", "gate-reloads", "gate-weight", "gate-effort",
		"gate-bytes-left", "gate-vector-limit", "meter-depth-frames",
	},
	Run: func(r *attack.Report) {
		for name, c := range oversized() {
			r.Variant(name, func() error { return refusedExactly(c.module, c.want) })
		}
		for name, module := range justAllowed() {
			r.Variant("the control: "+name, func() error {
				_, err := target.Admit(module)
				return err
			})
		}
	},
}

// Pieces of code that make a function large.
var (
	branch = w.Code(w.I32(0), w.BrIf(0))
	nop    = []byte{0x01}
	load   = w.Code(w.I32(0), w.Load32(), w.Drop())
)

func locals(n uint32) []byte { return w.Code([]byte{1}, w.U32(n), []byte{0x7f}) }

// body is a module with one function more.
func body(code ...[]byte) []byte { return with(func(m *w.Module) { m.Func("", "", "", code...) }) }

func nested2(n int) []byte {
	return w.Code(bytes.Repeat([]byte{0x02, 0x40}, n), bytes.Repeat([]byte{0x0b}, n))
}

// wide is a switch of so many targets, the default included.
func wide(targets int) []byte {
	return w.Block(0x40, w.I32(0), w.Op(0x0e, w.U32(uint32(targets-1)), make([]byte, targets)))
}

// repeated is a module in which something was done n times.
func repeated(n int, do func(m *w.Module)) []byte {
	return with(func(m *w.Module) {
		for range n {
			do(m)
		}
	})
}

// vector is a section of n equal entries.
func vector(id byte, n int, entry ...byte) []byte {
	return w.Section(id, w.Code(w.U32(uint32(n)), bytes.Repeat(entry, n)))
}

func oversized() map[string]refusal {
	const inBody = "code section function body 0 at byte N: "
	global := func(m *w.Module) { m.Global(0) }
	return map[string]refusal{
		"64 MiB and a byte": {"module size: found 67108865 bytes, limit 67108864", append(raw(), make([]byte, 64<<20-7)...)},
		"20,001 types":      {"type section at byte N: types: found 20001, limit 20000", raw(vector(1, 20_001, 0x60, 0, 0))},
		"1,001 parameters":  {"type section at byte N: parameters: found 1001, limit 1000", with(func(m *w.Module) { m.Func("", strings.Repeat("i", 1001), "") })},
		"1,001 results":     {"type section at byte N: results: found 1001, limit 1000", with(func(m *w.Module) { m.TypeOf("", strings.Repeat("i", 1001)) })},
		"1,001 imports":     {"import section at byte N: imports: found 1001, limit 1000", importing(func(m *w.Module) { manyImports(m, 1001) })},
		"10,001 runs of locals": {inBody + "runs of locals: found 10001, limit 10000", with(func(m *w.Module) {
			m.FuncLocals("", "", "", w.Code(w.U32(10_001), bytes.Repeat([]byte{1, 0x7f}, 10_001)))
		})},
		"10,001 globals":        {"global section at byte N: globals: found 10001, limit 10000", repeated(10_001, global)},
		"10,001 exports":        {"export section at byte N: exports: found 10001, limit 10000", raw(vector(7, 10_001, 0, 0, 0))},
		"500,001 data segments": {"data section at byte N: data segments: found 500001, limit 500000", raw(vector(11, 500_001, 1, 0))},
		"10,001 data segments and memory.init": {"data segments of a module that has memory.init or data.drop: found 10001, limit 10000", with(func(m *w.Module) {
			repeat(10_001, func() { m.Passive(nil) })
			m.Func("", "", "", w.I32(0), w.I32(0), w.I32(0), w.Init(0))
		})},
		"201,000 parameters of all types": {"type section at byte N: parameters and results of all types so far: found 201000, limit 200000", raw(vector(1, 201, w.Code([]byte{0x60}, w.U32(1000), bytes.Repeat([]byte{0x7f}, 1000), []byte{0})...))},
		"10,001 element segments":         {"element section at byte N: element segments: found 10001, limit 10000", raw(vector(9, 10_001, 1, 0, 0))},
		"65,537 elements":                 {"element section at byte N: items of element segments: found 65537, limit 65536", raw(w.Section(9, w.Code([]byte{1, 1, 0}, w.U32(65_537), make([]byte, 65_537))))},
		"65,537 elements in two parts":    {"element section at byte N: items of element segments: found 32769, limit 32768", raw(w.Section(9, w.Code([]byte{2, 1, 0}, w.U32(32_768), make([]byte, 32_768), []byte{1, 0}, w.U32(32_769), make([]byte, 32_769))))},
		"a name of 1,025 bytes":           {"export section at byte N: name: found 1025 bytes, limit 1024", with(func(m *w.Module) { m.Func(strings.Repeat("x", 1025), "", "") })},
		"50,001 functions":                {"function section at byte N: functions: found 50001, limit 50000", raw(typeSection, vector(3, 50_001, 0))},
		"a million functions":             {"function section at byte N: functions: found 1000000, limit 50000", raw(typeSection, vector(3, 1_000_000, 0))},
		"a body of 1 MiB and a byte":      {"code section at byte N: function body 0: found 1048577 bytes, limit 1048576", body(bytes.Repeat(nop, 1<<20-1))},
		"10,001 locals":                   {inBody + "locals: found 10001, limit 10000", with(func(m *w.Module) { m.FuncLocals("", "", "", locals(10_001)) })},
		"100 million locals":              {inBody + "locals: found 100000000, limit 10000", with(func(m *w.Module) { m.FuncLocals("", "", "", locals(100_000_000)) })},
		"2^32-1 locals twice": {inBody + "locals: found 4294967295, limit 10000", with(func(m *w.Module) {
			m.FuncLocals("", "", "", w.Code([]byte{2}, locals(1<<32 - 1)[1:], locals(1<<32 - 1)[1:]))
		})},
		"5,010,000 locals in sum":      {"code section function body 500 at byte N: locals of all functions so far: found 5010000, limit 5000000", repeated(501, func(m *w.Module) { m.FuncLocals("", "", "", locals(10_000)) })},
		"2,001 blocks in each other":   {inBody + "nesting: found more than the limit 2000", body(nested2(2001))},
		"100,000 blocks in each other": {inBody + "nesting: found more than the limit 2000", body(nested2(100_000))},
		"a switch of 16,385 targets":   {inBody + "targets of br_table: found 16385, limit 16384", body(wide(16_385))},
		"two switches of 16,385":       {inBody + "targets of br_table: found 16385, limit 16384", body(wide(16_000), wide(385))},
		"20,000 branches":              {inBody + "blocks and branches: found 40008, limit 10000", body(bytes.Repeat(branch, 20_000))},
		"247 locals x 1,000 branches":  {inBody + "locals and mutable globals x blocks: found 502000, limit 500000", with(func(m *w.Module) { m.FuncLocals("", "", "", locals(247), bytes.Repeat(branch, 1000)) })},
		"1,000 globals x 500 calls": {inBody + "mutable globals x calls: found 501000, limit 500000", with(func(m *w.Module) {
			repeat(1000, func() { global(m) })
			m.Func("", "", "", bytes.Repeat(w.Call(0), 500))
		})},
		"a frame above 4 MiB":           {inBody + "bytes of stack that one call of it may take: found 4308432, limit 4194304", with(func(m *w.Module) { m.FuncLocals("", "", "", locals(240), nested2(2000), bytes.Repeat(load, 5000)) })},
		"references of 1,001 functions": {"code section function body 1001 at byte N: functions that ref.func names: found more than the limit 1000", referring(1001)},
		"14,000 calls through a table":  {inBody + "weight of its instructions: found 1288000, limit 800000", body(bytes.Repeat(w.Code(w.I32(0), w.Op(0x11, []byte{0, 0})), 14_000))},
		"49 functions of 30,000 loads":  {"code section function body 48 at byte N: effort of compiling all functions so far: found 67032147, limit 66000000", repeated(49, func(m *w.Module) { m.Func("", "", "", bytes.Repeat(load, 30_000)) })},
	}
}

// justAllowed are at the limits.
func justAllowed() map[string][]byte {
	return map[string][]byte{
		"1,000 parameters":            with(func(m *w.Module) { m.Func("", strings.Repeat("i", 1000), "") }),
		"10,000 globals":              repeated(10_000, func(m *w.Module) { m.Global(0) }),
		"a body of 1 MiB":             body(bytes.Repeat(nop, 1<<20-2)),
		"10,000 locals":               with(func(m *w.Module) { m.FuncLocals("", "", "", locals(10_000)) }),
		"2,000 blocks in each other":  body(nested2(2000)),
		"a switch of 16,384 targets":  body(wide(16_384)),
		"4,996 branches":              body(bytes.Repeat(branch, 4996)),
		"246 locals x 1,000 branches": with(func(m *w.Module) { m.FuncLocals("", "", "", locals(246), bytes.Repeat(branch, 1000)) }),
		"8,000 calls through a table": with(func(m *w.Module) {
			m.Table(w.AtLeast(1))
			m.Func("", "", "", bytes.Repeat(w.Code(w.I32(0), w.Op(0x11, []byte{0, 0})), 8000))
		}),
		"48 functions of 30,000 loads":  repeated(48, func(m *w.Module) { m.Func("", "", "", bytes.Repeat(load, 30_000)) }),
		"references of 1,000 functions": referring(1000),
		"a name of 1,024 bytes":         with(func(m *w.Module) { m.Func(strings.Repeat("x", 1024), "", "") }),
	}
}

// referring is a module that names n functions for references.
func referring(n int) []byte {
	return with(func(m *w.Module) {
		repeat(n, func() { m.Func("", "", "") })
		var refs, items []byte
		for i := range n {
			refs, items = append(refs, w.Code([]byte{0xd2}, w.U32(uint32(i)), w.Drop())...), append(items, w.U32(uint32(i))...)
		}
		m.Elements(w.Code([]byte{1, 3, 0}, w.U32(uint32(n)), items)) // declared
		m.Func("", "", "", refs)
	})
}

func repeat(n int, do func()) {
	for range n {
		do()
	}
}
