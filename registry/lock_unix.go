//go:build unix

package registry

import (
	"os"
	"syscall"
)

// tryLock takes the lock when it is free.
func tryLock(f *os.File) (bool, error) {
	err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

// waitLock blocks until the lock is had. Closing the file lets it go.
func waitLock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			return err
		}
	}
}

// unlockLeft ends the database's own lock on a file that it could not close: the memory that it left
// mapped would keep the lock beyond the file's closing.
func unlockLeft(f *os.File) { _ = flock(f, syscall.LOCK_UN) }
