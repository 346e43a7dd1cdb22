package codecache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// private makes dir with mode 0700, or checks that the one that is there is private, and returns its path
// without links. Whoever can write into it runs machine code in this process: the cache is guarded by a
// checksum only. So does who can write to a folder above it, and put another in its place later. That
// is why the path that is used is the one that was checked: a link on the way is looked up once.
func private(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := checkExisting(filepath.Dir(dir)); err != nil {
		return "", err // before anything is made in it
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	parent, err := withoutLinks(filepath.Dir(dir))
	if err != nil {
		return "", err
	}
	if err := checkWay(parent); err != nil {
		return "", err // what others made meanwhile, where folders are sticky
	}
	dir = filepath.Join(parent, filepath.Base(dir))
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is not a folder (links are not followed); remove it", dir)
	}
	return dir, checkOwner(dir, info)
}

// checkExisting is checkWay for as much of a path as there is.
func checkExisting(dir string) error {
	for {
		real, err := withoutLinks(dir)
		switch up := filepath.Dir(dir); {
		case err == nil:
			return checkWay(real)
		case !errors.Is(err, fs.ErrNotExist) || up == dir:
			return nil // what is wrong with it is told by who makes the rest
		default:
			dir = up
		}
	}
}
