// Package wasm reads, gates and meters WebAssembly binaries. It knows no runtime: the gate is the first
// wall, a static check that runs before any byte of a module reaches a compiler, and metering is the
// second, code in the module itself that counts what it does. The order is in the types: Gate makes a
// Gated, Validate of that a Validated, Meter of that a Metered.
package wasm

import (
	"bytes"
	"strings"
)

// Value types by their code in the binary format.
const (
	I32       byte = 0x7f
	I64       byte = 0x7e
	F32       byte = 0x7d
	F64       byte = 0x7c
	V128      byte = 0x7b
	FuncRef   byte = 0x70
	ExternRef byte = 0x6f
)

// Kinds of imports and exports by their code in the binary format.
const (
	KindFunc   byte = 0
	KindTable  byte = 1
	KindMemory byte = 2
	KindGlobal byte = 3
)

// PageSize is the unit of linear memory, bytes.
const PageSize = 64 << 10

// FuncType is a function's signature; value types by their binary code (0x7f i32, 0x7e i64, ...).
type FuncType struct{ Params, Results []byte }

// Equal tells whether both signatures are the same.
func (t FuncType) Equal(u FuncType) bool {
	return bytes.Equal(t.Params, u.Params) && bytes.Equal(t.Results, u.Results)
}

// String writes the signature as "(i32 i64) -> i32".
func (t FuncType) String() string {
	var b strings.Builder
	b.WriteByte('(')
	writeTypes(&b, t.Params)
	b.WriteString(") -> ")
	if len(t.Results) != 1 {
		b.WriteByte('(')
	}
	writeTypes(&b, t.Results)
	if len(t.Results) != 1 {
		b.WriteByte(')')
	}
	return b.String()
}

// writeTypes names at most 16 types: a hostile signature has up to maxValues of them.
func writeTypes(b *strings.Builder, types []byte) {
	names := map[byte]string{I32: "i32", I64: "i64", F32: "f32", F64: "f64", V128: "v128", FuncRef: "funcref", ExternRef: "externref"}
	for i, t := range types {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i == 16 {
			b.WriteString("...")
			return
		}
		b.WriteString(names[t])
	}
}

// Import is one import of a module.
type Import struct {
	Module, Name string
	Kind         byte // 0 function, 1 table, 2 memory, 3 global
	Type         FuncType
}

// Export is one export of a module.
type Export struct {
	Kind byte
	Type FuncType // of a function
}

// Info is what the reader learnt.
type Info struct {
	Imports   []Import
	Exports   map[string]Export
	MemoryMin uint32 // pages of 64 KiB
	MemoryMax uint32 // pages; 65536 when the module names none
}

// Rules is what a gate admits. The zero Rules admit a module without imports and with a memory that
// starts empty.
type Rules struct {
	// Imports has every allowed import, "module name" -> signature. Anything else is refused, and
	// every bad import is named in the error.
	Imports map[[2]string]FuncType
	// Exports are required exports with their signatures.
	Exports map[string]FuncType
	// Optional are exports that may be missing; one of another kind or signature is refused.
	Optional map[string]FuncType
	// Memory is the name under which the memory has to be exported; empty: no matter.
	Memory string
	// Class is the size of program that is admitted; zero: an ordinary servlet.
	Class Class
	// MaxMemoryPages refuses a module whose minimum is above it.
	MaxMemoryPages uint32
}

// Gated is a module that passed the gate, without its custom sections: no guest text can reach a
// runtime's error. Only Gate makes one.
type Gated struct {
	code   []byte
	info   Info
	frames []int32 // bytes of stack that a call of each own function is charged
}

// Code returns the module's bytes, custom sections dropped and the table's maximum lowered to what
// the gate allows. They must not be changed.
func (g Gated) Code() []byte { return g.code }

// Info returns what the reader learnt.
func (g Gated) Info() Info { return g.info }
