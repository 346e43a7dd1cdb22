// Package capabilities holds what Writ decides about, as pure values: the signed manifest, the grant
// an operator gave, and the policy of one call, which is their intersection and never a union. It
// opens no file and no connection, so that every rule here can be tested as a table.
package capabilities

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
	Principal string // "local" on a terminal or stdio; later a key or a token's subject
	Space     string
	Roles     []string
}

// Local is the person at this machine's terminal, in a space.
func Local(space string) Caller {
	return Caller{Principal: "local", Space: space, Roles: []string{"operator"}}
}

// Mode is how far a directory is opened. The zero value opens nothing.
type Mode string

// The modes of a directory, each more than the one before, also as text: [Subset] compares them.
const (
	ModeNone Mode = ""
	ModeRead Mode = "ro"
	ModeFull Mode = "rw"
)
