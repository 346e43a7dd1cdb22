//go:build unix

package codecache

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// canDropOpenFiles tells whether a file can be deleted that a process has open.
const canDropOpenFiles = true

// checkOwner refuses a folder of another user and one that others can enter.
func checkOwner(dir string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user; remove it, and it is made again", dir)
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return fmt.Errorf("%s has mode %04o; run chmod 700 on it", dir, perm)
	}
	return nil
}
