package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestUnifiedDiff(t *testing.T) {
	numbers := func(from, to int, change ...int) string {
		var b strings.Builder
		for i := from; i <= to; i++ {
			if len(change) > 0 && i == change[0] {
				fmt.Fprintf(&b, "changed %d\n", i)
				change = change[1:]
				continue
			}
			fmt.Fprintf(&b, "%d\n", i)
		}
		return b.String()
	}
	rows := []struct{ name, before, after, want string }{
		{"equal", "a\n", "a\n", ""},
		{"from nothing", "", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"},
		{"to nothing", "a\n", "", "@@ -1 +0,0 @@\n-a\n"},
		{"context of three lines", numbers(1, 9), numbers(1, 9, 5), "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+changed 5\n 6\n 7\n 8\n"},
		{"near changes share a hunk", numbers(1, 12), numbers(1, 12, 2, 9), "@@ -1,12 +1,12 @@\n 1\n-2\n+changed 2\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n+changed 9\n 10\n 11\n 12\n"},
		{"far changes do not", numbers(1, 12), numbers(1, 12, 2, 10), "@@ -1,5 +1,5 @@\n 1\n-2\n+changed 2\n 3\n 4\n 5\n@@ -7,6 +7,6 @@\n 7\n 8\n 9\n-10\n+changed 10\n 11\n 12\n"},
		{"a line break at the end", "a", "a\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n"},
		{"an insertion", "a\nc\n", "a\nb\nc\n", "@@ -1,2 +1,3 @@\n a\n+b\n c\n"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			want := row.want
			if want != "" {
				want = "--- old\n+++ new\n" + want
			}
			if got := unifiedDiff("old", "new", row.before, row.after); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// patch rebuilds the new lines from the old ones and the changes.
func patch(a, b []string, changes []change) string {
	var out strings.Builder
	at := 0
	for _, c := range changes {
		out.WriteString(strings.Join(a[at:c.aStart], ""))
		out.WriteString(strings.Join(b[c.bStart:c.bEnd], ""))
		at = c.aEnd
	}
	out.WriteString(strings.Join(a[at:], ""))
	return out.String()
}

func TestADiffBeyondTheBoundIsStillRight(t *testing.T) {
	a, b := splitLines(strings.Repeat("a\n", 2*maxScript)), splitLines("x\n"+strings.Repeat("b\n", 2*maxScript))
	changes := compare(a, b)
	if len(changes) != 1 || patch(a, b, changes) != strings.Join(b, "") {
		t.Errorf("%d changes", len(changes))
	}
}

func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc\n", "a\nc\nd")
	f.Add("", "x")
	f.Add("a\na\nb\na\n", "b\na\na\na\n")
	f.Fuzz(func(t *testing.T, before, after string) {
		a, b := splitLines(before), splitLines(after)
		changes := compare(a, b)
		if got := patch(a, b, changes); got != after {
			t.Errorf("the changes lead to %q, want %q", got, after)
		}
		for i, c := range changes {
			if c.aStart == c.aEnd && c.bStart == c.bEnd || i > 0 && c.aStart <= changes[i-1].aEnd {
				t.Errorf("change %d of %v is empty or touches the one before", i, changes)
			}
		}
	})
}

func TestGlob(t *testing.T) {
	rows := []struct{ pattern, allow, deny string }{
		{"*.md", "a.md .md A.MD", "a.txt sub/a.md amd"},
		{"**/*.md", "a.md sub/a.md x/y/a.md", "a.txt"},
		{"sub/**", "sub/a sub/x/y", "sub other/sub/a"},
		{"**", "a a/b", ""},
		{"a?c", "abc aéc", "ac a/c"},
		{"[a-c]x", "ax cx", "dx x"},
		{"[!a]x", "bx", "ax /x"},
		{"[]]x", "]x", "x"},
		{`[\d^&]x`, `\x dx ^x &x`, "1x"},
		{"*.{md,txt}", "a.md a.txt", "a.go"},
		{"a.b+c(d)", "a.b+c(d)", "axb+c(d)"},
		{`\*`, "*", "a"},
		{"./a", "a", "./b"},
	}
	for _, row := range rows {
		g, err := compileGlob(row.pattern)
		if err != nil {
			t.Errorf("%s: %v", row.pattern, err)
			continue
		}
		for path := range strings.FieldsSeq(row.allow) {
			if !g.match(path) {
				t.Errorf("%s does not match %s", row.pattern, path)
			}
		}
		for path := range strings.FieldsSeq(row.deny) {
			if g.match(path) {
				t.Errorf("%s matches %s", row.pattern, path)
			}
		}
	}
	for _, bad := range []string{"[a", "{a,b", "[z-a]", strings.Repeat("a", maxPattern+1)} {
		if _, err := compileGlob(bad); err == nil {
			t.Errorf("%.20s was accepted", bad)
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("**/*.{md,txt}", "a/b.md")
	f.Add("[!a-c]?", "dx")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if g, err := compileGlob(pattern); err == nil {
			g.match(path)
		}
	})
}
