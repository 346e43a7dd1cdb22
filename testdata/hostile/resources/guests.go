package resources

import (
	"bytes"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// guest is a module with a memory of one page and the entry that define returns the body of.
func guest(define func(m *w.Module) []byte) []byte {
	m := &w.Module{}
	body := define(m)
	m.Memory(w.AtLeast(1))
	m.Func("servlet_call", "", "i", body)
	return m.Bytes()
}

// Instructions that wasmtest has no name for.
var (
	store8    = w.Op(0x3a, []byte{0, 0}) // i32.store8
	sub       = w.Op(0x6b)               // i32.sub
	divide    = w.Op(0x6e)               // i32.div_u
	remainder = w.Op(0x70)               // i32.rem_u
	isZero    = w.Op(0x45)               // i32.eqz
	refNull   = w.Op(0xd0, []byte{0x70}) // ref.null func
	tableGrow = w.Op(0xfc, w.U32(15), w.U32(0))
	tableFill = w.Op(0xfc, w.U32(17), w.U32(0))
	tableCopy = w.Op(0xfc, w.U32(14), w.U32(0), w.U32(0))
)

// tableInit is table.init from an element segment.
func tableInit(segment uint32) []byte { return w.Op(0xfc, w.U32(12), w.U32(segment), w.U32(0)) }

// indirect is call_indirect of a function without parameters and results.
func indirect(m *w.Module) []byte { return w.Op(0x11, w.U32(m.TypeOf("", "")), w.U32(0)) }

// tee is local.tee.
func tee(local uint32) []byte { return w.Op(0x22, w.U32(local)) }

// Locals of entries that have some.
const (
	localErrno = iota
	localCount
	localSize
)

// locals are encoded locals: n of type i32.
func locals(n uint32) []byte { return w.Code(w.U32(1), w.U32(n), []byte{0x7f}) }

// worker is a module whose entry has three locals of type i32, and a memory of so many pages.
func worker(pages uint32, define func(m *w.Module) []byte) []byte {
	m := &w.Module{}
	body := define(m)
	m.Memory(w.AtLeast(pages))
	m.FuncLocals("servlet_call", "", "i", locals(3), body)
	return m.Bytes()
}

// forever does something again and again.
func forever(body ...[]byte) []byte { return w.Code(w.Loop(body...), w.I32(0)) }

// whileZero repeats body, which leaves an errno or a code, until it is not zero, and counts in
// localCount how often it was. What it was is in localErrno.
func whileZero(body []byte) []byte {
	return w.Block(0x40, w.Loop(
		body, tee(localErrno), w.BrIf(1),
		w.Get(localCount), w.I32(1), w.Add(), w.Set(localCount),
	))
}

// report fails the call with localErrno as two digits and localCount as six: all that a guest knows.
func report(errorWrite uint32) []byte {
	const at = 64
	digit := func(place int32, local uint32, power int32) []byte {
		return w.Code(w.I32(at+place), w.Get(local), w.I32(power), divide, w.I32(10), remainder, w.I32('0'), w.Add(), store8)
	}
	body := w.Code(digit(0, localErrno, 10), digit(1, localErrno, 1), w.I32(at+2), w.I32(' '), store8)
	for i, power := int32(0), int32(100_000); i < 6; i, power = i+1, power/10 {
		body = w.Code(body, digit(3+i, localCount, power))
	}
	return w.Code(body, w.I32(at), w.I32(9), w.Call(errorWrite), w.Drop(), w.I32(1))
}

// answer writes a range of memory as the result.
func answer(outputWrite uint32, at, n int32) []byte {
	return w.Code(w.I32(at), w.I32(n), w.Call(outputWrite), w.Drop(), w.I32(0))
}

// ok is a result.
const ok = `{"content":[{"type":"text","text":"ok"}]}`

// Imports, by the names of sdk/ABI.md.
func output(m *w.Module) uint32  { return m.Import("writ1", "output_write", "ii", "i") }
func failing(m *w.Module) uint32 { return m.Import("writ1", "error_write", "ii", "i") }
func logging(m *w.Module) uint32 { return m.Import("writ1", "log", "iii", "i") }
func preview1(m *w.Module, name, params string) uint32 {
	return m.Import("wasi_snapshot_preview1", name, params, "i")
}

// tree is an exponential tree of calls without a loop: each of n functions calls the next one twice.
func tree(n int, call func(m *w.Module, next uint32) []byte) []byte {
	return guest(func(m *w.Module) []byte {
		m.Table(w.AtLeast(uint32(n + 2)))
		m.Func("", "", "")
		for i := range n {
			one := call(m, uint32(i))
			m.Func("", "", "", one, one)
		}
		var list []byte
		for i := range n + 1 {
			list = append(list, w.U32(uint32(i))...)
		}
		m.Elements(w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b}, w.U32(uint32(n+1)), list))
		return w.Code(w.Call(uint32(n)), w.I32(0))
	})
}

// chain is one operation after the other, without a loop, again and again from functions that call
// each other: as many as fit.
func chain(pages uint32, links int, define func(m *w.Module) []byte) []byte {
	m := &w.Module{}
	one := define(m)
	f := m.Func("", "", "", bytes.Repeat(one, links))
	for range 4 { // each calls the one before a hundred times
		f = m.Func("", "", "", bytes.Repeat(w.Call(f), 100))
	}
	m.Memory(w.AtLeast(pages))
	m.Func("servlet_call", "", "i", w.Call(f), w.I32(0))
	return m.Bytes()
}
