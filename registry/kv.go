package registry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// Bounds of what one servlet keeps for one owner.
const (
	MaxKVKey   = 512     // bytes of a key
	MaxKVValue = 1 << 20 // bytes of a value
	MaxKVKeys  = 10_000  // keys
)

// maxKVAgain is how many keys are read again, and maxKVPage how many bytes of them, to see whether they are still
// what a call was told. A call that has read more is overtaken by any change: what it has read is no reason to
// hold the home's lock for so long.
const maxKVAgain = 2000

// maxKVReads is how many keys a call reads, most of which may not be there: the host remembers each.
const maxKVReads = 2 * MaxKVKeys

// maxKVPage is how many bytes of records a list passes over in one transaction: for so long it holds the
// home's lock, whose other users wait.
const maxKVPage = 4 << 20

// Errors of what servlets keep.
var (
	ErrKVQuota    = errors.New("more than the quota")
	ErrKVWithdrew = errors.New("its grant was taken back, or another servlet took its place")
	ErrKVReads    = errors.New("too many keys were read")
)

// kvStore is what one servlet keeps for one owner: the record that all its keys hang on. Like configuration
// it belongs to alias, servlet and publisher: another publisher's servlet under the same alias has a record
// of its own, and with it another ID.
type kvStore struct {
	Space     string    `json:"space"`
	Principal string    `json:"principal,omitempty"` // empty: it is the whole space's
	Alias     string    `json:"alias"`
	Name      string    `json:"name"`      // of the servlet
	Publisher string    `json:"publisher"` // key id
	ID        string    `json:"id"`        // where its keys begin; never used twice
	Keys      int       `json:"keys"`
	Bytes     int64     `json:"bytes"` // of keys and values
	Shape     string    `json:"shape"` // another one after each change of which keys there are
	Changed   time.Time `json:"changed"`
}

func (s kvStore) key() string {
	return strings.Join([]string{s.Space, s.Principal, s.Alias, s.Name, s.Publisher}, "\x00")
}

func (s kvStore) keyOf(key string) string { return s.ID + "\x00" + key }

// KV is what a servlet keeps, as one call of it sees it: all that was read through one KV is of one moment,
// and what it commits is kept only when that moment has not passed. It is for one goroutine at a time.
type KV struct {
	registry *Registry
	by       capabilities.Caller
	in       Installation
	rights   capabilities.Rights // of the call
	store    kvStore             // as of the moment; without an ID: nothing was ever kept

	begun  bool
	moment uint64            // version of the store's record, 0 for none
	read   map[string]uint64 // versions of the keys that were read, 0 for none
	bytes  int               // of their keys and values
	listed bool
	lost   bool // the moment has passed
}

// KVChange sets a key, or deletes it.
type KVChange struct {
	Key    string
	Value  []byte
	Delete bool
}

// KVEntry is a key and the value that was kept under it.
type KVEntry struct {
	Key   string
	Value []byte
}

// KVPage is a page of a list.
type KVPage struct {
	Entries []KVEntry
	More    bool // it ended before the keys did
	Passed  int  // bytes of the keys and values that were read for it
}

// KV returns what an installation, as the caller looked it up, keeps for its owner: the caller alone with
// the scope "caller", the caller's whole space with "space". The rights are those of the call: it keeps
// nothing when one of them is not granted any more.
func (r *Registry) KV(by capabilities.Caller, in Installation, rights capabilities.Rights) (*KV, error) {
	if err := checkCaller(by); err != nil {
		return nil, err
	}
	scope := ""
	if rights.KV != nil {
		scope = rights.KV.Scope
	}
	s := kvStore{Space: by.Space, Alias: in.Alias, Name: in.Name, Publisher: in.Publisher}
	switch {
	case in.Space != by.Space:
		return nil, fmt.Errorf("what a servlet of space %+.80q keeps, as a caller of space %+.80q: %w", in.Space, by.Space, ErrCaller)
	case scope == capabilities.ScopeCaller:
		s.Principal = by.Principal
	case scope != capabilities.ScopeSpace:
		return nil, fmt.Errorf("what a servlet keeps has no scope %+.40q", scope)
	}
	return &KV{registry: r, by: by, in: in, rights: rights, store: s, read: map[string]uint64{}}, nil
}

// see makes sure that what this transaction shows is of the same moment as what was read before.
func (k *KV) see(tx Tx) error {
	if k.lost {
		return ErrConflict
	}
	now := kvStore{}
	version, err := getJSON(tx, KindKVStore, k.store.key(), &now)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if version == 0 {
		now = k.store
		now.ID, now.Keys, now.Bytes, now.Shape = "", 0, 0, ""
	} else if now.key() != k.store.key() {
		return fmt.Errorf("reading what %s keeps: the record is of another", k.in.Alias)
	}
	if k.begun && version != k.moment {
		much := len(k.read) > maxKVAgain || k.bytes > maxKVPage
		if k.lost = much || k.listed && now.Shape != k.store.Shape; k.lost {
			return ErrConflict
		}
		for key, version := range k.read {
			rec, err := getKV(tx, now, key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			if k.lost = rec.Version != version; k.lost {
				return ErrConflict
			}
		}
	}
	k.begun, k.moment, k.store = true, version, now
	return nil
}

func getKV(tx Tx, s kvStore, key string) (Record, error) {
	if s.ID == "" {
		return Record{}, ErrNotFound
	}
	return tx.Get(KindKV, s.keyOf(key))
}

func (k *KV) view(ctx context.Context, read func(Tx) error) error {
	return k.registry.store.View(ctx, func(tx Tx) error {
		if err := k.see(tx); err != nil {
			return err
		}
		return read(tx)
	})
}

// saw remembers what was read, to see later whether it is still so.
func (k *KV) saw(key string, rec Record) {
	if _, again := k.read[key]; !again {
		k.bytes += len(key) + len(rec.Value)
	}
	k.read[key] = rec.Version
}

// Get returns the value of a key, or ErrNotFound. ErrConflict when the moment of what was read before has
// passed; so for List. ErrKVReads when it is one key more than a call may ask for.
func (k *KV) Get(ctx context.Context, key string) (value []byte, err error) {
	if _, again := k.read[key]; !again && len(k.read) >= maxKVReads {
		return nil, ErrKVReads
	}
	err = k.view(ctx, func(tx Tx) error {
		rec, err := getKV(tx, k.store, key)
		if err == nil || errors.Is(err, ErrNotFound) {
			k.saw(key, rec)
		}
		value = rec.Value
		return err
	})
	return value, err
}

// List returns entries whose keys start with prefix and come after another key, in the order of their
// bytes: at most count of them, and no more after some MiB of values were passed over or, with values, after
// bytes of them. Without values, those are left out.
func (k *KV) List(ctx context.Context, prefix, after string, count, bytes int, values bool) (page KVPage, err error) {
	err = k.view(ctx, func(tx Tx) error {
		page = KVPage{}
		k.listed = true
		if k.store.ID == "" {
			return nil
		}
		from := max(prefix, after)
		if after != "" && from == after {
			from += "\x00" // the first key that comes after it
		}
		held := 0
		for rec, err := range tx.Range(KindKV, k.store.keyOf(from), k.store.ID+"\x01") {
			if err != nil {
				return err
			}
			key := rec.Key[len(k.store.ID)+1:]
			if !strings.HasPrefix(key, prefix) {
				return nil // all keys with the prefix lie beside each other
			}
			page.Passed += len(key) + len(rec.Value)
			if values {
				held += len(rec.Value)
			}
			n := len(page.Entries)
			if page.More = n > 0 && (n == count || page.Passed > maxKVPage || held > bytes); page.More {
				return nil
			}
			e := KVEntry{Key: key}
			if values {
				e.Value = rec.Value
				k.saw(key, rec)
			}
			page.Entries = append(page.Entries, e)
		}
		return nil
	})
	return page, err
}

// Size returns how many bytes are kept, and how many of them a key and its value are: 0 for a key that is
// not there. It is no reading: who asks for it alone conflicts with nobody.
func (k *KV) Size(ctx context.Context, key string) (all, of int64, keys int, err error) {
	err = k.registry.store.View(ctx, func(tx Tx) error {
		now := kvStore{}
		if _, err := getJSON(tx, KindKVStore, k.store.key(), &now); err != nil {
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			return err
		}
		all, keys = now.Bytes, now.Keys
		rec, err := getKV(tx, now, key)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		of = int64(len(key) + len(rec.Value))
		return err
	})
	return all, of, keys, err
}

// Commit keeps changes, each of another key, in one transaction, and nothing when it returns an error:
// ErrConflict when the moment of what was read has passed, ErrKVQuota when more than quota bytes or MaxKVKeys
// keys would be kept and it is more than before, ErrKVWithdrew when the installation is another one, or no
// longer granted what the call may do. This KV is of no use afterwards.
func (k *KV) Commit(ctx context.Context, changes []KVChange, quota int64) error {
	return k.registry.store.Update(ctx, func(tx Tx) error {
		if err := k.granted(tx); err != nil {
			return err
		}
		if err := k.see(tx); err != nil {
			return err
		}
		s := k.store
		if s.ID == "" {
			s.ID = rand.Text()
		}
		for _, c := range changes {
			if err := s.change(tx, c); err != nil {
				return err
			}
		}
		if s.Bytes > max(quota, k.store.Bytes) || s.Keys > max(MaxKVKeys, k.store.Keys) {
			return ErrKVQuota
		}
		s.Changed = k.registry.now().UTC().Truncate(time.Second)
		return putJSON(tx, KindKVStore, s.key(), s, k.moment)
	})
}

// granted looks again, in the transaction that keeps: what a call wrote whose grant was taken back
// meanwhile is dropped, and what was purged does not come back.
func (k *KV) granted(tx Tx) error {
	now, err := getInstallation(tx, k.in.Space, k.in.Alias)
	if errors.Is(err, ErrNotFound) {
		return ErrKVWithdrew
	}
	if err != nil {
		return err
	}
	own := k.rights.KV
	if now.Revoked || !k.in.continues(now) || own == nil || own.ReadOnly || capabilities.Subset(k.rights, now.Grant.Rights) != nil {
		return ErrKVWithdrew
	}
	return nil
}

// continues says that now is still the installation that in was, or a newer release in its place. One that was
// removed and made again is another: whoever removed it wanted nothing of what ran then to stay.
func (in *Installation) continues(now Installation) bool {
	if in.Name != now.Name || in.Publisher != now.Publisher {
		return false
	}
	if !in.Development && !now.Development && in.Seq < now.Seq {
		return true
	}
	return in.Digest == now.Digest && in.Grant.Manifest == now.Grant.Manifest && in.Installed.Equal(now.Installed)
}

// change applies one change and counts it.
func (s *kvStore) change(tx Tx, c KVChange) error {
	if len(c.Key) == 0 || len(c.Key) > MaxKVKey || len(c.Value) > MaxKVValue {
		return fmt.Errorf("BUG: keeping a key of %d and a value of %d bytes", len(c.Key), len(c.Value))
	}
	old, err := tx.Get(KindKV, s.keyOf(c.Key))
	there := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if there {
		s.Keys--
		s.Bytes -= int64(len(c.Key) + len(old.Value))
	}
	if there == c.Delete {
		s.Shape = rand.Text()
	}
	switch {
	case !c.Delete:
		s.Keys++
		s.Bytes += int64(len(c.Key) + len(c.Value))
		_, err = tx.Put(KindKV, s.keyOf(c.Key), c.Value, old.Version)
	case there:
		err = tx.Delete(KindKV, s.keyOf(c.Key), old.Version)
	default:
		err = nil
	}
	return err
}
