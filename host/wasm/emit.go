package wasm

// Opcodes that only the meter writes.
const (
	opSelect       = 0x1b
	opI32LtU       = 0x49
	opI32GtU       = 0x4b
	opI32LeU       = 0x4d
	opI64GtU       = 0x56
	opI64GeS       = 0x59
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32Or        = 0x72
	opI64Add       = 0x7c
	opI64Sub       = 0x7d
	opI64Or        = 0x84
	opI64Shl       = 0x86
	opI64ShrU      = 0x88
	opI64ExtendI32 = 0xad // unsigned

	blockVoid = 0x40
)

// code is a function body in the making.
type code []byte

// op appends opcodes without immediates.
func (c *code) op(ops ...byte) { *c = append(*c, ops...) }

// index appends an opcode with its index.
func (c *code) index(op byte, i uint32) { *c = appendU32(append(*c, op), i) }

// i32 and i64 append a constant.
func (c *code) i32(v int64) { *c = appendSigned(append(*c, opI32Const), v) }
func (c *code) i64(v int64) { *c = appendSigned(append(*c, opI64Const), v) }

// bulk appends memory.fill or memory.copy.
func (c *code) bulk(op uint32) {
	*c = append(*c, prefixBulk, byte(op), 0)
	if op == opMemoryCopy {
		*c = append(*c, 0)
	}
}

// init appends memory.init of a segment.
func (c *code) init(segment uint32) {
	*c = append(appendU32(append(*c, prefixBulk, opMemoryInit&0xff), segment), 0)
}

// appendSigned appends the shortest signed LEB128 of v.
func appendSigned(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// costWidth is the room for a cost that is known only when the rest of the function was seen. The
// largest function costs less than 2^34.
const costWidth = 5

// charge appends code that takes units, as many as what units appends leaves on the stack, from the
// fuel.
func (w *rewriter) charge(c *code, units func()) {
	c.index(opGlobalGet, w.fuel)
	units()
	c.op(opI64Sub)
	c.index(opGlobalSet, w.fuel)
}

// check appends code that yields, by what yield appends, when the fuel is below zero.
func (w *rewriter) check(c *code, yield func()) {
	w.checkOf(c, func() { c.index(opGlobalGet, w.fuel) }, yield)
}

// checkOf is check for what left appends. The arm that goes on comes first and is empty: the runtime's
// register allocator gives the code that follows the state of the arm it meets first, and after a call
// nothing is left in registers.
func (w *rewriter) checkOf(c *code, left, yield func()) {
	left()
	c.i64(0)
	c.op(opI64GeS, opIf, blockVoid, opElse)
	yield()
	c.op(opEnd)
}

// yield appends a call of the host.
func (w *rewriter) yield(c *code) { c.index(opCall, w.imports) }

// chargeAndCheck is what one place in a helper does.
func (w *rewriter) chargeAndCheck(c *code, units func()) {
	w.charge(c, units)
	w.check(c, func() { w.yield(c) })
}

// putCost writes a cost into the room that was left for it.
func putCost(room []byte, cost int64) {
	for i := range costWidth {
		room[i] = byte(cost>>(7*i))&0x7f | 0x80
	}
	room[costWidth-1] &= 0x7f
}
