package registry

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// upgrade brings a store of an older schema to this Writ's, with the home's lock held: a copy of it stays
// beside it, and the upgraded one takes its place as another file, whole. That it is another file is what
// tells processes of the older Writ that still have the home open: a store that is not the one they know
// is read anew, found to be newer, and refused before anything else is done with it. The generation is
// counted up around the change, so that they answer nothing from memory either.
func (s *boltStore) upgrade() error {
	tx, err := s.begin(false)
	if err != nil {
		return err
	}
	tx.end()
	from := s.schema
	switch {
	case tx.fault != nil:
		return tx.fault
	case from == storeSchema:
		return nil
	case s.home.readOnly:
		return fmt.Errorf("%s is of an older Writ and has to be upgraded once: %w", s.path(), ErrReadOnly)
	}
	old, err := os.ReadFile(s.path())
	if err == nil {
		err = s.home.writeFile(old, fmt.Sprintf("%s.schema-%d", storeFile, from))
	}
	if err != nil {
		return fmt.Errorf("keeping a copy of the store before its upgrade: %w", err)
	}
	upgraded := s.home.file(stagingFolder, "upgraded-"+storeFile)
	defer os.Remove(upgraded) // gone already when all went well
	if err := s.writeUpgraded(upgraded, old); err != nil {
		return fmt.Errorf("upgrading the store: %w", err)
	}
	s.home.at("store upgraded")
	if err := s.replaceStore(upgraded); err != nil {
		return fmt.Errorf("upgrading the store: %w", err)
	}
	s.schema, s.doubt = storeSchema, true // what was just written is read whole before it is believed
	return nil
}

// writeUpgraded makes a store of this Writ's schema from the bytes of an older one. What a schema added
// so far are kinds of records; those of before stay as they are.
func (s *boltStore) writeUpgraded(path string, old []byte) error {
	// One that a killed process left may be of any content.
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	if err := os.WriteFile(path, old, 0o600); err != nil {
		return err
	}
	return guarded(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoStatistics: true, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			for _, name := range bucketNames(storeSchema) {
				if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
					return err
				}
			}
			return tx.Bucket([]byte(schemaBucket)).Put([]byte(schemaKey), s.sealedSchema())
		})
		return errors.Join(err, db.Close())
	})
}

// replaceStore puts a whole store in the place of the present one. Its bytes are on stable storage.
func (s *boltStore) replaceStore(with string) error {
	if err := s.gen.begin(); err != nil {
		return err
	}
	err := os.Rename(with, s.path())
	if err == nil {
		err = syncFolder(s.home.path)
	}
	s.home.at("upgrade in place")
	return errors.Join(err, s.gen.settle())
}
