package capabilities

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns s safe for a terminal and a log line: control, escape, bidirectional, zero-width
// and tag characters become \u escapes, and what would be longer than max runes is cut with "…",
// which counts as one. Escapes are never cut in two. Line breaks and tabs are escaped too.
func Printable(s string, max int) string {
	if len(s) <= max && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0 {
		return s
	}
	var out []string // by visible unit, so that the end can be taken back
	total := 0
	for i, prev := 0, rune(0); i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		unit := s[i : i+size]
		switch {
		case r == utf8.RuneError && size == 1:
			unit = fmt.Sprintf(`\x%02x`, s[i])
		case r == '\n' || r == '\t' || Hidden(prev, r, s[i+size:], false):
			unit = escapeRune(r)
		}
		out = append(out, unit)
		total += utf8.RuneCountInString(unit)
		if total > max {
			return cut(out, total, max)
		}
		prev = r
		i += size
	}
	return strings.Join(out, "")
}

// PrintableJSON returns a JSON text safe for a terminal, with the same value: the characters in its strings
// that Printable would escape become \u escapes, in pairs above U+FFFF, and what is no UTF-8 becomes U+FFFD,
// as which it is read anyway. data is returned itself where nothing is to be escaped.
func PrintableJSON(data []byte) []byte {
	if bytes.IndexFunc(data, func(r rune) bool { return r > '~' }) < 0 {
		return data
	}
	out := make([]byte, 0, len(data)+len(data)/8)
	text := string(data)
	for i, prev := 0, rune(0); i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r > 0xffff && Hidden(prev, r, text[i+size:], false):
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		case r == utf8.RuneError && size == 1, r > '~' && Hidden(prev, r, text[i+size:], false):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[i:i+size]...)
		}
		prev = r
		i += size
	}
	return out
}

// quoted is Printable in quotation marks, for errors.
func quoted(s string, max int) string { return `"` + Printable(s, max) + `"` }

func escapeRune(r rune) string {
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// cut drops units from the end until the rest and "…" fit into max. What was only allowed because of
// the unit after it (a joiner, a variation selector in a keycap) must not be left behind as the last.
func cut(units []string, total, max int) string {
	dangling := func(unit string) bool { return unit == string(joiner) || unit == string(emojiStyle) }
	for len(units) > 0 && (total > max-1 || dangling(units[len(units)-1])) {
		total -= utf8.RuneCountInString(units[len(units)-1])
		units = units[:len(units)-1]
	}
	return strings.Join(units, "") + "…"
}

// CleanText returns an error that lists the code points in s that Printable would escape ("\n" and
// "\t" are allowed): such text is refused in a manifest, because a person who approves it and a model
// that reads it would not see the same.
func CleanText(s string) error {
	var found []string
	n := 0
	for i, prev := 0, rune(0); i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			return errors.New("is not valid UTF-8")
		}
		if Hidden(prev, r, s[i+size:], false) {
			n++
			if name := fmt.Sprintf("U+%04X", r); len(found) < 8 && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
		prev = r
		i += size
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("has %d hidden or control characters (%s): remove them", n, strings.Join(found, ", "))
}

const (
	joiner     = '\u200d' // ZERO WIDTH JOINER
	nonJoiner  = '\u200c' // ZERO WIDTH NON-JOINER
	textStyle  = '\ufe0e' // VARIATION SELECTOR-15
	emojiStyle = '\ufe0f' // VARIATION SELECTOR-16
	keycap     = '\u20e3' // COMBINING ENCLOSING KEYCAP
)

// invisible are characters that draw nothing, or move or hide what others draw: format characters
// (bidirectional, zero-width, tags), line and paragraph separators, variation selectors, fillers.
// Arabic number signs are format characters that do draw, and stay.
var invisible = []*unicode.RangeTable{
	unicode.Cf, unicode.Zl, unicode.Zp, unicode.Cs,
	unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point, unicode.Noncharacter_Code_Point,
}

// joining are the scripts whose spelling uses joiners.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati,
	unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar,
}

// Hidden says that r, after prev (0 at the start) and before rest, must not reach a person's eyes or a
// model unescaped. A joiner and an emoji variation selector pass inside an emoji, and nowhere else.
//
// content says that the text is what a tool read for its user, such as a file, and no name or
// sentence that someone approves. Dropping what others wrote with good reason would falsify it, so
// these pass there as well: the return before a newline, joiners between letters of scripts that join,
// the text style of a pictograph, and private use characters, which fonts of terminals and editors draw.
func Hidden(prev, r rune, rest string, content bool) bool {
	next, _ := utf8.DecodeRuneInString(rest)
	switch {
	case r == '\n' || r == '\t':
		return false
	case r == '\r':
		return !content || next != '\n' // alone it overwrites the line on a terminal
	case unicode.IsControl(r):
		return true
	case r < 0x7f:
		return false
	case r == emojiStyle || r == textStyle && content:
		return !emoji(prev) && (next != keycap || !strings.ContainsRune("0123456789#*", prev))
	case r == joiner && (emoji(prev) || prev == emojiStyle):
		return !emoji(next)
	case (r == joiner || r == nonJoiner) && content:
		return !unicode.IsOneOf(joining, prev) || !unicode.IsOneOf(joining, next)
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	case unicode.Is(unicode.Co, r):
		return !content
	}
	return unicode.IsOneOf(invisible, r)
}

// emoji says that r can stand in an emoji sequence: a pictograph or a skin tone. Letters and digits
// cannot, so no run of joiners can hide in ordinary text.
// Neither can the replacement character, which is a symbol too and stands for undecodable bytes.
func emoji(r rune) bool {
	if r == utf8.RuneError {
		return false
	}
	return r >= 0xa9 && (unicode.Is(unicode.So, r) || unicode.Is(unicode.Sm, r)) || r >= 0x1f3fb && r <= 0x1f3ff
}
