// Package attack is the form of one row of the attack table: what is tried, in how many variants, and which rule stops it.
package attack

import "fmt"

// Row is one attack.
type Row struct {
	ID      string   // group letter and number, as in "B20"
	Title   string   // what the attacker tries, in one line
	Mutants []string // the mutants (testdata/hostile/mutants) under which this row must turn red; a row that turns red under any other mutant is an error of the table
	Run     func(*Report)

	Unmutated string // why no rule can be taken out to turn this row red; a row without mutants needs it
	Missing   string // the feature that this attacks and that Writ does not have yet; such a row has no Run and counts as skipped
	Slow      bool   // takes more than a second or two: only make attacks runs it, not go test, and under mutants that it does not list it is not run
}

// Report is what running one row found. Its zero value is ready; it is not safe for concurrent use.
type Report struct {
	Variants int      // attacks carried out
	Hits     []string // attacks that were not stopped in the way that the row demands: variant and what happened
	Skips    []string // variants that could not run here, with the reason
	Details  []string // what was measured, to be printed with the row

	// Thorough asks for the variants that take long too; First for none after the first hit, and for few where many are
	// of one kind. Both are set by who runs the row.
	Thorough, First bool
}

// Among tells whether variant i of many of one kind is to be carried out: each, or with First one in so many.
func (r *Report) Among(i, few int) bool { return !r.First || i%few == 0 }

// Variant carries out one variant of the attack. An error is a hit: it says what the attack reached, or how its refusal
// differs from the exact refusal that the row demands. So is a panic.
func (r *Report) Variant(name string, try func() error) {
	if r.First && len(r.Hits) > 0 {
		return
	}
	r.Variants++
	defer func() {
		if p := recover(); p != nil {
			r.Hits = append(r.Hits, fmt.Sprintf("%s: the host panicked: %v", name, p))
		}
	}()
	if err := try(); err != nil {
		r.Hits = append(r.Hits, fmt.Sprintf("%s: %v", name, err))
	}
}

// Skip counts a variant that cannot run here and says why.
func (r *Report) Skip(name, reason string) { r.Skips = append(r.Skips, name+": "+reason) }

// Detail adds a figure that was measured; it decides nothing.
func (r *Report) Detail(format string, args ...any) {
	r.Details = append(r.Details, fmt.Sprintf(format, args...))
}

// Try runs a row and returns what it found.
func (row Row) Try(thorough bool) Report { return row.Fill(Report{Thorough: thorough}) }

// Fill runs a row with a Report in which Thorough and First may be set. A panic is a hit: nothing that a guest does may
// end in one.
func (row Row) Fill(r Report) (found Report) {
	defer func() {
		if p := recover(); p != nil {
			r.Hits = append(r.Hits, fmt.Sprintf("the host panicked: %v", p))
		}
		found = r
	}()
	if row.Missing != "" {
		r.Skip("all", row.Missing)
	} else {
		row.Run(&r)
	}
	return r
}
