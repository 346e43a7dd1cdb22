package wasm

import (
	"errors"
	"fmt"
)

// rewriter turns a gated and valid module into a metered one. Everything it adds comes last in its
// index space but for the imported function yield, which follows the module's own imports and so
// moves all other functions up by one.
type rewriter struct {
	sections [secTag + 1][]byte // bodies by id; nil: absent
	shape    Shape
	data     []segment

	types   []FuncType
	extra   []byte // encoded types that were added
	added   map[string]uint32
	imports uint32   // imported functions
	funcs   []uint32 // type of each own function
	lengths []uint32 // of the data segments, bytes; 0 of active ones
	mutable []uint32 // own globals that can change and are numbers
	taken   []int32  // bytes of stack that a call of each own function is charged
	fuel    uint32   // index of the global that was added, as stack
	stack   uint32
	refs    map[uint32]uint32 // by function: the global that was added to hold its reference
	held    []byte            // those globals, encoded
	helpers helpers
}

func rewrite(g Gated) (Metered, error) {
	w := &rewriter{added: map[string]uint32{}, taken: g.frames, refs: map[uint32]uint32{}, helpers: helpers{relays: map[string]uint32{}, inits: map[uint32]uint32{}}}
	w.shape.MemoryMin, w.shape.MemoryMax = g.info.MemoryMin, g.info.MemoryMax
	r := &reader{b: g.code, pos: len(magic)}
	for r.left() > 0 {
		id := r.byte()
		body := r.take(r.u32())
		if r.err != nil {
			return Metered{}, r.err
		}
		w.sections[id] = body
	}
	steps := []struct {
		id   byte
		edit func(*reader) []byte
	}{
		{secType, w.readTypes},
		{secImport, w.editImports},
		{secFunction, w.readFuncs},
		{secGlobal, w.editGlobals},
		{secData, w.readLengths},
		{secCode, w.editCode}, // before the exports, which name what it adds; after all it has to know
		{secData, w.editData},
		{secExport, w.editExports},
		{secElement, w.editElements},
		{secTable, w.readTable},
	}
	for _, s := range steps {
		r := &reader{b: w.sections[s.id]}
		if r.b == nil {
			r.b = []byte{0} // an empty vector
		}
		out := s.edit(r)
		if r.err != nil {
			return Metered{}, fmt.Errorf("%s section %w", sectionNames[s.id], r.err)
		}
		if r.left() > 0 {
			return Metered{}, fmt.Errorf("%s section: %d bytes are left over", sectionNames[s.id], r.left())
		}
		w.sections[s.id] = out
	}
	w.shape.Beside += int64(len(w.refs)) * besideGlobal
	w.sections[secStart] = nil
	w.sections[secFunction] = w.functions()
	w.sections[secGlobal] = appendVector(w.sections[secGlobal], uint32(len(w.refs)), w.held)
	w.sections[secType] = appendVector(w.sections[secType], uint32(len(w.added)), w.extra)
	return Metered{code: w.join(), shape: w.shape, data: w.data}, nil
}

// fix is the new index of a function.
func (w *rewriter) fix(f uint32) uint32 {
	if f >= w.imports {
		return f + 1
	}
	return f
}

// typeOf returns the index of a type, which is added unless it was added before.
func (w *rewriter) typeOf(t FuncType) uint32 {
	encoded := append(appendU32([]byte{0x60}, uint32(len(t.Params))), t.Params...)
	encoded = append(appendU32(encoded, uint32(len(t.Results))), t.Results...)
	index, ok := w.added[string(encoded)]
	if !ok {
		index = uint32(len(w.types) + len(w.added))
		w.added[string(encoded)] = index
		w.extra = append(w.extra, encoded...)
	}
	return index
}

func (w *rewriter) readTypes(r *reader) []byte {
	for range r.count("types", maxTypes) {
		r.byte()
		w.types = append(w.types, FuncType{Params: r.valTypes("parameters"), Results: r.valTypes("results")})
	}
	return r.b
}

// editImports adds yield. A gated module imports nothing but functions.
func (w *rewriter) editImports(r *reader) []byte {
	for range r.count("imports", maxImports) {
		r.name()
		r.name()
		if kind := r.byte(); r.err == nil && kind != KindFunc {
			r.fail(errors.New("an import that is not a function"))
		}
		r.u32()
		w.imports++
	}
	yield := append(appendName(nil, YieldModule), byte(len(YieldName)))
	yield = append(append(yield, YieldName...), KindFunc)
	return appendVector(r.b, 1, appendU32(yield, w.typeOf(FuncType{})))
}

func (w *rewriter) readFuncs(r *reader) []byte {
	n := r.count("functions", 1<<31)
	w.funcs = make([]uint32, 0, n)
	for range n {
		t := r.u32()
		if r.err == nil && int(t) >= len(w.types) {
			r.failf("type %d does not exist", t)
			return nil
		}
		w.funcs = append(w.funcs, t)
	}
	return r.b
}

// functions is the new function section: the helpers come last.
func (w *rewriter) functions() []byte {
	if len(w.sections[secCode]) == 1 {
		w.sections[secCode] = nil
		return nil
	}
	old := w.sections[secFunction]
	if old == nil {
		old = []byte{0}
	}
	return appendVector(old, uint32(len(w.helpers.types)), w.helpers.typeSection())
}

// reference returns the global that holds a reference to a function. The runtime makes a new one each
// time that ref.func is executed and keeps it as long as the instance, in memory that no limit counts: a
// loop of it takes 180 MiB in a second. A global is made once an instance.
func (w *rewriter) reference(f uint32) uint32 {
	g, ok := w.refs[f]
	if !ok {
		g = w.stack + 1 + uint32(len(w.refs))
		w.refs[f] = g
		w.held = append(appendU32(append(w.held, FuncRef, 0, opRefFunc), w.fix(f)), opEnd)
	}
	return g
}

// editGlobals adds fuel and stack, and notes the globals that a reset must restore.
func (w *rewriter) editGlobals(r *reader) []byte {
	out := make([]byte, 0, len(r.b)+16)
	n := r.count("globals", maxGlobals)
	out = appendU32(out, uint32(n)+2)
	for i := range n {
		from := r.pos
		t, mutable := r.valType(), r.byte() == 1
		out = append(out, r.b[from:r.pos]...)
		out = w.editExpr(r, out)
		switch {
		case !mutable:
		case t < F64 && w.shape.Unusual == "":
			w.shape.Unusual = fmt.Sprintf("global %d can change and is no number of at most 64 bits", i)
		case t >= F64:
			w.mutable = append(w.mutable, uint32(i))
			w.shape.Globals = append(w.shape.Globals, fmt.Sprint(GlobalExport, i))
		}
	}
	w.fuel, w.stack = uint32(n), uint32(n)+1
	w.shape.Beside += int64(n) * besideGlobal
	return append(out, I64, 1, opI64Const, 0, opEnd, I64, 1, opI64Const, 0, opEnd)
}

// readTable counts the entries that the table can have.
func (w *rewriter) readTable(r *reader) []byte {
	if r.count("tables", 1) > 0 {
		r.refType()
		least, most, _ := r.limits("table")
		if w.shape.Tables {
			least = most
		}
		w.shape.Beside += int64(least) * besideEntry
	}
	return r.b
}

// What an instance takes of the host's memory for each of its parts, bytes, as the runtime makes them.
const (
	besideSegment = 24
	besideItem    = 48 // a reference to a function, which is made for each, and its place in two lists
	besideEntry   = 8
	besideGlobal  = 100
)

// editExports drops exports of the table, which no host may change, and adds the module's state.
func (w *rewriter) editExports(r *reader) []byte {
	var out []byte
	n := uint32(0)
	export := func(name string, kind byte, index uint32) {
		out = appendU32(append(appendName(out, name), kind), index)
		n++
	}
	for range r.count("exports", maxExports) {
		name, kind, index := r.name(), r.byte(), r.u32()
		switch kind {
		case KindTable:
			continue
		case KindFunc:
			index = w.fix(index)
		}
		export(name, kind, index)
	}
	for i, name := range w.shape.Globals {
		export(name, KindGlobal, w.mutable[i])
	}
	export(FuelExport, KindGlobal, w.fuel)
	export(StackExport, KindGlobal, w.stack)
	if start := w.sections[secStart]; start != nil {
		w.shape.Start = true
		export(StartExport, KindFunc, w.fix((&reader{b: start}).u32()))
	}
	return append(appendU32(nil, n), out...)
}

// join frames the sections in their order.
func (w *rewriter) join() []byte {
	size := len(magic)
	for _, body := range w.sections {
		size += len(body) + 6
	}
	out := append(make([]byte, 0, size), magic...)
	for rank := 1; rank <= len(sectionRank); rank++ {
		for id, body := range w.sections {
			if sectionRank[id] == rank && len(body) > 0 && !(len(body) == 1 && body[0] == 0) {
				out = appendU32(append(out, byte(id)), uint32(len(body)))
				out = append(out, body...)
			}
		}
	}
	return out
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}

// appendVector returns the encoded vector old with n more encoded entries.
func appendVector(old []byte, n uint32, entries []byte) []byte {
	r := &reader{b: old}
	have := r.u32()
	out := appendU32(make([]byte, 0, len(old)+len(entries)+5), have+n)
	return append(append(out, old[r.pos:]...), entries...)
}
