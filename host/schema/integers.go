package schema

import (
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// maxInteger is how many digits an integer may have that is written out: those of the largest of 64 bits.
// Longer ones stay as they came, so that 1e300 does not become 300 bytes.
const maxInteger = 20

// integers writes whole numbers as integers where the schema says integer. To JSON Schema 2.0 and 1e2 are
// integers; to what reads a number of 32 bits in most languages they are none, and the model that wrote one
// would be told by the guest that its argument, which the schema accepts, is wrong.
//
// compact must have been checked: the count of the schema's worst case bounds this walk, too.
func (s *Schema) integers(compact []byte) []byte {
	r := rewriter{decoder: decoder{data: compact}}
	r.value([]*node{s.root})
	return append(r.out, compact[r.copied:]...)
}

// rewriter walks compact JSON together with the schemas that apply to each value.
type rewriter struct {
	decoder
	out    []byte
	copied int // how much of data is in out
}

func (r *rewriter) value(schemas []*node) {
	schemas = applied(schemas)
	switch c := r.peek(); c {
	case '{':
		if r.at++; r.peek() == '}' {
			r.at++
			return
		}
		for more := true; more; more = r.more('}') {
			name, _ := r.text().(string)
			r.at++ // the colon
			r.value(below(schemas, func(n *node) []*node { return n.member(name) }))
		}
	case '[':
		if r.at++; r.peek() == ']' {
			r.at++
			return
		}
		for i, more := 0, true; more; i++ {
			r.value(below(schemas, func(n *node) []*node { return n.element(i) }))
			more = r.more(']')
		}
	case '"':
		r.at = strictjson.StringEnd(r.data, r.at)
	default:
		from := r.at
		r.decoder.value()
		if !slices.ContainsFunc(schemas, (*node).saysInteger) || c != '-' && (c < '0' || c > '9') {
			return
		}
		if n, ok := integer(string(r.data[from:r.at])); ok {
			r.out = append(append(r.out, r.data[r.copied:from]...), n...)
			r.copied = r.at
		}
	}
}

// applied adds to schemas what they apply to the same value.
func applied(schemas []*node) []*node {
	for i := 0; i < len(schemas); i++ {
		for _, sub := range schemas[i].inPlace() {
			if sub != schemas[i].not {
				schemas = append(schemas, sub)
			}
		}
	}
	return schemas
}

func below(schemas []*node, parts func(*node) []*node) (all []*node) {
	for _, n := range schemas {
		all = append(all, parts(n)...)
	}
	return all
}

// member lists what n applies to a member of an object. Which pattern the name matches is left out: the
// value is the same however it is written.
func (n *node) member(name string) []*node {
	if sub := n.properties[name]; sub != nil {
		return []*node{sub}
	}
	var out []*node
	for _, sub := range n.patterns {
		out = append(out, sub)
	}
	return append(out, present(n.additional, n.unevaluated)...)
}

// element lists what n applies to an element of an array.
func (n *node) element(i int) []*node {
	if i < len(n.prefix) {
		return []*node{n.prefix[i]}
	}
	return present(n.items, n.unevaluatedItems)
}

func present(schemas ...*node) []*node {
	return slices.DeleteFunc(schemas, func(n *node) bool { return n == nil })
}

// saysInteger tells whether numbers must be whole ones.
func (n *node) saysInteger() bool {
	if name, ok := n.assert["type"].(string); ok {
		return name == "integer"
	}
	names, _ := n.assert["type"].([]any)
	return slices.Contains(names, any("integer")) && !slices.Contains(names, any("number"))
}

// integer writes a whole number as an integer, exactly; false: it is none, is one already or is too long.
func integer(number string) (string, bool) {
	if number == "-0" {
		return "0", true // which is a fraction to some readers
	}
	if !strings.ContainsAny(number, ".eE") {
		return "", false
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	zeros, err := 0, error(nil)
	if exponent != "" {
		if zeros, err = strconv.Atoi(exponent); err != nil {
			return "", false
		}
	}
	digits, negative := strings.CutPrefix(mantissa, "-")
	ahead, fraction, _ := strings.Cut(digits, ".")
	zeros -= len(fraction)
	if digits = strings.TrimLeft(ahead+fraction, "0"); digits == "" {
		return "0", true
	}
	for ; zeros < 0 && strings.HasSuffix(digits, "0"); zeros++ {
		digits = digits[:len(digits)-1]
	}
	if zeros < 0 || len(digits)+zeros > maxInteger {
		return "", false
	}
	if negative {
		digits = "-" + digits
	}
	return digits + strings.Repeat("0", zeros), true
}
