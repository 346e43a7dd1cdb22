package registry

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"
	"sync"
	"time"
)

// keyCache remembers the access keys that were read under a settled generation.
type keyCache struct {
	mu         sync.Mutex
	generation uint64               // guarded by mu
	byID       map[string]keyRecord // guarded by mu; of that generation, never changed; nil: nothing is remembered
}

// accessKeys returns all keys as the store has them now.
func (r *Registry) accessKeys(ctx context.Context) (map[string]keyRecord, error) {
	before, settled := r.store.Generation()
	r.keys.mu.Lock()
	byID, remembered := r.keys.byID, r.keys.generation
	r.keys.mu.Unlock()
	if settled && byID != nil && remembered == before {
		return byID, nil
	}
	err := r.store.View(ctx, func(tx Tx) error {
		all, err := readKeys(tx)
		byID = make(map[string]keyRecord, len(all))
		for _, k := range all {
			byID[k.Key.ID] = k.keyRecord
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if after, stillSettled := r.store.Generation(); settled && stillSettled && before == after {
		r.keys.mu.Lock()
		r.keys.generation, r.keys.byID = after, byID
		r.keys.mu.Unlock()
	}
	return byID, nil
}

// HasKeys says whether a key was ever made in this home: from then on clients are asked for one, also
// after the last was revoked.
func (r *Registry) HasKeys(ctx context.Context) (bool, error) {
	byID, err := r.accessKeys(ctx)
	return len(byID) > 0, err
}

// noHash stands in for the hash of a key that there is not, so that it takes as long to compare.
var noHash = strings.Repeat("-", len(hashKey("")))

// Authenticate returns the key whose text was presented. ErrKeyRefused when there is none, it expired or
// was revoked: whoever presents one is not told which, and it takes the same work.
func (r *Registry) Authenticate(ctx context.Context, text string) (AccessKey, error) {
	byID, err := r.accessKeys(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	id, _ := keyID(text)
	if len(text) > keyTextSize {
		text = text[:keyTextSize] // of no use, and no more work than another
	}
	presented := hashKey(text)
	k, known := byID[id]
	if !known {
		k = keyRecord{Hash: noHash}
	}
	if !k.accepts(presented, r.now()) {
		return AccessKey{}, ErrKeyRefused
	}
	found := k.Key.clone()
	found.hash = presented
	return found, nil
}

// accepts is the one place that decides whether a key lets anyone in. The zero record accepts nothing.
func (k keyRecord) accepts(presented string, now time.Time) bool {
	previous := k.Previous
	if previous == "" || !now.Before(k.Until) {
		previous = noHash
	}
	current := subtle.ConstantTimeCompare([]byte(presented), []byte(k.Hash))
	before := subtle.ConstantTimeCompare([]byte(presented), []byte(previous))
	return current|before == 1 && k.Key.ID != "" && !k.Key.Ended(now)
}

// KeyStands says whether a key that Authenticate returned would be returned again: ErrKeyRefused when it
// expired, was revoked or rotated since.
func (r *Registry) KeyStands(ctx context.Context, key AccessKey) error {
	byID, err := r.accessKeys(ctx)
	if err != nil {
		return err
	}
	if !byID[key.ID].accepts(key.hash, r.now()) {
		return ErrKeyRefused
	}
	return nil
}

// RecordUse keeps when keys were used last, by id. It is for lists alone: the generation stays, and what
// a process that is killed did not record yet is lost.
func (r *Registry) RecordUse(ctx context.Context, used map[string]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return r.store.Update(ctx, func(tx Tx) error {
		for id, when := range used {
			if _, err := tx.Get(KindKey, id); errors.Is(err, ErrNotFound) {
				continue // forgotten meanwhile
			} else if err != nil {
				return err
			}
			var last time.Time
			version, err := getJSON(tx, KindKeyUse, id, &last)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if when = when.UTC().Truncate(time.Second); !when.After(last) {
				continue // another process saw it later
			}
			if err := putJSON(tx, KindKeyUse, id, when, version); err != nil {
				return err
			}
		}
		return nil
	})
}
