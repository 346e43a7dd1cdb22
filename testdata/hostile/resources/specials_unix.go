//go:build unix

package resources

import (
	"os"
	"path/filepath"
	"syscall"
)

// makeSpecials makes what no guest may open, as far as this user can, and returns the names.
func makeSpecials(dir string) (made []string, err error) {
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o666); err != nil {
		return nil, err
	}
	made = append(made, "fifo")
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero")); err != nil {
		return nil, err
	}
	return made, nil
}
