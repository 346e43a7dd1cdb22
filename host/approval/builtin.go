package approval

import (
	"context"
	"errors"
	"fmt"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/servlets/builtin"
)

// ErrNotBuiltIn is a file that is signed with the key of built-in servlets and is none of this binary's.
// Anyone can sign with that key, so its signature is worth nothing.
var ErrNotBuiltIn = errors.New("signed with the public key of servlets that are built into writ, and this writ has no such file")

// shipped is the set of servlets in this binary; tests put another one in its place.
var shipped = builtin.Shipped

// ReadBuiltIn reads a servlet that is built into this binary, and checks it as Read does. It is errors.Is
// builtin.ErrUnknown for a name that is not there, and builtin.ErrDamaged for a broken build.
func ReadBuiltIn(ctx context.Context, name string) (*Candidate, error) {
	c, err := readBuiltIn(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", shown(name), oneLine{err})
	}
	return c, nil
}

func readBuiltIn(ctx context.Context, name string) (*Candidate, error) {
	set, err := shipped()
	if err != nil {
		return nil, err
	}
	file, err := set.File(name)
	if err != nil {
		return nil, err
	}
	c, err := open(ctx, file, builtin.Source)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", builtin.ErrDamaged, err)
	}
	if !c.BuiltIn() || c.Servlet.Manifest().Name != name {
		return nil, fmt.Errorf("%w: it is another servlet, or another key's", builtin.ErrDamaged)
	}
	return c, nil
}

// BuiltIn says that the file is built into this binary, wherever it was read from.
func (c *Candidate) BuiltIn() bool {
	return originOf(c.Servlet.KeyID(), c.Servlet.Digest()) == builtInHere
}

// origin is who answers for a file.
type origin int

const (
	published     origin = iota // the holder of a key of one's own
	builtInHere                 // this binary
	builtInAbroad               // nobody, unless it was approved when another binary had it
)

// originOf tells it by digest: the key alone, whose private half is public, proves nothing.
func originOf(keyID, digest string) origin {
	if !capabilities.IsBuiltInKey(keyID) {
		return published
	}
	if set, err := shipped(); err == nil && set.Holds(digest) {
		return builtInHere
	}
	return builtInAbroad
}

// refuseForged refuses a file from elsewhere that claims to be built in: whoever sends one would
// otherwise be met with the trust that its name has here.
func refuseForged(keyID, digest string) error {
	if originOf(keyID, digest) == builtInAbroad {
		return fmt.Errorf("%w: anyone can sign with that key; see what this writ has with \"writ search\"", ErrNotBuiltIn)
	}
	return nil
}
