package wasm

import "errors"

// body is a function being rewritten.
type body struct {
	*rewriter
	paths
	in     cursor
	out    code
	copied int    // what of in is before this offset is in out
	locals []byte // types of the locals, parameters included; no more than a relay takes
	nest   uint32 // local: the stack that the function found left, and leaves again
	frame  int64  // bytes that it takes of it; 0: none that count
}

// editCode rewrites all bodies and adds the helpers.
func (w *rewriter) editCode(r *reader) []byte {
	n := r.count("function bodies", 1<<31)
	if r.err == nil && n != len(w.funcs) {
		r.failf("%d bodies of %d functions", n, len(w.funcs))
	}
	out := make(code, 0, len(r.b)+len(r.b)/4)
	var b body
	for i := range n {
		size := r.u32()
		b = body{
			rewriter: w, in: cursor{reader: reader{b: r.take(size), base: r.base + r.pos}},
			out: b.out[:0], locals: b.locals[:0], paths: paths{regions: b.regions[:0], frames: b.frames[:0]},
		}
		if r.err == nil {
			b.frame = int64(w.taken[i])
			b.edit(w.types[w.funcs[i]])
			r.err = b.in.err
		}
		if r.err != nil {
			return nil
		}
		out = append(appendU32(out, uint32(len(b.out))), b.out...)
	}
	for _, h := range w.helpers.bodies {
		out = append(appendU32(out, uint32(len(h))), h...)
	}
	return append(appendU32(make([]byte, 0, len(out)+5), uint32(n+len(w.helpers.bodies))), out...)
}

// edit rewrites one body.
func (b *body) edit(t FuncType) {
	b.copyLocals(t.Params)
	if b.frame > 0 {
		b.descend(t.Results)
	}
	if !b.in.next() {
		return
	}
	// A function that comes straight to a loop pays for both at the loop's head.
	room := -1
	if b.in.op != opLoop {
		room = b.price()
	}
	b.admit(room >= 0)
	b.regions = append(b.regions, region{room: room})
	b.enter(opBlock)
	for {
		b.spend(b.in.skipped + 1)
		b.instruction()
		if len(b.frames) == 0 {
			break
		}
		if !b.in.next() {
			return
		}
	}
	b.flush(b.in.from)
	if b.frame > 0 {
		b.out.op(opEnd)
		b.out.index(opLocalGet, b.nest)
		b.out.index(opGlobalSet, b.stack)
	}
	b.out.op(opEnd)
	b.settle()
	if b.in.left() > 0 {
		b.in.fail(errors.New("instructions after the function's end"))
	}
}

// copyLocals copies the declared locals and adds nest.
func (b *body) copyLocals(params []byte) {
	runs := b.in.count("runs of locals", maxLocalRuns)
	from, total := b.in.pos, uint64(len(params))
	b.locals = append(b.locals, params...)
	for range runs {
		n, t := b.in.u32(), b.in.valType()
		for i := uint32(0); i < n && len(b.locals) <= maxRelayed; i++ {
			b.locals = append(b.locals, t)
		}
		total += uint64(n)
	}
	if total > 1<<24 {
		b.in.failf("%d locals", total)
		return
	}
	b.nest = uint32(total)
	b.out = append(appendU32(b.out, uint32(runs)+1), b.in.b[from:b.in.pos]...)
	b.out.op(1, I64)
	b.copied = b.in.pos
}

// descend takes the function's frame from the stack that is left, and opens a block around the whole
// body, so that every way out of it passes the code that gives the frame back.
func (b *body) descend(results []byte) {
	b.out.index(opGlobalGet, b.stack)
	b.out.index(opLocalTee, b.nest)
	b.out.i64(b.frame)
	b.out.op(opI64Sub)
	b.out.index(opGlobalSet, b.stack)
	switch len(results) {
	case 0:
		b.out.op(opBlock, blockVoid)
	case 1:
		b.out.op(opBlock, results[0])
	default:
		b.out.op(opBlock)
		b.out = appendSigned(b.out, int64(b.typeOf(FuncType{Results: results})))
	}
}

// admit yields when the stack, or the fuel that was taken at the entry, is below zero: one branch for
// both.
func (b *body) admit(fuel bool) {
	var left func()
	switch fuel, stack := fuel, b.frame > 0; {
	case fuel && stack:
		left = func() {
			b.out.index(opGlobalGet, b.fuel)
			b.out.index(opGlobalGet, b.stack)
			b.out.op(opI64Or)
		}
	case fuel:
		left = func() { b.out.index(opGlobalGet, b.fuel) }
	case stack:
		left = func() { b.out.index(opGlobalGet, b.stack) }
	default:
		return
	}
	b.checkOf(&b.out, left, func() { b.yield(&b.out) })
}

// flush copies what was read up to an offset.
func (b *body) flush(to int) {
	b.out = append(b.out, b.in.b[b.copied:to]...)
	b.copied = to
}

// price charges for a region whose price settle will know, and returns the room for it.
func (b *body) price() (room int) {
	b.charge(&b.out, func() {
		b.out.op(opI64Const)
		room = len(b.out)
		b.out.op(make([]byte, costWidth)...)
	})
	return room
}

// settle closes the region on top, which is complete, and writes its price.
func (b *body) settle() {
	r := *b.top()
	b.regions = b.regions[:len(b.regions)-1]
	if len(b.regions) == 1 && b.regions[0].room < 0 {
		b.regions[0].room, b.regions[0].extra = r.room, r.max
		return
	}
	putCost(b.out[r.room:], r.max+r.extra)
}

// instruction rewrites the one at which the cursor stands.
func (b *body) instruction() {
	switch b.in.op {
	case opBlock, opIf:
		b.enter(byte(b.in.op))
	case opLoop:
		b.loop()
	case opElse:
		b.arm()
	case opEnd:
		b.end()
	case opBr, opBrIf, opBrTable, opReturn, opUnreachable:
		b.jump()
	case opCall:
		b.replace(func() { b.out.index(opCall, b.fix(b.in.index)) })
	case opRefFunc:
		b.replace(func() { b.out.index(opGlobalGet, b.reference(b.in.index)) })
	case opTableSet, opElemDrop:
		b.shape.Tables = true
	case opDataDrop:
		b.shape.Passive = true
	case opMemoryFill:
		b.replace(func() { b.out.index(opCall, b.helper(helperFill)) })
	case opMemoryCopy:
		b.replace(func() { b.out.index(opCall, b.helper(helperCopy)) })
	case opMemoryInit:
		b.shape.Passive = true
		if b.length(b.in.index) <= chunk {
			b.before(helperBytes)
			break
		}
		b.replace(func() { b.out.index(opCall, b.initOf(b.in.index)) })
	case opMemoryGrow:
		b.before(helperPages)
	case opTableInit, opTableCopy, opTableGrow, opTableFill:
		b.shape.Tables = true
		b.before(helperItems)
	}
}

// length is that of a data segment.
func (b *body) length(segment uint32) uint32 {
	if uint64(segment) >= uint64(len(b.lengths)) {
		return 0
	}
	return b.lengths[segment]
}

// replace writes something in place of the instruction.
func (b *body) replace(write func()) {
	b.flush(b.in.from)
	write()
	b.copied = b.in.pos
}

// before lets a helper see the length that is on top of the stack.
func (b *body) before(h helper) {
	b.flush(b.in.from)
	b.out.index(opCall, b.helper(h))
}

// loop opens a loop and charges at its head.
func (b *body) loop() {
	b.enter(opLoop)
	if b.dead {
		return
	}
	b.flush(b.in.pos)
	b.regions = append(b.regions, region{room: b.price()})
	b.check(&b.out, func() {
		relay, ok := b.relay(b.locals)
		if !ok || len(b.locals) == 0 {
			b.yield(&b.out)
			return
		}
		b.out.args(uint32(len(b.locals)))
		b.out.index(opCall, relay)
		for i := len(b.locals) - 1; i >= 0; i-- {
			b.out.index(opLocalSet, uint32(i))
		}
	})
}

// end closes a frame, and with a loop its region; a loop that cannot be reached has none.
func (b *body) end() {
	if f := b.frames[len(b.frames)-1]; len(b.regions) > f.home+1 {
		b.settle()
	}
	b.leave()
}

// jump notes where paths go on and end.
func (b *body) jump() {
	ok := true
	switch b.in.op {
	case opBr, opBrIf:
		ok = b.branch(b.in.index)
	case opBrTable:
		labels := reader{b: b.in.b[:b.in.pos], pos: b.in.labels}
		for range b.in.targets {
			ok = ok && b.branch(labels.u32())
		}
	case opReturn:
		if b.frame > 0 {
			b.replace(func() { b.out.index(opBr, uint32(len(b.frames)-1)) })
		}
	}
	if !ok {
		b.in.fail(errors.New("a branch to a label that does not exist"))
	}
	if b.in.op != opBrIf {
		b.dead = true
	}
}
