package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// keyEvent is the audit's detail of a change of a key. It never has its text or hash.
type keyEvent struct {
	Change  string    `json:"change"` // "create", "rotate", "revoke"
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Roles   []string  `json:"roles"`
	URL     bool      `json:"url,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	Overlap time.Time `json:"overlap,omitzero"` // until when the text before is let in, too
}

// CreateKey makes a key and returns its text, which nobody can be told again.
func (r *Registry) CreateKey(ctx context.Context, by capabilities.Caller, spec KeySpec) (text string, key AccessKey, err error) {
	now := r.now().UTC().Truncate(time.Second)
	if err := spec.check(now); err != nil {
		return "", AccessKey{}, err
	}
	spaces := slices.Compact(slices.Sorted(slices.Values(spec.Spaces)))
	err = r.changeKeys(ctx, by, "create", func(tx Tx, all []storedKey) (keyRecord, error) {
		for _, k := range all {
			if k.Key.Name == spec.Name && k.Key.Revoked.IsZero() {
				return keyRecord{}, &worded{fmt.Sprintf("there is a key named %s; rotate or revoke that one, or choose another name", spec.Name), ErrExists}
			}
		}
		kept, err := forgetKeys(tx, all, now)
		if err != nil {
			return keyRecord{}, err
		}
		if kept >= maxKeys {
			return keyRecord{}, fmt.Errorf("a home holds at most %d keys", maxKeys)
		}
		id := newKeyID()
		text = newKeyText(id)
		rec := keyRecord{Hash: hashKey(text), Key: AccessKey{
			ID: id, Name: spec.Name, Spaces: spaces, Roles: []string{spec.Role}, URL: spec.URL, Created: now,
			Expires: spec.Expires.UTC().Truncate(time.Second),
		}}
		key = rec.Key
		return rec, putJSON(tx, KindKey, id, rec, 0)
	})
	if err != nil {
		return "", AccessKey{}, err
	}
	return text, key.clone(), nil
}

// forgetKeys drops what ended long ago and returns how many keys are left.
func forgetKeys(tx Tx, all []storedKey, now time.Time) (kept int, err error) {
	for _, k := range all {
		ended := k.Key.Revoked
		if ended.IsZero() {
			ended = k.Key.Expires
		}
		if ended.IsZero() || now.Sub(ended) < keptAfterward {
			kept++
			continue
		}
		if err := tx.Delete(KindKey, k.Key.ID, k.version); err != nil {
			return 0, err
		}
		if use, err := tx.Get(KindKeyUse, k.Key.ID); err == nil {
			if err := tx.Delete(KindKeyUse, k.Key.ID, use.Version); err != nil {
				return 0, err
			}
		}
	}
	return kept, nil
}

// RotateKey gives a key, found by name or id, a new text, which is returned. The text before is let in
// for the overlap, and not at all when that is zero; one that was in its overlap already ends. A key
// that had expired is valid again; expires is its new end, zero: never.
func (r *Registry) RotateKey(ctx context.Context, by capabilities.Caller, name string, overlap time.Duration, expires time.Time) (text string, key AccessKey, err error) {
	now := r.now().UTC().Truncate(time.Second)
	if !expires.IsZero() && !expires.After(now) {
		return "", AccessKey{}, &worded{"a key that has expired already", ErrKeyName}
	}
	err = r.changeKeys(ctx, by, "rotate", func(tx Tx, all []storedKey) (keyRecord, error) {
		k, err := findKey(all, name)
		if err != nil {
			return keyRecord{}, err
		}
		if !k.Key.Revoked.IsZero() {
			return keyRecord{}, &worded{fmt.Sprintf("the key %s is revoked: create another one", k.Key.Name), ErrNotFound}
		}
		was := k.Key
		text = newKeyText(k.Key.ID)
		k.Previous, k.Until = "", time.Time{}
		if overlap > 0 && !was.Ended(now) {
			k.Previous, k.Until = k.Hash, now.Add(overlap)
			if end := was.Expires; !end.IsZero() && end.Before(k.Until) {
				k.Until = end // rotating makes no text valid for longer than it was made for
			}
		}
		k.Hash, k.Key.Rotated, k.Key.Expires = hashKey(text), now, expires.UTC().Truncate(time.Second)
		key = k.Key
		return k.keyRecord, putJSON(tx, KindKey, k.Key.ID, k.keyRecord, k.version)
	})
	if err != nil {
		return "", AccessKey{}, err
	}
	return text, key.clone(), nil
}

// RevokeKey ends a key, found by name or id, at once and for ever. ErrNotFound when there is none that
// still lets anyone in.
func (r *Registry) RevokeKey(ctx context.Context, by capabilities.Caller, name string) (key AccessKey, err error) {
	now := r.now().UTC().Truncate(time.Second)
	err = r.changeKeys(ctx, by, "revoke", func(tx Tx, all []storedKey) (keyRecord, error) {
		k, err := findKey(all, name)
		if err != nil {
			return keyRecord{}, err
		}
		if !k.Key.Revoked.IsZero() {
			return keyRecord{}, &worded{fmt.Sprintf("the key %s is revoked already", k.Key.Name), ErrNotFound}
		}
		k.Key.Revoked, k.Previous, k.Until = now, "", time.Time{}
		key = k.Key
		return k.keyRecord, putJSON(tx, KindKey, k.Key.ID, k.keyRecord, k.version)
	})
	return key.clone(), err
}

// findKey prefers, of keys that had the same name one after the other, the one that is not revoked.
func findKey(all []storedKey, name string) (found storedKey, err error) {
	err = &worded{fmt.Sprintf("there is no key %+.80q: see `writ key list`", name), ErrNotFound}
	for _, k := range all {
		if k.Key.ID == name || k.Key.Name == name && (err != nil || k.Key.Revoked.IsZero()) {
			found, err = k, nil
		}
		if k.Key.ID == name {
			break
		}
	}
	return found, err
}

// changeKeys changes one key and records it, in every space that it is for, in one transaction.
func (r *Registry) changeKeys(ctx context.Context, by capabilities.Caller, change string, apply func(Tx, []storedKey) (keyRecord, error)) error {
	if err := checkCaller(by); err != nil {
		return err
	}
	if !by.IsOperator() {
		return ErrOperator
	}
	return r.store.Update(ctx, func(tx Tx) error {
		all, err := readKeys(tx)
		if err != nil {
			return err
		}
		rec, err := apply(tx, all)
		if err != nil {
			return err
		}
		k := rec.Key
		detail, err := strictjson.Encode(keyEvent{
			Change: change, ID: k.ID, Name: k.Name, Roles: k.Roles, URL: k.URL, Expires: k.Expires, Overlap: rec.Until,
		})
		if err != nil {
			return fmt.Errorf("recording key: %v", err)
		}
		for _, space := range k.Spaces {
			if err := r.appendEvent(tx, Entry{Event: "key", Principal: by.Principal, Space: space, Detail: detail}); err != nil {
				return err
			}
		}
		return nil
	})
}
