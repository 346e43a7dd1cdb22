//go:build unix

package codecache

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// canDropOpenFiles tells whether a file can be deleted that a process has open.
const canDropOpenFiles = true

// withoutLinks is where a path leads to.
func withoutLinks(dir string) (string, error) { return filepath.EvalSymlinks(dir) }

// checkWay refuses a path without links on which others could put another folder in place of one.
func checkWay(dir string) error {
	way := []string{dir}
	for up := filepath.Dir(dir); up != dir; up = filepath.Dir(dir) {
		dir = up
		way = append(way, dir)
	}
	out := false // others do not get so far
	for _, dir := range slices.Backward(way) {
		info, err := os.Lstat(dir)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR}
		}
		if err == nil {
			err = checkParent(dir, info, out)
		}
		if err != nil {
			return err
		}
		out = out || info.Mode().Perm()&0o011 == 0
	}
	return nil
}

// checkParent refuses a folder above the cache in which others could rename what is in it: one of another
// user, and one that others can write to and reach, unless it is sticky, as that of all temporary files is.
func checkParent(dir string, info fs.FileInfo, out bool) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user, who could replace the cache that is in it; choose a folder of your own", dir)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 && !out {
		return fmt.Errorf("%s has mode %04o: others could replace the cache that is in it; run chmod go-w on it", dir, perm)
	}
	return nil
}

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
