package wasm_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// refusal is a module that must be refused, with the error's text: rule, limit, what was found.
type refusal struct {
	name, want string
	module     []byte
}

// refusals are rows for every rule of the gate but those about instructions: see badInstructions.
func refusals() []refusal {
	return []refusal{
		{"nothing", `not a WebAssembly module: it does not start with \0asm`, nil},
		{"a script", `not a WebAssembly module: it does not start with \0asm`, []byte("#!/bin/sh\n")},
		{"a component", "not a core module of version 1 (components are not supported)", []byte("\x00asm\x0d\x00\x01\x00")},
		{"an empty module", "memories: found 0, want exactly 1 of the module's own", []byte("\x00asm\x01\x00\x00\x00")},
		{"a module too large", "module size: found 67108865 bytes, limit 67108864", make([]byte, 64<<20+1)},
		{"unknown imports", `imports that are not allowed: "\x1b[2J".x (unknown), env.exec (unknown), writ1.shell (unknown)`,
			imports(func(m *w.Module) {
				m.Import("writ1", "shell", "", "")
				m.Import("env", "exec", "i", "i")
				m.Import("\x1b[2J", "x", "", "")
			})},
		{"an import with another signature", "imports that are not allowed: writ1.log (has the signature (i32 i64) -> (), want (i32 i32) -> i32)",
			imports(func(m *w.Module) { m.Import("writ1", "log", "iI", "") })},
		{"imports that are no functions", "imports that are not allowed: env.g (a global; only functions may be imported), env.m (a memory; only functions may be imported), env.t (a table; only functions may be imported)",
			imports(func(m *w.Module) {
				m.ImportRaw("env", "m", 2, 0, 1)
				m.ImportRaw("env", "t", 1, 0x70, 0, 1)
				m.ImportRaw("env", "g", 3, wasm.I32, 0)
			})},
		{"a memory imported beside the own", "imports that are not allowed: env.m (a memory; only functions may be imported)",
			imports(func(m *w.Module) { m.ImportRaw("env", "m", 2, 0, 1) })},
		{"no required export", `export "call" () -> i32 is missing`, with(func(m *w.Module) { m.Memory(w.AtLeast(1)) })},
		{"a required export with another signature", `export "call" has the signature (i32) -> i32, want () -> i32`,
			with(func(m *w.Module) { m.Memory(w.AtLeast(1)); m.Func("call", "i", "i", w.I32(0)) })},
		{"a required export that is no function", `export "call" is not a function`,
			with(func(m *w.Module) { m.Memory(w.AtLeast(1)); m.Export("call", 2, 0) })},
		{"an optional export with another signature", `export "_initialize" has the signature () -> i32, want () -> ()`,
			good(func(m *w.Module) { m.Func("_initialize", "", "i", w.I32(0)) })},
		{"a memory that is not exported", `export "memory" is missing: the module has to export its memory under this name`,
			raw(w.Section(5, []byte{1, 0, 1}))},
		{"two memories", "memory section at byte N: memories: found 2, limit 1", raw(w.Section(5, []byte{2, 0, 1, 0, 1}))},
		{"a 64-bit memory", "memory section at byte N: memory: 64-bit or unknown limits (flags 0x04); only 32-bit ones are allowed", raw(w.Section(5, []byte{1, 4, 1}))},
		{"a shared memory", "memory section at byte N: memory is shared; threads are not allowed", raw(w.Section(5, []byte{1, 3, 1, 1}))},
		{"a memory above its limit", "memory: found a minimum of 17 pages of 64 KiB, limit 16", with(func(m *w.Module) { m.Memory(w.AtLeast(17)); m.Func("call", "", "i", w.I32(0)) })},
		{"a memory above 4 GiB", "memory section at byte N: memory: 65537 to 65536 pages; a 32-bit memory has at most 65536", raw(w.Section(5, w.Code([]byte{1}, w.AtLeast(65_537))))},
		{"a maximum below its minimum", "memory section at byte N: memory: maximum 1 is below its minimum 2", raw(w.Section(5, w.Code([]byte{1}, w.Range(2, 1))))},
		{"two tables", "table section at byte N: tables: found 2, limit 1", raw(w.Section(4, []byte{2, 0x70, 0, 1, 0x70, 0, 1}))},
		{"a table that starts too large", "table section at byte N: table entries: found a minimum of 100000000, limit 65536", good(func(m *w.Module) { m.Table(w.AtLeast(100_000_000)) })},
		{"exceptions", "tag section at byte N: exceptions are not allowed", raw(w.Section(13, []byte{0}))},
		{"garbage collected types", "type section at byte N: type form 0x5f; only function types are allowed", raw(w.Section(1, []byte{1, 0x5f}))},
		{"an unknown value type", "type section at byte N: value type 0x64 is not one of WebAssembly 2.0", raw(w.Section(1, []byte{1, 0x60, 1, 0x64, 0}))},
		{"an unknown section", "section id 77 is unknown", raw(w.Section(77, nil))},
		{"a repeated section", "memory section is repeated or out of order", raw(w.Section(5, []byte{1, 0, 1}), w.Section(5, []byte{1, 0, 1}))},
		{"sections out of order", "table section is repeated or out of order", raw(w.Section(5, []byte{1, 0, 1}), w.Section(4, []byte{1, 0x70, 0, 1}))},
		{"bytes after a section's content", "memory section at byte N: 1 bytes are left over", raw(w.Section(5, []byte{1, 0, 1, 9}))},
		{"a section longer than the file", "section frame at byte N: truncated", raw([]byte{5, 9})},
		{"a size of five gigabytes", "section frame at byte N: integer does not fit 32 bits", raw([]byte{5, 0xff, 0xff, 0xff, 0xff, 0x1f})},
		{"an endless integer", "section frame at byte N: integer does not fit 32 bits", raw([]byte{5, 0x80, 0x80, 0x80, 0x80, 0x80, 0})},
		{"counts that lie", "type section at byte N: types: found 4294967295, limit 20000", raw(w.Section(1, w.U32(math.MaxUint32)))},
		{"a count beyond its section", "type section at byte N: types: 127 announced, but the section ends before", raw(w.Section(1, []byte{127}))},
		{"functions without a body", "1 functions are declared, but 0 have a body", raw(w.Section(1, []byte{1, 0x60, 0, 0}), w.Section(3, []byte{1, 0}), w.Section(5, []byte{1, 0, 1}))},
		{"a function of an unknown type", "function section at byte N: type 1 does not exist; there are 1", raw(w.Section(1, []byte{1, 0x60, 0, 0}), w.Section(3, []byte{1, 1}))},
		{"a million functions", "function section at byte N: functions: found 1000000, limit 50000", raw(w.Section(3, w.Code(w.U32(1_000_000), make([]byte, 1_000_000))))},
		{"a body above its limit", "code section at byte N: function body 1: found 1048577 bytes, limit 1048576", good(func(m *w.Module) { m.Func("", "", "", bytes.Repeat([]byte{1}, 1<<20-1)) })},
		{"100 million locals", "code section function body 1 at byte N: locals: found 100000000, limit 10000", good(func(m *w.Module) { m.FuncLocals("", "", "", w.Code([]byte{1}, w.U32(100_000_000), []byte{wasm.I32})) })},
		{"locals that overflow", "code section function body 1 at byte N: locals: found 4294967295, limit 10000", good(func(m *w.Module) {
			run := w.Code(w.U32(math.MaxUint32), []byte{wasm.I32})
			m.FuncLocals("", "", "", w.Code([]byte{2}, run, run))
		})},
		{"many locals in many functions", "code section function body 501 at byte N: locals of all functions so far: found 5010000, limit 5000000", good(func(m *w.Module) {
			for range 501 {
				m.FuncLocals("", "", "", w.Code([]byte{1}, w.U32(10_000), []byte{wasm.I32}))
			}
		})},
		{"a body without an end", "code section function body 0 at byte N: truncated", raw(w.Section(10, []byte{1, 2, 0, 1}))},
		{"an export that appears twice", `export section at byte N: export "call" appears twice`, good(func(m *w.Module) { m.Export("call", 0, 0) })},
		{"an export of nothing", `export section at byte N: export "x": index 2 does not exist`, good(func(m *w.Module) { m.Export("x", 0, 2) })},
		{"a start function that takes values", "start section at byte N: the start function takes or returns values", good(func(m *w.Module) { m.Start(0) })},
		{"a name of a megabyte", "import section at byte N: name: found 1048576 bytes, limit 1024", imports(func(m *w.Module) { m.Import(strings.Repeat("x", 1<<20), "", "", "") })},
		{"a name that is not UTF-8", "import section at byte N: name is not UTF-8", raw(w.Section(2, []byte{1, 1, 0xff, 0}))},
		{"elements that lie", "element section at byte N: items of element segments: found 4294967295, limit 65536", raw(w.Section(9, w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b}, w.U32(math.MaxUint32))))},
		{"data segments that are not announced", "2 data segments are announced, but 0 exist", raw(w.Section(5, []byte{1, 0, 1}), w.Section(12, []byte{2}))},
		{"code in a constant", "global section at byte N: opcode 0x10 in a constant expression", raw(w.Section(6, []byte{1, wasm.I32, 0, 0x10, 0, 0x0b}))},
		{"a module that says it is of version 2", "not a core module of version 1 (components are not supported)", []byte("\x00asm\x02\x00\x00\x00")},
		{"a custom section without a name", "custom section at byte N: truncated", raw(w.Section(0, []byte{9}))},
		{"too many types", "type section at byte N: types: found 20001, limit 20000", raw(w.Section(1, w.Code(w.U32(20_001), bytes.Repeat([]byte{0x60, 0, 0}, 20_001))))},
		{"too many parameters", "type section at byte N: parameters: found 1001, limit 1000", raw(w.Section(1, w.Code([]byte{1, 0x60}, w.U32(1001))))},
		{"too many results", "type section at byte N: results: found 1001, limit 1000", raw(w.Section(1, w.Code([]byte{1, 0x60, 0}, w.U32(1001))))},
		{"too many imports", "import section at byte N: imports: found 1001, limit 1000", raw(w.Section(2, w.U32(1001)))},
		{"an import of no known kind", "import section at byte N: import kind 4 is not one of WebAssembly 2.0", raw(w.Section(2, []byte{1, 0, 0, 4}))},
		{"a table of numbers", "table section at byte N: reference type 0x7f is not one of WebAssembly 2.0", raw(w.Section(4, []byte{1, wasm.I32, 0, 1}))},
		{"too many globals", "global section at byte N: globals: found 10001, limit 10000", raw(w.Section(6, w.U32(10_001)))},
		{"a global that is neither mutable nor not", "global section at byte N: global mutability 0x02", raw(w.Section(6, w.Code([]byte{1, wasm.I32, 2}, w.I32(0), []byte{0x0b})))},
		{"a vector operation in a constant", "global section at byte N: opcode 0xfd 15 in a constant expression", raw(w.Section(6, []byte{1, wasm.V128, 0, 0xfd, 15}))},
		{"a constant that never ends", "global section at byte N: integer is too long", raw(w.Section(6, w.Code([]byte{1, wasm.I32, 0, 0x41}, bytes.Repeat([]byte{0x80}, 9))))},
		{"too many exports", "export section at byte N: exports: found 10001, limit 10000", raw(w.Section(7, w.U32(10_001)))},
		{"an export of no known kind", "export section at byte N: export kind 4 is not one of WebAssembly 2.0", raw(w.Section(7, []byte{1, 1, 'x', 4, 0}))},
		{"a start function that does not exist", "start section at byte N: function 7 does not exist", raw(w.Section(8, []byte{7}))},
		{"too many element segments", "element section at byte N: element segments: found 10001, limit 10000", raw(w.Section(9, w.U32(10_001)))},
		{"an element segment of no known form", "element section at byte N: element segment form 8", raw(w.Section(9, []byte{1, 8}))},
		{"an element segment of no known kind", "element section at byte N: element kind 0x01", raw(w.Section(9, []byte{1, 1, 1, 0}))},
		{"too many bodies", "code section at byte N: function bodies: found 50001, limit 50000", raw(w.Section(10, w.U32(50_001)))},
		{"too many runs of locals", "code section function body 0 at byte N: runs of locals: found 10001, limit 10000", raw(w.Section(10, w.Code([]byte{1, 2}, w.U32(10_001))))},
		{"a constant of 33 bits", "global section at byte N: integer does not fit its type", raw(w.Section(6, []byte{1, wasm.I32, 0, 0x41, 0x80, 0x80, 0x80, 0x80, 0x47, 0x0b}))},
		{"a long constant", "global section at byte N: a constant expression has 2 instructions; 1 is allowed", raw(w.Section(6, w.Code([]byte{1, wasm.I32, 0}, w.I32(0), w.I32(0), []byte{0x0b})))},
		{"too many data segments that stay", "data segments of a module that has memory.init or data.drop: found 10001, limit 10000", good(func(m *w.Module) {
			for range 10_001 {
				m.Passive(nil)
			}
			m.Func("", "", "", []byte{0xfc, 9, 0})
		})},
		{"too many values of all types", "type section at byte N: parameters and results of all types so far: found 201000, limit 200000", raw(w.Section(1, w.Code(w.U32(201), bytes.Repeat(w.Code([]byte{0x60, 0}, w.U32(1000), bytes.Repeat([]byte{wasm.I32}, 1000)), 201))))},
		{"too many data segments", "data section at byte N: data segments: found 500001, limit 500000", raw(w.Section(11, w.U32(500_001)))},
		{"a data segment of no known form", "data section at byte N: data segment form 3", raw(w.Section(11, []byte{1, 3}))},
		{"a data segment of another memory", "data section at byte N: memory 1 does not exist", raw(w.Section(11, []byte{1, 2, 1}))},
		{"more functions than ref.func may name", "code section function body 1001 at byte N: functions that ref.func names: found more than the limit 1000", good(func(m *w.Module) {
			for f := range uint32(1001) {
				m.Func("", "", "", w.Op(0xd2, w.U32(f)), w.Drop())
			}
		})},
		{"locals x blocks", "code section function body 1 at byte N: locals and mutable globals x blocks: found 502000, limit 500000", good(func(m *w.Module) {
			m.FuncLocals("", "", "", w.Code([]byte{1}, w.U32(247), []byte{wasm.I32}), bytes.Repeat(w.Code(w.I32(0), w.BrIf(0)), 1000))
		})},
		{"globals x calls", "code section function body 1 at byte N: mutable globals x calls: found 501000, limit 500000", good(func(m *w.Module) {
			for range 1000 {
				m.Global(0)
			}
			m.Func("", "", "", bytes.Repeat(w.Call(0), 500))
		})},
		{"a stack frame too large", "code section function body 1 at byte N: bytes of stack that one call of it may take: found 9432672, limit 4194304", good(func(m *w.Module) {
			m.FuncLocals("", "", "", w.Code([]byte{1}, w.U32(45), []byte{wasm.V128}), bytes.Repeat(w.Block(0x40), 9_990))
		})},
		{"functions too hard in sum", "code section function body 49 at byte N: effort of compiling all functions so far: found 67032152, limit 66000000", loadsInFunctions(49)},
		{"a name that is reserved", `export "writ.fuel": names that start with "writ." are reserved`, good(func(m *w.Module) { m.Func("writ.fuel", "", "") })},
	}
}

// Each row is refused with its text and no other.
func TestGateRefuses(t *testing.T) {
	for _, c := range append(refusals(), badInstructions()...) {
		t.Run(c.name, func(t *testing.T) {
			_, err := wasm.Gate(c.module, rules())
			if err == nil {
				t.Fatal("admitted")
			}
			if got, want := position.ReplaceAllString(err.Error(), "at byte N:"), "gating module: "+c.want; got != want {
				t.Errorf("error %q\n want %q", got, want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is not one clean line", err)
			}
		})
	}
}

func TestGateKnowsItsClasses(t *testing.T) {
	r := rules()
	r.Class = 9
	if _, err := wasm.Gate(good(nil), r); err == nil || err.Error() != "gating module: class 9 is unknown" {
		t.Errorf("error %v", err)
	}
}

// Every text with which the gate refuses something is in the tables above: each literal of its source
// that becomes an error, each name of a count and each rule about functions.
func TestEveryRefusalIsTested(t *testing.T) {
	var texts []string
	for _, file := range []string{"bodies.go", "cursor.go", "declarations.go", "gate.go", "reader.go", "sections.go", "segments.go"} {
		texts = append(texts, refusalsIn(t, file)...)
	}
	if len(texts) < 80 {
		t.Fatalf("%d texts were found: %q", len(texts), texts)
	}
	rows := append(refusals(), badInstructions()...)
	for _, text := range texts {
		if strings.Contains(text, "class %d") {
			continue // TestGateKnowsItsClasses
		}
		pattern := verb.ReplaceAllString(regexp.QuoteMeta(text), ".+")
		known := regexp.MustCompile("(: | |^)" + pattern)
		if !slices.ContainsFunc(rows, func(r refusal) bool { return known.MatchString("gating module: " + r.want) }) {
			t.Errorf("no row is refused with %q", text)
		}
	}
}

var (
	position = regexp.MustCompile(`at byte \d+:`)
	verb     = regexp.MustCompile(`%(\d+d|02x|[a-z])`)
)

// refusalsIn lists the texts of errors in a source file.
func refusalsIn(t *testing.T, file string) (texts []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := func(e ast.Expr, format string) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			s, _ := strconv.Unquote(lit.Value)
			texts = append(texts, fmt.Sprintf(format, s))
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.SelectorExpr:
				name = f.Sel.Name
			case *ast.Ident:
				name = f.Name
			}
			switch name {
			case "failf", "Errorf", "New":
				text(n.Args[0], "%s")
			case "count":
				text(n.Args[0], "%s: found %%d, limit %%d")
			}
		case *ast.CompositeLit: // a rule of hold
			if len(n.Elts) == 3 && n.Type == nil {
				text(n.Elts[0], "%s: found %%d, limit %%d")
			}
		}
		return true
	})
	return texts
}
