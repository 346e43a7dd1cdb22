package wasm

import (
	"bytes"
	"errors"
	"fmt"
)

// Section ids of the binary format.
const (
	secCustom    = 0
	secType      = 1
	secImport    = 2
	secFunction  = 3
	secTable     = 4
	secMemory    = 5
	secGlobal    = 6
	secExport    = 7
	secStart     = 8
	secElement   = 9
	secCode      = 10
	secData      = 11
	secDataCount = 12
	secTag       = 13
)

// sectionNames are for error texts.
var sectionNames = [...]string{"custom", "type", "import", "function", "table", "memory", "global", "export", "start",
	"element", "code", "data", "data count", "tag"}

// sectionRank is the place of each known section; a module has each at most once, in this order.
var sectionRank = [...]int{secType: 1, secImport: 2, secFunction: 3, secTable: 4, secMemory: 5, secTag: 6, secGlobal: 7,
	secExport: 8, secStart: 9, secElement: 10, secDataCount: 11, secCode: 12, secData: 13}

var magic = []byte("\x00asm\x01\x00\x00\x00")

// module is what one pass over a binary collects.
type module struct {
	out       []byte // the module again, without custom sections
	types     []FuncType
	imports   []Import
	imported  int      // imported functions
	funcs     []uint32 // type index of every function, imported ones first
	globals   int      // imported ones included
	mutable   int      // globals that can change
	wide      bool     // a signature or a global has vectors
	tables    int
	memories  int
	memoryMin uint32
	memoryMax uint32
	foreign   [4]int // imported tables and memories, by kind; refused in the end
	exports   map[string]Export
	bodies    int
	locals    int     // of all functions
	effort    int     // of compiling all functions
	frames    []int32 // bytes of stack that a call of each own function is charged
	named     []bool  // functions that ref.func names in bodies
	referred  int     // how many
	limits    limits
	elements  int // items of all element segments
	dataCount int // -1 when the section is absent
	data      int
	kept      bool // code refers to data segments
	values    int  // parameters and results of all types
}

// read takes a module apart, section by section in their order.
func read(bin []byte, l limits) (*module, error) {
	if len(bin) > maxModule {
		return nil, fmt.Errorf("module size: found %d bytes, limit %d", len(bin), maxModule)
	}
	if !bytes.HasPrefix(bin, magic) {
		if bytes.HasPrefix(bin, magic[:4]) {
			return nil, errors.New("not a core module of version 1 (components are not supported)")
		}
		return nil, errors.New("not a WebAssembly module: it does not start with \\0asm")
	}
	m := &module{out: append(make([]byte, 0, len(bin)), magic...), exports: map[string]Export{}, dataCount: -1, limits: l}
	r := &reader{b: bin, pos: len(magic)}
	for rank := 0; r.left() > 0; {
		id := r.byte()
		body := &reader{b: r.take(r.u32())}
		body.base = r.pos - len(body.b)
		if r.err != nil {
			return nil, fmt.Errorf("section frame %w", r.err)
		}
		if id == secCustom {
			if body.name(); body.err != nil {
				return nil, fmt.Errorf("custom section %w", body.err)
			}
			continue
		}
		if int(id) >= len(sectionRank) {
			return nil, fmt.Errorf("section id %d is unknown", id)
		}
		if sectionRank[id] <= rank {
			return nil, fmt.Errorf("%s section is repeated or out of order", sectionNames[id])
		}
		rank = sectionRank[id]
		if err := m.section(id, body); err != nil {
			return nil, fmt.Errorf("%s section %w", sectionNames[id], err)
		}
	}
	return m, m.whole()
}

// section reads one section and appends it to the module's new bytes.
func (m *module) section(id byte, r *reader) error {
	body := r.b
	switch id {
	case secType:
		m.readTypes(r)
	case secImport:
		m.readImports(r)
	case secFunction:
		m.readFunctions(r)
	case secTable:
		body = m.readTable(r)
	case secMemory:
		m.readMemory(r)
	case secGlobal:
		m.readGlobals(r)
	case secExport:
		m.readExports(r)
	case secStart:
		m.readStart(r)
	case secElement:
		m.readElements(r)
	case secCode:
		m.readBodies(r)
	case secData:
		m.readData(r)
	case secDataCount:
		m.dataCount = int(min(r.u32(), maxSegments+1))
	case secTag:
		r.fail(errors.New("exceptions are not allowed"))
	}
	if r.err == nil && r.left() > 0 {
		r.failf("%d bytes are left over", r.left())
	}
	if r.err != nil {
		return r.err
	}
	m.out = append(m.out, id)
	m.out = appendU32(m.out, uint32(len(body)))
	m.out = append(m.out, body...)
	return nil
}

// whole checks what only the whole module can tell.
func (m *module) whole() error {
	switch {
	case m.memories != 1:
		return fmt.Errorf("memories: found %d, want exactly 1 of the module's own", m.memories)
	case m.bodies != len(m.funcs)-m.imported:
		return fmt.Errorf("%d functions are declared, but %d have a body", len(m.funcs)-m.imported, m.bodies)
	case m.kept && m.data > maxKept:
		return fmt.Errorf("data segments of a module that has memory.init or data.drop: found %d, limit %d", m.data, maxKept)
	case m.dataCount >= 0 && m.dataCount != m.data:
		return fmt.Errorf("%d data segments are announced, but %d exist", m.dataCount, m.data)
	}
	return nil
}
