package guard

import (
	"os"
	"syscall"
)

func volume(f *os.File) (uint64, error) { return deviceOf(f) }

func kernelTree(*os.File) error { return nil }

// fileTimes returns the times of last access and last change of the inode.
func fileTimes(info os.FileInfo) (accessed, changed int64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Atimespec.Nano(), s.Ctimespec.Nano()
	}
	return info.ModTime().UnixNano(), info.ModTime().UnixNano()
}
