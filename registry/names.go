package registry

import (
	"fmt"
	"regexp"
	"unicode/utf8"
)

var aliasForm = regexp.MustCompile(`^[a-z0-9-]{1,24}$`)

func checkAlias(alias string) error {
	if !aliasForm.MatchString(alias) {
		return fmt.Errorf("alias %+.40q: use 1 to 24 of a-z, 0-9 and -", alias)
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
