package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// storeSchema is the version of the records that this Writ writes and the newest that it reads. An
// older store is brought to it by upgrade.
const storeSchema = 4

// kindsSince says with which schema a kind came; those that are not listed came with the first.
var kindsSince = map[Kind]uint64{KindSecret: 2, KindVault: 2, KindKey: 3, KindKeyUse: 3, KindKVStore: 4, KindKV: 4}

// The schema record is the first thing read in a store: without it a file is no store, whatever else
// it holds, so that an emptied file is never taken for a new store. Its place and form are the same
// in every schema: the number, then a MAC under the home's key.
const (
	schemaBucket = "writ"
	schemaKey    = "schema"
	schemaKind   = Kind(schemaBucket)
)

// contents checks what a walk finds: the schema, the kinds, and the seal of every record.
type contents struct {
	sealer   *sealer
	schema   uint64
	names    []string
	sequence uint64
	failed   error // the first record that does not hold; told after the schema is known
}

func (c *contents) bucket(name []byte, sequence uint64) error {
	c.names = append(c.names, string(name))
	c.sequence = sequence
	return nil
}

func (c *contents) element(key, value []byte) error {
	kind := Kind(c.names[len(c.names)-1])
	r, err := c.sealer.open(kind, key, value)
	switch {
	case err == nil && kind == schemaKind && r.Key == schemaKey:
		c.schema, err = schemaOf(r)
	case err == nil && r.Version > c.sequence:
		err = errors.New("is newer than its kind")
	}
	if err != nil && c.failed == nil {
		c.failed = fmt.Errorf("%.40s %.80q %w", kind, key, err)
	}
	return nil
}

func schemaOf(r Record) (uint64, error) {
	if len(r.Value) != 8 {
		return 0, errors.New("the schema cannot be read")
	}
	return binary.BigEndian.Uint64(r.Value), nil
}

// finish is called after a walk that reached the end.
func (c *contents) finish() error {
	if c.failed != nil {
		return c.failed
	}
	if c.schema == 0 {
		return errors.New("it has no schema, so it is no store")
	}
	if want := bucketNames(c.schema); !slices.Equal(c.names, want) {
		return fmt.Errorf("it holds %.200q instead of %q", strings.Join(c.names, " "), strings.Join(want, " "))
	}
	return nil
}

// bucketNames are what a store of a schema holds.
func bucketNames(schema uint64) []string {
	names := []string{schemaBucket}
	for _, kind := range Kinds() {
		if kindsSince[kind] > schema {
			continue
		}
		names = append(names, string(kind))
	}
	slices.Sort(names)
	return names
}

// sealedSchema is the schema record of this Writ's stores.
func (s *boltStore) sealedSchema() []byte {
	return s.sealer.seal(schemaKind, Record{Key: schemaKey, Value: binary.BigEndian.AppendUint64(nil, storeSchema)})
}

// createStore makes a new store beside its place and puts it there whole, with the home's lock held.
func (s *boltStore) createStore() error {
	path := s.home.file(stagingFolder, "new-"+storeFile)
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("making store: %v", err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, PageSize: 4096, NoStatistics: true})
	if err != nil {
		return fmt.Errorf("making store: %v", err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames(storeSchema) {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			if name == schemaBucket {
				err = b.Put([]byte(schemaKey), s.sealedSchema())
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if closing := db.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(path, s.path())
	}
	if err == nil {
		err = syncFolder(s.home.path)
	}
	if err != nil {
		return fmt.Errorf("making store: %v", err)
	}
	return nil
}
