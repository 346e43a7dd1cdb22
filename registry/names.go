package registry

import (
	"fmt"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

// worded is an error in words of its own that still matches the one it stands for.
type worded struct {
	text string
	err  error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.err }

// checkAlias holds the same rule as every other room, and is ErrName.
func checkAlias(alias string) error {
	if err := capabilities.ValidAlias(alias); err != nil {
		return &worded{fmt.Sprintf("\"%s\" cannot be an %v", capabilities.Printable(alias, 40), err), ErrName}
	}
	return nil
}

// checkName bounds a name that becomes part of a key. A control character would let one name reach
// into the keys of another (keys join names with NUL).
func checkName(what, name string, limit int) error {
	switch {
	case name == "":
		return fmt.Errorf("%s is empty", what)
	case len(name) > limit:
		return fmt.Errorf("%s is longer than %d bytes", what, limit)
	case !utf8.ValidString(name):
		return fmt.Errorf("%s is not UTF-8", what)
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f {
			return fmt.Errorf("%s %+.40q has a control character", what, name)
		}
	}
	return nil
}

// aliasKey is the key of a record that belongs to one alias of one space.
func aliasKey(space, alias string) string { return space + "\x00" + alias }

// spaceRange is the range of all such keys of a space.
func spaceRange(space string) (from, to string) { return space + "\x00", space + "\x01" }
