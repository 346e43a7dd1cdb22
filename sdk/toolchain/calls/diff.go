package calls

import (
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

const (
	maxDiffLine  = 200 // characters of a line that is shown
	maxDiffLines = 60  // that are shown
	maxDiffTable = 1 << 20
)

// Diff compares two texts line by line: "- " is only in want, "+ " only in got, "  " around them in both.
// What it returns is fit for a terminal, and cut to what a person reads.
func Diff(want, got string) []string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []string
	if head > 0 {
		out = append(out, shown("  ", a[head-1]))
	}
	out = append(out, changes(a[head:len(a)-tail], b[head:len(b)-tail])...)
	if tail > 0 {
		out = append(out, shown("  ", a[len(a)-tail]))
	}
	return shorten(out)
}

// changes finds the longest common part of what is left, or shows both whole where that would take too much.
func changes(a, b []string) (out []string) {
	if len(a)*len(b) > maxDiffTable {
		return append(each("- ", a), each("+ ", b)...)
	}
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				longest[i][j] = longest[i+1][j+1] + 1
			} else {
				longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, shown("  ", a[i]))
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || longest[i+1][j] >= longest[i][j+1]):
			out = append(out, shown("- ", a[i]))
			i++
		default:
			out = append(out, shown("+ ", b[j]))
			j++
		}
	}
	return out
}

func each(mark string, all []string) (out []string) {
	for _, line := range all {
		out = append(out, shown(mark, line))
	}
	return out
}

func lines(mark, text string) []string { return shorten(each(mark, strings.Split(text, "\n"))) }

func shown(mark, line string) string { return mark + capabilities.Printable(line, maxDiffLine) }

func shorten(lines []string) []string {
	if len(lines) <= maxDiffLines {
		return lines
	}
	return append(lines[:maxDiffLines:maxDiffLines], fmt.Sprintf("  ... %d more lines", len(lines)-maxDiffLines))
}
