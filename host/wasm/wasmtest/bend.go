package wasmtest

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Placed is an instruction and where it begins. One with a prefix byte is prefix<<8 | number.
type Placed struct {
	Op   uint32
	From int
}

// AsRuntime lists the instructions of a function as the runtime's compiler reads them. It believes that
// they are valid, and goes by the bytes that the compiler passes over, not by the specification: the
// numbers of vector instructions are one byte, and what types select has are two.
func AsRuntime(code []byte) (list []Placed) {
	p := 0
	number := func() (v uint32) {
		for shift := 0; p < len(code); shift += 7 {
			c := code[p]
			p++
			v |= uint32(c&0x7f) << min(shift, 31)
			if c < 0x80 {
				break
			}
		}
		return v
	}
	numbers := func(n int) {
		for i := 0; i < n && p < len(code); i++ {
			number()
		}
	}
	for p < len(code) {
		at := Placed{uint32(code[p]), p}
		p++
		switch op := at.Op; {
		case op >= 0x02 && op <= 0x04:
			if t := number(); t == 0x63 || t == 0x64 {
				number()
			}
		case op == 0x0e:
			numbers(int(number()) + 1)
		case op == 0x0c, op == 0x0d, op == 0x10, op >= 0x20 && op <= 0x26, op == 0x41, op == 0x42, op == 0xd2:
			number()
		case op == 0x11, op >= 0x28 && op <= 0x3e:
			numbers(2)
		case op == 0x1c:
			p += 2
		case op == 0x3f, op == 0x40, op == 0xd0:
			p++
		case op == 0x43:
			p += 4
		case op == 0x44:
			p += 8
		case op == 0xfc:
			n := number()
			at.Op = 0xfc<<8 | n
			switch n {
			case 8:
				number()
				p++
			case 10:
				p += 2
			case 11:
				p++
			case 9, 13, 15, 16, 17:
				number()
			case 12, 14:
				numbers(2)
			}
		case op == 0xfd && p < len(code):
			n := code[p]
			at.Op = 0xfd<<8 | uint32(n)
			p++
			switch {
			case n <= 11, n == 92, n == 93:
				numbers(2)
			case n == 12, n == 13:
				p += 16
			case n >= 21 && n <= 34:
				p++
			case n >= 84 && n <= 91:
				numbers(2)
				p++
			}
		}
		list = append(list, at)
	}
	return list
}

// Dissected is a module whose functions can be changed.
type Dissected struct {
	Code [][]byte // instructions of each function

	before, after []byte // all other sections
	locals        [][]byte
}

// Dissect takes a well-formed module apart; false: it has no functions.
func Dissect(module []byte) (d Dissected, ok bool) {
	number := func(b []byte) (int, []byte) {
		v, n := binary.Uvarint(b)
		return int(v), b[n:]
	}
	for b := module[8:]; len(b) > 0; {
		size, body := number(b[1:])
		if b[0] != 10 {
			b = body[size:]
			continue
		}
		d.before, d.after = module[:len(module)-len(b)], body[size:]
		n, body := number(body[:size])
		for range n {
			var size, runs int
			size, body = number(body)
			f := body[:size]
			body = body[size:]
			var code []byte
			runs, code = number(f)
			for range runs {
				_, code = number(code)
				code = code[1:]
			}
			d.locals, d.Code = append(d.locals, f[:len(f)-len(code)]), append(d.Code, code)
		}
		return d, true
	}
	return d, false
}

// Module puts it together, with other code for one function.
func (d Dissected) Module(function int, code []byte) []byte {
	body := U32(uint32(len(d.Code)))
	for i, c := range d.Code {
		if i == function {
			c = code
		}
		body = append(append(append(body, U32(uint32(len(d.locals[i])+len(c)))...), d.locals[i]...), c...)
	}
	return slices.Concat(d.before, Section(10, body), d.after)
}

// foreign are instructions of later proposals, and ones in a form that a reader may take for others.
var foreign = [][]byte{
	{0x02, 0x63, 0x00, 0x00, 0x0b, 0x1a}, {0x02, 0x63, 0x70, 0x00, 0x0b, 0x1a}, {0x02, 0x64, 0x70, 0x00, 0x0b, 0x1a}, {0x03, 0x63, 0x6f, 0x00, 0x0b, 0x1a},
	{0x04, 0x63, 0x00, 0x00, 0x05, 0x00, 0x0b, 0x1a}, {0x02, 0x69, 0x00, 0x0b, 0x1a}, {0x02, 0xe3, 0x7f, 0x70, 0x00, 0x0b, 0x1a}, {0x02, 0x63, 0xf0, 0x7f, 0x00, 0x0b, 0x1a},
	{0x02, 0xc0, 0x7f, 0x0b}, {0x02, 0xff, 0x7f, 0x00, 0x0b, 0x1a}, {0x02, 0x80, 0x00, 0x00, 0x0b, 0x1a}, {0x02, 0x40, 0x0b}, {0x02, 0x7b, 0x00, 0x0b, 0x1a},
	{0x06, 0x40, 0x0b}, {0x08, 0x00}, {0x09, 0x00}, {0x0a}, {0x12, 0x00}, {0x13, 0x00, 0x00}, {0x14, 0x00}, {0x15, 0x00}, {0x18, 0x00}, {0x1f, 0x40, 0x00, 0x0b},
	{0xd0, 0x69, 0x1a}, {0xd0, 0x00, 0x1a}, {0xd0, 0xf0, 0x7f, 0x1a}, {0xd0, 0x70, 0x1a}, {0xd3}, {0xd4, 0x1a}, {0xd5, 0x00}, {0xd6, 0x00},
	{0x1c, 0x01, 0x63, 0x70, 0x1a}, {0x1c, 0x02, 0x7f, 0x7f, 0x1a}, {0x1c, 0x81, 0x00, 0x7f, 0x1a}, {0x1c, 0x01, 0x7f, 0x1a}, {0x1c, 0x00, 0x1a},
	{0xfd, 0x8c, 0x00, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0x1a}, {0xfd, 0x8c, 0x00, 0x0b, 0x0b, 0x02, 0x40, 0x02, 0x40, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0x1a},
	{0xfd, 0x80, 0x02, 0x1a}, {0xfd, 0x94, 0x02, 0x1a}, {0xfd, 0xff, 0x01, 0x1a}, {0xfd, 0x0c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0x1a},
	{0xfd, 0x54, 0x00, 0x00, 0x03, 0x1a}, {0xfd, 0x54, 0x80, 0x00, 0x80, 0x00, 0x03, 0x1a}, {0xfd, 0x15, 0x0f, 0x1a}, {0xfd, 0x5c, 0x02, 0x00, 0x1a}, {0xfd, 0x9a, 0x01, 0x1a},
	{0xfe, 0x03, 0x00}, {0xfe, 0x10, 0x02, 0x00}, {0xfb, 0x00, 0x00}, {0xfc, 0x12, 0x00}, {0xfc, 0x80, 0x00, 0x1a}, {0xfc, 0x87, 0x80, 0x00, 0x1a},
	{0xfc, 0x0b, 0x00}, {0xfc, 0x0b, 0x80, 0x00}, {0xfc, 0x8b, 0x00, 0x00}, {0xfc, 0x0a, 0x00, 0x00}, {0xfc, 0x0a, 0x80, 0x00, 0x00}, {0xfc, 0x0a, 0x00, 0x80, 0x00},
	{0xfc, 0x08, 0x80, 0x00, 0x00}, {0xfc, 0x08, 0x00, 0x80, 0x00}, {0xfc, 0x89, 0x00, 0x00}, {0xfc, 0x10, 0x80, 0x00, 0x1a}, {0xfc, 0x11, 0x00},
	{0x3f, 0x00, 0x1a}, {0x3f, 0x80, 0x00, 0x1a}, {0x40, 0x00, 0x1a}, {0x40, 0x80, 0x00, 0x1a}, {0x40, 0x01, 0x1a},
	{0x28, 0x42, 0x00, 0x00, 0x1a}, {0x28, 0x82, 0x80, 0x00, 0x00, 0x1a}, {0x28, 0xc2, 0x00, 0x00, 0x1a}, {0x28, 0x02, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a}, {0x28, 0x02, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a},
	{0x41, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a}, {0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a}, {0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00, 0x1a},
	{0x43, 0x0b, 0x0b, 0x0b, 0x0b, 0x1a}, {0x44, 0x0b, 0x0b, 0x0b, 0x0b, 0x10, 0x00, 0x10, 0x00, 0x1a}, {0x0e, 0x80, 0x00, 0x00}, {0x0e, 0x01, 0x80, 0x00, 0x80, 0x00},
	{0x0c, 0x80, 0x80, 0x80, 0x80, 0x00}, {0x10, 0x80, 0x80, 0x00}, {0x11, 0x80, 0x00, 0x80, 0x00}, {0x25, 0x80, 0x00, 0x1a}, {0x26, 0x80, 0x00}, {0xd2, 0x80, 0x00, 0x1a},
	{0x05}, {0x0f}, {0x00}, {0x01}, {0x27}, {0xc5, 0x1a}, {0xff},
}

// choices are numbers made of bytes; none left: zeros.
type choices []byte

func (e *choices) below(n int) int {
	v := 0
	for range 2 {
		if len(*e) > 0 {
			v, *e = v<<8|int((*e)[0]), (*e)[1:]
		}
	}
	return v % max(n, 1)
}

// bend changes a function, mostly so that it stays valid: after unreachable any value may be on the stack.
func bend(code []byte, e *choices) []byte {
	code = slices.Clone(code)
	list := AsRuntime(code)
	i := e.below(len(list))
	at := min(list[i].From, len(code)-1)
	switch e.below(8) {
	case 0, 1, 2:
		return slices.Insert(code, at, append([]byte{0x00}, foreign[e.below(len(foreign))]...)...)
	case 3:
		return slices.Insert(code, at, foreign[e.below(len(foreign))]...)
	case 4, 5: // a longer form of what may be a number, somewhere in the instruction
		end := len(code)
		if i+1 < len(list) {
			end = min(list[i+1].From, end)
		}
		for k := at + 1 + e.below(end-at-1); k < end; k++ {
			if code[k] < 0x80 {
				more := []byte{0x80, 0x80, 0x80, 0x80, 0x80}[:e.below(5)]
				last := byte(0x00)
				if code[k]&0x40 != 0 && e.below(2) == 1 {
					last = 0x7f
					for m := range more {
						more[m] = 0xff
					}
				}
				code[k] |= 0x80
				return slices.Insert(code, k+1, append(more, last)...)
			}
		}
		return code
	case 6:
		code[e.below(len(code))] ^= 1 << e.below(8)
		return code
	default:
		k := e.below(len(code))
		return slices.Delete(code, k, k+1)
	}
}

// Bent is one of several modules, a function of which was changed as bytes say.
func Bent(list []Dissected, bytes []byte) (d Dissected, function int) {
	e := choices(bytes)
	d = list[e.below(len(list))]
	function = e.below(len(d.Code))
	d.Code = slices.Clone(d.Code)
	for range 1 + e.below(3) {
		if len(d.Code[function]) > 1 {
			d.Code[function] = bend(d.Code[function], &e)
		}
	}
	return d, function
}

// Bendable are modules to be bent: small ones of the specification, and of what else there is, as far as
// gate takes them, which returns what is left of one.
func Bendable(gate func(module []byte) ([]byte, error)) (list []Dissected, err error) {
	add := func(module []byte) {
		if code, err := gate(module); err == nil {
			if d, ok := Dissect(code); ok && len(d.Code) > 0 {
				list = append(list, d)
			}
		}
	}
	furnished := furnished()
	for range 20 {
		add(furnished)
	}
	for i := range 40 {
		add(Random([]byte(strings.Repeat(string(rune('a'+i))+"program", 6))))
	}
	root, err := SpecFolder()
	if err != nil {
		return list, nil // it does not come with every copy of the runtime
	}
	scripts, err := SpecScripts(root)
	if err != nil {
		return nil, err
	}
	for _, script := range scripts {
		commands, err := ReadSpec(script)
		if err != nil {
			return nil, err
		}
		for n, c := range commands {
			if c.Type != "module" || n%7 != 0 {
				continue
			}
			module, err := os.ReadFile(filepath.Join(filepath.Dir(script), c.Filename))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			if err == nil && len(module) < 2_000 {
				add(WithMemory(module))
			}
		}
	}
	return list, nil
}

// furnished is a module with a bit of all.
func furnished() []byte {
	m := &Module{}
	m.Memory(AtLeast(1))
	m.Table(AtLeast(10))
	m.Passive([]byte("data"))
	m.Elements([]byte{1, 1, 0, 1, 0})
	m.Global(1)
	f := m.Func("", "", "")
	m.FuncLocals("f", "i", "i", Code([]byte{1, 2, 0x7b}), Block(0x40, Loop(Get(0), BrIf(0)), Call(f)),
		Get(0), I32(1), Add(), Op(0xfd, []byte{12}, make([]byte, 16)), Set(1), I32(0), I32(0), I32(0), Fill())
	return m.Bytes()
}
