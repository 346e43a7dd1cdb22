// Package wasmtest builds small WebAssembly modules for tests, so that a hostile guest is a few
// lines of readable code instead of a blob. It checks nothing: it writes what it is told.
package wasmtest

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Module is a module in the making. Imports come before functions. The zero Module is empty.
type Module struct {
	types, imports, funcs, exports, bodies, data [][]byte
	passive                                      bool
	table, memory, global, start, elements       []byte
	globals                                      int
	imported                                     int
	before                                       []byte // custom sections
}

// Limits of a memory or table, as bytes: Range(1, 2), or AtLeast(1) without a maximum.
type Limits []byte

// AtLeast is a minimum without a maximum.
func AtLeast(n uint32) Limits { return append([]byte{0}, U32(n)...) }

// Range is a minimum and a maximum.
func Range(n, most uint32) Limits { return append(append([]byte{1}, U32(n)...), U32(most)...) }

// Import imports a function and returns its index. A signature names its types by letter: i is i32,
// I i64, f f32, F f64.
func (m *Module) Import(module, name, params, results string) uint32 {
	m.imports = append(m.imports, cat(Name(module), Name(name), []byte{0}, U32(m.TypeOf(params, results))))
	m.imported++
	return uint32(m.imported - 1)
}

// ImportRaw imports something by its encoded kind and description.
func (m *Module) ImportRaw(module, name string, desc ...byte) {
	m.imports = append(m.imports, cat(Name(module), Name(name), desc))
}

// Func adds a function without locals and returns its index. An empty export is none.
func (m *Module) Func(export, params, results string, body ...[]byte) uint32 {
	return m.FuncLocals(export, params, results, []byte{0}, body...)
}

// FuncLocals is Func with encoded locals.
func (m *Module) FuncLocals(export, params, results string, locals []byte, body ...[]byte) uint32 {
	m.funcs = append(m.funcs, U32(m.TypeOf(params, results)))
	code := cat(locals, cat(body...), []byte{0x0b})
	m.bodies = append(m.bodies, cat(U32(uint32(len(code))), code))
	index := uint32(m.imported + len(m.funcs) - 1)
	if export != "" {
		m.Export(export, 0, index)
	}
	return index
}

// Export exports something by kind and index.
func (m *Module) Export(name string, kind byte, index uint32) {
	m.exports = append(m.exports, cat(Name(name), []byte{kind}, U32(index)))
}

// Memory gives the module its memory, exported as "memory".
func (m *Module) Memory(l Limits) {
	m.memory = cat([]byte{1}, l)
	m.Export("memory", 2, 0)
}

// Table gives the module a table of function references.
func (m *Module) Table(l Limits) { m.table = cat([]byte{1, 0x70}, l) }

// Global adds a mutable i64 global and returns its index.
func (m *Module) Global(v int64) uint32 {
	return m.GlobalOf(0x7e, 1, I64(v))
}

// GlobalOf adds a global of any type, mutable or not, with its initial value as code.
func (m *Module) GlobalOf(valType, mutable byte, v []byte) uint32 {
	m.global = cat(m.global, []byte{valType, mutable}, v, []byte{0x0b})
	m.globals++
	return uint32(m.globals - 1)
}

// Start makes a function the module's start function.
func (m *Module) Start(index uint32) { m.start = U32(index) }

// Data puts bytes into memory.
func (m *Module) Data(at int32, p []byte) {
	m.data = append(m.data, cat([]byte{0}, I32(at), []byte{0x0b}, U32(uint32(len(p))), p))
}

// Passive adds a data segment for memory.init.
func (m *Module) Passive(p []byte) {
	m.data = append(m.data, cat([]byte{1}, U32(uint32(len(p))), p))
	m.passive = true
}

// Elements sets the whole body of the element section.
func (m *Module) Elements(body []byte) { m.elements = body }

// Custom puts a custom section at the beginning.
func (m *Module) Custom(name string, body []byte) {
	m.before = cat(m.before, Section(0, cat(Name(name), body)))
}

// Bytes returns the module.
func (m *Module) Bytes() []byte {
	out := cat([]byte("\x00asm\x01\x00\x00\x00"), m.before)
	vec := func(id byte, items [][]byte) {
		if len(items) > 0 {
			out = append(out, Section(id, cat(U32(uint32(len(items))), cat(items...)))...)
		}
	}
	raw := func(id byte, body []byte) {
		if body != nil {
			out = append(out, Section(id, body)...)
		}
	}
	vec(1, m.types)
	vec(2, m.imports)
	vec(3, m.funcs)
	raw(4, m.table)
	raw(5, m.memory)
	if m.globals > 0 {
		raw(6, cat(U32(uint32(m.globals)), m.global))
	}
	vec(7, m.exports)
	raw(8, m.start)
	raw(9, m.elements)
	if m.passive {
		raw(12, U32(uint32(len(m.data))))
	}
	vec(10, m.bodies)
	vec(11, m.data)
	return out
}

// TypeOf returns the index of a signature, which is added when it is new.
func (m *Module) TypeOf(params, results string) uint32 {
	t := cat([]byte{0x60}, types(params), types(results))
	for i, have := range m.types {
		if bytes.Equal(have, t) {
			return uint32(i)
		}
	}
	m.types = append(m.types, t)
	return uint32(len(m.types) - 1)
}

func types(letters string) []byte {
	out := U32(uint32(len(letters)))
	for _, c := range letters {
		out = append(out, map[rune]byte{'i': 0x7f, 'I': 0x7e, 'f': 0x7d, 'F': 0x7c}[c])
	}
	return out
}

// Section frames the body of a section.
func Section(id byte, body []byte) []byte { return cat([]byte{id}, U32(uint32(len(body))), body) }

// Name encodes a name.
func Name(s string) []byte { return cat(U32(uint32(len(s))), []byte(s)) }

// U32 encodes an unsigned LEB128.
func U32(v uint32) []byte { return binary.AppendUvarint(nil, uint64(v)) }

// I32 is i32.const.
func I32(v int32) []byte { return signed(0x41, int64(v)) }

// I64 is i64.const.
func I64(v int64) []byte { return signed(0x42, v) }

// F64 is f64.const.
func F64(v float64) []byte {
	return binary.LittleEndian.AppendUint64([]byte{0x44}, math.Float64bits(v))
}

func signed(op byte, v int64) []byte {
	out := []byte{op}
	for {
		c := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && c&0x40 == 0) || (v == -1 && c&0x40 != 0) {
			return append(out, c)
		}
		out = append(out, c|0x80)
	}
}

// Op is one opcode with its encoded immediates.
func Op(opcode byte, immediates ...[]byte) []byte { return cat([]byte{opcode}, cat(immediates...)) }

// Call calls a function by index.
func Call(f uint32) []byte { return Op(0x10, U32(f)) }

// Get and Set read and write a local.
func Get(local uint32) []byte { return Op(0x20, U32(local)) }

// Set writes a local.
func Set(local uint32) []byte { return Op(0x21, U32(local)) }

// Drop drops a value.
func Drop() []byte { return Op(0x1a) }

// Unreachable traps.
func Unreachable() []byte { return Op(0x00) }

// Loop runs a body that takes and leaves nothing, for ever.
func Loop(body ...[]byte) []byte {
	return cat([]byte{0x03, 0x40}, cat(body...), []byte{0x0c, 0, 0x0b})
}

// Block runs a body of a block type once; a branch to it leaves it.
func Block(blockType byte, body ...[]byte) []byte {
	return cat([]byte{0x02, blockType}, cat(body...), []byte{0x0b})
}

// Br branches to a label, counted from the innermost.
func Br(label uint32) []byte { return Op(0x0c, U32(label)) }

// BrIf branches when the i32 on the stack is not zero.
func BrIf(label uint32) []byte { return Op(0x0d, U32(label)) }

// Fill is memory.fill.
func Fill() []byte { return []byte{0xfc, 11, 0} }

// Copy is memory.copy.
func Copy() []byte { return []byte{0xfc, 10, 0, 0} }

// Init is memory.init.
func Init(segment uint32) []byte { return cat([]byte{0xfc, 8}, U32(segment), []byte{0}) }

// Add is i32.add.
func Add() []byte { return []byte{0x6a} }

// Grow is memory.grow by the pages on the stack.
func Grow() []byte { return []byte{0x40, 0} }

// Load32 is i32.load at the address on the stack.
func Load32() []byte { return []byte{0x28, 2, 0} }

// Store32 is i32.store.
func Store32() []byte { return []byte{0x36, 2, 0} }

// Load64 is i64.load at the address on the stack.
func Load64() []byte { return []byte{0x29, 3, 0} }

// Store64 is i64.store.
func Store64() []byte { return []byte{0x37, 3, 0} }

// If runs a body when the i32 on the stack is not zero.
func If(body ...[]byte) []byte { return cat([]byte{0x04, 0x40}, cat(body...), []byte{0x0b}) }

// Return returns from the function.
func Return() []byte { return []byte{0x0f} }

// Code joins instructions.
func Code(parts ...[]byte) []byte { return cat(parts...) }

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
