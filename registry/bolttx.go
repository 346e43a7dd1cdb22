package registry

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// errView is a write inside a view.
var errView = errors.New("BUG: writing in a view")

// boltTx is one transaction. Each step inside the database is guarded; what it returns is copied,
// because the database's memory is gone after the transaction.
type boltTx struct {
	store *boltStore
	file  *os.File
	db    *bbolt.DB
	tx    *bbolt.Tx

	writable bool
	ended    bool

	fault   error         // the first damage found; nothing is committed after it
	written map[Kind]bool // kinds written to
	dropped []string      // blobs to delete after the commit
}

var _ Tx = (*boltTx)(nil)

// end rolls back what was not committed and closes the file. After a fault the database may hold its
// own locks for ever, so it is left alone and only the file is closed.
func (t *boltTx) end() {
	t.ended = true
	if t.fault == nil {
		t.fail(guarded(func() error {
			if err := t.tx.Rollback(); err != nil && !errors.Is(err, bolterrors.ErrTxClosed) {
				return err
			}
			return t.db.Close()
		}))
	}
	if t.fault != nil {
		t.store.doubt = true
		unlockLeft(t.file)
	}
	t.file.Close()
}

// readSchema reads which Writ's store this is, and refuses a newer one's.
func (t *boltTx) readSchema() error {
	var stored []byte
	err := guarded(func() error {
		b, err := t.bucket(schemaKind)
		if err == nil {
			stored = bytes.Clone(b.Get([]byte(schemaKey)))
		}
		return err
	})
	if err != nil {
		return t.fail(err)
	}
	r, err := t.unseal(schemaKind, []byte(schemaKey), stored)
	if err != nil {
		return err
	}
	schema, err := schemaOf(r)
	if err != nil {
		return t.fail(err)
	}
	return t.store.checkSchema(schema)
}

// fail keeps the first damage and says it in the store's words.
func (t *boltTx) fail(err error) error {
	if err == nil {
		return nil
	}
	if t.fault == nil {
		t.fault = t.store.explain("reading", err)
	}
	return t.fault
}

// counted says that something was changed on which an answer may depend: more than checkpoints, the
// times at which keys were used, and what servlets keep, which each call reads anew.
func (t *boltTx) counted() bool {
	quiet := 0
	for _, kind := range [...]Kind{KindCheckpoint, KindKeyUse, KindKVStore, KindKV} {
		if t.written[kind] {
			quiet++
		}
	}
	return len(t.dropped) > 0 || len(t.written) > quiet
}

// bucket is called inside a guarded step.
func (t *boltTx) bucket(kind Kind) (*bbolt.Bucket, error) {
	if b := t.tx.Bucket([]byte(kind)); b != nil {
		return b, nil
	}
	return nil, fmt.Errorf("%q is missing", kind)
}

func (t *boltTx) ready(kind Kind, key string) error {
	switch {
	case t.ended:
		return errors.New("BUG: transaction used after its end")
	case !slices.Contains(Kinds(), kind):
		return fmt.Errorf("no kind of record is named %.40q", string(kind))
	case key == "" || len(key) > maxKey:
		return fmt.Errorf("a key of %d bytes: 1 to %d are allowed", len(key), maxKey)
	}
	return t.fault
}

// Get implements Tx.
func (t *boltTx) Get(kind Kind, key string) (Record, error) {
	if err := t.ready(kind, key); err != nil {
		return Record{}, err
	}
	var stored []byte
	err := guarded(func() error {
		b, err := t.bucket(kind)
		if err == nil {
			stored = bytes.Clone(b.Get([]byte(key)))
		}
		return err
	})
	if err != nil {
		return Record{}, t.fail(err)
	}
	if stored == nil {
		return Record{}, ErrNotFound
	}
	return t.unseal(kind, []byte(key), stored)
}

func (t *boltTx) unseal(kind Kind, key, stored []byte) (Record, error) {
	r, err := t.store.sealer.open(kind, key, stored)
	if err != nil {
		return Record{}, t.fail(fmt.Errorf("%s %.80q %w", kind, key, err))
	}
	return r, nil
}

// current checks the version that a writer believes in.
func (t *boltTx) current(kind Kind, key string, version uint64) error {
	now, err := t.Get(kind, key)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if now.Version != version {
		return fmt.Errorf("%s %.80q: %w", kind, key, ErrConflict)
	}
	return err
}

// Put implements Tx.
func (t *boltTx) Put(kind Kind, key string, value []byte, version uint64) (uint64, error) {
	if len(value) > maxValue {
		return 0, fmt.Errorf("a record of %d bytes: up to %d are allowed", len(value), maxValue)
	}
	if err := t.current(kind, key, version); err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	err := t.write(kind, func(b *bbolt.Bucket) (err error) {
		if version, err = b.NextSequence(); err != nil {
			return err
		}
		return b.Put([]byte(key), t.store.sealer.seal(kind, Record{Key: key, Version: version, Value: value}))
	})
	return version, err
}

// Delete implements Tx.
func (t *boltTx) Delete(kind Kind, key string, version uint64) error {
	if err := t.current(kind, key, version); err != nil {
		return err
	}
	return t.write(kind, func(b *bbolt.Bucket) error { return b.Delete([]byte(key)) })
}

func (t *boltTx) write(kind Kind, step func(*bbolt.Bucket) error) error {
	if !t.writable {
		return errView
	}
	err := guarded(func() error {
		b, err := t.bucket(kind)
		if err == nil {
			err = step(b)
		}
		return err
	})
	if err != nil {
		return t.fail(err)
	}
	if t.written == nil {
		t.written = map[Kind]bool{}
	}
	t.written[kind] = true
	return nil
}

// Range implements Tx.
func (t *boltTx) Range(kind Kind, from, to string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if err := t.ready(kind, "-"); err != nil {
			yield(Record{}, err)
			return
		}
		var cursor *bbolt.Cursor
		for {
			var key, stored []byte
			err := guarded(func() error {
				var k, v []byte
				if cursor != nil {
					k, v = cursor.Next()
				} else if b, err := t.bucket(kind); err != nil {
					return err
				} else {
					cursor = b.Cursor()
					k, v = cursor.Seek([]byte(from))
				}
				key, stored = bytes.Clone(k), bytes.Clone(v)
				return nil
			})
			if err != nil {
				yield(Record{}, t.fail(err))
				return
			}
			if key == nil || to != "" && string(key) >= to {
				return
			}
			r, err := t.unseal(kind, key, stored)
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}
