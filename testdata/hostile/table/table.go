// Package table is the attack table: the rows of all groups, and the rules that it has to keep as a table.
package table

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/modules"
	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/hostile/resources"
	"github.com/writ-run/writ/testdata/hostile/tenants"
)

// Rows are all rows, in the order of their ids.
func Rows() []attack.Row {
	rows := slices.Concat(modules.Rows(), resources.Rows(), tenants.Rows())
	slices.SortFunc(rows, func(a, b attack.Row) int {
		return cmp.Or(cmp.Compare(Group(a), Group(b)), cmp.Compare(number(a), number(b)), cmp.Compare(a.ID, b.ID))
	})
	return rows
}

var form = regexp.MustCompile(`^([A-Z])([1-9][0-9]*)$`)

// Group is the letter of a row's group.
func Group(row attack.Row) string { return row.ID[:1] }

func number(row attack.Row) int {
	n, _ := strconv.Atoi(row.ID[1:]) // an id that is none is refused by Check
	return n
}

// Lists tells whether a row must turn red under a mutant.
func Lists(row attack.Row, mutant string) bool { return slices.Contains(row.Mutants, mutant) }

// Check holds the table together: each row has an id of its own, a title, and either mutants or the reason why it has
// none; each mutant that a row lists exists, and each that exists is listed.
func Check(rows []attack.Row, mutants []mutant.Mutant) error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	known := map[string]bool{}
	for _, m := range mutants {
		known[m.ID] = false
	}
	ids := map[string]bool{}
	for _, row := range rows {
		if !form.MatchString(row.ID) || ids[row.ID] || row.Title == "" {
			fault("row %q: its id is no letter and number, or another row's, or it has no title", row.ID)
		}
		ids[row.ID] = true
		if (row.Run == nil) != (row.Missing != "") {
			fault("row %s: it either runs or says what is missing", row.ID)
		}
		if row.Run != nil && (len(row.Mutants) == 0) != (row.Unmutated != "") {
			fault("row %s: it either lists mutants or says why it has none", row.ID)
		}
		for i, id := range row.Mutants {
			if _, exists := known[id]; !exists {
				fault("row %s: there is no mutant %s", row.ID, id)
			}
			if slices.Contains(row.Mutants[:i], id) {
				fault("row %s: it lists %s twice", row.ID, id)
			}
			known[id] = true
		}
	}
	for _, m := range mutants {
		if !known[m.ID] {
			fault("mutant %s: no row lists it", m.ID)
		}
	}
	return errors.Join(errs...)
}

// Line is what a runner says of a row: that it begins, then how it ended.
type Line struct {
	ID     string        `json:"id"`
	Ended  bool          `json:"ended,omitempty"`
	Millis int64         `json:"ms,omitempty"`
	Report attack.Report `json:"report,omitzero"`
}
