package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var malformed = attack.Row{
	ID:    "A6",
	Title: "malformed binaries: cut, flipped, lying about sizes, out of order, invalid",
	Mutants: []string{
		"gate-section-order", "gate-section-known", "gate-section-whole", "gate-bodies", "gate-data-count", "gate-vector-limit",
		"gate-vector-fits", "gate-bytes-left", "gate-integer-range", "gate-integer-length", "gate-integer-fits", "gate-integer-skipped", "gate-names-text",
		"gate-type-index", "gate-export-index", "gate-export-once", "gate-start-index", "gate-start-type", "gate-mutability",
		"gate-element-form", "gate-data-form", "gate-constants", "gate-constant-single", "gate-body-end", "gate-limits-order", "gate-valid", "gate-memory-count",
		"gate-segment-memory", "gate-element-kind",
		"gate-custom-sections", "gate-elements", "gate-exports", "gate-functions", "gate-globals", "gate-import-count", "gate-local-runs", "gate-memories", "gate-module-size", "gate-name-escaped", "gate-name-length", "gate-segments", "gate-tables", "gate-types", "gate-values", "meter-start",
	},
	Run: func(r *attack.Report) {
		whole := everything()
		r.Variant("the control: the whole module", func() error { return survives(whole, true) })
		for n := range whole {
			if !r.Among(n, 5) {
				continue
			}
			r.Variant(fmt.Sprintf("cut after %d bytes", n), func() error { return refusedSomehow(whole[:n]) })
		}
		for i := range whole {
			for bit := range 8 {
				if !r.Among(8*i+bit, 25) {
					continue
				}
				r.Variant(fmt.Sprintf("byte %d, bit %d flipped", i, bit), func() error {
					flipped := bytes.Clone(whole)
					flipped[i] ^= 1 << bit
					return survives(flipped, false)
				})
			}
		}
		chance, n := rand.New(rand.NewPCG(6, 6)), 400
		switch {
		case r.Thorough:
			n = 20_000
		case r.First:
			n = 40
		}
		for i := range n {
			r.Variant(fmt.Sprintf("random change %d", i), func() error { return survives(changed(whole, chance), false) })
		}
		for name, c := range liesAndDisorder() {
			r.Variant(name, func() error { return refusedExactly(c.module, c.want) })
		}
		for name, module := range invalid() {
			r.Variant(name, func() error {
				_, err := target.Compile(target.Reset, module)
				return target.Refused(err, "compiling module: it is not valid WebAssembly 2.0 (a function body, constant or index is wrong)")
			})
		}
		throughCommand(r, "a count of four thousand million", raw(w.Section(1, w.U32(1<<32-1))),
			"gating module: type section at byte N: types: found 4294967295, limit 20000")
	},
}

// everything is a module with every section that there is.
func everything() []byte {
	m := &w.Module{}
	log := target.Import(m, "log")
	m.Import(target.WASI, "random_get", "ii", "i")
	m.Memory(w.Range(1, 4))
	m.Table(w.Range(8, 8))
	m.Global(7)
	m.GlobalOf(0x7d, 0, []byte{0x43, 0, 0, 0x80, 0x3f})
	m.Passive([]byte("passive"))
	m.Data(16, []byte("active"))
	call := m.FuncLocals("servlet_call", "", "i", []byte{2, 1, 0x7f, 2, 0x7e},
		w.Block(0x40, w.Get(0), w.BrIf(0), w.Get(0), []byte{0x0e, 1, 0, 0}),
		w.I32(0), w.I32(0), w.I32(3), w.Init(0), w.I32(1), w.I32(2), w.I32(3), w.Copy(),
		w.I32(1), w.I32(16), w.I32(6), w.Call(log), w.Drop(), w.I32(0), []byte{0x11, byte(m.TypeOf("", "")), 0}, w.I32(1))
	start := m.Func("", "", "", w.I64(9), w.Op(0x24, w.U32(0)))
	m.Start(start)
	offset, index, expr := w.Code(w.I32(0), []byte{0x0b}), []byte{1, byte(start)}, []byte{1, 0xd2, byte(call), 0x0b}
	m.Elements(w.Code([]byte{8},
		[]byte{0}, offset, index, []byte{1, 0}, index, []byte{2, 0}, offset, []byte{0}, index, []byte{3, 0}, index,
		[]byte{4}, offset, expr, []byte{5, 0x70}, expr, []byte{6, 0}, offset, []byte{0x70}, expr, []byte{7, 0x70}, expr))
	m.Custom("name", []byte("whatever"))
	return m.Bytes()
}

// changed writes over, inserts or drops a few bytes.
func changed(module []byte, chance *rand.Rand) []byte {
	out := bytes.Clone(module)
	for range 1 + chance.IntN(4) {
		at := 8 + chance.IntN(len(out)-8)
		wild := []byte{0, 0x7f, 0x80, 0xff, byte(chance.Uint32())}[chance.IntN(5)]
		switch chance.IntN(3) {
		case 0:
			out[at] = wild
		case 1:
			out = slices.Insert(out, at, wild)
		default:
			out = slices.Delete(out, at, at+1)
		}
	}
	return out
}

// survives wants a module refused or compiled, and nothing else: no panic, no fault of the host.
func survives(module []byte, want bool) error {
	admitted, err := target.Admit(module)
	if err != nil {
		if want {
			return err
		}
		return oneLine(err)
	}
	engine, err := target.Engine(target.Reset)
	if err != nil {
		return err
	}
	code, err := engine.Compile(context.Background(), admitted)
	if err != nil {
		if want || strings.Contains(err.Error(), "the compiler failed on it") {
			return err
		}
		return oneLine(err)
	}
	return code.Close(context.Background())
}

// oneLine wants an error to be one line that a terminal can be shown.
func oneLine(err error) error {
	for _, c := range err.Error() {
		if c < ' ' || c > '~' {
			return fmt.Errorf("refused with %.200q, which has more than plain text", err)
		}
	}
	return nil
}

// refusedSomehow wants a refusal, whatever it says.
func refusedSomehow(module []byte) error {
	_, err := target.Admit(module)
	if err == nil {
		return errors.New("admitted")
	}
	return oneLine(err)
}

// refusedExactly wants a refusal in these words, for little memory.
func refusedExactly(module []byte, want string) error {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := target.Admit(module)
	runtime.ReadMemStats(&after)
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<20+4*len(module)); took > most {
		return fmt.Errorf("refusing %d bytes took %d bytes of memory", len(module), took)
	}
	return target.Refused(err, "gating module: "+want)
}

// raw is a module of the given sections.
func raw(sections ...[]byte) []byte {
	return slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), slices.Concat(sections...))
}

// refusal is a module and how it has to be refused.
type refusal struct {
	want   string
	module []byte
}

// with is an honest module after change had its way with it.
func with(change func(m *w.Module)) []byte {
	return target.Guest(func(m *w.Module) [][]byte {
		change(m)
		return [][]byte{w.I32(1)}
	})
}

var (
	typeSection   = w.Section(1, []byte{1, 0x60, 0, 0}) // () -> ()
	memorySection = w.Section(5, []byte{1, 0, 1})
	endless5      = []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0} // one byte too long
)

func liesAndDisorder() map[string]refusal {
	huge := w.U32(1<<32 - 1)
	list := map[string]refusal{
		"nothing":                         {`not a WebAssembly module: it does not start with \0asm`, nil},
		"half a magic number":             {`not a WebAssembly module: it does not start with \0asm`, []byte("\x00as")},
		"a component":                     {"not a core module of version 1 (components are not supported)", []byte("\x00asm\x0d\x00\x01\x00")},
		"version 2":                       {"not a core module of version 1 (components are not supported)", []byte("\x00asm\x02\x00\x00\x00")},
		"no section":                      {"memories: found 0, want exactly 1 of the module's own", raw()},
		"an unknown section":              {"section id 77 is unknown", raw(w.Section(77, nil))},
		"a section of the future":         {"section id 14 is unknown", raw(w.Section(14, []byte{0}))},
		"two memory sections":             {"memory section is repeated or out of order", raw(memorySection, memorySection)},
		"a type section after the memory": {"type section is repeated or out of order", raw(memorySection, typeSection)},
		"code before the data count":      {"data count section is repeated or out of order", raw(typeSection, w.Section(10, []byte{0}), w.Section(12, []byte{0}))},
		"a section longer than the file":  {"section frame at byte N: truncated", raw([]byte{5, 9})},
		"a section of four gigabytes":     {"section frame at byte N: truncated", raw(append([]byte{5}, huge...))},
		"a section of more than 32 bits":  {"section frame at byte N: integer does not fit 32 bits", raw([]byte{5, 0xff, 0xff, 0xff, 0xff, 0x1f})},
		"a size that never ends":          {"section frame at byte N: integer does not fit 32 bits", raw(append([]byte{5}, endless5...))},
		"a custom section without a name": {"custom section at byte N: truncated", raw([]byte{0, 0})},
		"bytes after a section's content": {"memory section at byte N: 1 bytes are left over", raw(w.Section(5, []byte{1, 0, 1, 9}))},
		"a count beyond its section":      {"type section at byte N: types: 127 announced, but the section ends before", raw(w.Section(1, []byte{127}))},
		"a name that is not UTF-8":        {"import section at byte N: name is not UTF-8", raw(w.Section(2, []byte{1, 1, 0xff, 0}))},
		"a section's name in half a rune": {"custom section at byte N: name is not UTF-8", raw(w.Section(0, []byte{1, 0xc3}))},
		"an import of a new kind":         {"import section at byte N: import kind 4 is not one of WebAssembly 2.0", raw(w.Section(2, []byte{1, 0, 0, 4, 0}))},
		"an export of a new kind":         {"export section at byte N: export kind 9 is not one of WebAssembly 2.0", with(func(m *w.Module) { m.Export("x", 9, 0) })},
		"a function of an unknown type":   {"function section at byte N: type 1 does not exist; there are 1", raw(typeSection, w.Section(3, []byte{1, 1}))},
		"functions without bodies":        {"1 functions are declared, but 0 have a body", raw(typeSection, w.Section(3, []byte{1, 0}), memorySection)},
		"a body without a function":       {"0 functions are declared, but 1 have a body", raw(memorySection, w.Section(10, []byte{1, 2, 0, 0x0b}))},
		"a body without an end":           {"code section function body 0 at byte N: truncated", raw(w.Section(10, []byte{1, 2, 0, 1}))},
		"code after a body's end":         {"code section function body 0 at byte N: instructions after the function's end", with(func(m *w.Module) { m.Func("", "", "", []byte{0x0b, 1}) })},
		"an export of nothing":            {`export section at byte N: export "x": index 9 does not exist`, with(func(m *w.Module) { m.Export("x", 0, 9) })},
		"an export of index 2^32-1":       {`export section at byte N: export "x": index 4294967295 does not exist`, with(func(m *w.Module) { m.Export("x", 3, 1<<32-1) })},
		"one export twice":                {`export section at byte N: export "memory" appears twice`, with(func(m *w.Module) { m.Export("memory", 2, 0) })},
		"a start function that is not":    {"start section at byte N: function 9 does not exist", with(func(m *w.Module) { m.Start(9) })},
		"a start function with values":    {"start section at byte N: the start function takes or returns values", with(func(m *w.Module) { m.Start(m.Func("", "i", "")) })},
		"a global that may change twice":  {"global section at byte N: global mutability 0x02", with(func(m *w.Module) { m.GlobalOf(0x7f, 2, w.I32(0)) })},
		"a global of two constants":       {"global section at byte N: a constant expression has 2 instructions; 1 is allowed", with(func(m *w.Module) { m.GlobalOf(0x7f, 0, w.Code(w.I32(0), w.I32(0))) })},
		"a global that calls":             {"global section at byte N: opcode 0x10 in a constant expression", with(func(m *w.Module) { m.GlobalOf(0x7f, 0, w.Call(0)) })},
		"a global that never ends":        {"global section at byte N: integer is too long", with(func(m *w.Module) { m.GlobalOf(0x7f, 0, append([]byte{0x41}, endless5...)) })},
		"an element segment of a form 8":  {"element section at byte N: element segment form 8", raw(w.Section(9, []byte{1, 8}))},
		"an element of another kind":      {"element section at byte N: element kind 0x01", raw(w.Section(9, []byte{1, 1, 1, 0}))},
		"a data segment of a form 3":      {"data section at byte N: data segment form 3", raw(w.Section(11, []byte{1, 3, 0, 0}))},
		"data in another memory":          {"data section at byte N: memory 1 does not exist", raw(w.Section(11, append([]byte{1, 2, 1}, w.Code(w.I32(0), []byte{0x0b, 0})...)))},
		"another number of data segments": {"3 data segments are announced, but 0 exist", raw(memorySection, w.Section(12, []byte{3}))},
		"a maximum below its minimum":     {"memory section at byte N: memory: maximum 1 is below its minimum 2", raw(w.Section(5, w.Code([]byte{1}, w.Range(2, 1))))},
		"a constant of 33 bits":           {"code section function body 0 at byte N: integer does not fit its type", with(func(m *w.Module) { m.Func("", "", "", []byte{0x41, 0x80, 0x80, 0x80, 0x80, 0x47}) })},
		"a constant too long":             {"code section function body 0 at byte N: integer is too long", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x41}, endless5...)) })},
		"an offset too long":              {"code section function body 0 at byte N: integer is too long", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x28, 2}, endless5...)) })},
		"a block type too long":           {"code section function body 0 at byte N: integer is too long", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x02}, endless5...)) })},
		"a label too long":                {"code section function body 0 at byte N: integer does not fit 32 bits", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x0c}, endless5...)) })},
		"data beyond its section":         {"data section at byte N: truncated", raw(w.Section(11, w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b}, huge)))},
		"a body beyond its section":       {"code section at byte N: truncated", raw(w.Section(10, []byte{1, 100, 0}))},
	}
	for section, c := range map[byte]string{
		1: "type section at byte N: types: found 4294967295, limit 20000", 2: "import section at byte N: imports: found 4294967295, limit 1000",
		3: "function section at byte N: functions: found 4294967295, limit 50000", 4: "table section at byte N: tables: found 4294967295, limit 1",
		5: "memory section at byte N: memories: found 4294967295, limit 1", 6: "global section at byte N: globals: found 4294967295, limit 10000",
		7: "export section at byte N: exports: found 4294967295, limit 10000", 9: "element section at byte N: element segments: found 4294967295, limit 10000",
		10: "code section at byte N: function bodies: found 4294967295, limit 50000", 11: "data section at byte N: data segments: found 4294967295, limit 500000",
	} {
		list[fmt.Sprintf("a count of 2^32-1 in section %d", section)] = refusal{c, raw(w.Section(section, huge))}
	}
	for name, c := range map[string]refusal{
		"parameters":            {"type section at byte N: parameters: found 4294967295, limit 1000", raw(w.Section(1, append([]byte{1, 0x60}, huge...)))},
		"results":               {"type section at byte N: results: found 4294967295, limit 1000", raw(w.Section(1, append([]byte{1, 0x60, 0}, huge...)))},
		"bytes of a name":       {"import section at byte N: name: found 4294967295 bytes, limit 1024", raw(w.Section(2, append([]byte{1}, huge...)))},
		"items of a segment":    {"element section at byte N: items of element segments: found 4294967295, limit 65536", raw(w.Section(9, w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b}, huge)))},
		"runs of locals":        {"code section function body 0 at byte N: runs of locals: found 4294967295, limit 10000", raw(w.Section(10, append([]byte{1, 5}, huge...)))},
		"targets of a switch":   {"code section function body 0 at byte N: targets of br_table: found 4294967295, limit 2147483648", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x0e}, huge...)) })},
		"types of a select":     {"code section function body 0 at byte N: types of select: found 4294967295, limit 1000", with(func(m *w.Module) { m.Func("", "", "", append([]byte{0x1c}, huge...)) })},
		"bytes of another name": {"export section at byte N: name: found 4294967295 bytes, limit 1024", raw(w.Section(7, append([]byte{1}, huge...)))},
	} {
		list["2^32-1 "+name] = c
	}
	return list
}

// invalid are modules whose form is right and whose meaning is wrong. The most dangerous would become valid by being
// metered: the first global after the module's own is the fuel counter.
func invalid() map[string][]byte {
	const most = 1<<63 - 1
	body := func(code ...[]byte) []byte {
		return with(func(m *w.Module) { m.Global(1); m.Func("", "", "", code...) })
	}
	return map[string][]byte{
		"refills the fuel counter":            body(w.I64(most), w.Op(0x24, w.U32(1))),
		"refills the depth counter":           body(w.I32(1<<30), w.Op(0x24, w.U32(2))),
		"calls the function behind its last":  body(w.Call(2)),
		"calls a helper of the meter":         body(w.I32(0), w.I32(0), w.I32(0), w.Call(3)),
		"leaves a value":                      body(w.I32(1)),
		"adds nothing to nothing":             body(w.Add(), w.Drop()),
		"writes an i32 into an i64 global":    body(w.I32(1), w.Op(0x24, w.U32(0))),
		"reads a local that it does not have": body(w.Get(7), w.Drop()),
		"branches out of the function":        body(w.Br(5)),
		"branches to 2^32-1":                  body(w.Br(1<<32 - 1)),
		"initialises from a missing segment":  body(w.I32(0), w.I32(0), w.I32(0), w.Init(3)),
		"grows a table that is not there":     body([]byte{0xd0, 0x70}, w.I32(1), []byte{0xfc, 15, 0}, w.Drop()),
		"calls through a table of nothing":    body(w.I32(0), []byte{0x11, 0, 0}),
		"takes a reference to an undeclared":  body([]byte{0xd2, 0}, w.Drop()),
		"has a block of an unknown type":      body([]byte{0x02, 0x20, 0x0b}),
		"aligns a load beyond its size":       body(w.I32(0), []byte{0x28, 9, 0}, w.Drop()),
		"has an else without an if":           body([]byte{0x02, 0x40, 0x05, 0x0b}),
		"has an else in the function itself":  body([]byte{0x05}),
		"puts an i64 where an offset belongs": with(func(m *w.Module) {
			m.Table(w.AtLeast(1))
			m.Elements(w.Code([]byte{1, 0}, w.I64(0), []byte{0x0b, 1, 0}))
		}),
		"names a function that does not exist": with(func(m *w.Module) {
			m.Table(w.AtLeast(1))
			m.Elements(w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b, 1, 99}))
		}),
		"starts a global from a later one": with(func(m *w.Module) { m.GlobalOf(0x7f, 0, []byte{0x23, 1}); m.GlobalOf(0x7f, 0, w.I32(0)) }),
	}
}
