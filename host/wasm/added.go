package wasm

// Units of bulk operations. One unit stands for one instruction; a machine moves some 8 bytes in the
// time of one.
const (
	unitShift = 3       // 1 unit for 8 bytes
	pageShift = 8       // 256 units for a page that memory.grow asks for; using it costs more later
	chunk     = 1 << 20 // bytes that are moved at most between two looks at the fuel
)

// helper is a function that the meter adds in place of an instruction.
type helper int

const (
	helperFill  helper = iota // (to, value, n): memory.fill
	helperCopy                // (to, from, n): memory.copy
	helperBytes               // (n) -> n: charges for n bytes
	helperItems               // (n) -> n: charges for n entries of a table
	helperPages               // (n) -> n: charges for n pages of memory
	helperCount
)

// A loop's head hands the locals to a relay: (locals) -> locals, which calls yield. Passed by value
// they do not live across a call inside the loop, which would have every one of them stored to the
// stack each time the loop turns.
const (
	maxRelayed = 32    // locals of a function that uses a relay
	maxRelays  = 1_000 // relays; functions with yet another set of types call yield themselves
)

// helpers are the added functions that the module needs, in the order of their first use.
type helpers struct {
	index  [helperCount]uint32 // 1 + place among the added functions; 0: not needed
	relays map[string]uint32   // the same by the types of the locals
	inits  map[uint32]uint32   // the same by data segment
	types  []uint32
	bodies []code
}

// add appends a function and returns 1 + its place.
func (h *helpers) add(t uint32, body code) uint32 {
	h.types, h.bodies = append(h.types, t), append(h.bodies, body)
	return uint32(len(h.bodies))
}

func (h *helpers) typeSection() (b []byte) {
	for _, t := range h.types {
		b = appendU32(b, t)
	}
	return b
}

// helper returns the function index of a helper.
func (w *rewriter) helper(h helper) uint32 {
	if w.helpers.index[h] == 0 {
		t := FuncType{Params: []byte{I32, I32, I32}}
		var body code
		switch h {
		case helperFill:
			body = w.fillBody()
		case helperCopy:
			body = w.copyBody()
		case helperBytes:
			body = w.payBody(maxModule, opI64ShrU, unitShift)
		case helperItems:
			body = w.payBody(maxTable, opI64ShrU, 0)
		case helperPages:
			body = w.payBody(maxPages, opI64Shl, pageShift)
		}
		if h >= helperBytes {
			t = FuncType{Params: []byte{I32}, Results: []byte{I32}}
		}
		w.helpers.index[h] = w.helpers.add(w.typeOf(t), body)
	}
	return w.imports + uint32(len(w.funcs)) + w.helpers.index[h]
}

// initOf returns the function index of memory.init of a long segment: (to, from, n).
func (w *rewriter) initOf(segment uint32) uint32 {
	place, ok := w.helpers.inits[segment]
	if !ok {
		place = w.helpers.add(w.typeOf(FuncType{Params: []byte{I32, I32, I32}}), w.initBody(segment))
		w.helpers.inits[segment] = place
	}
	return w.imports + uint32(len(w.funcs)) + place
}

// relay returns the function index of the relay for locals of these types, or false.
func (w *rewriter) relay(types []byte) (uint32, bool) {
	place, ok := w.helpers.relays[string(types)]
	if !ok {
		if len(types) > maxRelayed || len(w.helpers.relays) == maxRelays {
			return 0, false
		}
		var body code
		body.op(0) // no locals
		w.yield(&body)
		body.args(uint32(len(types)))
		body.op(opEnd)
		place = w.helpers.add(w.typeOf(FuncType{Params: types, Results: types}), body)
		w.helpers.relays[string(types)] = place
	}
	return w.imports + uint32(len(w.funcs)) + place, true
}

// payBody charges for its parameter and returns it. A length above most fails at once, and is charged
// as most: an allocator that asks for too much must get its refusal, not the end of its fuel.
func (w *rewriter) payBody(most int64, shift byte, by int64) (c code) {
	c.op(0) // no locals
	w.chargeAndCheck(&c, func() {
		c.index(opLocalGet, 0)
		c.i32(most)
		c.index(opLocalGet, 0)
		c.i32(most)
		c.op(opI32LtU, opSelect, opI64ExtendI32)
		c.i64(by)
		c.op(shift)
	})
	c.index(opLocalGet, 0)
	c.op(opEnd)
	return c
}
