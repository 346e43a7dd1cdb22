package guard

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/writ-run/writ/capabilities/effect"
)

// errnos are the system's errors that a guest can tell apart.
var errnos = map[syscall.Errno]effect.Errno{
	syscall.EACCES:       effect.ErrAccess,
	syscall.EBADF:        effect.ErrBadFD,
	syscall.EBUSY:        effect.ErrPerm,
	syscall.EDQUOT:       effect.ErrDQuot,
	syscall.EEXIST:       effect.ErrExist,
	syscall.EFBIG:        effect.ErrFBig,
	syscall.EINVAL:       effect.ErrInval,
	syscall.EISDIR:       effect.ErrIsDir,
	syscall.ELOOP:        effect.ErrLoop,
	syscall.EMFILE:       effect.ErrMFile,
	syscall.ENFILE:       effect.ErrMFile,
	syscall.ENAMETOOLONG: effect.ErrNameLong,
	syscall.ENODEV:       effect.ErrAccess, // a device or FIFO that took a file's place
	syscall.ENXIO:        effect.ErrAccess,
	syscall.ENOENT:       effect.ErrNoEnt,
	syscall.ENOSPC:       effect.ErrNoSpc,
	syscall.ENOTDIR:      effect.ErrNotDir,
	syscall.ENOTEMPTY:    effect.ErrNotEmpty,
	syscall.EOPNOTSUPP:   effect.ErrNotSup,
	syscall.EPERM:        effect.ErrPerm,
	syscall.EROFS:        effect.ErrRoFS,
	syscall.ETXTBSY:      effect.ErrPerm,
	syscall.EXDEV:        effect.ErrXDev,
}

// toErrno translates an error of the file system.
func toErrno(err error) effect.Errno {
	if err == nil {
		return effect.Success
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		if errno, ok := errnos[number]; ok {
			return errno
		}
	}
	switch {
	case escapes(err):
		return effect.ErrPerm
	case errors.Is(err, fs.ErrNotExist):
		return effect.ErrNoEnt
	case errors.Is(err, fs.ErrExist):
		return effect.ErrExist
	case errors.Is(err, fs.ErrPermission):
		return effect.ErrAccess
	case errors.Is(err, fs.ErrClosed):
		return effect.ErrBadFD
	}
	return effect.ErrIO
}

// escapes reports that a path leaves its os.Root. That package exports no error for it: it is the
// only one about a path that is neither the system's nor one of package fs.
func escapes(err error) bool {
	var number syscall.Errno
	if errors.As(err, &number) || errors.Is(err, fs.ErrClosed) || errors.Is(err, fs.ErrInvalid) ||
		errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission) {
		return false
	}
	var inPath *fs.PathError
	var inLink *os.LinkError
	return errors.As(err, &inPath) || errors.As(err, &inLink)
}
