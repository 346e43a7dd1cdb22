package screen

import (
	"fmt"
	"strings"
	"unicode"
)

// wide lists the runes that take two columns: East Asian Wide and Fullwidth (UAX #11), and all
// pictographs. Terminals disagree about some pictographs; counting them as two can only wrap a line
// early, while counting them as one could push text into the next column.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x1100, Hi: 0x115f, Stride: 1},
		{Lo: 0x231a, Hi: 0x231b, Stride: 1},
		{Lo: 0x2328, Hi: 0x232a, Stride: 1},
		{Lo: 0x23cf, Hi: 0x23cf, Stride: 1},
		{Lo: 0x23e9, Hi: 0x23fa, Stride: 1},
		{Lo: 0x25fb, Hi: 0x25fe, Stride: 1},
		{Lo: 0x2600, Hi: 0x27bf, Stride: 1},
		{Lo: 0x2b00, Hi: 0x2bff, Stride: 1},
		{Lo: 0x2e80, Hi: 0x303e, Stride: 1},
		{Lo: 0x3041, Hi: 0xa4cf, Stride: 1},
		{Lo: 0xa960, Hi: 0xa97f, Stride: 1},
		{Lo: 0xac00, Hi: 0xd7a3, Stride: 1},
		{Lo: 0xf900, Hi: 0xfaff, Stride: 1},
		{Lo: 0xfe10, Hi: 0xfe19, Stride: 1},
		{Lo: 0xfe30, Hi: 0xfe6f, Stride: 1},
		{Lo: 0xff01, Hi: 0xff60, Stride: 1},
		{Lo: 0xffe0, Hi: 0xffe6, Stride: 1},
	},
	R32: []unicode.Range32{
		{Lo: 0x16fe0, Hi: 0x18d08, Stride: 1},
		{Lo: 0x1aff0, Hi: 0x1b2fb, Stride: 1},
		{Lo: 0x1d300, Hi: 0x1d376, Stride: 1},
		{Lo: 0x1f000, Hi: 0x1faff, Stride: 1},
		{Lo: 0x20000, Hi: 0x3fffd, Stride: 1},
	},
}

// maxMarks is how many combining marks one character may carry. More of them are drawn by terminals
// over the lines above and below.
const maxMarks = 2

// columns is how many columns of a terminal s takes. Marks that join the character before them
// count as none.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}

// calm escapes blanks other than the space, and combining marks that pile up or have no character to
// join: the first move text sideways, the others paint over the lines around it.
func calm(s string) string {
	var out strings.Builder
	marks := maxMarks
	for _, r := range s {
		switch {
		case r == ' ':
			marks = maxMarks
		case unicode.In(r, unicode.Mn, unicode.Me):
			marks++
		default:
			marks = 0
		}
		if marks > maxMarks && r != ' ' || r != ' ' && unicode.Is(unicode.Zs, r) || r == brailleBlank {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// brailleBlank draws nothing, although it is a symbol.
const brailleBlank = '\u2800'

// pad fills s with spaces up to width columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-columns(s)))
}

// cut returns the longest beginning of s that takes at most width columns and does not end inside a
// character of several runes: a joiner or a mark at the edge of a line would change what is drawn.
func cut(s string, width int) string {
	used, whole := 0, 0
	prev := rune(0)
	for i, r := range s {
		if runeColumns(r) > 0 && prev != joiner && !skinTone(r) {
			whole = i
		}
		if used += runeColumns(r); used > width {
			if whole == 0 {
				return s[:i] // one character that is wider than the line
			}
			return s[:whole]
		}
		prev = r
	}
	return s
}

const joiner = '\u200d' // ZERO WIDTH JOINER

func skinTone(r rune) bool { return r >= 0x1f3fb && r <= 0x1f3ff }

// wrap breaks s into lines of at most width columns, at spaces where there are any. Nothing but spaces
// at the ends of lines is left out. An empty s is one empty line.
func wrap(s string, width int) []string {
	var lines []string
	for s = strings.TrimRight(s, " "); ; {
		head := cut(s, width)
		rest := s[len(head):]
		if head == "" || rest == "" { // the end, or one character wider than the line
			return append(lines, s)
		}
		if rest[0] == ' ' {
			rest = rest[1:]
		} else if at := strings.LastIndexByte(head, ' '); at > 0 {
			head, rest = s[:at], s[at+1:]
		}
		lines = append(lines, strings.TrimRight(head, " "))
		s = rest
	}
}

// chop breaks s into lines of at most width columns without losing a byte, spaces included.
func chop(s string, width int) []string {
	var lines []string
	for {
		head := cut(s, width)
		if head == "" || len(head) == len(s) {
			return append(lines, s)
		}
		lines = append(lines, head)
		s = s[len(head):]
	}
}
