package wasmtest

// Random makes a valid module out of bytes, the same one from the same bytes: functions that call each
// other, by name and through a table, with blocks, loops, branches out of them, code that nothing
// reaches, globals, loads and stores and bulk operations, which may well trap or never end. All its
// functions take two i32 and return one; they are exported as f0, f1, ..., its globals as g0, g1, ...
func Random(entropy []byte) []byte {
	g := &generator{entropy: entropy}
	m := &Module{}
	m.Memory(Range(1, 4))
	m.Data(int32(g.below(70_000)), []byte("some data"))
	m.Passive([]byte("passive data"))
	m.Table(Range(8, 12))
	g.funcs = 1 + g.below(4)
	for range 1 + g.below(3) {
		m.Export("g"+string(rune('0'+g.globals)), 3, m.Global(int64(g.below(1000))))
		g.globals++
	}
	for i := range g.funcs {
		g.labels, g.budget = nil, 60
		body := Code(g.statements(3), g.value(3))
		m.FuncLocals("f"+string(rune('0'+i)), "ii", "i", Code([]byte{2, 2, 0x7f, 1, 0x7e}), body)
	}
	items := []byte{byte(g.funcs)}
	for i := range g.funcs {
		items = append(items, byte(i))
	}
	m.Elements(Code([]byte{1, 0}, I32(int32(g.below(6))), []byte{0x0b}, items))
	return m.Bytes()
}

// generator writes code from bytes. Locals 0 to 3 are i32, 4 is i64.
type generator struct {
	entropy        []byte
	funcs, globals int
	budget         int    // statements and values that may still be made
	labels         []bool // enclosing labels, innermost last: whether it takes an i32
}

// below returns a number in [0, n); 0 when no bytes are left.
func (g *generator) below(n int) int {
	v := 0
	for range 2 {
		if len(g.entropy) > 0 {
			v = v<<8 | int(g.entropy[0])
			g.entropy = g.entropy[1:]
		}
	}
	return v % n
}

func (g *generator) statements(depth int) []byte {
	var out []byte
	for range 1 + g.below(4) {
		if g.budget--; g.budget > 0 {
			out = append(out, g.statement(depth)...)
		}
	}
	return out
}

// inside makes code under one more label.
func (g *generator) inside(takes bool, make func() []byte) []byte {
	g.labels = append(g.labels, takes)
	out := make()
	g.labels = g.labels[:len(g.labels)-1]
	return out
}

func (g *generator) statement(depth int) []byte {
	body := func() []byte { return g.inside(false, func() []byte { return g.statements(depth - 1) }) }
	choice := g.below(18)
	if depth == 0 {
		choice = 6 + choice%12
	}
	switch choice {
	case 0, 1:
		return Block(0x40, body())
	case 2, 3:
		return Code([]byte{0x03, 0x40}, body(), []byte{0x0b})
	case 4:
		return Code(g.value(depth), If(body()))
	case 5:
		return Code(g.value(depth), []byte{0x04, 0x40}, body(), []byte{0x05}, body(), []byte{0x0b})
	case 6, 7, 8:
		return Code(g.value(depth), Set(uint32(g.below(4))))
	case 9:
		return Code(g.address(), g.value(depth), Op(0x3a, []byte{0, 0})) // i32.store8
	case 10:
		return Code(g.address(), g.value(depth), g.length(), Fill())
	case 11:
		return Code(g.address(), g.address(), g.length(), Copy())
	case 12:
		return Code(g.address(), I32(int32(g.below(14))), I32(int32(g.below(14))), Init(1))
	case 13:
		return Code(Get(4), I64(int64(g.below(99))), []byte{0x7c}, Op(0x22, U32(4)), Op(0x24, U32(uint32(g.below(g.globals)))))
	default:
		return g.branch(depth)
	}
}

// branch leaves, perhaps.
func (g *generator) branch(depth int) []byte {
	var labels []uint32
	for i := range g.labels {
		if label := uint32(len(g.labels) - 1 - i); !g.labels[i] {
			labels = append(labels, label)
		}
	}
	if len(labels) == 0 || g.below(6) == 0 {
		switch g.below(8) {
		case 0:
			return Unreachable()
		case 1:
			return Code(g.value(depth), Return())
		case 2:
			return Code(g.value(depth), Br(uint32(len(g.labels))))
		}
		return Code(g.value(depth), Drop())
	}
	pick := func() uint32 { return labels[g.below(len(labels))] }
	switch g.below(4) {
	case 0:
		return Br(pick())
	case 1:
		return Code(g.value(depth), Op(0x0e, []byte{2}, U32(pick()), U32(pick()), U32(pick())))
	default:
		return Code(g.value(depth), BrIf(pick()))
	}
}

// value leaves an i32.
func (g *generator) value(depth int) []byte {
	g.budget--
	choice := g.below(16)
	if depth == 0 || g.budget <= 0 {
		choice %= 5
	}
	next := func() []byte { return g.value(depth - 1) }
	switch choice {
	case 0:
		return I32(int32(g.below(1<<16) - 100))
	case 1:
		return Get(uint32(g.below(4)))
	case 2:
		return Op(0x3f, []byte{0}) // memory.size
	case 3:
		return Code(Op(0x23, U32(uint32(g.below(g.globals)))), []byte{0xa7}) // i32.wrap_i64
	case 4:
		return Code(g.address(), Op(0x2d, []byte{0, 0})) // i32.load8_u
	case 5:
		return Code(next(), next(), Op(byte(0x6d+g.below(4)))) // divisions, which may trap
	case 6:
		return Code(next(), Op(0x04, []byte{0x7f}), g.inside(true, next), []byte{0x05}, g.inside(true, next), []byte{0x0b})
	case 7:
		return Block(0x7f, g.inside(true, func() []byte { return Code(next(), next(), BrIf(0)) }))
	case 8:
		return Code(next(), next(), next(), Op(0x1b))
	case 9, 10:
		return Code(next(), next(), Call(uint32(g.below(g.funcs))))
	case 11:
		return Code(next(), next(), I32(int32(g.below(9))), Op(0x11, []byte{0, 0}))
	case 12:
		return Code(I32(int32(g.below(3))), Grow())
	default:
		return Code(next(), next(), Op(byte(0x6a+g.below(3))))
	}
}

// address is mostly inside the memory.
func (g *generator) address() []byte { return I32(int32(g.below(66_000))) }

func (g *generator) length() []byte { return I32(int32(g.below(3_000))) }
