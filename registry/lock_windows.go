package registry

import (
	"os"

	"golang.org/x/sys/windows"
)

// The locked byte lies far behind the text of the lock file: a locked range cannot be read by others.
const lockOffset = 1 << 30

// tryLock takes the lock when it is free.
func tryLock(f *os.File) (bool, error) {
	err := lockFileEx(f, windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY)
	if err == windows.ERROR_LOCK_VIOLATION {
		return false, nil
	}
	return err == nil, err
}

// waitLock blocks until the lock is had. Closing the file lets it go.
func waitLock(f *os.File) error { return lockFileEx(f, windows.LOCKFILE_EXCLUSIVE_LOCK) }

func lockFileEx(f *os.File, flags uint32) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockOffset})
}

// unlockLeft has nothing to do here: closing a file ends its locks, mapped or not.
func unlockLeft(*os.File) {}
