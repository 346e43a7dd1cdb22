//go:build unix

package guard

import (
	"os"
	"syscall"
)

const (
	// openFlags keep an open from waiting (a FIFO) and from taking a terminal over.
	openFlags = syscall.O_NONBLOCK | syscall.O_NOCTTY
	// directoryFlag refuses to open anything but a directory.
	directoryFlag = syscall.O_DIRECTORY
	// strictNames refuses names that this system cannot store.
	strictNames = false
)

// systemTrees show devices, processes and the kernel: through /proc/self/root alone a guest would
// reach every file.
var systemTrees = []string{"/proc", "/sys", "/dev"}

// identify returns the device, the inode and the number of names of a file.
func identify(info os.FileInfo) (device, inode, links uint64, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, 0, false
	}
	return uint64(s.Dev), uint64(s.Ino), uint64(s.Nlink), true
}

// linksOf returns how many names an open file has.
func linksOf(f *os.File) (uint64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	_, _, links, _ := identify(info)
	return links, nil
}

func deviceOf(f *os.File) (uint64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	device, _, _, _ := identify(info)
	return device, nil
}

// control runs call with the descriptor of f.
func control(f *os.File, call func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = call(int(fd)) }); err != nil {
		return err
	}
	return failed
}
