package strictjson

import (
	"bytes"
	"unicode/utf8"
)

// maxQuickNames is the most names of one object that quick compares with each other.
const maxQuickNames = 24

// quick says yes to ordinary strict JSON in one pass, and copies it without the space between its tokens.
// It is a fraction of the work of the library, which is asked about everything else: many names in one
// object, names and surrogates that are escaped, and all that is wrong.
type quick struct {
	data  []byte
	at    int
	copy  bool
	out   []byte
	names []span // of the objects that are open, innermost last
}

// span is a name's place in the data, without its quotation marks.
type span struct{ from, to int }

// passes is true when data is strict JSON; when it is false, the library has to be asked.
func (q *quick) passes() bool {
	q.space()
	if !q.value(0) {
		return false
	}
	q.space()
	return q.at == len(q.data)
}

func (q *quick) space() {
	for q.at < len(q.data) {
		switch q.data[q.at] {
		case ' ', '\t', '\r', '\n':
			q.at++
		default:
			return
		}
	}
}

// is steps over a byte that has to come next.
func (q *quick) is(c byte) bool {
	if q.at >= len(q.data) || q.data[q.at] != c {
		return false
	}
	q.keep(q.at, q.at+1)
	return true
}

// keep steps to an offset and copies what lies before it.
func (q *quick) keep(from, to int) {
	if q.at = to; q.copy {
		q.out = append(q.out, q.data[from:to]...)
	}
}

func (q *quick) value(depth int) bool {
	if q.at >= len(q.data) {
		return false
	}
	switch c := q.data[q.at]; c {
	case '{':
		return depth < MaxDepth && q.object(depth+1)
	case '[':
		return depth < MaxDepth && q.array(depth+1)
	case '"':
		_, ok := q.text()
		return ok
	case 't':
		return q.word("true")
	case 'f':
		return q.word("false")
	case 'n':
		return q.word("null")
	default:
		return q.number()
	}
}

func (q *quick) word(w string) bool {
	if !bytes.HasPrefix(q.data[q.at:], []byte(w)) {
		return false
	}
	q.keep(q.at, q.at+len(w))
	return true
}

func (q *quick) object(depth int) bool {
	first := len(q.names)
	q.is('{')
	if q.space(); q.is('}') {
		return true
	}
	for {
		from := q.at
		plain, ok := q.text()
		if !ok || !plain || !q.name(first, span{from + 1, q.at - 1}) {
			return false
		}
		if q.space(); !q.is(':') {
			return false
		}
		if q.space(); !q.value(depth) {
			return false
		}
		if q.space(); q.is('}') {
			q.names = q.names[:first]
			return true
		}
		if !q.is(',') {
			return false
		}
		q.space()
	}
}

// name adds a name to those of the innermost object, the first of which is number first.
func (q *quick) name(first int, name span) bool {
	if len(q.names)-first == maxQuickNames {
		return false
	}
	for _, n := range q.names[first:] {
		if bytes.Equal(q.data[n.from:n.to], q.data[name.from:name.to]) {
			return false
		}
	}
	q.names = append(q.names, name)
	return true
}

func (q *quick) array(depth int) bool {
	q.is('[')
	if q.space(); q.is(']') {
		return true
	}
	for {
		if !q.value(depth) {
			return false
		}
		if q.space(); q.is(']') {
			return true
		}
		if !q.is(',') {
			return false
		}
		q.space()
	}
}

// text steps over a string. It is plain when it has no escapes.
func (q *quick) text() (plain, ok bool) {
	from, i := q.at, q.at+1
	if q.at >= len(q.data) || q.data[q.at] != '"' {
		return false, false
	}
	for plain = true; i < len(q.data); {
		switch c := q.data[i]; {
		case c == '"':
			q.keep(from, i+1)
			return plain, true
		case c == '\\':
			n := escaped(q.data[i:])
			if n == 0 {
				return false, false
			}
			plain = false
			i += n
		case c < ' ':
			return false, false
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(q.data[i:])
			if r == utf8.RuneError && n == 1 {
				return false, false
			}
			i += n
		}
	}
	return false, false
}

// escaped is the length of the escape that p begins with; 0: it is none, or half of a surrogate pair.
func escaped(p []byte) int {
	if len(p) < 2 {
		return 0
	}
	switch p[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if len(p) < 6 || !hexadecimal(p[2]) || !hexadecimal(p[3]) || !hexadecimal(p[4]) || !hexadecimal(p[5]) {
			return 0
		}
		if (p[2] == 'd' || p[2] == 'D') && p[3] >= '8' {
			return 0
		}
		return 6
	}
	return 0
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func hexadecimal(c byte) bool { return digit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func (q *quick) number() bool {
	i := q.at
	more := func(c byte) bool { return i < len(q.data) && q.data[i] == c }
	digits := func() bool {
		from := i
		for i < len(q.data) && digit(q.data[i]) {
			i++
		}
		return i > from
	}
	if more('-') {
		i++
	}
	if more('0') {
		i++
	} else if !digits() {
		return false
	}
	if more('.') {
		if i++; !digits() {
			return false
		}
	}
	if more('e') || more('E') {
		if i++; more('+') || more('-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	q.keep(q.at, i)
	return true
}
