// Package tenants is group L of the attack table: one space that reads, starves, crashes or passes for another. A tenant
// is a space here; identities and processes of their own come later.
package tenants

import "github.com/writ-run/writ/testdata/hostile/attack"

// Rows are the rows of group L.
func Rows() []attack.Row {
	return []attack.Row{names, starving, posing, crashing, snooping, racing, administering, keeping}
}

// The spaces of these attacks.
const (
	mine  = "mine"
	yours = "yours"
)

var administering = attack.Row{
	ID:      "L150",
	Title:   "the operator's endpoint with a user's token; a tenant that was deleted, and the disk after it",
	Missing: "there is no operator's endpoint, no token and no deletion of spaces yet",
}
