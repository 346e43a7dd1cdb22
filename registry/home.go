package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// What a home holds. The lock is not part of its state; everything else is.
const (
	lockFile       = "lock"       // held during a transaction; names the holder
	storeFile      = "writ.db"    // the records
	generationFile = "generation" // see generation.go
	blobFolder     = "blobs"      // servlet files, each named by its digest
	auditFolder    = "audit"      // segments of call events
	keyFolder      = "keys"       // home.key, development.key
	stagingFolder  = "staging"    // files being written
)

// home is the folder that processes share, and its lock.
type home struct {
	path     string
	readOnly bool
	wait     time.Duration
	turn     chan struct{}      // one token: this process's place in the queue for the lock
	step     func(point string) // called between the steps that must survive a crash; nil outside tests
}

// openHome makes the folder when it is missing and refuses one that others could change.
func openHome(path string, wait time.Duration, step func(string)) (*home, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening home: %v", err)
	}
	h := &home{path: path, wait: wait, turn: make(chan struct{}, 1), step: step}
	if err := h.makeFolder(); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return nil, &worded{fmt.Sprintf("home %s lies below a file: name a folder with --home or WRIT_HOME", path), ErrUnsafe}
	case err != nil:
		return nil, fmt.Errorf("opening home: %v", err)
	case info.Mode().IsRegular():
		return nil, &worded{fmt.Sprintf("home %s is a file: name a folder with --home or WRIT_HOME", path), ErrUnsafe}
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	if err := h.checkPlace(); err != nil {
		return nil, err
	}
	// The lock tells whether the home can be written: everything that is written needs it.
	f, err := os.OpenFile(h.file(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case err == nil:
		f.Close()
	case isReadOnly(err):
		h.readOnly = true
	default:
		return nil, fmt.Errorf("opening home: %v", err)
	}
	return h, nil
}

func (h *home) file(name ...string) string {
	return filepath.Join(append([]string{h.path}, name...)...)
}

func (h *home) at(point string) {
	if h.step != nil {
		h.step(point)
	}
}

// makeFolder makes the home with mode 0700 whatever the umask is.
func (h *home) makeFolder() error {
	if _, err := os.Lstat(h.path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is there is judged by the caller
	}
	err := os.MkdirAll(filepath.Dir(h.path), 0o700)
	if err == nil {
		err = os.Mkdir(h.path, 0o700)
	}
	switch {
	case err == nil:
		return os.Chmod(h.path, 0o700)
	case errors.Is(err, fs.ErrExist):
		return nil // another process was faster
	case isReadOnly(err):
		return fmt.Errorf("making home %s: %w", h.path, ErrReadOnly)
	}
	return fmt.Errorf("making home: %v", err)
}

// makeFolders makes what a home holds. It is called with the lock held, once per new home.
func (h *home) makeFolders() error {
	for _, name := range []string{blobFolder, auditFolder, keyFolder, stagingFolder} {
		if err := os.Mkdir(h.file(name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("making home: %v", err)
		}
		if err := os.Chmod(h.file(name), 0o700); err != nil {
			return fmt.Errorf("making home: %v", err)
		}
	}
	return nil
}

// used says what of a store is in the home, or nothing when the home is new.
func (h *home) used() (string, error) {
	for _, name := range []string{generationFile, storeFile} {
		if _, err := os.Lstat(h.file(name)); err == nil {
			return name, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("opening home: %v", err)
		}
	}
	for _, name := range []string{blobFolder, auditFolder} {
		entries, err := os.ReadDir(h.file(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("opening home: %v", err)
		}
		if len(entries) > 0 {
			return name, nil
		}
	}
	return "", nil
}

// checkPlace refuses to make a home among other things: a folder named by mistake would be filled, tidied
// up and one day erased. A folder is taken that has a mark of a home, or nothing but what Writ makes in
// one, as a process leaves it that was killed while it made a home.
func (h *home) checkPlace() error {
	for _, mark := range []string{homeMark, storeFile, generationFile} {
		if info, err := os.Lstat(h.file(filepath.FromSlash(mark))); err == nil && info.Mode().IsRegular() {
			return nil
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(ownFiles)) { // the home itself first
		entries, err := os.ReadDir(h.file(folder))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening home: %v", err)
		}
		for _, e := range entries {
			name := e.Name()
			if e.Type().IsRegular() && ownFiles[folder].MatchString(name) ||
				folder == "." && (e.IsDir() && (ownFiles[name] != nil || slices.Contains(placedBefore, name)) || slices.Contains(systemNames, name)) {
				continue
			}
			return &worded{fmt.Sprintf("%s is no home of Writ's, and not empty: it has %s; name another folder, or a new one, with --home or WRIT_HOME",
				h.path, capabilities.Printable(filepath.Join(folder, name), 100)), ErrUnsafe}
		}
	}
	return nil
}

// placedBefore are the folders that may be there before the home is: the code cache and the log.
var placedBefore = []string{"cache", "logs"}

// systemNames are what systems put at the top of a file system, such as a volume that is given to a
// container as its home, or into any folder that was looked at.
var systemNames = []string{"lost+found", ".DS_Store"}

// writeFile puts a whole file in place: no reader, and no crash, ever sees a part of it.
func (h *home) writeFile(data []byte, name ...string) error {
	f, err := os.CreateTemp(h.file(stagingFolder), "file-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	h.at("file written")
	target := h.file(name...)
	if err := os.Rename(f.Name(), target); err != nil {
		return err
	}
	h.at("file renamed")
	return syncFolder(filepath.Dir(target))
}

// sweepStaging removes what crashed writers left, and nothing that others put there. Younger files may
// belong to a writer that lives.
func (h *home) sweepStaging(now time.Time) {
	// A link would have files removed elsewhere.
	if info, err := os.Lstat(h.file(stagingFolder)); err != nil || !info.IsDir() {
		return
	}
	entries, err := os.ReadDir(h.file(stagingFolder))
	if err != nil {
		return // nothing was left, or it cannot be removed either
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !ownFiles[stagingFolder].MatchString(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && now.Sub(info.ModTime()) > time.Hour {
			os.Remove(h.file(stagingFolder, e.Name()))
		}
	}
}

// acquire takes the home's lock and returns how to let it go. Waiting ends with ctx, or after the
// lock's own time with ErrLocked.
func (h *home) acquire(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.wait, ErrLocked)
	defer cancel()
	select {
	case h.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, h.lockError(ctx)
	}
	f, err := h.lock(ctx)
	if err != nil {
		return nil, err
	}
	return func() {
		if f != nil {
			f.Close() // ends the lock
		}
		<-h.turn
	}, nil
}

func (h *home) lockError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if !errors.Is(cause, ErrLocked) {
		return cause
	}
	by := "another process"
	if pid := lockHolder(h.file(lockFile)); pid != 0 {
		by = fmt.Sprintf("process %d", pid)
	}
	return fmt.Errorf("waiting %v for %s, held by %s: %w", h.wait, h.path, by, ErrLocked)
}

// isReadOnly says that err is the answer of a folder or file system that cannot be written.
func isReadOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}

// damaged is the one line for a store that is not opened: which file, what is wrong, what to do.
func damaged(file string, reason any) error {
	return fmt.Errorf("%w: %s: %v; restore a copy of the home or move the whole home away", ErrDamaged, file, reason)
}
