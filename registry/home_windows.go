package registry

import (
	"fmt"
	"io/fs"
)

// checkPrivate checks the form of the home alone. Windows has access lists instead of mode bits, and
// a folder below the user's profile inherits one that keeps other users out; who owns it is not
// checked here.
func checkPrivate(path string, info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %s is a symbolic link; name the folder itself", ErrUnsafe, path)
	case !info.IsDir():
		return fmt.Errorf("%w: %s is not a folder", ErrUnsafe, path)
	}
	return nil
}

// checkSecret checks the form of a key file alone, for the same reason.
func checkSecret(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrUnsafe, path)
	}
	return nil
}

// syncFolder does nothing: NTFS journals names, and a folder cannot be flushed.
func syncFolder(string) error { return nil }
