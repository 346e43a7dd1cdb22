package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Limits of a result, beside its size.
const (
	maxResultDepth  = 40      // below strictjson.MaxDepth: clients add levels of their own
	maxResultValues = 200_000 // values and names
)

// bounded refuses JSON that is nested too deep or has too many values, before anything is decoded.
// data may be no JSON at all.
func bounded(data []byte) error {
	depth, values := 0, 1
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			if depth++; depth > maxResultDepth {
				return excess{LimitDepth, fmt.Sprintf("it is nested deeper than %d", maxResultDepth)}
			}
			values++
		case ']', '}':
			depth--
		case ',', ':':
			values++
		case '"':
			i = strictjson.StringEnd(data, i) - 1
		}
	}
	if values > maxResultValues {
		return excess{LimitValues, fmt.Sprintf("it has more than %d values", maxResultValues)}
	}
	return nil
}

// cleanJSON drops from every string of a JSON value, names included, what a person does not see and a
// model or terminal obeys. data has passed strictjson. What is clean stays as it is, byte for byte.
func cleanJSON(data []byte) (out []byte, dropped int, err error) {
	from := 0
	var rewritten []byte
	for i := 0; i < len(data); i++ {
		if data[i] != '"' {
			continue
		}
		end := strictjson.StringEnd(data, i)
		text, n, err := cleanLiteral(data[i:end])
		if err != nil {
			return nil, 0, err
		}
		if n > 0 {
			dropped += n
			rewritten = append(append(rewritten, data[from:i]...), text...)
			from = end
		}
		i = end - 1
	}
	if dropped == 0 {
		return data, 0, nil
	}
	rewritten = append(rewritten, data[from:]...)
	// Two names may have become one.
	if rewritten, err = strictjson.Compact(rewritten); err != nil {
		return nil, 0, errors.New("names differ in hidden characters only")
	}
	return rewritten, dropped, nil
}

func cleanLiteral(literal []byte) (out []byte, dropped int, err error) {
	if !bytes.ContainsFunc(literal, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
		return literal, 0, nil
	}
	var s string
	if err := json.Unmarshal(literal, &s); err != nil {
		return nil, 0, errors.New("it has a string that cannot be read")
	}
	s, dropped = cleanText(s)
	if dropped == 0 {
		return literal, 0, nil
	}
	out, err = strictjson.Encode(s)
	return out, dropped, err
}

const (
	escape         = '\u001b'
	controlStarter = '\u009b' // CSI as one character
)

// cleanText drops control characters but newline, tab and the return before a newline; terminal
// escape sequences as a whole; bidirectional, zero-width and tag characters; and variation selectors
// that stand alone ([capabilities.Hidden], of content). It returns how many characters were dropped.
// Invalid UTF-8 becomes U+FFFD.
func cleanText(s string) (clean string, dropped int) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\ufffd")
	}
	var b strings.Builder
	prev := rune(0)
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		rest := s[i+size:]
		switch {
		case r == escape || r == controlStarter:
			length := size + sequence(r, rest)
			dropped += utf8.RuneCountInString(s[i : i+length])
			i += length
			continue
		case capabilities.Hidden(prev, r, rest, true):
			dropped++
		default:
			b.WriteRune(r)
			prev = r
		}
		i += size
	}
	if dropped == 0 {
		return s, 0
	}
	return b.String(), dropped
}

// sequence is the length in bytes of what belongs to an escape character: a control sequence up to
// its final byte, a command string up to its end, or one byte. Dropping the escape alone would leave
// "[31m" or the payload of a clipboard write in the text.
// Source: ECMA-48, sections 5.3 to 5.6.
func sequence(starter rune, rest string) int {
	kind := byte('[')
	skip := 0
	if starter == escape {
		if rest == "" {
			return 0
		}
		kind, skip = rest[0], 1
	}
	switch {
	case kind == '[':
		for i := skip; i < len(rest); i++ {
			if c := rest[i]; c >= 0x40 && c <= 0x7e {
				return i + 1
			} else if c < 0x20 || c > 0x7e {
				return i // not a sequence after all: keep what follows
			}
		}
		return len(rest)
	case strings.IndexByte("]PX^_", kind) >= 0:
		for i := skip; i < len(rest); i++ {
			switch {
			case rest[i] == '\a':
				return i + 1
			case rest[i] == byte(escape):
				if i+1 < len(rest) && rest[i+1] == '\\' {
					return i + 2
				}
				return i // another sequence starts
			case rest[i] == '\n':
				return i // never ended: a line is enough to lose
			}
		}
		return len(rest)
	case kind >= 0x20 && kind <= 0x7e:
		return 1
	}
	return 0
}
