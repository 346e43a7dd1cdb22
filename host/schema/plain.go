package schema

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// form is what a plain schema says: of what type a value is, how long, and what its parts are. Nearly every
// tool's schema is made of such ones. It is there to say yes quickly: the library takes twenty times as
// long, and is asked about everything else, so that it alone says no, and why.
type form struct {
	sure       bool // the schema says nothing but what is here
	kinds      kindSet
	length     span // of a string, in characters
	items      span // of an array
	number     span // of a number
	enum       []string
	required   []string
	properties map[string]*form
	additional *form // nil: anything
	each       *form // of an array; nil: anything
}

// span is a range of whole numbers, ends included. The zero span is everything.
type span struct {
	from, to int64
	low, up  bool // from, to was said
}

func (s span) open() bool { return !s.low && !s.up }

func (s span) holds(n int64) bool { return (!s.low || n >= s.from) && (!s.up || n <= s.to) }

// kindSet is some types of JSON values.
type kindSet uint8

const (
	kindNull kindSet = 1 << iota
	kindBoolean
	kindNumber
	kindInteger
	kindString
	kindArray
	kindObject
	kindAny = 1<<iota - 1
)

var kindNames = map[string]kindSet{
	"null": kindNull, "boolean": kindBoolean, "number": kindNumber, "integer": kindInteger,
	"string": kindString, "array": kindArray, "object": kindObject,
}

// forms makes the forms of a tree.
type forms map[*node]*form

// of is the form of a schema.
func (fs forms) of(n *node) *form {
	if f := fs[n]; f != nil {
		return f // of one that refers to itself, too
	}
	f := &form{kinds: kindAny}
	fs[n] = f
	switch {
	case n.always != nil:
		f.sure = *n.always
		return f
	case n.ref != nil && n.alias() && len(n.assert) == 0 && n.names == nil:
		fs[n] = fs.of(n.ref)
		return fs[n]
	case len(n.inPlace()) > 0, n.patterns != nil, n.names != nil, n.unevaluated != nil, n.prefix != nil,
		n.contains != nil, n.unevaluatedItems != nil:
		return f
	}
	f.sure = true
	for key, value := range n.assert {
		f.sure = f.sure && f.read(key, value)
	}
	if n.properties != nil {
		f.properties = map[string]*form{}
		for name, sub := range n.properties {
			f.properties[name] = fs.of(sub)
		}
	}
	if n.additional != nil {
		f.additional = fs.of(n.additional)
	}
	if n.items != nil {
		f.each = fs.of(n.items)
	}
	return f
}

// read takes an assertion over; false: it cannot.
func (f *form) read(key string, value any) bool {
	switch key {
	case "type":
		return f.readKinds(value)
	case "required":
		return texts(value, &f.required)
	case "enum":
		return texts(value, &f.enum)
	case "minLength":
		return f.length.least(value)
	case "maxLength":
		return f.length.most(value)
	case "minItems":
		return f.items.least(value)
	case "maxItems":
		return f.items.most(value)
	case "minimum":
		return f.number.least(value)
	case "maximum":
		return f.number.most(value)
	}
	return false
}

func (f *form) readKinds(value any) bool {
	var names []string
	if name, ok := value.(string); ok {
		names = []string{name}
	} else if !texts(value, &names) {
		return false
	}
	f.kinds = 0
	for _, name := range names {
		f.kinds |= kindNames[name]
	}
	return true
}

// texts reads a list of strings.
func texts(value any, into *[]string) bool {
	list, ok := value.([]any)
	for _, v := range list {
		s, isText := v.(string)
		ok = ok && isText
		*into = append(*into, s)
	}
	return ok
}

func (s *span) least(value any) (ok bool) {
	s.from, s.low = whole(value)
	return s.low
}

func (s *span) most(value any) (ok bool) {
	s.to, s.up = whole(value)
	return s.up
}

// whole reads a number that is written as a whole one.
func whole(value any) (int64, bool) {
	number, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(number), 10, 64)
	return n, err == nil
}

// fits says that a decoded value is surely what the schema accepts.
func (f *form) fits(v any) bool {
	if !f.sure {
		return false
	}
	switch v := v.(type) {
	case nil:
		return f.has(kindNull)
	case bool:
		return f.has(kindBoolean)
	case json.Number:
		n, isWhole := whole(v)
		return f.enum == nil && (f.kinds&kindNumber != 0 || isWhole && f.kinds&kindInteger != 0) &&
			(f.number.open() || isWhole && f.number.holds(n))
	case string:
		return f.kinds&kindString != 0 && (f.enum == nil || slices.Contains(f.enum, v)) &&
			(f.length.open() || f.length.holds(int64(utf8.RuneCountInString(v))))
	case []any:
		return f.has(kindArray) && f.items.holds(int64(len(v))) &&
			(f.each == nil || !slices.ContainsFunc(v, func(x any) bool { return !f.each.fits(x) }))
	case map[string]any:
		return f.has(kindObject) && f.fitsMembers(v)
	}
	return false
}

// has says that values of a kind are accepted, whatever they are.
func (f *form) has(k kindSet) bool { return f.kinds&k != 0 && f.enum == nil }

func (f *form) fitsMembers(members map[string]any) bool {
	for _, name := range f.required {
		if _, ok := members[name]; !ok {
			return false
		}
	}
	for name, v := range members {
		part := f.properties[name]
		if part == nil {
			part = f.additional
		}
		if part != nil && !part.fits(v) {
			return false
		}
	}
	return true
}
