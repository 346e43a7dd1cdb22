// Report reads the output of `go test -json` and prints what a person wants of it: a line for each
// package, everything about a failure, each skipped test with its reason, and the sums.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

// report adds up events.
type report struct {
	out                     io.Writer
	passed, failed, skipped int
	lines                   map[string]*strings.Builder // output of running tests, by package and test
	skips                   []string
}

func main() {
	r := &report{out: os.Stdout, lines: map[string]*strings.Builder{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if !r.sum() {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(r.out, "%s\n", lines.Bytes())
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		if r.lines[key] == nil {
			r.lines[key] = &strings.Builder{}
		}
		r.lines[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		r.end(e, key)
	}
}

func (r *report) end(e event, key string) {
	said := ""
	if r.lines[key] != nil {
		said = r.lines[key].String()
		delete(r.lines, key)
	}
	if e.Test == "" {
		if e.Action == "fail" {
			r.failed++ // a package that does not build or whose tests broke off has no failing test of its own
			fmt.Fprint(r.out, said)
			r.broken(e.Package)
		}
		if e.Action != "skip" {
			fmt.Fprintf(r.out, "%-4s  %6.1f s  %s\n", e.Action, e.Elapsed, e.Package)
		}
		return
	}
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		fmt.Fprintf(r.out, "FAIL  %s %s\n%s", e.Package, e.Test, said)
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("skip  %s %s: %s", e.Package, e.Test, reason(said)))
	}
}

// broken prints what tests said that never ended: the one that hung, and where everybody was then.
func (r *report) broken(pkg string) {
	for _, key := range slices.Sorted(maps.Keys(r.lines)) {
		if test, ok := strings.CutPrefix(key, pkg+" "); ok {
			fmt.Fprintf(r.out, "NEVER ENDED  %s %s\n%s", pkg, test, r.lines[key])
			delete(r.lines, key)
		}
	}
}

// reason is what a skipped test said last, without the place in its file.
func reason(said string) string {
	why := "no reason given"
	for line := range strings.Lines(said) {
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, text, _ = strings.Cut(text, ": ")
			why = strings.TrimSpace(text)
		}
	}
	return why
}

// sum prints the skips and the sums, and reports whether everything passed.
func (r *report) sum() bool {
	for _, s := range r.skips {
		fmt.Fprintln(r.out, s)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && r.passed > 0
}
