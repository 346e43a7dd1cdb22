package wasm

// readElements reads the eight forms of element segments: bit 0 passive or declared, bit 1 an
// explicit table or, with bit 0, declared, bit 2 expressions in place of function indices.
func (m *module) readElements(r *reader) {
	for range r.count("element segments", maxKept) {
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
