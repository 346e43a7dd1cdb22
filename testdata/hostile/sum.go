package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/table"
)

// summary is what the whole run came to.
type summary struct {
	*driver
	mutants []mutant.Mutant
	faults  []string
}

func (d *driver) sum(mutants []mutant.Mutant) *summary {
	s := &summary{driver: d, mutants: mutants}
	for _, row := range d.rows {
		for _, hit := range first(d.results[row.ID].Report.Hits) {
			s.fault("%s: HIT %s", row.ID, brief(hit))
		}
		if hits := d.brief[row.ID].Report.Hits; len(hits) > 0 {
			s.fault("%s: HIT the second time: %s", row.ID, brief(hits[0]))
		}
	}
	for _, b := range d.broken {
		s.fault("%s", b)
	}
	for _, m := range mutants {
		for _, row := range d.rows {
			line, ran := d.mutated[m.ID][row.ID]
			red := ran && len(line.Report.Hits) > 0
			switch listed := table.Lists(row, m.ID); {
			case listed && !red:
				s.fault("%s stays green without the rule %s (%s)", row.ID, m.ID, m.Rule)
			case !listed && red && len(d.results[row.ID].Report.Hits) == 0:
				s.fault("%s turns red without the rule %s, which it does not list: %s", row.ID, m.ID, brief(line.Report.Hits[0]))
			}
		}
	}
	return s
}

func (s *summary) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// brief is a hit in one line.
func brief(hit string) string {
	line, _, _ := strings.Cut(hit, "\n")
	return capabilities.Printable(line, 400)
}

// first are the first few of many.
func first(list []string) []string {
	const few = 10
	if len(list) <= few {
		return list
	}
	return append(slices.Clone(list[:few]), fmt.Sprintf("and %d more", len(list)-few))
}

// reds counts the mutants that a row lists and those of them that turned it red.
func (s *summary) reds(row attack.Row) (listed, red int, green []string) {
	for _, m := range s.mutants {
		if !table.Lists(row, m.ID) {
			continue
		}
		listed++
		if len(s.mutated[m.ID][row.ID].Report.Hits) > 0 {
			red++
		} else {
			green = append(green, m.ID)
		}
	}
	return listed, red, green
}

// print writes the table.
func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "%-5s %8s %5s %6s %12s  %s\n", "row", "variants", "hits", "skips", "mutants red", "attack")
	for _, row := range s.rows {
		line := s.results[row.ID]
		listed, red, green := s.reds(row)
		mutants := "-"
		if listed > 0 {
			mutants = fmt.Sprintf("%d of %d", red, listed)
			if red == listed {
				mutants += " yes"
			} else {
				mutants += " NO"
			}
		}
		fmt.Fprintf(w, "%-5s %8d %5d %6d %12s  %s\n", row.ID, line.Report.Variants, len(line.Report.Hits), len(line.Report.Skips), mutants, row.Title)
		s.printNotes(w, row, line, green)
	}
}

// printNotes writes what belongs to a row: figures, skips, reasons.
func (s *summary) printNotes(w io.Writer, row attack.Row, line table.Line, green []string) {
	note := func(what, text string) { fmt.Fprintf(w, "      %s: %s\n", what, text) }
	for _, text := range line.Report.Details {
		note("measured", text)
	}
	for _, text := range line.Report.Skips {
		note("skip", text)
	}
	if row.Unmutated != "" {
		note("no mutant", row.Unmutated)
	}
	if len(row.Mutants) > 0 {
		note("without", strings.Join(row.Mutants, " "))
	}
	if len(green) > 0 {
		note("STAYS GREEN", strings.Join(green, " "))
	}
}

// explain writes which rows a mutant turned red, and the first hit of each.
func (d *driver) explain(w io.Writer, m mutant.Mutant) {
	fmt.Fprintf(w, "without %s: %s\n", m.ID, m.Rule)
	for _, row := range d.rows {
		if hits := d.mutated[m.ID][row.ID].Report.Hits; len(hits) > 0 {
			fmt.Fprintf(w, "      %s: %s\n", row.ID, brief(hits[0]))
		} else if table.Lists(row, m.ID) {
			fmt.Fprintf(w, "      %s: STAYS GREEN\n", row.ID)
		}
	}
}

// total is the last line.
func (s *summary) total() string {
	var variants, hits, skips, red int
	for _, line := range s.results {
		variants += line.Report.Variants
		hits += len(line.Report.Hits)
		skips += len(line.Report.Skips)
	}
	for _, m := range s.mutants {
		all := true
		for _, row := range s.rows {
			all = all && (!table.Lists(row, m.ID) || len(s.mutated[m.ID][row.ID].Report.Hits) > 0)
		}
		if all {
			red++
		}
	}
	return fmt.Sprintf("%d rows, %d variants, %d hits, %d skips; %d of %d mutants turn every row red that lists them", len(s.rows), variants, hits, skips, red, len(s.mutants))
}
