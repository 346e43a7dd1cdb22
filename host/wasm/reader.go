package wasm

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

var (
	errTruncated = errors.New("truncated")
	errNoFit     = errors.New("integer does not fit its type")
)

// reader walks bytes that may be hostile. The first error sticks: every later read returns zero and
// moves nothing, so that a caller checks once per item.
type reader struct {
	b    []byte
	pos  int
	base int // offset of b in the file, for error texts
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = fmt.Errorf("at byte %d: %w", r.base+r.pos, err)
	}
	r.pos = len(r.b)
}

func (r *reader) failf(format string, args ...any) { r.fail(fmt.Errorf(format, args...)) }

func (r *reader) left() int { return len(r.b) - r.pos }

func (r *reader) byte() byte {
	if r.left() < 1 {
		r.fail(errTruncated)
		return 0
	}
	c := r.b[r.pos]
	r.pos++
	return c
}

// take returns the next n bytes, without a copy.
func (r *reader) take(n uint32) []byte {
	if uint64(n) > uint64(r.left()) {
		r.fail(errTruncated)
		return nil
	}
	p := r.b[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return p
}

// u32 reads an unsigned LEB128 of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			if v > 1<<32-1 {
				break
			}
			return uint32(v)
		}
	}
	r.fail(errors.New("integer does not fit 32 bits"))
	return 0
}

// skipLEB passes over a LEB128 of at most max bytes whose value does not matter here.
func (r *reader) skipLEB(max int) {
	for range max {
		if r.byte()&0x80 == 0 {
			return
		}
	}
	r.fail(errors.New("integer is too long"))
}

// constant passes over the signed LEB128 of a constant, of at most max bytes.
func (r *reader) constant(op byte, max int) {
	from := r.pos
	r.skipLEB(max)
	if r.err == nil && r.pos-from == max && !fits(op, r.b[r.pos-1]) {
		r.fail(errNoFit)
	}
}

// count reads the length of a vector. Every element takes a byte at least, so a count above what is
// left is a lie; a runtime that believed it would allocate gigabytes for a file of ten bytes.
func (r *reader) count(what string, limit uint32) int {
	n := r.u32()
	if n > limit {
		r.failf("%s: found %d, limit %d", what, n, limit)
		return 0
	}
	if int(n) > r.left() {
		r.failf("%s: %d announced, but the section ends before", what, n)
		return 0
	}
	return int(n)
}

// name reads a name: UTF-8 of at most maxName bytes.
func (r *reader) name() string {
	n := r.u32()
	if n > maxName {
		r.failf("name: found %d bytes, limit %d", n, maxName)
		return ""
	}
	p := r.take(n)
	if !utf8.Valid(p) {
		r.fail(errors.New("name is not UTF-8"))
		return ""
	}
	return string(p)
}

func (r *reader) valType() byte {
	t := r.byte()
	if r.err == nil && (t < V128 || t > I32) && t != FuncRef && t != ExternRef {
		r.failf("value type 0x%02x is not one of WebAssembly 2.0", t)
	}
	return t
}

func (r *reader) refType() byte {
	t := r.byte()
	if r.err == nil && t != FuncRef && t != ExternRef {
		r.failf("reference type 0x%02x is not one of WebAssembly 2.0", t)
	}
	return t
}

// limits reads the size limits of a table or memory. bounded is false when no maximum is named.
func (r *reader) limits(what string) (least, most uint32, bounded bool) {
	flags := r.byte()
	switch {
	case r.err != nil:
		return 0, 0, false
	case flags&^3 != 0:
		r.failf("%s: 64-bit or unknown limits (flags 0x%02x); only 32-bit ones are allowed", what, flags)
		return 0, 0, false
	case flags&2 != 0:
		r.failf("%s is shared; threads are not allowed", what)
		return 0, 0, false
	}
	least = r.u32()
	if flags&1 == 0 {
		return least, 0, false
	}
	most = r.u32()
	if r.err == nil && most < least {
		r.failf("%s: maximum %d is below its minimum %d", what, most, least)
	}
	return least, most, true
}

// constExpr passes over a constant expression of WebAssembly 2.0, its end included. A valid one is a single
// instruction; a runtime keeps all values of a longer one, in eight times its bytes, before it refuses it.
func (r *reader) constExpr() {
	n := 0
	for r.err == nil && r.constOp() != opEnd {
		n++
	}
	if r.err == nil && n > 1 {
		r.failf("a constant expression has %d instructions; 1 is allowed", n)
	}
}

// constOp passes over one instruction of a constant expression and returns its opcode.
func (r *reader) constOp() byte {
	op := r.byte()
	switch op {
	case opEnd:
	case opI32Const:
		r.constant(op, 5)
	case opI64Const:
		r.constant(op, 10)
	case opGlobalGet, opRefFunc:
		r.u32()
	case 0x43: // f32.const
		r.take(4)
	case 0x44: // f64.const
		r.take(8)
	case 0xd0: // ref.null
		r.refType()
	case prefixVector: // v128.const
		if sub := r.u32(); r.err == nil && sub != 12 {
			r.failf("opcode 0xfd %d in a constant expression", sub)
		}
		r.take(16)
	default:
		r.failf("opcode 0x%02x in a constant expression", op)
	}
	return op
}

// appendU32 appends the shortest LEB128 of v.
func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
