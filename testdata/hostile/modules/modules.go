// Package modules is group A of the attack table: modules that are malformed, ask for what they must not have, pass wild
// pointers, end in every way but the right one, or keep something for the next call.
package modules

import "github.com/writ-run/writ/testdata/hostile/attack"

// Rows are the rows of group A.
func Rows() []attack.Row {
	return []attack.Row{
		foreignImports, ungranted, unapproved, malformed, pointers, movingMemory, reentrancy, results, features, sizes, unpaid, endings, residue, randomness, envelopes, panics, pages, plugins,
	}
}
