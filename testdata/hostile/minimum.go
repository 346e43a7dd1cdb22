package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/table"
)

// count is how much of a group runs. Variants that are skipped count: what a system cannot run was not lost.
type count struct{ rows, variants, mutants int }

// counts are those of rows by group, with what was run of them.
func counts(rows []attack.Row, mutants []mutant.Mutant, results map[string]table.Line) map[string]count {
	all := map[string]count{}
	for _, row := range rows {
		c, line := all[table.Group(row)], results[row.ID]
		c.rows++
		c.variants += line.Report.Variants + len(line.Report.Skips)
		all[table.Group(row)] = c
	}
	for _, m := range mutants {
		groups := map[string]bool{}
		for _, row := range rows {
			if table.Lists(row, m.ID) {
				groups[table.Group(row)] = true
			}
		}
		for group := range groups {
			c := all[group]
			c.mutants++
			all[group] = c
		}
	}
	return all
}

// holdToMinimum refuses a run that is smaller than one before. raise writes what is larger.
func holdToMinimum(path string, now map[string]count, raise bool) error {
	least, err := readMinimum(path)
	if err != nil {
		return err
	}
	var errs []error
	for _, group := range slices.Sorted(maps.Keys(least)) {
		has, want := now[group], least[group]
		if has.rows < want.rows || has.variants < want.variants || has.mutants < want.mutants {
			errs = append(errs, fmt.Errorf("group %s has shrunk: %d rows, %d variants, %d mutants; the minimum is %d, %d, %d",
				group, has.rows, has.variants, has.mutants, want.rows, want.variants, want.mutants))
		}
	}
	if len(errs) > 0 || !raise {
		return errors.Join(errs...)
	}
	return writeMinimum(path, now)
}

const minimumHead = `# What make attacks runs at least: group, rows, variants (skipped ones included), mutants.
# It may only grow: go run ./testdata/hostile -update raises it.
`

func readMinimum(path string) (map[string]count, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the minimum: %w", err)
	}
	least := map[string]count{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if line := lines.Text(); line != "" && line[0] != '#' {
			var group string
			var c count
			if n, err := fmt.Sscan(line, &group, &c.rows, &c.variants, &c.mutants); n != 4 {
				return nil, fmt.Errorf("reading the minimum: %q: %w", line, err)
			}
			least[group] = c
		}
	}
	return least, lines.Err()
}

func writeMinimum(path string, now map[string]count) error {
	text := []byte(minimumHead)
	for _, group := range slices.Sorted(maps.Keys(now)) {
		c := now[group]
		text = fmt.Appendf(text, "%s %d %d %d\n", group, c.rows, c.variants, c.mutants)
	}
	return os.WriteFile(path, text, 0o644)
}
