package main

import (
	"fmt"
	"strings"
)

// contextLines is how many unchanged lines a diff shows around a change.
const contextLines = 3

// maxScript bounds the search for the shortest diff: beyond so many changed lines, what is between the
// first and the last of them is shown as replaced.
const maxScript = 1000

// unifiedDiff compares two texts line by line, in the format of "diff -u". It is empty when they are equal.
func unifiedDiff(oldName, newName, before, after string) string {
	a, b := splitLines(before), splitLines(after)
	changes := compare(a, b)
	if len(changes) == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", oldName, newName)
	for len(changes) > 0 {
		n := 1 // changes that share lines of context are one hunk
		for n < len(changes) && changes[n].aStart-changes[n-1].aEnd <= 2*contextLines {
			n++
		}
		writeHunk(&out, a, b, changes[:n])
		changes = changes[n:]
	}
	return out.String()
}

// change says that lines aStart to aEnd of the old text became lines bStart to bEnd of the new one.
type change struct{ aStart, aEnd, bStart, bEnd int }

func splitLines(text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

func writeHunk(out *strings.Builder, a, b []string, changes []change) {
	first, last := changes[0], changes[len(changes)-1]
	aFrom, aTo := max(first.aStart-contextLines, 0), min(last.aEnd+contextLines, len(a))
	bFrom, bTo := first.bStart-(first.aStart-aFrom), last.bEnd+(aTo-last.aEnd)
	fmt.Fprintf(out, "@@ -%s +%s @@\n", lineRange(aFrom, aTo), lineRange(bFrom, bTo))
	at := aFrom
	for _, c := range changes {
		writeLines(out, ' ', a[at:c.aStart])
		writeLines(out, '-', a[c.aStart:c.aEnd])
		writeLines(out, '+', b[c.bStart:c.bEnd])
		at = c.aEnd
	}
	writeLines(out, ' ', a[at:aTo])
}

// lineRange is a range as hunks write it: the first line counts from 1, but for an empty range it is the
// line before.
func lineRange(from, to int) string {
	switch n := to - from; n {
	case 0:
		return fmt.Sprintf("%d,0", from)
	case 1:
		return fmt.Sprint(from + 1)
	default:
		return fmt.Sprintf("%d,%d", from+1, n)
	}
}

func writeLines(out *strings.Builder, sign byte, lines []string) {
	for _, line := range lines {
		out.WriteByte(sign)
		out.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}

// compare finds the changes between two lists of lines.
func compare(a, b []string) []change {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	aEnd, bEnd := len(a), len(b)
	for aEnd > start && bEnd > start && a[aEnd-1] == b[bEnd-1] {
		aEnd--
		bEnd--
	}
	if start == aEnd && start == bEnd {
		return nil
	}
	changes, ok := shortest(a[start:aEnd], b[start:bEnd])
	if !ok {
		changes = []change{{0, aEnd - start, 0, bEnd - start}}
	}
	for i := range changes {
		c := &changes[i]
		c.aStart, c.aEnd, c.bStart, c.bEnd = c.aStart+start, c.aEnd+start, c.bStart+start, c.bEnd+start
	}
	return changes
}

// shortest finds a shortest list of changes, unless it is longer than maxScript.
// Source: E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986, the greedy algorithm.
func shortest(a, b []string) ([]change, bool) {
	limit := min(len(a)+len(b), maxScript)
	reach := make([]int, 2*limit+2) // furthest x on diagonal k, at index k+limit
	var trace [][]int               // reach before each round, its diagonals -d to d
	for d := 0; d <= limit; d++ {
		trace = append(trace, append([]int(nil), reach[max(limit-d, 0):limit+d+1]...))
		for k := -d; k <= d; k += 2 {
			var x int
			if k == -d || k != d && reach[limit+k-1] < reach[limit+k+1] {
				x = reach[limit+k+1]
			} else {
				x = reach[limit+k-1] + 1
			}
			for x < len(a) && x-k < len(b) && a[x] == b[x-k] {
				x++
			}
			reach[limit+k] = x
			if x >= len(a) && x-k >= len(b) {
				return retrace(trace, len(a), len(b)), true
			}
		}
	}
	return nil, false
}

// retrace walks the rounds back from the end and joins single steps to changes.
func retrace(trace [][]int, x, y int) []change {
	var changes []change
	for d := len(trace) - 1; d > 0; d-- {
		k := x - y
		reach := func(diagonal int) int {
			if i := diagonal + d; i >= 0 && i < len(trace[d]) {
				return trace[d][i]
			}
			return -1
		}
		from := k - 1
		if k == -d || k != d && reach(k-1) < reach(k+1) {
			from = k + 1
		}
		px := reach(from)
		py := px - from
		stepX, stepY := px, py // where the step of this round ends
		if from == k-1 {
			stepX++
		} else {
			stepY++
		}
		if n := len(changes); n > 0 && changes[n-1].aStart == stepX && changes[n-1].bStart == stepY {
			changes[n-1].aStart, changes[n-1].bStart = px, py
		} else {
			changes = append(changes, change{px, stepX, py, stepY})
		}
		x, y = px, py
	}
	for i, j := 0, len(changes)-1; i < j; i, j = i+1, j-1 {
		changes[i], changes[j] = changes[j], changes[i]
	}
	return changes
}
