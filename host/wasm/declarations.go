package wasm

import (
	"errors"
	"slices"
)

func (m *module) readTypes(r *reader) {
	for range r.count("types", maxTypes) {
		if form := r.byte(); r.err == nil && form != 0x60 {
			r.failf("type form 0x%02x; only function types are allowed", form)
		}
		t := FuncType{Params: r.valTypes("parameters"), Results: r.valTypes("results")}
		m.values += len(t.Params) + len(t.Results)
		if r.err == nil && m.values > maxAllValues {
			r.failf("parameters and results of all types so far: found %d, limit %d", m.values, maxAllValues)
		}
		if r.err != nil {
			return
		}
		m.types = append(m.types, t)
		m.wide = m.wide || slices.Contains(t.Params, V128) || slices.Contains(t.Results, V128)
	}
}

func (r *reader) valTypes(what string) []byte {
	n := r.count(what, maxValues)
	types := make([]byte, n)
	for i := range types {
		types[i] = r.valType()
	}
	return types
}

// typeIndex reads an index into the types.
func (m *module) typeIndex(r *reader) uint32 {
	t := r.u32()
	if r.err == nil && t >= uint32(len(m.types)) {
		r.failf("type %d does not exist; there are %d", t, len(m.types))
	}
	return t
}

// readImports also takes in what the gate will refuse, so that one error can name every bad import.
func (m *module) readImports(r *reader) {
	for range r.count("imports", maxImports) {
		im := Import{Module: r.name(), Name: r.name(), Kind: r.byte()}
		switch im.Kind {
		case KindFunc:
			t := m.typeIndex(r)
			if r.err != nil {
				return
			}
			im.Type = m.types[t]
			m.funcs = append(m.funcs, t)
			m.imported++
		case KindTable:
			r.refType()
			r.limits("imported table")
			m.foreign[KindTable]++
		case KindMemory:
			// The memory's own rules are moot: importing one is refused whatever its limits.
			flags := r.byte()
			r.skipLEB(10)
			if flags&1 != 0 {
				r.skipLEB(10)
			}
			m.foreign[KindMemory]++
		case KindGlobal:
			r.valType()
			r.byte()
			m.globals++
		default:
			r.failf("import kind %d is not one of WebAssembly 2.0", im.Kind)
		}
		if r.err != nil {
			return
		}
		m.imports = append(m.imports, im)
	}
}

func (m *module) readFunctions(r *reader) {
	n := r.count("functions", m.limits.functions)
	for range n {
		t := m.typeIndex(r)
		if r.err != nil {
			return
		}
		m.funcs = append(m.funcs, t)
	}
}

// readTable returns the section with the table's maximum lowered to maxTable. A table is host memory
// that no memory limit covers: with its maximum left open, 62 bytes of table.grow take gigabytes. A
// guest sees table.grow fail, which the specification allows at any size.
func (m *module) readTable(r *reader) []byte {
	m.tables = r.count("tables", 1)
	if m.tables == 0 {
		return r.b
	}
	kind := r.refType()
	least, most, bounded := r.limits("table")
	if r.err != nil {
		return nil
	}
	if least > maxTable {
		r.failf("table entries: found a minimum of %d, limit %d", least, maxTable)
		return nil
	}
	if !bounded || most > maxTable {
		most = maxTable
	}
	body := []byte{1, kind, 1}
	return appendU32(appendU32(body, least), most)
}

func (m *module) readMemory(r *reader) {
	m.memories = r.count("memories", 1)
	if m.memories == 0 {
		return
	}
	least, most, bounded := r.limits("memory")
	if !bounded {
		most = maxPages
	}
	if r.err == nil && (least > maxPages || most > maxPages) {
		r.failf("memory: %d to %d pages; a 32-bit memory has at most %d", least, most, maxPages)
	}
	m.memoryMin, m.memoryMax = least, most
}

func (m *module) readGlobals(r *reader) {
	n := r.count("globals", maxGlobals)
	for range n {
		m.wide = r.valType() == V128 || m.wide
		mut := r.byte()
		if r.err == nil && mut > 1 {
			r.failf("global mutability 0x%02x", mut)
		}
		m.mutable += int(mut)
		r.constExpr()
		if r.err != nil {
			return
		}
	}
	m.globals += n
}

func (m *module) readExports(r *reader) {
	for range r.count("exports", maxExports) {
		name, kind, index := r.name(), r.byte(), r.u32()
		if r.err != nil {
			return
		}
		ex := Export{Kind: kind}
		var have int
		switch kind {
		case KindFunc:
			have = len(m.funcs)
		case KindTable:
			have = m.tables + m.foreign[KindTable]
		case KindMemory:
			have = m.memories + m.foreign[KindMemory]
		case KindGlobal:
			have = m.globals
		default:
			r.failf("export kind %d is not one of WebAssembly 2.0", kind)
			return
		}
		if uint64(index) >= uint64(have) {
			r.failf("export %s: index %d does not exist", quote(name), index)
			return
		}
		if kind == KindFunc {
			ex.Type = m.types[m.funcs[index]]
		}
		if _, twice := m.exports[name]; twice {
			r.failf("export %s appears twice", quote(name))
			return
		}
		m.exports[name] = ex
	}
}

func (m *module) readStart(r *reader) {
	f := r.u32()
	switch {
	case r.err != nil:
	case uint64(f) >= uint64(len(m.funcs)):
		r.failf("function %d does not exist", f)
	case !m.types[m.funcs[f]].Equal(FuncType{}):
		r.fail(errors.New("the start function takes or returns values"))
	}
}
