package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// lock takes the home's lock. It is called with this process's turn, and gives it back on error.
func (h *home) lock(ctx context.Context) (f *os.File, err error) {
	if f, err = h.openLock(); err != nil {
		<-h.turn
		return nil, fmt.Errorf("locking home: %v", err)
	}
	if f == nil {
		return nil, nil
	}
	free, err := tryLock(f)
	if err == nil && !free {
		var left bool
		if left, err = waitUntil(ctx, f, h.turn); left {
			return nil, h.lockError(ctx)
		}
	}
	if err == nil {
		// Someone may have replaced the file meanwhile: then this lock excludes nobody.
		if now, stat := os.Stat(h.file(lockFile)); stat != nil || !sameFile(f, now) {
			err = fmt.Errorf("%s was replaced meanwhile; try again: %w", h.file(lockFile), ErrLocked)
		}
	}
	if err != nil {
		f.Close()
		<-h.turn
		return nil, fmt.Errorf("locking home: %w", err)
	}
	if !h.readOnly {
		fmt.Fprintf(io.NewOffsetWriter(f, 0), "%-20d\n", os.Getpid()) // a hint for people; not relied on
	}
	return f, nil
}

// waitUntil waits for the lock in the kernel, which wakes the next process at once; asking again and
// again (as the database's own lock does, every 50 ms) is slower and lets a busy process starve the
// others.
//
// A wait in the kernel cannot be called off. When ctx ends first, left is true, and the waiting
// goroutine keeps f and the turn until the holder lets go, so that there is never more than one of
// them per registry.
func waitUntil(ctx context.Context, f *os.File, turn <-chan struct{}) (left bool, err error) {
	got := make(chan error)
	go func() {
		err := waitLock(f)
		select {
		case got <- err:
		case <-ctx.Done():
			f.Close()
			<-turn
		}
	}()
	select {
	case err := <-got:
		return false, err
	case <-ctx.Done():
		return true, nil
	}
}

// openLock returns nil without an error for a home that cannot be written and has no lock file: no
// process of this system can change it.
func (h *home) openLock() (*os.File, error) {
	if !h.readOnly {
		f, err := os.OpenFile(h.file(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
		if !isReadOnly(err) {
			return f, err
		}
		// It became read-only since Open. It can still be read; a write fails when it comes to the store.
	}
	f, err := os.Open(h.file(lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

func sameFile(f *os.File, info fs.FileInfo) bool {
	own, err := f.Stat()
	return err == nil && os.SameFile(own, info)
}

// lockHolder returns the process that last took the lock, or 0.
func lockHolder(path string) int {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > 64 {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
