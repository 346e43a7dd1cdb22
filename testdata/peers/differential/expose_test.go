package differential

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// What exposed adds to a module.
const (
	memoryExport = "differential.memory"
	globalExport = "differential.global." // + index among those that are exported so
	wordsExport  = "differential.words."  // + name of a function with vectors: each as two i64
)

const v128 = 0x7b

// signature is a function type.
type signature struct{ params, results []byte }

// binaryModule is a module taken apart as far as it takes to export more of it. Modules are those of the
// specification's tests: valid, and of WebAssembly 2.0.
type binaryModule struct {
	sections map[byte][]byte
	types    []signature
	funcs    []uint64 // type of each function, imported ones first
	imported int
	foreign  int    // imported globals
	globals  []byte // types of own globals
	exports  []export
}

type export struct {
	name  string
	kind  byte
	index uint64
}

// exposed exports a module's memory and globals, and for each function with vectors, which not every
// runtime's interface has, one that takes and leaves them as words.
func exposed(module []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the module cannot be taken apart: %v", p)
		}
	}()
	m, err := takeApart(w.WithMemory(module))
	if err != nil {
		return nil, err
	}
	var exports [][]byte
	add := func(name string, kind byte, index uint64) {
		exports = append(exports, slices.Concat(w.Name(name), []byte{kind}, w.U32(uint32(index))))
	}
	add(memoryExport, 2, 0)
	n := 0
	for i, t := range m.globals {
		if t != v128 {
			add(fmt.Sprint(globalExport, n), 3, uint64(m.foreign+i))
			n++
		}
	}
	var types, funcs, bodies [][]byte
	for _, e := range m.exports {
		if e.kind != 0 {
			continue
		}
		sig := m.types[m.funcs[e.index]]
		if !slices.Contains(sig.params, v128) && !slices.Contains(sig.results, v128) {
			continue
		}
		add(wordsExport+e.name, 0, uint64(len(m.funcs)+len(funcs)))
		funcs = append(funcs, w.U32(uint32(len(m.types)+len(types))))
		types = append(types, slices.Concat([]byte{0x60}, words(sig.params), words(sig.results)))
		bodies = append(bodies, wrapper(e.index, sig))
	}
	m.grow(1, types)
	m.grow(3, funcs)
	m.grow(7, exports)
	m.grow(10, bodies)
	return m.join(), nil
}

// words encodes types with two i64 in place of each vector.
func words(types []byte) []byte {
	var out []byte
	for _, t := range types {
		if t == v128 {
			out = append(out, 0x7e, 0x7e)
		} else {
			out = append(out, t)
		}
	}
	return slices.Concat(w.U32(uint32(len(out))), out)
}

// wrapper is the body of a function that calls f with vectors made of words.
func wrapper(f uint64, sig signature) []byte {
	var code []byte
	param := uint32(0)
	for _, t := range sig.params {
		code = append(code, w.Get(param)...)
		if param++; t == v128 {
			code = append(code, w.Code([]byte{0xfd, 18}, w.Get(param), []byte{0xfd, 30, 1})...) // i64x2.splat, replace_lane
			param++
		}
	}
	code = append(code, w.Call(uint32(f))...)
	locals := w.U32(uint32(len(sig.results)))
	for i := len(sig.results) - 1; i >= 0; i-- {
		code = append(code, w.Set(param+uint32(i))...)
	}
	for i, t := range sig.results {
		locals = append(locals, 1, t)
		code = append(code, w.Get(param+uint32(i))...)
		if t == v128 {
			code = append(code, w.Code([]byte{0xfd, 29, 0}, w.Get(param+uint32(i)), []byte{0xfd, 29, 1})...) // i64x2.extract_lane
		}
	}
	body := slices.Concat(locals, code, []byte{0x0b})
	return slices.Concat(w.U32(uint32(len(body))), body)
}

// grow adds entries to a section.
func (m *binaryModule) grow(id byte, entries [][]byte) {
	if len(entries) == 0 {
		return
	}
	section := &parser{b: m.sections[id]}
	count := uint64(0)
	if len(section.b) > 0 {
		count = section.uint()
	}
	m.sections[id] = slices.Concat(w.U32(uint32(count)+uint32(len(entries))), section.b, bytes.Join(entries, nil))
}

func (m *binaryModule) join() []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, id := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11} {
		if body := m.sections[id]; body != nil {
			out = append(out, w.Section(id, body)...)
		}
	}
	return out
}

// parser reads what is known to be well-formed; it panics where it is not.
type parser struct{ b []byte }

func (p *parser) byte() byte { return p.take(1)[0] }

func (p *parser) take(n uint64) []byte {
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

func (p *parser) uint() uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 {
		panic("integer")
	}
	p.b = p.b[n:]
	return v
}

// limits passes over the limits of a table or memory.
func (p *parser) limits() {
	if flags := p.byte(); flags&1 != 0 {
		p.uint()
	}
	p.uint()
}

var errNotModule = errors.New("not a module")

func takeApart(module []byte) (*binaryModule, error) {
	if len(module) < 8 {
		return nil, errNotModule
	}
	m := &binaryModule{sections: map[byte][]byte{}}
	for p := (&parser{module[8:]}); len(p.b) > 0; {
		id := p.byte()
		body := p.take(p.uint())
		if id != 0 {
			m.sections[id] = body
		}
	}
	m.each(1, func(p *parser) {
		p.byte()
		m.types = append(m.types, signature{p.take(p.uint()), p.take(p.uint())})
	})
	m.each(2, func(p *parser) {
		p.take(p.uint())
		p.take(p.uint())
		switch p.byte() {
		case 0:
			m.funcs = append(m.funcs, p.uint())
			m.imported++
		case 1:
			p.byte()
			p.limits()
		case 2:
			p.limits()
		case 3:
			p.take(2)
			m.foreign++
		}
	})
	m.each(3, func(p *parser) { m.funcs = append(m.funcs, p.uint()) })
	m.each(6, func(p *parser) {
		m.globals = append(m.globals, p.byte())
		p.byte()
		p.constant()
	})
	m.each(7, func(p *parser) {
		m.exports = append(m.exports, export{string(p.take(p.uint())), p.byte(), p.uint()})
	})
	return m, nil
}

// each reads the entries of a section.
func (m *binaryModule) each(id byte, read func(p *parser)) {
	p := &parser{m.sections[id]}
	if len(p.b) == 0 {
		return
	}
	for range p.uint() {
		read(p)
	}
}

// constant passes over a constant expression.
func (p *parser) constant() {
	for {
		switch op := p.byte(); op {
		case 0x0b:
			return
		case 0x41, 0x42, 0x23, 0xd2: // integers, an index
			for p.byte()&0x80 != 0 {
			}
		case 0x43:
			p.take(4)
		case 0x44:
			p.take(8)
		case 0xd0:
			p.byte()
		case 0xfd:
			p.take(17)
		default:
			panic(fmt.Sprintf("opcode %#x in a constant", op))
		}
	}
}
