package guard

import (
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// volume returns the mount that f lies on. The kernel's mount id also tells bind mounts of one device
// apart; where it is unknown (Linux before 5.8, some sandboxes) the device number stands in.
func volume(f *os.File) (uint64, error) {
	var stat unix.Statx_t
	err := control(f, func(fd int) error {
		return unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &stat)
	})
	if err == nil && stat.Mask&unix.STATX_MNT_ID != 0 {
		return stat.Mnt_id, nil
	}
	return deviceOf(f)
}

// kernelFS are the magic numbers of file systems that show the kernel's insides or let it be
// configured, wherever they are mounted. Source: linux/magic.h.
var kernelFS = []int64{
	unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
	unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.BPF_FS_MAGIC,
	unix.EFIVARFS_MAGIC, unix.PSTOREFS_MAGIC, unix.SELINUX_MAGIC, unix.BINFMTFS_MAGIC, unix.NSFS_MAGIC,
}

// kernelTree refuses a directory of the kernel's own file systems.
func kernelTree(f *os.File) error {
	var stat unix.Statfs_t
	if err := control(f, func(fd int) error { return unix.Fstatfs(fd, &stat) }); err != nil {
		return fmt.Errorf("%w: its file system is unknown", ErrDirectoryUnsafe)
	}
	if slices.Contains(kernelFS, int64(stat.Type)) {
		return fmt.Errorf("%w: it overlaps a tree of devices or processes", ErrDirectoryUnsafe)
	}
	return nil
}

// fileTimes returns the times of last access and last change of the inode.
func fileTimes(info os.FileInfo) (accessed, changed int64) {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Atim.Nano(), s.Ctim.Nano()
	}
	return info.ModTime().UnixNano(), info.ModTime().UnixNano()
}
