// Package capabilities holds what Writ decides about, as pure values: the signed manifest, the grant
// an operator gave, and the policy of one call, which is their intersection and never a union. It
// opens no file and no connection, so that every rule here can be tested as a table.
package capabilities

import "slices"

// Kind names a kind of capability: a power that exists only when it is requested and granted.
type Kind string

// The kinds of schema writ/1.
const (
	KindHTTP   Kind = "http"
	KindWeb    Kind = "web"
	KindFS     Kind = "fs"
	KindConfig Kind = "config"
	KindSecret Kind = "secret"
	KindKV     Kind = "kv"
)

// DefaultSpace is the space of a laptop, and of commands without --space.
const DefaultSpace = "default"

// Caller is who asks. Everything that reads or changes state takes one.
type Caller struct {
	Principal string // "local" on a terminal or stdio; over HTTP "key:" and the id of an access key
	Space     string
	Roles     []string // what the caller may ask for; without one, nothing over MCP
}

// The roles of a caller. A client of MCP is never an operator: nothing that changes what is installed
// or granted can be reached from there.
const (
	RoleOperator = "operator" // the person at the terminal
	RoleUser     = "user"     // lists tools and calls them
	RoleObserver = "observer" // lists tools
)

// Local is the person at this machine's terminal, in a space.
func Local(space string) Caller {
	return Caller{Principal: "local", Space: space, Roles: []string{RoleOperator}}
}

// MayList says whether the caller may see the tools of its space.
func (c Caller) MayList() bool {
	return c.MayCall() || slices.Contains(c.Roles, RoleObserver)
}

// MayCall says whether the caller may call the tools of its space.
func (c Caller) MayCall() bool {
	return slices.Contains(c.Roles, RoleUser) || c.IsOperator()
}

// IsOperator says whether the caller may decide who else gets in.
func (c Caller) IsOperator() bool { return slices.Contains(c.Roles, RoleOperator) }

// Mode is how far a directory is opened. The zero value opens nothing.
type Mode string

// The modes of a directory, each more than the one before, also as text: [Subset] compares them.
const (
	ModeNone Mode = ""
	ModeRead Mode = "ro"
	ModeFull Mode = "rw"
)
