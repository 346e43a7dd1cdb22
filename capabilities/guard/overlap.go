package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/writ-run/writ/capabilities"
)

// place is a directory and the folders above it. Places are compared as real directories (device and
// inode), not as text, so that two spellings, two cases or a second mount of one directory are seen.
type place struct {
	id    string // capability id; empty for a forbidden place
	mode  capabilities.Mode
	chain []os.FileInfo // topmost first
	whole bool          // the chain reaches the place itself, not just the nearest folder that exists
}

// holds reports whether q is p or lies below it.
func (p place) holds(q place) bool {
	if len(p.chain) == 0 {
		return false
	}
	self := p.chain[len(p.chain)-1]
	for _, folder := range q.chain {
		if os.SameFile(self, folder) {
			return true
		}
	}
	return false
}

// refusal says why p cannot be granted beside others. A grant that holds a forbidden place is as bad
// as one inside it: either way the guest could reach its own grants, keys and audit.
//
// One directory under two modes is refused rather than resolved: whichever mode won, one of the two
// lines that the operator approved would be untrue.
func (p place) refusal(forbidden, others []place) error {
	for _, f := range forbidden {
		if p.holds(f) || f.whole && f.holds(p) {
			return fmt.Errorf("%w: it overlaps %s", ErrDirectoryUnsafe, f.id)
		}
	}
	for _, o := range others {
		if o.mode != p.mode && (p.holds(o) || o.holds(p)) {
			return fmt.Errorf("%w: it overlaps fs %q, which has another mode", ErrDirectoryUnsafe, o.id)
		}
	}
	return nil
}

// forbiddenPlaces are Writ's own state and the system's trees of devices and processes.
func forbiddenPlaces(state []string) ([]place, error) {
	var places []place
	for _, dir := range systemTrees {
		if c, err := chain(dir); err == nil {
			places = append(places, place{id: "a tree of devices or processes", chain: c, whole: true})
		}
	}
	for _, dir := range state {
		p, err := statePlace(dir)
		if err != nil {
			return nil, err
		}
		places = append(places, p)
	}
	return places, nil
}

// statePlace finds a folder of Writ's own. One that does not exist yet counts by the nearest folder
// above it that does: a grant of that folder would hold it later.
func statePlace(dir string) (place, error) {
	if !filepath.IsAbs(dir) {
		return place{}, errors.New("guard: a state folder is not an absolute path")
	}
	p := place{id: "the state of writ", whole: true}
	for {
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			p.chain, err = chain(real)
		}
		if err == nil {
			return p, nil
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, ErrDirectoryMissing) || up == dir {
			return place{}, errors.New("guard: a state folder cannot be examined")
		}
		dir, p.whole = up, false
	}
}
