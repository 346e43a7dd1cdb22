package wasm

import "errors"

// segment is an active data segment that was taken out of the module.
type segment struct {
	offset uint32
	bytes  []byte
}

// editExpr copies a constant expression with its function indices moved.
func (w *rewriter) editExpr(r *reader, out []byte) []byte {
	for {
		from := r.pos
		op := r.constOp()
		switch {
		case r.err != nil:
			return nil
		case op == opRefFunc:
			index := &reader{b: r.b, pos: from + 1}
			out = appendU32(append(out, op), w.fix(index.u32()))
		default:
			out = append(out, r.b[from:r.pos]...)
		}
		if op == opEnd {
			return out
		}
	}
}

// editElements moves the function indices of all element segments.
func (w *rewriter) editElements(r *reader) []byte {
	n := r.count("element segments", maxKept)
	w.shape.Beside += int64(n) * besideSegment
	out := appendU32(make([]byte, 0, len(r.b)+len(r.b)/8), uint32(n))
	for range n {
		form := r.u32()
		out = appendU32(out, form)
		if form&1 == 0 { // active
			if form&2 != 0 {
				out = appendU32(out, r.u32())
			}
			out = w.editExpr(r, out)
		}
		if form&3 != 0 {
			out = append(out, r.byte())
		}
		items := r.count("items of element segments", maxElements)
		out = appendU32(out, uint32(items))
		w.shape.Beside += int64(items) * besideItem
		for range items {
			if form&4 != 0 {
				out = w.editExpr(r, out)
			} else {
				out = appendU32(out, w.fix(r.u32()))
			}
			if r.err != nil {
				return nil
			}
		}
	}
	return out
}

// readLengths notes how long the passive segments are.
func (w *rewriter) readLengths(r *reader) []byte {
	for range r.count("data segments", maxSegments) {
		form := r.u32()
		if form == 2 {
			r.u32()
		}
		if form != 1 {
			r.offset()
		}
		n := uint32(len(r.take(r.u32())))
		if form != 1 {
			n = 0 // dropped when the module is instantiated
		}
		w.lengths = append(w.lengths, n)
		if r.err != nil {
			return nil
		}
	}
	return r.b
}

// editData takes the active segments out. Where code refers to segments by index they stay as empty
// passive ones, which is what an active segment is once its module runs.
func (w *rewriter) editData(r *reader) []byte {
	n := r.count("data segments", maxSegments)
	out := appendU32(nil, uint32(n))
	total := 0
	for range n {
		form := r.u32()
		if form == 2 {
			r.u32()
		}
		var at uint32
		if form != 1 {
			at = r.offset()
		}
		p := r.take(r.u32())
		if r.err != nil {
			return nil
		}
		if form != 1 {
			w.data = append(w.data, segment{offset: at, bytes: p})
			total += len(p)
			p = nil
		}
		out = append(appendU32(append(out, 1), uint32(len(p))), p...)
	}
	// One copy of their own lets the rest of the module go.
	kept := make([]byte, 0, total)
	for i, d := range w.data {
		from := len(kept)
		kept = append(kept, d.bytes...)
		w.data[i].bytes = kept[from:len(kept):len(kept)]
	}
	if !w.shape.Passive {
		w.sections[secDataCount] = nil
		return nil
	}
	w.shape.Beside += int64(n) * besideSegment
	return out
}

// offset reads the place of an active segment: a gated module imports no globals, so a valid one has
// a constant.
func (r *reader) offset() uint32 {
	if op := r.byte(); r.err == nil && op != opI32Const {
		r.fail(errors.New("a segment's offset is not a constant"))
		return 0
	}
	var v uint64
	for shift := 0; ; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if c&0x40 != 0 {
				v |= ^uint64(0) << (shift + 7)
			}
			break
		}
		if shift >= 28 {
			r.fail(errors.New("integer is too long"))
			return 0
		}
	}
	if r.byte() != opEnd && r.err == nil {
		r.fail(errors.New("a segment's offset is not a constant"))
	}
	return uint32(v)
}
