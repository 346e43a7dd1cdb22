package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/writ-run/writ/capabilities"
)

// mount is one directory of the manifest. Without a grant it has no root and answers nothing.
type mount struct {
	id     string // capability id; empty without a grant
	guest  string
	mode   capabilities.Mode
	root   *os.Root
	volume uint64 // of the granted directory; what lies on another one is not part of the grant
}

func (m *mount) close() error {
	if m.root == nil {
		return nil
	}
	return m.root.Close()
}

func (m *mount) granted() bool  { return m.root != nil }
func (m *mount) writable() bool { return m.root != nil && m.mode == capabilities.ModeFull }

// target is how a record names a file of the mount.
func (m *mount) target(name string) string {
	target := m.guest
	if m.id != "" {
		target = m.id + ":" + m.guest
	}
	if name == "." {
		return target
	}
	return target + "/" + name
}

// openMounts opens the granted directories of p in the manifest's order.
func openMounts(p capabilities.Policy, state []string) (mounts []*mount, err error) {
	defer func() {
		if err != nil {
			for _, m := range mounts {
				m.close()
			}
			mounts = nil
		}
	}()
	ids, err := preopenIDs(p)
	if err != nil {
		return nil, err
	}
	var forbidden, places []place
	// Most calls open no directory, and looking at all these takes longer than everything else of a guard.
	if slices.ContainsFunc(p.Preopens, func(right capabilities.FSRight) bool { return right.Mode != capabilities.ModeNone }) {
		if forbidden, err = forbiddenPlaces(state); err != nil {
			return nil, err
		}
	}
	for i, right := range p.Preopens {
		m := &mount{id: ids[i], guest: right.Guest, mode: right.Mode}
		mounts = append(mounts, m)
		if right.Mode == capabilities.ModeNone {
			continue
		}
		at, err := m.open(right.Path)
		if err == nil {
			err = at.refusal(forbidden, places)
		}
		if err != nil {
			return mounts, fmt.Errorf("fs %q: %w", m.id, err)
		}
		places = append(places, at)
	}
	return mounts, nil
}

// preopenIDs returns the capability id of each preopen, and an error when preopens and rights do not
// say the same: neither list alone opens a directory.
func preopenIDs(p capabilities.Policy) ([]string, error) {
	ids := make([]string, len(p.Preopens))
	for id, right := range p.Rights.FS {
		i := slices.IndexFunc(p.Preopens, func(o capabilities.FSRight) bool { return o.Guest == right.Guest })
		if i < 0 || ids[i] != "" || p.Preopens[i] != right {
			return nil, fmt.Errorf("fs %q: %w: its right and its preopened directory differ", id, ErrPolicy)
		}
		ids[i] = id
	}
	for i, o := range p.Preopens {
		switch {
		case o.Mode == capabilities.ModeNone:
		case ids[i] == "":
			return nil, fmt.Errorf("directory %q: %w: it is opened without a right", o.Guest, ErrPolicy)
		case o.Mode != capabilities.ModeRead && o.Mode != capabilities.ModeFull:
			return nil, fmt.Errorf("fs %q: %w: unknown mode", ids[i], ErrPolicy)
		}
	}
	return ids, nil
}

// open pins the directory at path: what is opened is the very directory that path names without a
// link in any place, checked before and after, so that a granted directory that was replaced by a
// link (to somewhere the operator never saw) is refused.
func (m *mount) open(dir string) (place, error) {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir {
		return place{}, fmt.Errorf("%w: its path is not absolute and clean", ErrDirectoryUnsafe)
	}
	before, err := chain(dir)
	if err != nil {
		return place{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return place{}, directoryError(err)
	}
	m.root = root
	opened, err := root.Stat(".")
	if err != nil {
		return place{}, directoryError(err)
	}
	after, err := chain(dir)
	if err != nil {
		return place{}, err
	}
	if !slices.EqualFunc(before, after, os.SameFile) || !os.SameFile(opened, after[len(after)-1]) {
		return place{}, fmt.Errorf("%w: it changed while it was opened", ErrDirectoryUnsafe)
	}
	f, err := root.Open(".")
	if err != nil {
		return place{}, directoryError(err)
	}
	defer f.Close()
	if err := kernelTree(f); err != nil {
		return place{}, err
	}
	if m.volume, err = volume(f); err != nil {
		return place{}, directoryError(err)
	}
	return place{id: m.id, mode: m.mode, chain: after}, nil
}

// chain describes dir and each folder above it, the topmost first. A link among them is an error.
func chain(dir string) ([]os.FileInfo, error) {
	var infos []os.FileInfo
	for {
		info, err := os.Lstat(dir)
		switch {
		case err != nil:
			return nil, directoryError(err)
		case info.Mode()&fs.ModeSymlink != 0:
			return nil, fmt.Errorf("%w: a part of its path is a symbolic link: grant it again", ErrDirectoryUnsafe)
		case !info.IsDir():
			return nil, fmt.Errorf("%w: it is not a directory", ErrDirectoryUnsafe)
		}
		infos = append(infos, info)
		up := filepath.Dir(dir)
		if up == dir {
			slices.Reverse(infos)
			return infos, nil
		}
		dir = up
	}
}

// directoryError hides the host's path.
func directoryError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrDirectoryMissing
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: the host may not open it", ErrDirectoryUnsafe)
	}
	return fmt.Errorf("%w: it cannot be opened", ErrDirectoryUnsafe)
}
