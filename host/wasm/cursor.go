package wasm

import "errors"

// noType is the index of a block type that is written as one byte.
const noType = 1<<32 - 1

// cursor walks the instructions of one function body. The gate and the meter share it, so that what
// was checked is what is rewritten. The runtime has a reader of its own: whatever two readers could take
// for different instructions, such as a number that is longer than it need be where the runtime reads one
// byte, is refused, or a guest could hide code from its meter.
type cursor struct {
	reader
	// The instruction at which next stopped. Of an index pair only the first is kept.
	op      uint32
	from    int    // offset of its first byte; pos is behind its last
	index   uint32 // its first index: label, function, type, segment
	targets int    // of br_table, the default included
	labels  int    // offset of the first target of br_table
	skipped int    // instructions passed over before it
	weight  int    // of all instructions so far
	vectors bool   // some of them are on vectors
}

// next moves to the next instruction that matters to control, limits or metering, past those that
// only compute. It returns false at the first error or when nothing is left.
func (c *cursor) next() bool {
	b, p, n, weight := c.b, c.pos, 0, 0
	for p < len(b) {
		in := instructions[b[p]]
		q := p + 1
		switch in.shape {
		case plain:
		case leb32, leb64, memarg:
			if in.shape == memarg {
				if q < len(b) && b[q] >= 0x40 {
					c.pos = q
					c.memarg()
					q = c.pos
					break
				}
				q++
			}
			for q < len(b) && b[q] >= 0x80 {
				q++
			}
			if q++; q-p > int(in.longest) {
				c.pos = p
				c.fail(errors.New("integer is too long"))
				return false
			}
			if q-p == int(in.longest) && q <= len(b) && !fits(b[p], b[q-1]) {
				c.pos = p
				c.fail(errNoFit)
				return false
			}
		case bytes4:
			q += 4
		case bytes8:
			q += 8
		case control:
			c.pos, c.skipped = p, n
			c.weight += weight + int(in.weight)
			return c.decode()
		default:
			c.pos = p
			c.unassigned(b[p])
			return false
		}
		p = q
		n++
		weight += int(in.weight)
	}
	c.pos = min(p, len(b))
	c.fail(errTruncated)
	return false
}

// fits tells whether the last byte of an integer in its longest form has no bits beyond the integer's: the
// runtime ignores one of them in signed ones. Any instruction but the two constants has an unsigned one.
func fits(op, last byte) bool {
	switch op {
	case opI32Const:
		return last&0x78 == 0 || last&0x78 == 0x78
	case opI64Const:
		return last == 0 || last == 0x7f
	}
	return last <= 0x0f
}

// unassigned refuses an opcode.
func (c *cursor) unassigned(op byte) {
	if name := refusedOpcodes[op]; name != "" {
		c.failf("opcode 0x%02x: %s: not allowed", op, name)
	} else {
		c.failf("opcode 0x%02x is not one of WebAssembly 2.0", op)
	}
}

// memarg refuses the flag that multi-memory puts into the alignment.
func (c *cursor) memarg() {
	if align := c.u32(); c.err == nil && align >= 0x40 {
		c.fail(errors.New("an access to another memory; multi-memory is not allowed"))
	}
	c.u32()
}

// decode takes the instruction at pos apart.
func (c *cursor) decode() bool {
	c.from, c.index, c.targets = c.pos, 0, 0
	op := c.byte()
	c.op = uint32(op)
	switch op {
	case opBlock, opLoop, opIf:
		c.blockType()
	case opBr, opBrIf, opCall, opTableSet, opRefFunc:
		c.index = c.u32()
	case opCallIndirect:
		c.index = c.u32()
		c.u32()
	case opBrTable:
		c.targets = c.count("targets of br_table", 1<<31) + 1
		c.labels = c.pos
		for range c.targets {
			c.skipLEB(5)
		}
	case 0x1c: // select
		for range c.count("types of select", maxValues) {
			c.valType()
		}
	case opMemorySize, opMemoryGrow:
		if memory := c.byte(); c.err == nil && memory != 0 {
			c.fail(errors.New("memory.size or memory.grow of another memory; multi-memory is not allowed"))
		}
	case 0xd0: // ref.null
		c.refType()
	case prefixBulk:
		c.bulk()
	case prefixVector:
		c.vector()
	}
	return c.err == nil
}

// blockType reads the type of a block: an index, or one byte that is no index, which index then has
// above all indices. Other negative numbers begin the reference types of later proposals, of which a
// runtime may read more bytes.
func (c *cursor) blockType() {
	from := c.pos
	c.skipLEB(5)
	c.index = noType
	switch {
	case c.err != nil:
	case c.b[c.pos-1]&0x40 == 0:
		index := &reader{b: c.b, pos: from}
		c.index = index.u32()
	case c.pos != from+1:
		c.fail(errors.New("a block type is not in its shortest form"))
	default:
		switch t := c.b[from]; t {
		case blockVoid, I32, I64, F32, F64, V128, FuncRef, ExternRef:
		default:
			c.failf("block type 0x%02x is not one of WebAssembly 2.0", t)
		}
	}
}

func (c *cursor) bulk() {
	n := c.u32()
	if c.err == nil && n >= uint32(len(bulkImmediates)) {
		c.failf("opcode 0xfc %d is not one of WebAssembly 2.0", n)
		return
	}
	c.op = prefixBulk<<8 | n
	c.weight += bulkWeights[n]
	for i := range bulkImmediates[n] {
		index := c.u32()
		if i == 0 {
			c.index = index
		}
		memory := c.op == opMemoryCopy || c.op == opMemoryFill || c.op == opMemoryInit && i == 1
		if c.err == nil && memory && index != 0 {
			c.fail(errors.New("a bulk operation on another memory; multi-memory is not allowed"))
		}
	}
}

// vector reads an instruction on vectors. Its number is an integer of any length by the specification, and
// one byte in the runtime: the second byte of a number above 127 then is an instruction that does nothing.
func (c *cursor) vector() {
	from := c.pos
	n := c.u32()
	if c.err == nil && c.pos-from != len(appendU32(nil, n)) {
		c.fail(errors.New("the number of a vector instruction is not in its shortest form"))
	}
	if c.err == nil && n > 0xff {
		c.failf("opcode 0xfd %d: relaxed SIMD is not allowed", n)
		return
	}
	c.op = prefixVector<<8 | n
	c.vectors = true
	arg, lanes := vectorShape(n)
	if arg {
		c.memarg()
	}
	c.take(lanes)
}
