package registry

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// AccessKey is what is known of a key that lets clients in over HTTP. Its text is told once, when it is
// made or rotated, and is nowhere in the home.
type AccessKey struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Spaces  []string  `json:"spaces"`
	Roles   []string  `json:"roles"`
	URL     bool      `json:"url,omitempty"` // may be part of an address
	Created time.Time `json:"created"`
	Rotated time.Time `json:"rotated,omitzero"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
	Revoked time.Time `json:"revoked,omitzero"` // zero: not
	Used    time.Time `json:"used,omitzero"`    // to the minute or so; zero: never

	hash string // of the text that was presented; empty unless Authenticate returned it
}

// Principal is who a client with the key is, in grants, limits and the audit. Rotating a key keeps it.
func (k AccessKey) Principal() string { return "key:" + k.ID }

// Ended says whether the key lets nobody in any more at a time.
func (k AccessKey) Ended(now time.Time) bool {
	return !k.Revoked.IsZero() || !k.Expires.IsZero() && !now.Before(k.Expires)
}

// For is the caller that a client with the key is in a space; false when the key is not for it.
func (k AccessKey) For(space string) (capabilities.Caller, bool) {
	if !slices.Contains(k.Spaces, space) {
		return capabilities.Caller{}, false
	}
	return capabilities.Caller{Principal: k.Principal(), Space: space, Roles: slices.Clone(k.Roles)}, true
}

func (k AccessKey) clone() AccessKey {
	k.Spaces, k.Roles = slices.Clone(k.Spaces), slices.Clone(k.Roles)
	return k
}

// keyRecord is an access key as stored.
type keyRecord struct {
	Key      AccessKey `json:"key"`
	Hash     string    `json:"hash"`               // of the current text
	Previous string    `json:"previous,omitempty"` // of the text before
	Until    time.Time `json:"until,omitzero"`     // when that one ends
}

// KeySpec is what a new key is made for.
type KeySpec struct {
	Name    string    // unique among the keys that are not revoked
	Spaces  []string  // at least one
	Role    string    // capabilities.RoleUser or RoleObserver
	URL     bool      // may be part of an address
	Expires time.Time // zero: never
}

// Limits of keys.
const (
	maxKeys       = 10_000
	maxKeySpaces  = 64
	keptAfterward = 90 * 24 * time.Hour // how long a key that ended is listed, at least
)

var keyNameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func (s KeySpec) check(now time.Time) error {
	if !keyNameForm.MatchString(s.Name) {
		return &worded{fmt.Sprintf("a key is named with 1 to 64 letters, digits and . _ @ -, not %+.80q", s.Name), ErrKeyName}
	}
	if s.Role != capabilities.RoleUser && s.Role != capabilities.RoleObserver {
		return &worded{fmt.Sprintf("a key has the role %s or %s, not %+.40q", capabilities.RoleUser, capabilities.RoleObserver, s.Role), ErrKeyName}
	}
	if len(s.Spaces) == 0 || len(s.Spaces) > maxKeySpaces {
		return &worded{fmt.Sprintf("a key is for 1 to %d spaces", maxKeySpaces), ErrKeyName}
	}
	for _, space := range s.Spaces {
		if err := capabilities.ValidSpace(space); err != nil {
			return &worded{fmt.Sprintf("%+.40q: %v", space, err), ErrKeyName}
		}
	}
	if !s.Expires.IsZero() && !s.Expires.After(now) {
		return &worded{"a key that has expired already", ErrKeyName}
	}
	return nil
}

// storedKey is a record of a key with its version.
type storedKey struct {
	keyRecord
	version uint64
}

func readKeys(tx Tx) ([]storedKey, error) {
	var all []storedKey
	for rec, err := range tx.Range(KindKey, "", "") {
		if err != nil {
			return nil, err
		}
		k := storedKey{version: rec.Version}
		if err := strictjson.Decode(rec.Value, &k.keyRecord); err != nil {
			return nil, fmt.Errorf("reading key %+.80q: %v", rec.Key, err)
		}
		if k.Key.ID != rec.Key {
			return nil, fmt.Errorf("reading key %+.80q: the record is of another", rec.Key)
		}
		all = append(all, k)
	}
	return all, nil
}

// Keys lists all access keys by name, also those that ended in the last months.
func (r *Registry) Keys(ctx context.Context, by capabilities.Caller) ([]AccessKey, error) {
	if err := checkCaller(by); err != nil {
		return nil, err
	}
	if !by.IsOperator() {
		return nil, ErrOperator
	}
	var out []AccessKey
	err := r.store.View(ctx, func(tx Tx) error {
		all, err := readKeys(tx)
		if err != nil {
			return err
		}
		out = make([]AccessKey, 0, len(all))
		for _, k := range all {
			if _, err := getJSON(tx, KindKeyUse, k.Key.ID, &k.Key.Used); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			out = append(out, k.Key)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b AccessKey) int {
		if byName := strings.Compare(a.Name, b.Name); byName != 0 {
			return byName
		}
		return a.Created.Compare(b.Created)
	})
	return out, err
}
