//go:build unix

package registry

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// checkPrivate refuses a home that another user could have prepared or can change: whoever writes
// there grants.
func checkPrivate(path string, info fs.FileInfo) error {
	switch stat, ok := info.Sys().(*syscall.Stat_t); {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %s is a symbolic link; name the folder itself", ErrUnsafe, path)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a folder", ErrUnsafe, path)
	case !ok || int64(stat.Uid) != int64(os.Geteuid()):
		return fmt.Errorf("%w: %s belongs to another user; choose a home of your own", ErrUnsafe, path)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("%w: others can write to %s; run: chmod 700 %s", ErrUnsafe, path, path)
	}
	return nil
}

// checkSecret refuses a key file that others can read.
func checkSecret(path string, info fs.FileInfo) error {
	switch stat, ok := info.Sys().(*syscall.Stat_t); {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", ErrUnsafe, path)
	case !ok || int64(stat.Uid) != int64(os.Geteuid()):
		return fmt.Errorf("%w: %s belongs to another user", ErrUnsafe, path)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%w: others can read %s; run: chmod 600 %s", ErrUnsafe, path, path)
	}
	return nil
}

// syncFolder puts the names in a folder on stable storage.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
