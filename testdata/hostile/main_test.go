package main

import (
	"testing"

	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/table"
	"github.com/writ-run/writ/testdata/hostile/target"
	"github.com/writ-run/writ/testdata/house"
)

// Every quick row, against the product as it is. What takes longer, and whether each row can fail at all, is for make
// attacks.
func TestAttacks(t *testing.T) {
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, row := range table.Rows() {
		t.Run(row.ID, func(t *testing.T) {
			if row.Missing != "" {
				t.Skip(row.Missing)
			}
			if row.Slow {
				t.Skip("slow: run by make attacks")
			}
			found := row.Fill(attack.Report{})
			for _, hit := range first(found.Hits) {
				t.Error(hit)
			}
			for _, skip := range found.Skips {
				t.Log("skipped: " + skip)
			}
			if found.Variants == 0 {
				t.Error("nothing was tried")
			}
		})
	}
}

// The table is whole, and no smaller than it was.
func TestTable(t *testing.T) {
	root, err := house.Root()
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := mutant.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	rows := table.Rows()
	if err := table.Check(rows, mutants); err != nil {
		t.Error(err)
	}
	least, err := readMinimum("minimum.txt")
	if err != nil {
		t.Fatal(err)
	}
	now := counts(rows, mutants, nil)
	for group, c := range now {
		if _, ok := least[group]; !ok {
			t.Errorf("minimum.txt has no group %s: run go run ./testdata/hostile -update", group)
		}
		if want := least[group]; c.rows < want.rows || c.mutants < want.mutants {
			t.Errorf("group %s has shrunk to %d rows and %d mutants; the minimum is %d and %d", group, c.rows, c.mutants, want.rows, want.mutants)
		}
	}
}

// A smaller run is refused, and what was written down never gets smaller.
func TestMinimumOnlyGrows(t *testing.T) {
	path := t.TempDir() + "/minimum.txt"
	if err := writeMinimum(path, map[string]count{"A": {2, 10, 3}, "Z": {1, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		now map[string]count
		ok  bool
	}{
		"the same":       {map[string]count{"A": {2, 10, 3}, "Z": {1, 1, 1}}, true},
		"more":           {map[string]count{"A": {3, 11, 4}, "B": {1, 1, 1}, "Z": {1, 1, 1}}, true},
		"a row less":     {map[string]count{"A": {1, 99, 99}, "Z": {1, 1, 1}}, false},
		"a variant less": {map[string]count{"A": {99, 9, 99}, "Z": {1, 1, 1}}, false},
		"a mutant less":  {map[string]count{"A": {99, 99, 2}, "Z": {1, 1, 1}}, false},
		"a group less":   {map[string]count{"A": {99, 99, 99}}, false},
	} {
		if err := holdToMinimum(path, c.now, false); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := holdToMinimum(path, map[string]count{"A": {1, 99, 99}, "Z": {9, 9, 9}}, true); err == nil {
		t.Error("the minimum was lowered")
	}
	if err := holdToMinimum(path, map[string]count{"A": {2, 20, 3}, "Z": {1, 1, 1}}, true); err != nil {
		t.Error(err)
	}
	if got, err := readMinimum(path); err != nil || got["A"] != (count{2, 20, 3}) || got["Z"] != (count{1, 1, 1}) {
		t.Errorf("the minimum is %v, %v", got, err)
	}
}

// The driver sees through every way in which a mutant can go wrong.
func TestSum(t *testing.T) {
	row := attack.Row{ID: "A1", Mutants: []string{"rule-one"}}
	other := attack.Row{ID: "A2", Mutants: []string{"rule-two"}}
	line := func(hits ...string) table.Line {
		return table.Line{Ended: true, Report: attack.Report{Variants: 1, Hits: hits}}
	}
	for name, c := range map[string]struct {
		asItIs, mutated map[string]table.Line
		faults          int
	}{
		"as it should be":             {map[string]table.Line{"A1": line(), "A2": line()}, map[string]table.Line{"A1": line("x"), "A2": line()}, 0},
		"an attack that gets through": {map[string]table.Line{"A1": line("x"), "A2": line()}, map[string]table.Line{"A1": line("x"), "A2": line()}, 1},
		"a mutant that stays green":   {map[string]table.Line{"A1": line(), "A2": line()}, map[string]table.Line{"A1": line(), "A2": line()}, 1},
		"a row that did not run":      {map[string]table.Line{"A1": line(), "A2": line()}, map[string]table.Line{"A2": line()}, 1},
		"another row that is red":     {map[string]table.Line{"A1": line(), "A2": line()}, map[string]table.Line{"A1": line("x"), "A2": line("x")}, 1},
	} {
		d := &driver{rows: []attack.Row{row, other}, results: c.asItIs, mutated: map[string]map[string]table.Line{"rule-one": c.mutated}}
		if s := d.sum([]mutant.Mutant{{ID: "rule-one", Rule: "a rule"}}); len(s.faults) != c.faults {
			t.Errorf("%s: faults %q", name, s.faults)
		}
	}
}
