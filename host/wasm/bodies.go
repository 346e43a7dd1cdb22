package wasm

import (
	"errors"
	"fmt"
)

// effort is what the time and the memory of compiling a function depend on.
type effort struct {
	weight   int // of the instructions, in quarters of a KiB of memory
	locals   int // parameters included
	blocks   int // of the control flow graph, metering included
	products int // values that may have to be joined: locals x blocks
	reloads  int // mutable globals x calls
	turns    int // of all loops how many loops each is in, itself included
	targets  int // of br_table
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
)

// units sums an effort up in units of weight, of which a second has some six million: the compiler's
// time is quadratic in blocks and in locals, and it joins locals at loops until nothing changes, once
// more for each loop around; but for the locals that a relay takes.
func (e *effort) units() int {
	return e.weight + e.blocks*e.blocks/32 + e.locals*e.products/500 + e.reloads*3 + max(0, e.locals-maxRelayed)*e.turns*6
}

// readBodies walks every instruction of every function.
func (m *module) readBodies(r *reader) {
	m.bodies = r.count("function bodies", m.limits.functions)
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
		e := effort{locals: m.params(i)}
		if m.readLocals(body, &e); body.err == nil {
			m.walk(body, &e)
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

// params is the number of parameters of the module's own function i.
func (m *module) params(i int) int {
	if at := m.imported + i; at < len(m.funcs) {
		return len(m.types[m.funcs[at]].Params)
	}
	return 0 // a body without a function: refused in the end
}

// readLocals reads the runs in which locals are declared: a body of ten bytes can ask a compiler for
// gigabytes of them.
func (m *module) readLocals(c *cursor, e *effort) {
	for range c.count("runs of locals", maxLocalRuns) {
		n := c.u32()
		c.valType()
		if c.err != nil {
			return
		}
		if uint64(e.locals)+uint64(n) > uint64(m.limits.locals) {
			c.failf("locals: found %d, limit %d", uint64(e.locals)+uint64(n), m.limits.locals)
			return
		}
		e.locals += int(n)
	}
}

// walk adds up the effort. Types, label depths and indices are left to the runtime's validator.
func (m *module) walk(c *cursor, e *effort) {
	depth, calls, arity := 1, 0, 0
	var loops []int // the depths at which loops are open
	for depth > 0 && c.next() {
		switch c.op {
		case opBlock, opLoop, opIf:
			arity = max(arity, m.arity(c.index))
			if depth++; depth-1 > m.limits.nesting {
				c.failf("nesting: found more than the limit %d", m.limits.nesting)
			}
			e.blocks += [...]int{opBlock: 1, opLoop: blocksOfLoop, opIf: blocksOfIf}[c.op]
			if c.op == opLoop {
				loops = append(loops, depth)
				e.turns += len(loops)
			}
		case opBr, opBrIf:
			e.blocks += blocksOfBranch
		case opBrTable:
			e.blocks += blocksOfBranch
			e.targets += c.targets
		case opCall, opCallIndirect:
			calls++
		case opMemoryGrow, opMemoryInit, opMemoryCopy, opMemoryFill:
			calls += 2
		case opTableInit, opTableCopy, opTableGrow, opTableFill:
			calls += 2
			e.blocks += blocksOfTable
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
	e.weight = c.weight
	e.blocks += e.targets / targetsOfBlock
	e.products = (e.locals + arity) * e.blocks
	e.reloads = m.mutable * calls
	e.blocks += blocksOfFunction
}

// hold holds a function, and all so far, to the limits.
func (m *module) hold(c *cursor, e effort) {
	l := m.limits
	m.locals += e.locals
	m.effort += e.units()
	for _, rule := range []struct {
		what         string
		found, limit int
	}{
		{"targets of br_table", e.targets, l.targets},
		{"blocks and branches", e.blocks, l.blocks},
		{"locals x blocks", e.products, l.products},
		{"mutable globals x calls", e.reloads, l.products},
		{"weight of its instructions", e.weight, l.weight},
		{"locals of all functions so far", m.locals, l.allLocals},
		{"effort of compiling all functions so far", m.effort, l.effort},
	} {
		if rule.found > rule.limit {
			c.failf("%s: found %d, limit %d", rule.what, rule.found, rule.limit)
			return
		}
	}
}

// arity is how many values a block type takes or leaves.
func (m *module) arity(blockType uint32) int {
	if uint64(blockType) >= uint64(len(m.types)) {
		return 1
	}
	t := m.types[blockType]
	return max(len(t.Params), len(t.Results))
}
