package servlet

import (
	"unicode/utf16"
	"unicode/utf8"
)

// reader walks JSON text. It reads what is ordinary and gives up at everything else (a syntax error, half
// of a surrogate pair, an escape in a name): then encoding/json reads the whole again, and says what is
// wrong with it. Its loops are written for speed: in a guest each step of a loop is paid for.
type reader struct {
	in []byte
	at int
}

// next skips white space and returns the byte there; 0 at the end.
func (r *reader) next() byte {
	for r.at < len(r.in) {
		switch b := r.in[r.at]; b {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return b
		}
	}
	return 0
}

// take consumes b, after white space.
func (r *reader) take(b byte) bool {
	if r.next() != b {
		return false
	}
	r.at++
	return true
}

// has consumes what is next, if it is s.
func (r *reader) has(s string) bool {
	if len(r.in)-r.at < len(s) || string(r.in[r.at:r.at+len(s)]) != s {
		return false
	}
	r.at += len(s)
	return true
}

// null consumes null, if that is next.
func (r *reader) null() bool { return r.next() == 'n' && r.has("null") }

// quoted consumes a string and returns what is between its quotes. plain tells that nothing in it is
// escaped.
func (r *reader) quoted() (raw []byte, plain, ok bool) {
	if !r.take('"') {
		return nil, false, false
	}
	rest := r.in[r.at:]
	plain = true
	for i := 0; i < len(rest); i++ {
		switch b := rest[i]; {
		case b == '"':
			r.at += i + 1
			return rest[:i], plain, true
		case b == '\\':
			plain = false
			i++
		case b < ' ':
			return nil, false, false
		}
	}
	return nil, false, false
}

// str consumes a string.
func (r *reader) str() (string, bool) {
	raw, plain, ok := r.quoted()
	if !ok || !utf8.Valid(raw) {
		return "", false
	}
	if plain {
		return string(raw), true
	}
	return unescape(raw)
}

func unescape(raw []byte) (string, bool) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			i++
			continue
		}
		c, n := escape(raw[i:])
		if n == 0 {
			return "", false
		}
		out = utf8.AppendRune(out, c)
		i += n
	}
	return string(out), true
}

// escape reads the escape at the start of p, which is longer than a backslash, and returns its length; 0:
// it is none, or half of a pair.
func escape(p []byte) (c rune, n int) {
	switch p[1] {
	case '"', '\\', '/':
		return rune(p[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		c = hex(p[2:])
		if c >= 0 && !utf16.IsSurrogate(c) {
			return c, 6
		}
		if c >= 0 && len(p) >= 12 && p[6] == '\\' && p[7] == 'u' {
			if c = utf16.DecodeRune(c, hex(p[8:])); c != utf8.RuneError {
				return c, 12
			}
		}
	}
	return 0, 0
}

// hex reads four hexadecimal digits; -1: there are none.
func hex(p []byte) (c rune) {
	if len(p) < 4 {
		return -1
	}
	for _, b := range p[:4] {
		switch {
		case '0' <= b && b <= '9':
			b -= '0'
		case 'a' <= b && b <= 'f':
			b -= 'a' - 10
		case 'A' <= b && b <= 'F':
			b -= 'A' - 10
		default:
			return -1
		}
		c = c<<4 | rune(b)
	}
	return c
}

// integer consumes a number that is written as an integer of at most 18 digits.
func (r *reader) integer() (n int64, ok bool) {
	r.next()
	rest := r.in[r.at:]
	i, minus := 0, len(rest) > 0 && rest[0] == '-'
	if minus {
		i = 1
	}
	first := i
	for ; i < len(rest) && '0' <= rest[i] && rest[i] <= '9'; i++ {
		n = n*10 + int64(rest[i]-'0')
	}
	digits := i - first
	if digits == 0 || digits > 18 || digits > 1 && rest[first] == '0' {
		return 0, false
	}
	if i < len(rest) && (rest[i] == '.' || rest[i] == 'e' || rest[i] == 'E') {
		return 0, false
	}
	if minus {
		n = -n
	}
	r.at += i
	return n, true
}

// number consumes a number of any form.
func (r *reader) number() (raw []byte, ok bool) {
	r.next()
	rest := r.in[r.at:]
	i := sign(rest, 0, "-")
	from := i
	if i = digits(rest, i); i == from || i > from+1 && rest[from] == '0' {
		return nil, false
	}
	if i < len(rest) && rest[i] == '.' {
		from = i + 1
		if i = digits(rest, from); i == from {
			return nil, false
		}
	}
	if i < len(rest) && (rest[i] == 'e' || rest[i] == 'E') {
		from = sign(rest, i+1, "+-")
		if i = digits(rest, from); i == from {
			return nil, false
		}
	}
	r.at += i
	return rest[:i], true
}

// sign returns the offset after a sign at i, which may be missing.
func sign(p []byte, i int, signs string) int {
	for s := range len(signs) {
		if i < len(p) && p[i] == signs[s] {
			return i + 1
		}
	}
	return i
}

// digits returns the offset after the digits at i.
func digits(p []byte, i int) int {
	for i < len(p) && '0' <= p[i] && p[i] <= '9' {
		i++
	}
	return i
}

// more is called before each element of a list or member of an object, which end closes: it consumes what
// stands between them. first is whether none was read. Without more, ok tells that the end was consumed.
func (r *reader) more(end byte, first bool) (more, ok bool) {
	switch b := r.next(); {
	case b == end:
		r.at++
		return false, true
	case first:
		return true, true
	case b == ',':
		r.at++
		more = r.next() != end
	}
	return more, false
}
