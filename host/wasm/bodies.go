package wasm

import "fmt"

// readElements reads the eight forms of element segments: bit 0 passive or declared, bit 1 an
// explicit table or, with bit 0, declared, bit 2 expressions in place of function indices.
func (m *module) readElements(r *reader) {
	for range r.count("element segments", maxSegments) {
		form := r.u32()
		if r.err == nil && form > 7 {
			r.failf("element segment form %d", form)
		}
		if form&1 == 0 { // active
			if form&2 != 0 {
				r.u32()
			}
			r.constExpr()
		}
		exprs := form&4 != 0
		if form&3 != 0 { // an element kind or reference type
			if exprs {
				r.refType()
			} else if kind := r.byte(); r.err == nil && kind != 0 {
				r.failf("element kind 0x%02x", kind)
			}
		}
		n := r.count("items of element segments", maxElements-uint32(m.elements))
		m.elements += n
		for range n {
			if exprs {
				r.constExpr()
			} else {
				r.u32()
			}
			if r.err != nil {
				return
			}
		}
	}
}

// readBodies reads the frame of each function: its size and its locals. Locals are declared in runs,
// so a body of ten bytes can ask a compiler for gigabytes of them.
func (m *module) readBodies(r *reader) {
	m.bodies = r.count("function bodies", maxFunctions)
	for i := range m.bodies {
		size := r.u32()
		if r.err == nil && size > maxBody {
			r.failf("function body %d: found %d bytes, limit %d", i, size, maxBody)
		}
		body := &reader{b: r.take(size)}
		body.base = r.base + r.pos - len(body.b)
		locals := uint64(0)
		for range body.count("runs of locals", maxLocals) {
			locals += uint64(body.u32())
			body.valType()
			if body.err != nil {
				break
			}
		}
		switch {
		case r.err != nil:
			return
		case body.err != nil:
			r.err = fmt.Errorf("function body %d %w", i, body.err)
			return
		case locals > maxLocals:
			r.failf("locals of function body %d: found %d, limit %d", i, locals, maxLocals)
			return
		case body.left() == 0 || body.b[len(body.b)-1] != 0x0b:
			r.failf("function body %d does not end with the end opcode", i)
			return
		}
		if m.locals += int(locals); m.locals > maxAllLocals {
			r.failf("locals of all functions: found more than the limit %d", maxAllLocals)
			return
		}
	}
}

func (m *module) readData(r *reader) {
	m.data = r.count("data segments", maxSegments)
	for range m.data {
		form := r.u32()
		if r.err == nil && form > 2 {
			r.failf("data segment form %d", form)
		}
		if form == 2 {
			if memory := r.u32(); r.err == nil && memory != 0 {
				r.failf("memory %d does not exist", memory)
			}
		}
		if form != 1 {
			r.constExpr()
		}
		r.take(r.u32())
		if r.err != nil {
			return
		}
	}
}
