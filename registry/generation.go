package registry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
)

// generation counts the changes of a home for all its processes. The number is the length of a file
// of zero bytes (which takes no room on disk): one look at its size reads it, by any process, and no
// read can be torn. An odd number says that a change is under way; when the process that made it was
// killed, the number stays odd until the next process that holds the lock settles it. So what is
// remembered under an even number is what the store says as long as the number is the same.
type generation struct {
	path string

	mu    sync.Mutex
	file  fs.FileInfo // guarded by mu; the file as last seen
	epoch uint64      // guarded by mu; how often it was replaced by another file
}

// epochStep keeps the numbers of a replaced file (a home that was restored from a copy while this
// process ran) apart from those of the one before.
const epochStep = 1 << 40

// read returns the number, and whether it is even.
func (g *generation) read() (number uint64, settled bool) {
	info, err := os.Stat(g.path)
	if err != nil {
		return 0, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.file != nil && !os.SameFile(g.file, info) {
		g.epoch += epochStep
	}
	g.file = info
	return g.epoch + uint64(info.Size()), info.Size()%2 == 0
}

// begin makes the number odd, settle makes it even; both make it greater. They are called with the
// home's lock held.
func (g *generation) begin() error  { return g.grow(1) }
func (g *generation) settle() error { return g.grow(0) }

func (g *generation) grow(parity int64) error {
	f, err := os.OpenFile(g.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		if isReadOnly(err) {
			return fmt.Errorf("counting a change in %s: %w", g.path, ErrReadOnly)
		}
		return fmt.Errorf("counting a change: %v", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return fmt.Errorf("counting a change: %v", err)
	}
	next := info.Size() + 1
	if next%2 != parity {
		next++
	}
	if err := f.Truncate(next); err != nil {
		return fmt.Errorf("counting a change: %v", err)
	}
	return nil
}
