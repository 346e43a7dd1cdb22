package guard

import (
	"os"
	"syscall"
)

const (
	openFlags     = 0
	directoryFlag = 0
	// strictNames refuses names that this system cannot store.
	strictNames = true
)

var systemTrees []string

func kernelTree(*os.File) error { return nil }

// volume returns the serial number of the volume that f lies on.
func volume(f *os.File) (uint64, error) {
	info, err := handleInformation(f)
	return uint64(info.VolumeSerialNumber), err
}

// linksOf returns how many names an open file has.
func linksOf(f *os.File) (uint64, error) {
	info, err := handleInformation(f)
	return uint64(info.NumberOfLinks), err
}

// identify cannot tell files apart without opening them; the guest's view falls back to names.
func identify(os.FileInfo) (device, inode, links uint64, ok bool) { return 0, 0, 0, false }

func fileTimes(info os.FileInfo) (accessed, changed int64) {
	if s, ok := info.Sys().(*syscall.Win32FileAttributeData); ok {
		return s.LastAccessTime.Nanoseconds(), s.LastWriteTime.Nanoseconds()
	}
	return info.ModTime().UnixNano(), info.ModTime().UnixNano()
}

func handleInformation(f *os.File) (info syscall.ByHandleFileInformation, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return info, err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = syscall.GetFileInformationByHandle(syscall.Handle(fd), &info)
	}); err != nil {
		return info, err
	}
	return info, failed
}
