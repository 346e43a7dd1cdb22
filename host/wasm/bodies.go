package wasm

import (
	"errors"
	"fmt"
	"slices"
)

// effort is what the time and the memory of compiling a function, and the stack that it takes when it
// runs, depend on.
type effort struct {
	weight   int  // of the instructions, in quarters of a KiB of memory
	locals   int  // parameters included
	blocks   int  // of the control flow graph, metering included
	values   int  // that may have to be joined where control flow joins: locals, mutable globals and more
	joins    int  // where control flow joins
	products int  // values x blocks
	reloads  int  // mutable globals x calls
	turns    int  // of all loops how many loops each is in, itself included
	loops    int  // most loops inside each other
	targets  int  // of br_table
	passed   int  // most values that one call passes and takes back
	calls    bool // calls anything
	vectors  bool // has values of 16 bytes
}

// How many blocks of the control flow graph an instruction makes. Metering adds some to a function
// and to a loop.
const (
	blocksOfFunction = 8
	blocksOfLoop     = 8
	blocksOfIf       = 3
	blocksOfBranch   = 2
	blocksOfTable    = 12 // of a bulk operation on a table
	targetsOfBlock   = 2  // that many targets of br_table cost what one block does

	joinsOfFunction = 2 // after the look at the fuel, and at the end
	joinsOfLoop     = 3 // at its head, after the look at the fuel, after a relay
)

// weightOfPassed is the weight of a value that a call passes or takes back.
const weightOfPassed = 5

// addedValues change in every function: fuel and stack, which metering adds, and where the memory lies
// and how large it is.
const addedValues = 4

// units sums an effort up in units of weight, of which a second has some eight million: the compiler's
// time is quadratic in blocks and in locals, and a function that does not fit the processor's caches
// takes twice as long. The compiler looks at all that it joined until nothing changes, once more for each
// loop around another, and keeps the locals that no relay takes through every loop.
func (e *effort) units() int {
	return e.weight + e.weight*e.weight/800_000 + e.blocks*e.blocks/20 + e.values*e.products/200 + e.reloads*4 +
		e.loops*e.values*e.joins/2 + max(0, e.locals-maxRelayed)*e.turns*9
}

// What a frame on the runtime's stack has beside its values, bytes: return address, saved registers,
// and room for what a call passes.
const (
	frameBase     = 512
	bytesOfPassed = 16
)

// frame is more than any frame of the function takes on the runtime's stack, bytes. The runtime gives a
// slot to every value that lives across a call or for which there is no register, and uses no slot
// twice. Values are made by instructions, one in four of their weight at most, and where control flow
// joins. Most frames that it really makes are ten times smaller, or more: see TestFramesAreBounded.
func (e *effort) frame() int {
	size := 8
	if e.vectors {
		size = 16
	}
	return frameBase + bytesOfPassed*e.passed + size*(e.weight/4+e.values*e.joins)
}

// leafFrame is the largest frame, bytes, that a function which calls nothing takes for nothing: it is the
// last on the stack.
const leafFrame = 16 << 10

// charged is what a call takes from the stack that is left, bytes; 0: nothing.
func (e *effort) charged() int32 {
	if frame := e.frame(); e.calls || frame > leafFrame {
		return int32(frame)
	}
	return 0
}

// readBodies walks every instruction of every function.
func (m *module) readBodies(r *reader) {
	m.bodies = r.count("function bodies", m.limits.functions)
	m.named = make([]bool, len(m.funcs))
	for i := range m.bodies {
		size := r.u32()
		if r.err == nil && size > m.limits.body {
			r.failf("function body %d: found %d bytes, limit %d", i, size, m.limits.body)
		}
		body := &cursor{reader: reader{b: r.take(size)}}
		body.base = r.base + r.pos - len(body.b)
		if r.err != nil {
			return
		}
		t := m.own(i)
		e := effort{locals: len(t.Params), vectors: slices.Contains(t.Params, V128)}
		if m.readLocals(body, &e); body.err == nil {
			m.walk(body, &e, len(t.Results))
		}
		if body.err == nil {
			m.hold(body, e)
		}
		if body.err != nil {
			r.err = fmt.Errorf("function body %d %w", i, body.err)
			return
		}
	}
}

// own is the type of the module's own function i.
func (m *module) own(i int) FuncType { return m.callee(uint32(m.imported + i)) }

// callee is the type of a function; none of one that does not exist, which is refused in the end.
func (m *module) callee(f uint32) FuncType {
	if uint64(f) < uint64(len(m.funcs)) {
		return m.types[m.funcs[f]]
	}
	return FuncType{}
}

// readLocals reads the runs in which locals are declared: a body of ten bytes can ask a compiler for
// gigabytes of them.
func (m *module) readLocals(c *cursor, e *effort) {
	for range c.count("runs of locals", maxLocalRuns) {
		n, t := c.u32(), c.valType()
		if c.err != nil {
			return
		}
		e.vectors = e.vectors || t == V128
		if uint64(e.locals)+uint64(n) > uint64(m.limits.locals) {
			c.failf("locals: found %d, limit %d", uint64(e.locals)+uint64(n), m.limits.locals)
			return
		}
		e.locals += int(n)
	}
}

// enter counts a block, loop or if; loops are those that are open then.
func (e *effort) enter(op uint32, loops int) {
	switch op {
	case opBlock:
		e.blocks++
		e.joins++
	case opIf:
		e.blocks += blocksOfIf
		e.joins++
	case opLoop:
		e.blocks += blocksOfLoop
		e.joins += joinsOfLoop
		e.turns += loops
		e.loops = max(e.loops, loops)
	}
}

// walk adds up the effort; arity is how many results the function has. Types, label depths and indices
// are left to the runtime's validator.
func (m *module) walk(c *cursor, e *effort, arity int) {
	depth, calls, passed := 1, 0, 0
	call := func(t FuncType) {
		calls++
		e.calls = true
		n := len(t.Params) + len(t.Results)
		passed += n
		e.passed = max(e.passed, n)
	}
	var loops []int // the depths at which loops are open
	for depth > 0 && c.next() {
		switch c.op {
		case opBlock, opLoop, opIf:
			arity = max(arity, m.arity(c.index))
			if depth++; depth-1 > m.limits.nesting {
				c.failf("nesting: found more than the limit %d", m.limits.nesting)
			}
			if c.op == opLoop {
				loops = append(loops, depth)
				calls++ // of the host, when fuel ran out
			}
			e.enter(c.op, len(loops))
		case opBr, opBrIf:
			e.blocks += blocksOfBranch
		case opBrTable:
			e.blocks += blocksOfBranch
			e.targets += c.targets
		case opCall:
			call(m.callee(c.index))
		case opCallIndirect:
			if uint64(c.index) < uint64(len(m.types)) {
				call(m.types[c.index])
			}
		case opRefFunc:
			m.refer(c)
		case opDataDrop:
			m.kept = true
		case opMemoryInit:
			m.kept = true
			calls += 2
		case opMemoryGrow, opMemoryCopy, opMemoryFill:
			calls += 2
		case opTableInit, opTableCopy, opTableGrow, opTableFill:
			calls += 2
			e.blocks += blocksOfTable
			e.joins += blocksOfTable
		case opEnd:
			if n := len(loops); n > 0 && loops[n-1] == depth {
				loops = loops[:n-1]
			}
			depth--
		}
	}
	if c.err != nil {
		return
	}
	if c.left() > 0 {
		c.fail(errors.New("instructions after the function's end"))
		return
	}
	e.weight = c.weight + weightOfPassed*passed
	e.vectors = e.vectors || c.vectors || m.wide
	e.blocks += e.targets / targetsOfBlock
	e.values = e.locals + arity + m.mutable + addedValues
	e.products = e.values * e.blocks
	e.reloads = m.mutable * (calls + 1) // and as many when the function begins
	e.blocks += blocksOfFunction
	e.joins += joinsOfFunction
}

// refer notes that a body names a function.
func (m *module) refer(c *cursor) {
	switch f := c.index; {
	case uint64(f) >= uint64(len(m.funcs)): // invalid, as the validator will say
	case !m.named[f]:
		m.named[f] = true
		if m.referred++; m.referred > maxReferenced {
			c.failf("functions that ref.func names: found more than the limit %d", maxReferenced)
		}
	}
}

// hold holds a function, and all so far, to the limits.
func (m *module) hold(c *cursor, e effort) {
	l := m.limits
	m.locals += e.locals
	m.effort += e.units() + m.mutable/2 + m.globals/16 // the compiler looks at each global in each function
	for _, rule := range []struct {
		what         string
		found, limit int
	}{
		{"targets of br_table", e.targets, l.targets},
		{"blocks and branches", e.blocks, l.blocks},
		{"locals and mutable globals x blocks", e.products, l.products},
		{"mutable globals x calls", e.reloads, l.products},
		{"weight of its instructions", e.weight, l.weight},
		{"locals of all functions so far", m.locals, l.allLocals},
		{"effort of compiling all functions so far", m.effort, l.effort},
		{"bytes of stack that one call of it may take", e.frame(), MaxFrame},
	} {
		if rule.found > rule.limit {
			c.failf("%s: found %d, limit %d", rule.what, rule.found, rule.limit)
			return
		}
	}
	m.frames = append(m.frames, e.charged())
}

// arity is how many values a block type takes or leaves.
func (m *module) arity(blockType uint32) int {
	if uint64(blockType) >= uint64(len(m.types)) {
		return 1
	}
	t := m.types[blockType]
	return max(len(t.Params), len(t.Results))
}
