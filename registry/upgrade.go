package registry

import (
	"fmt"
	"os"
)

// upgrade brings a store of an older schema to this Writ's, with the home's lock held: a copy is put
// beside it, and one transaction makes the change. Processes of the older Writ that have the home open
// go on reading and writing the kinds that they know; they refuse it when they start anew.
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
	if tx, err = s.begin(true); err != nil {
		return err
	}
	defer tx.end()
	err = guarded(func() error {
		for _, name := range bucketNames(storeSchema) {
			if _, err := tx.tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return tx.tx.Bucket([]byte(schemaBucket)).Put([]byte(schemaKey), s.sealedSchema())
	})
	if err != nil {
		return tx.fail(err)
	}
	s.home.at("store upgraded")
	if err := s.commit(tx); err != nil {
		return err
	}
	s.schema = storeSchema
	return nil
}
