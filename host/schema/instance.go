package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// limits are what an instance may have.
type limits struct {
	bytes  int
	depth  int
	items  int
	values int
	input  bool
}

// Numbers are compared exactly, as fractions: an exponent of a million would be a million digits.
const (
	maxDigits   = 64
	maxExponent = 308
)

func numberFits(n json.Number) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if len(mantissa) > maxDigits {
		return false
	}
	if exponent == "" {
		return true
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && max(e, -e) <= maxExponent
}

func numbersFit(v any) bool {
	switch v := v.(type) {
	case json.Number:
		return numberFits(v)
	case []any:
		return !slices.ContainsFunc(v, func(x any) bool { return !numbersFit(x) })
	case map[string]any:
		for _, x := range v {
			if !numbersFit(x) {
				return false
			}
		}
	}
	return true
}

func countValues(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			n += countValues(x)
		}
	case map[string]any:
		for _, x := range v {
			n += 1 + countValues(x)
		}
	}
	return n
}

// measure counts depth and values in the bytes, before anything is allocated for them. What is not
// JSON is found later; it only must not be under-counted.
func measure(data []byte, l limits) error {
	depth, values, inString := 0, 1, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString:
			switch c {
			case '\\':
				i++
			case '"':
				inString = false
			}
		case c == '"':
			inString = true
		case c == '[' || c == '{':
			depth++
			values++
			if depth > l.depth {
				return fmt.Errorf("nested deeper than %d", l.depth)
			}
		case c == ']' || c == '}':
			depth--
		case c == ',' || c == ':':
			values++
		}
	}
	if values > l.values {
		return fmt.Errorf("more than %d values", l.values)
	}
	return nil
}

// inspect walks a decoded instance: numbers, names, arrays, characters, and the length of its paths,
// which the library writes out for every value.
func inspect(value any, at string, l limits) error {
	w := walk{limits: l, left: float64(l.values)}
	if w.passes(value, 0) {
		return nil
	}
	w.left = float64(l.values)
	return w.value(value, at, 0)
}

type walk struct {
	limits
	left float64
}

// passes is value without the words for what is wrong, and in any order.
func (w *walk) passes(v any, path int) bool {
	if w.left -= float64(path) / 128; w.left < 0 {
		return false
	}
	switch v := v.(type) {
	case json.Number:
		return numberFits(v)
	case string:
		return !w.input || !strings.ContainsFunc(v, turnsText)
	case []any:
		if len(v) > w.items {
			return false
		}
		for i, x := range v {
			if !w.passes(x, path+1+decimals(i)) {
				return false
			}
		}
	case map[string]any:
		for name, x := range v {
			if len(name) > MaxName || w.input && strings.ContainsFunc(name, turnsText) || !w.passes(x, path+1+len(name)) {
				return false
			}
		}
	}
	return true
}

// decimals is how many digits n has.
func decimals(n int) int {
	digits := 1
	for ; n > 9; n /= 10 {
		digits++
	}
	return digits
}

func (w *walk) value(v any, at string, path int) error {
	if w.left -= float64(path) / 128; w.left < 0 {
		return fmt.Errorf("%s: too many values below long names", at)
	}
	switch v := v.(type) {
	case json.Number:
		if !numberFits(v) {
			return fmt.Errorf("%s: a number of more than %d digits or an exponent above %d", at, maxDigits, maxExponent)
		}
	case string:
		return w.text(v, at)
	case []any:
		if len(v) > w.items {
			return fmt.Errorf("%s: %d items; at most %d are allowed", at, len(v), w.items)
		}
		for i, x := range v {
			index := strconv.Itoa(i)
			if err := w.value(x, at+"["+index+"]", path+1+len(index)); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if len(name) > MaxName {
				return fmt.Errorf("%s: a name of %d bytes; at most %d are allowed", at, len(name), MaxName)
			}
			if err := w.text(name, at); err != nil {
				return err
			}
			if err := w.value(v[name], dotted(at, name), path+1+len(name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// text refuses characters that change the direction of what is shown: a person who approves a call
// would read another argument than the tool gets.
func (w *walk) text(s, at string) error {
	if !w.input {
		return nil
	}
	for _, r := range s {
		if turnsText(r) {
			return fmt.Errorf("%s: contains the direction-changing character U+%04X; remove it", at, r)
		}
	}
	return nil
}

// turnsText lists Unicode's explicit directional formatting characters (UAX #9, section 2).
func turnsText(r rune) bool {
	return (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069) || r == 0x200E || r == 0x200F || r == 0x061C
}

// dotted extends the readable place of a value by a name.
func dotted(at, name string) string {
	plain := name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '-' && r != '$' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
	if plain {
		return at + "." + name
	}
	return at + "[" + quote(name) + "]"
}
