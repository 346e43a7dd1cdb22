package registry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Kept tells what a servlet keeps for one owner, without any of it. It may be of a servlet that is not
// installed any more.
type Kept struct {
	Space     string    `json:"space"`
	Principal string    `json:"caller,omitempty"` // empty: it is the whole space's
	Alias     string    `json:"alias"`
	Name      string    `json:"name"`
	Publisher string    `json:"publisher"` // key id
	Keys      int       `json:"keys"`
	Bytes     int64     `json:"bytes"`
	Changed   time.Time `json:"changed"`
}

func (k Kept) store() kvStore {
	return kvStore{Space: k.Space, Principal: k.Principal, Alias: k.Alias, Name: k.Name, Publisher: k.Publisher}
}

// BelongsTo says that an installation is the one whose servlet keeps k.
func (k Kept) BelongsTo(in Installation) bool {
	return k.Space == in.Space && k.Alias == in.Alias && k.Name == in.Name && k.Publisher == in.Publisher
}

// Kept lists what servlets keep in the caller's space, by owner and alias, also what those left behind that
// are not installed any more. Only the operator may see what others keep.
func (r *Registry) Kept(ctx context.Context, by capabilities.Caller) (all []Kept, err error) {
	if err := checkOperator(by); err != nil {
		return nil, err
	}
	err = r.store.View(ctx, func(tx Tx) error {
		all = nil
		stores, err := kvStores(tx, by.Space, "")
		for _, s := range stores {
			all = append(all, Kept{s.Space, s.Principal, s.Alias, s.Name, s.Publisher, s.Keys, s.Bytes, s.Changed})
		}
		return err
	})
	return all, err
}

func checkOperator(by capabilities.Caller) error {
	if err := checkCaller(by); err != nil {
		return err
	}
	if !by.IsOperator() {
		return ErrOperator
	}
	return nil
}

// kvStores reads the stores of a space, of one alias or of all.
func kvStores(tx Tx, space, alias string) (all []kvStore, err error) {
	from, to := spaceRange(space)
	for rec, err := range tx.Range(KindKVStore, from, to) {
		if err != nil {
			return nil, err
		}
		var s kvStore
		if err := strictjson.Decode(rec.Value, &s); err != nil {
			return nil, fmt.Errorf("reading what servlets keep: %v", err)
		}
		if s.key() != rec.Key || s.ID == "" {
			return nil, errors.New("reading what servlets keep: the record is of another")
		}
		if alias == "" || s.Alias == alias {
			all = append(all, s)
		}
	}
	return all, nil
}

// KeptEntries calls each for every key that a servlet keeps for an owner and that starts with prefix, in
// order, until it returns an error. The values are there only with values. Between pages of many keys others
// may change what is kept: every key is told at most once.
func (r *Registry) KeptEntries(ctx context.Context, by capabilities.Caller, of Kept, prefix string, values bool, each func(KVEntry) error) error {
	after := ""
	for {
		k, err := r.keptOf(by, of)
		if err != nil {
			return err
		}
		page, err := k.List(ctx, prefix, after, 1000, maxKVPage, values)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := each(e); err != nil {
				return err
			}
			after = e.Key
		}
		if !page.More {
			return nil
		}
	}
}

// KeptValue returns what a servlet keeps under a key for an owner, or ErrNotFound.
func (r *Registry) KeptValue(ctx context.Context, by capabilities.Caller, of Kept, key string) ([]byte, error) {
	k, err := r.keptOf(by, of)
	if err != nil {
		return nil, err
	}
	if key == "" || len(key) > MaxKVKey {
		return nil, ErrNotFound
	}
	return k.Get(ctx, key)
}

func (r *Registry) keptOf(by capabilities.Caller, of Kept) (*KV, error) {
	if err := checkOperator(by); err != nil {
		return nil, err
	}
	if of.Space != by.Space {
		return nil, ErrCaller
	}
	return &KV{registry: r, by: by, in: Installation{Alias: of.Alias}, store: of.store(), read: map[string]uint64{}}, nil
}

// DropKept removes what a servlet keeps for an owner: the keys that start with prefix, or the one key that
// is exactly it. The audit has how many they were, and none of them. It returns their number.
func (r *Registry) DropKept(ctx context.Context, by capabilities.Caller, of Kept, prefix string, exactly bool) (dropped int, err error) {
	if err := checkOperator(by); err != nil {
		return 0, err
	}
	if of.Space != by.Space {
		return 0, ErrCaller
	}
	err = r.change(ctx, by, "kv", of.Alias, func(tx Tx) (any, error) {
		k, err := r.keptOf(by, of)
		if err == nil {
			err = k.see(tx)
		}
		if err != nil {
			return nil, err
		}
		dropped, err = r.dropKeys(tx, k, prefix, exactly)
		return keptEvent{of.Name, of.Publisher, of.Principal, dropped}, err
	})
	return dropped, err
}

// keptEvent is what the audit says of keys that an operator removed.
type keptEvent struct {
	Name      string `json:"name"`
	Publisher string `json:"publisher"`
	Caller    string `json:"caller,omitempty"`
	Removed   int    `json:"removed"`
}

func (r *Registry) dropKeys(tx Tx, k *KV, prefix string, exactly bool) (dropped int, err error) {
	s := k.store
	if s.ID == "" {
		return 0, nil
	}
	var keys []string
	for rec, err := range tx.Range(KindKV, s.keyOf(prefix), s.ID+"\x01") {
		if err != nil {
			return 0, err
		}
		key := rec.Key[len(s.ID)+1:]
		if !strings.HasPrefix(key, prefix) || exactly && key != prefix {
			break
		}
		keys = append(keys, key)
	}
	for _, key := range keys {
		if err := s.change(tx, KVChange{Key: key, Delete: true}); err != nil {
			return 0, err
		}
	}
	switch {
	case s.Keys == 0:
		err = tx.Delete(KindKVStore, s.key(), k.moment)
	case len(keys) > 0:
		s.Changed = r.now().UTC().Truncate(time.Second)
		err = putJSON(tx, KindKVStore, s.key(), s, k.moment)
	}
	return len(keys), err
}

// purgeKept removes what an installation keeps, for every owner in its space, and what servlets before it
// left under its alias.
func purgeKept(tx Tx, space, alias string) error {
	stores, err := kvStores(tx, space, alias)
	if err != nil {
		return err
	}
	for _, s := range stores {
		if _, err := dropRecords(tx, KindKV, s.ID+"\x00", s.ID+"\x01"); err != nil {
			return err
		}
		rec, err := tx.Get(KindKVStore, s.key())
		if err != nil {
			return err
		}
		if err := tx.Delete(KindKVStore, rec.Key, rec.Version); err != nil {
			return err
		}
	}
	return nil
}
