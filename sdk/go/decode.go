package servlet

import (
	"reflect"
	"strings"
)

// decoder reads a value of one type, v being its zero. False: the text or the value is not ordinary; then
// v is to be thrown away and encoding/json asked. Where a decoder succeeds, encoding/json would have made
// the same of the text with the defaults filled in: package reflect and maps of raw members are most of
// what a small call of a tool costs.
type decoder func(r *reader, v reflect.Value) bool

// maxNesting bounds how deep decoders follow a type.
const maxNesting = 32

// decoderOf makes a decoder; nil: types such as t are left to encoding/json. open are the types around t.
func decoderOf(t reflect.Type, plan *defaults, open []reflect.Type) decoder {
	if selfMade(t) || t == numberType || len(open) > maxNesting {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pointerDecoder(t, decoderOf(t.Elem(), plan, append(open, t)))
	case reflect.Struct:
		return structDecoder(t, plan, open)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 { // base64
			return nil
		}
		if list := listDecoders[t]; list != nil {
			return list
		}
		return sliceDecoder(t, decoderOf(t.Elem(), plan.of(), append(open, t)))
	case reflect.Map:
		if t.Key().Kind() != reflect.String || selfMade(t.Key()) {
			return nil
		}
		return mapDecoder(t, decoderOf(t.Elem(), plan.of(), append(open, t)))
	}
	return scalarDecoders[t.Kind()]
}

// of is what must be filled into the elements.
func (d *defaults) of() *defaults {
	if d == nil {
		return nil
	}
	return d.each
}

// member is a field that a structDecoder reads.
type member struct {
	name   string
	quoted string // the name in quotes, and the colon
	index  int
	preset []byte // for when it is absent; nil: none
	decode decoder
}

// maxMembers is how many fields a structDecoder keeps account of.
const maxMembers = 64

func structDecoder(t reflect.Type, plan *defaults, open []reflect.Type) decoder {
	for _, outer := range open {
		if outer == t {
			return nil
		}
	}
	members, ok := membersOf(t, plan, append(open, t))
	if !ok {
		return nil
	}
	return func(r *reader, v reflect.Value) bool {
		if !r.take('{') {
			return r.null()
		}
		seen, expected := uint64(0), 0
		for {
			more, ok := r.more('}', seen == 0)
			if !more {
				return ok && fillAbsent(members, seen, v)
			}
			i := r.member(members, expected)
			if i < 0 || seen&(1<<i) != 0 || !members[i].decode(r, v.Field(members[i].index)) {
				return false
			}
			seen |= 1 << i
			expected = i + 1
		}
	}
}

// member consumes a name and the colon after it, and finds whose it is; -1: nobody's. Texts mostly have
// the order of the fields, and no white space.
func (r *reader) member(members []member, expected int) int {
	if expected < len(members) && r.has(members[expected].quoted) {
		return expected
	}
	name, plain, ok := r.quoted()
	if !ok || !plain || !r.take(':') {
		return -1
	}
	return find(members, name)
}

func find(members []member, name []byte) int {
	for i := range members {
		if members[i].name == string(name) {
			return i
		}
	}
	return -1
}

func fillAbsent(members []member, seen uint64, v reflect.Value) bool {
	for i, m := range members {
		if m.preset != nil && seen&(1<<i) == 0 {
			if r := (&reader{in: m.preset}); !m.decode(r, v.Field(m.index)) || r.at < len(r.in) {
				return false
			}
		}
	}
	return true
}

// membersOf lists the fields of a struct that encoding/json reads; false: they are not all ordinary.
func membersOf(t reflect.Type, plan *defaults, open []reflect.Type) (members []member, ok bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("json") == "-", !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous, strings.Contains(options, "string"), len(members) == maxMembers:
			return nil, false
		case name == "":
			name = f.Name
		}
		m := member{name: name, quoted: `"` + name + `":`, index: i}
		inner := (*defaults)(nil)
		if plan != nil {
			for _, p := range plan.members {
				if p.name == name {
					m.preset, inner = p.value, p.inner
				}
			}
		}
		m.decode = decoderOf(f.Type, inner, open)
		if m.decode == nil || !ordinaryName(name) || find(members, []byte(name)) >= 0 {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

// ordinaryName tells whether encoding/json takes a tag's name as it is.
func ordinaryName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return name != ""
}
