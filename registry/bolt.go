package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// fullCheckLimit is the size up to which Open reads every page and every record of the store. A
// larger one is read whole only when there is doubt: a process was killed during a commit, the file
// is not the one seen before, or a page could not be followed.
const fullCheckLimit = 16 << 20

// boltStore is the store of one machine: a bbolt file that is opened for each transaction under the
// home's lock, so that any number of processes share it without a daemon.
type boltStore struct {
	home   *home
	sealer *sealer
	gen    generation
	seen   fs.FileInfo // guarded by the home's lock; the file as first checked by this process
	doubt  bool        // guarded by the home's lock; read the whole file before believing it again
	schema uint64      // guarded by the home's lock; as read last
}

var _ Store = (*boltStore)(nil)

func (s *boltStore) path() string { return s.home.file(storeFile) }

// Generation implements Store.
func (s *boltStore) Generation() (uint64, bool) { return s.gen.read() }

// Close implements Store. Every file is closed by the transaction that opened it.
func (s *boltStore) Close() error { return nil }

// View implements Store.
func (s *boltStore) View(ctx context.Context, read func(Tx) error) error {
	return s.transaction(ctx, false, read)
}

// Update implements Store.
func (s *boltStore) Update(ctx context.Context, change func(Tx) error) error {
	if s.home.readOnly {
		return fmt.Errorf("changing %s: %w", s.home.path, ErrReadOnly)
	}
	return s.transaction(ctx, true, change)
}

func (s *boltStore) transaction(ctx context.Context, write bool, body func(Tx) error) error {
	release, err := s.home.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	tx, err := s.begin(write)
	if err == nil && s.schema < storeSchema {
		// The copy that an upgrade kept was put back while this process runs.
		tx.end()
		if err = s.upgrade(); err == nil {
			tx, err = s.begin(write)
		}
	}
	if err != nil {
		return err
	}
	defer tx.end() // also when body panics
	if err := body(tx); err != nil && tx.fault == nil {
		return err
	}
	if tx.fault != nil {
		return tx.fault // a body that went on after damage commits nothing
	}
	if len(tx.written) == 0 && len(tx.dropped) == 0 {
		return nil
	}
	return s.commit(tx)
}

// commit makes the change visible to all processes and then acknowledges it. The number is odd from
// before the commit to after it, so that a process killed between the two leaves no other process
// with a grant that was revoked.
func (s *boltStore) commit(tx *boltTx) error {
	counted := tx.counted()
	if counted {
		if err := s.gen.begin(); err != nil {
			return err
		}
	}
	s.home.at("before commit")
	err := guarded(tx.tx.Commit)
	if err != nil {
		s.doubt = true
		if err = fmt.Errorf("writing store: %w", err); errors.Is(err, errFault) {
			err = damaged(s.path(), err)
			tx.fault = err
		}
	} else {
		s.home.at("after commit")
		tx.removeDropped()
	}
	if counted {
		if settling := s.gen.settle(); err == nil {
			err = settling
		}
	}
	s.home.at("before acknowledgement")
	return err
}

// begin opens the file and starts a transaction in it.
func (s *boltStore) begin(write bool) (*boltTx, error) {
	mode := os.O_RDONLY
	if write {
		mode = os.O_RDWR
	}
	f, err := os.OpenFile(s.path(), mode, 0) // never O_CREATE: a store that vanished is not a new one
	if isReadOnly(err) && !write {
		return nil, fmt.Errorf("opening store: %v", err)
	}
	if err != nil {
		return nil, s.explain("opening", err)
	}
	if err := s.check(f); err != nil {
		f.Close()
		return nil, err
	}
	tx := &boltTx{store: s, file: f, writable: write}
	err = guarded(func() (err error) {
		tx.db, err = bbolt.Open(s.path(), 0, &bbolt.Options{
			ReadOnly:     !write,
			Timeout:      time.Second, // the home's lock excludes all but foreign programs
			NoStatistics: true,
			FreelistType: bbolt.FreelistMapType,
			OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		if err == nil {
			tx.tx, err = tx.db.Begin(write)
		}
		return err
	})
	if err != nil {
		s.doubt = true
		unlockLeft(f)
		f.Close()
		if errors.Is(err, bolterrors.ErrTimeout) {
			return nil, fmt.Errorf("opening %s, held by another program: %w", s.path(), ErrLocked)
		}
		return nil, s.explain("opening", err)
	}
	// Each time: a newer Writ may have upgraded the store since this process looked last.
	if err := tx.readSchema(); err != nil {
		tx.end()
		return nil, err
	}
	return tx, nil
}

// check decides whether the database may look at the file: always its roots and its length, and every
// page and record of it when there is doubt.
func (s *boltStore) check(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return s.explain("opening", err)
	}
	if !info.Mode().IsRegular() {
		return damaged(s.path(), "not a regular file")
	}
	_, settled := s.gen.read()
	first := s.seen == nil
	replaced := !first && !os.SameFile(s.seen, info)
	if s.doubt || replaced || !settled || first && info.Size() <= fullCheckLimit {
		err = s.checkAll(f, info.Size())
	} else {
		_, err = readMeta(f, info.Size())
	}
	if err != nil {
		s.doubt = true
		return s.explain("opening", err)
	}
	if !settled && !s.home.readOnly {
		if err := s.gen.settle(); err != nil && !errors.Is(err, ErrReadOnly) {
			return err
		}
	}
	s.seen, s.doubt = info, false
	return nil
}

// checkAll walks the file. A newer store may hold what this Writ takes for damage, so its schema is
// looked at first.
func (s *boltStore) checkAll(f io.ReaderAt, size int64) error {
	c := &contents{sealer: s.sealer}
	err := walkPages(f, size, c)
	if newer := s.checkSchema(c.schema); newer != nil {
		return newer
	}
	if err == nil {
		err = c.finish()
	}
	return err
}

// checkSchema refuses what a newer Writ wrote, and remembers what an older one did.
func (s *boltStore) checkSchema(schema uint64) error {
	if schema > storeSchema {
		return fmt.Errorf("%w: %s has schema %d, this Writ reads up to %d; use the newer Writ, and restart what still runs this one", ErrNewer, s.path(), schema, storeSchema)
	}
	s.schema = schema
	return nil
}

// explain turns an error below the store into one of the store's own.
func (s *boltStore) explain(doing string, err error) error {
	var sys *fs.PathError
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer):
		return err
	case isReadOnly(err):
		return fmt.Errorf("%s %s: %w", doing, s.path(), ErrReadOnly)
	case errors.Is(err, fs.ErrNotExist):
		return damaged(s.path(), "the file is missing")
	case errors.As(err, &sys), errors.Is(err, io.ErrShortWrite):
		return fmt.Errorf("%s store: %v", doing, err) // the disk's answer: full, gone, ...
	}
	return damaged(s.path(), err)
}

// guarded runs one step of the database. It trusts the pages that it maps: should they be damaged in
// spite of every check (while this process runs), a fault or a failed assertion becomes an error
// here and does not end the process.
func guarded(step func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: reading it ended with %.100q", errFault, fmt.Sprint(r))
		}
	}()
	return step()
}

// errFault is a fault or failed assertion inside the database.
var errFault = errors.New("its pages cannot be followed")
