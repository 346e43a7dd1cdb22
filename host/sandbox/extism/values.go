package extism

// SetInput makes a copy of p the input.
func (k *Kernel) SetInput(p []byte) bool {
	at, ok := k.Write(p)
	if ok {
		k.input = span{at, uint64(len(p))}
	}
	return ok
}

// MoveInput makes another part of the memory the input.
func (k *Kernel) MoveInput(offset, n uint64) bool {
	if n > 0 && !k.within(offset, n) {
		return false
	}
	k.input = span{offset, n}
	return true
}

// Input is where the input is.
func (k *Kernel) Input() (offset, n uint64) { return k.input.at, k.input.length }

// LoadInput8 reads a byte of the input.
func (k *Kernel) LoadInput8(i uint64) (v byte, ok bool) {
	if i >= k.input.length {
		return 0, false
	}
	return k.Load8(k.input.at + i)
}

// LoadInput64 reads eight bytes of the input, little-endian.
func (k *Kernel) LoadInput64(i uint64) (v uint64, ok bool) {
	if k.input.length < 8 || i > k.input.length-8 {
		return 0, false
	}
	return k.Load64(k.input.at + i)
}

// SetOutput makes a part of the memory the output: what is there when the call is over.
func (k *Kernel) SetOutput(offset, n uint64) bool {
	if n > 0 && !k.within(offset, n) {
		return false
	}
	k.output = span{offset, n}
	return true
}

// OutputAt is where the output is.
func (k *Kernel) OutputAt() (offset, n uint64) { return k.output.at, k.output.length }

// Output copies the output; false: it has more than most bytes.
func (k *Kernel) Output(most int) (p []byte, ok bool) {
	if k.output.length > uint64(max(most, 0)) {
		return nil, false
	}
	if !k.within(k.output.at, k.output.length) {
		return nil, true // nothing, or memory that a reset took back
	}
	p = make([]byte, k.output.length)
	k.copyOut(p, k.output.at)
	return p, true
}

// SetError makes a block the error text; 0: there is none.
func (k *Kernel) SetError(offset uint64) bool {
	if _, ok := k.blocks[offset]; !ok && offset != 0 {
		return false
	}
	k.failure = offset
	return true
}

// ErrorAt is the offset of the error text; 0: there is none.
func (k *Kernel) ErrorAt() uint64 { return k.failure }

// Error copies at most so many bytes of the error text; nil: there is none.
func (k *Kernel) Error(most int) []byte {
	p, _ := k.Read(k.failure, most)
	return p
}

// MaxVars bounds the variables of a call, in bytes, names and perVar for each included.
const (
	MaxVars = 1 << 20
	perVar  = 40
)

// Var returns a variable; false: there is none of that name.
func (k *Kernel) Var(name string) (value []byte, ok bool) {
	value, ok = k.vars[name]
	return value, ok
}

// SetVar keeps a variable until the call ends; false: there is no room for it.
func (k *Kernel) SetVar(name string, value []byte) bool {
	if k.varBytes+varSize(name, value) >= MaxVars {
		return false // what it replaces counts, as in other hosts
	}
	k.RemoveVar(name)
	total := k.varBytes + varSize(name, value)
	if more := total - k.varHeld; more > 0 {
		if k.Hold == nil || !k.Hold(more) {
			return false
		}
		k.varHeld = total
	}
	if k.vars == nil {
		k.vars = map[string][]byte{}
	}
	k.vars[name], k.varBytes = value, total
	return true
}

// RemoveVar forgets a variable.
func (k *Kernel) RemoveVar(name string) {
	if value, ok := k.vars[name]; ok {
		k.varBytes -= varSize(name, value)
		delete(k.vars, name)
	}
}

func varSize(name string, value []byte) int64 { return int64(len(name) + len(value) + perVar) }
