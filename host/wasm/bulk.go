package wasm

// payChunk charges for a chunk.
func (w *rewriter) payChunk(c *code) {
	w.chargeAndCheck(c, func() { c.i64(chunk >> unitShift) })
}

// payRest charges for localN bytes.
func (w *rewriter) payRest(c *code) {
	w.chargeAndCheck(c, func() {
		c.index(opLocalGet, localN)
		c.op(opI64ExtendI32)
		c.i64(unitShift)
		c.op(opI64ShrU)
	})
}

// Parameters of fillBody and copyBody.
const (
	localTo = iota
	localFrom
	localN
)

// outside appends: the range of localN bytes at a local is not all in memory.
func (c *code) outside(at uint32) {
	c.index(opLocalGet, at)
	c.op(opI64ExtendI32)
	c.index(opLocalGet, localN)
	c.op(opI64ExtendI32, opI64Add)
	c.op(opMemorySize, 0, opI64ExtendI32)
	c.i64(16)
	c.op(opI64Shl, opI64GtU)
}

// move appends local op= chunk.
func (c *code) move(local uint32, op byte) {
	c.index(opLocalGet, local)
	c.i32(chunk)
	c.op(op)
	c.index(opLocalSet, local)
}

// large appends: localN is above a chunk.
func (c *code) large() {
	c.index(opLocalGet, localN)
	c.i32(chunk)
	c.op(opI32GtU)
}

func (c *code) args(n uint32) {
	for i := range n {
		c.index(opLocalGet, i)
	}
}

// fillBody is memory.fill in chunks. A range that is not all in memory goes to the instruction as it
// is: it traps before it writes anything, as the specification has it.
func (w *rewriter) fillBody() (c code) {
	c.op(0) // no locals
	c.large()
	c.op(opIf, blockVoid)
	{
		c.outside(localTo)
		c.op(opIf, blockVoid)
		c.args(3)
		c.bulk(opMemoryFill)
		c.op(opEnd)
		w.forward(&c, func() { c.bulk(opMemoryFill) }, localTo)
	}
	c.op(opEnd)
	w.payRest(&c)
	c.args(3)
	c.bulk(opMemoryFill)
	c.op(opEnd)
	return c
}

// copyBody is memory.copy in chunks: from the front when the target is below the source, otherwise
// from the back, so that overlapping ranges come out as if copied at once.
func (w *rewriter) copyBody() (c code) {
	c.op(0) // no locals
	c.large()
	c.op(opIf, blockVoid)
	{
		c.outside(localTo)
		c.op(opIf, blockVoid)
		c.args(3)
		c.bulk(opMemoryCopy)
		c.op(opEnd)
		c.outside(localFrom)
		c.op(opIf, blockVoid)
		c.args(3)
		c.bulk(opMemoryCopy)
		c.op(opEnd)
		c.index(opLocalGet, localTo)
		c.index(opLocalGet, localFrom)
		c.op(opI32LeU, opIf, blockVoid)
		w.forward(&c, func() { c.bulk(opMemoryCopy) }, localTo, localFrom)
		c.op(opElse)
		w.copyBackward(&c)
		c.op(opEnd)
	}
	c.op(opEnd)
	w.payRest(&c)
	c.args(3)
	c.bulk(opMemoryCopy)
	c.op(opEnd)
	return c
}

// forward does a bulk operation a chunk at a time from the front, paid before each, and moves the locals
// that are its addresses.
func (w *rewriter) forward(c *code, operation func(), addresses ...uint32) {
	c.op(opLoop, blockVoid)
	w.payChunk(c)
	c.args(2)
	c.i32(chunk)
	operation()
	for _, local := range addresses {
		c.move(local, opI32Add)
	}
	c.move(localN, opI32Sub)
	c.large()
	c.index(opBrIf, 0)
	c.op(opEnd)
}

func (w *rewriter) copyBackward(c *code) {
	c.op(opLoop, blockVoid)
	w.payChunk(c)
	c.move(localN, opI32Sub)
	for _, local := range []uint32{localTo, localFrom} {
		c.index(opLocalGet, local)
		c.index(opLocalGet, localN)
		c.op(opI32Add)
	}
	c.i32(chunk)
	c.bulk(opMemoryCopy)
	c.large()
	c.index(opBrIf, 0)
	c.op(opEnd)
}

// initBody is memory.init of a long segment in chunks. A segment that was dropped is empty: the first
// chunk traps, before anything is written.
func (w *rewriter) initBody(segment uint32) (c code) {
	c.op(0) // no locals
	c.large()
	c.op(opIf, blockVoid)
	{
		c.outside(localTo)
		c.index(opLocalGet, localFrom)
		c.op(opI64ExtendI32)
		c.index(opLocalGet, localN)
		c.op(opI64ExtendI32, opI64Add)
		c.i64(int64(w.lengths[segment]))
		c.op(opI64GtU, opI32Or, opIf, blockVoid)
		c.args(3)
		c.init(segment)
		c.op(opEnd)
		w.forward(&c, func() { c.init(segment) }, localTo, localFrom)
	}
	c.op(opEnd)
	w.payRest(&c)
	c.args(3)
	c.init(segment)
	c.op(opEnd)
	return c
}
