package guard

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Keeper keeps what one servlet wants to find in its next call, for the owner of this one. All that one
// Keeper tells is of one moment.
type Keeper interface {
	// Get returns the value of a key: ErrNoKey, ErrOutdated when the moment of what was told before has
	// passed, or ErrManyRead when it is one key too many.
	Get(ctx context.Context, key string) ([]byte, error)
	// List returns entries whose keys start with prefix and come after another key, in the order of their
	// bytes: at most count of them and, with values, bytes of those, or a single one. ErrOutdated as for Get.
	List(ctx context.Context, prefix, after string, count, bytes int, values bool) (KeptPage, error)
	// Size returns how many bytes are kept in all, how many of them are a key and its value, and how many
	// keys there are, as of now.
	Size(ctx context.Context, key string) (all, of int64, keys int, err error)
	// Commit keeps changes, each of another key, all together or none: ErrOutdated when the moment of what was
	// told has passed, ErrKeepFull above quota bytes, ErrWithdrawn when the right is gone meanwhile.
	Commit(ctx context.Context, changes []KeptChange, quota int64) error
}

// KeptPage is a page of a list.
type KeptPage struct {
	Keys   []string
	Values [][]byte // nil unless they were asked for
	More   bool     // it goes on after the last key
	Passed int      // bytes of the keys and values that were read for it, at least those of the page
}

// KeptChange sets a key, or deletes it.
type KeptChange struct {
	Key    string
	Value  []byte
	Delete bool
}

// Errors of a Keeper and of Commit.
var (
	ErrNoKey     = errors.New("no such key")
	ErrOutdated  = errors.New("another call has changed what this one read")
	ErrKeepFull  = errors.New("more than what may be kept")
	ErrManyRead  = errors.New("one call reads at most 20,000 keys")
	ErrWithdrawn = errors.New("the right to keep data was taken back")
	// ErrManyEffects is a commit of a call that did more than is recorded of one.
	ErrManyEffects = errors.New("more effects than are recorded of one call")
)

// The limits of one call.
const (
	maxKept        = 10_000   // keys, and keys that a call changes
	maxKeptRead    = 64 << 20 // bytes of keys and values that a call reads, again and again too
	maxKeptPages   = 1_000    // pages of lists
	maxKeptSets    = 64 << 20 // bytes that a call sets, again and again too
	maxKeyRecorded = 256      // bytes of a key in the audit
	ruleNoKV       = "keeping data is not granted"
	ruleKVReadOnly = "changing what is kept is not granted"
	ownData        = "what it keeps" // what all reading is recorded as: a servlet reads nobody else's
)

// keeping is what a call has to do with what its servlet keeps. Writes wait here until the call succeeded.
type keeping struct {
	keeper Keeper

	mu      sync.Mutex // guards what follows
	changes map[string]*pendingChange
	grown   int64 // bytes by which the changes let grow what is kept, of when they were made
	added   int   // keys likewise
	set     int64 // bytes that were set
	read    int64 // bytes of keys and values that were read
	pages   int
	lost    bool // the Keeper's moment has passed
	ended   bool // committed, or never to be
}

// pendingChange is a write that waits.
type pendingChange struct {
	value  []byte
	delete bool
}

func (c *pendingChange) size(key string) int64 {
	if c.delete {
		return 0
	}
	return int64(len(key) + len(c.value))
}

// Keep does one operation on what the servlet keeps, under the capability kv. Changes wait for Commit; the
// call sees its own. Whose data it is was decided when the Keeper was made: a request names a key, and no
// form of a key leads out of what the servlet keeps for this owner.
func (g *Guard) Keep(ctx context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error) {
	if refusal := g.mayKeep(ctx, req); refusal != nil {
		return effect.KVResponse{}, refusal
	}
	k := &g.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lost {
		return effect.KVResponse{}, keepFailed(ErrOutdated)
	}
	var resp effect.KVResponse
	var err error
	switch req.Op {
	case effect.KVGet:
		resp.Value, err = k.get(ctx, req.Key)
	case effect.KVList:
		resp, err = k.list(ctx, req)
	default:
		err = k.change(ctx, req, int64(g.policy.Rights.KV.QuotaKB)<<10)
	}
	if err != nil {
		k.lost = errors.Is(err, ErrOutdated)
		return effect.KVResponse{}, keepFailed(err)
	}
	return resp, nil
}

// mayKeep decides and records one operation.
func (g *Guard) mayKeep(ctx context.Context, req effect.KVRequest) *effect.Error {
	right, refusal := g.policy.Rights.KV, ""
	writes := req.Op == effect.KVSet || req.Op == effect.KVDelete
	switch {
	case right == nil || g.kept.keeper == nil || right.QuotaKB <= 0:
		refusal = ruleNoKV
	case writes && right.ReadOnly:
		refusal = ruleKVReadOnly
	case !validKV(req):
		return &effect.Error{Code: effect.Invalid, Text: "a key is 1 to 512 bytes of UTF-8"}
	}
	var err error
	switch {
	case refusal != "":
		err = g.decide(ctx, capabilities.KindKV, string(req.Op), cmp.Or(req.Key, req.Prefix, ownData), refusal)
	case writes:
		err = g.decideOnce(ctx, capabilities.KindKV, string(req.Op), recordedKey(req.Key))
	default:
		err = g.decideOnce(ctx, capabilities.KindKV, "read", ownData)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnrecorded):
		return &effect.Error{Code: effect.Internal, Text: "the host could not record the request"}
	case errors.Is(err, errTooMany):
		return &effect.Error{Code: effect.Limit, Text: "too many requests in one call"}
	case refusal != "":
		return denied(refusal)
	}
	return cancelled() // the call has ended meanwhile
}

// recordedKey is what the audit says of a key that is written. Of a long one it has the beginning and a sum
// that tells it from others: a call may change as many keys as a servlet keeps, however long they are.
func recordedKey(key string) string {
	if len(key) <= maxKeyRecorded {
		if shown := capabilities.Printable(key, 6*len(key)); len(shown) <= maxKeyRecorded {
			return shown
		}
	}
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%s (%d bytes, SHA-256 %x)", capabilities.Printable(key, 48), len(key), sum[:8])
}

func validKV(req effect.KVRequest) bool {
	for _, s := range []string{req.Key, req.Prefix, req.Cursor} {
		if len(s) > effect.MaxKVKey || !utf8.ValidString(s) {
			return false
		}
	}
	switch req.Op {
	case effect.KVGet, effect.KVSet, effect.KVDelete:
		return req.Key != "" && len(req.Value) <= effect.MaxKVValue
	case effect.KVList:
		return true
	}
	return false
}

// keepFailed words an error for a guest.
func keepFailed(err error) *effect.Error {
	switch {
	case errors.Is(err, ErrNoKey):
		return &effect.Error{Code: effect.NotFound, Text: "there is no such key"}
	case errors.Is(err, ErrOutdated):
		return &effect.Error{Code: effect.Conflict, Text: "another call has changed what this one read: end this call, and nothing of it is kept"}
	case errors.Is(err, ErrKeepFull), errors.Is(err, ErrManyRead):
		return &effect.Error{Code: effect.Limit, Text: err.Error()}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return cancelled()
	}
	return &effect.Error{Code: effect.Internal, Text: "what is kept could not be read"}
}

// full is an ErrKeepFull that says of what there is too much.
type full string

func (f full) Error() string   { return string(f) }
func (full) Is(err error) bool { return err == ErrKeepFull }

func (k *keeping) get(ctx context.Context, key string) ([]byte, error) {
	if err := k.pay(len(key)); err != nil { // of a key that is not there too
		return nil, err
	}
	if c := k.changes[key]; c != nil {
		if c.delete {
			return nil, ErrNoKey
		}
		return c.value, k.pay(len(c.value))
	}
	value, err := k.keeper.Get(ctx, key)
	if err == nil {
		err = k.pay(len(value))
	}
	return value, err
}

// pay counts bytes that were read: reading the same large value all the time is work of the host's that a
// guest does not feel.
func (k *keeping) pay(n int) error {
	if k.read += int64(n); k.read > maxKeptRead {
		return full("one call reads at most 64 MiB of what is kept")
	}
	return nil
}

// list merges a page of what is kept with the writes that wait.
func (k *keeping) list(ctx context.Context, req effect.KVRequest) (effect.KVResponse, error) {
	after := req.Cursor
	for {
		if k.pages++; k.pages > maxKeptPages {
			return effect.KVResponse{}, full("one call lists at most 1,000 pages")
		}
		page, err := k.keeper.List(ctx, req.Prefix, after, effect.MaxKVListed, effect.MaxKVValues, req.Values)
		if err != nil {
			return effect.KVResponse{}, err
		}
		resp, bytes := k.merge(req, after, page)
		if err := k.pay(max(bytes, page.Passed)); err != nil {
			return effect.KVResponse{}, err
		}
		if len(resp.Keys) > 0 || !page.More {
			return resp, nil
		}
		after = page.Keys[len(page.Keys)-1] // all of that page are deleted by this call
	}
}

// merge lays the writes that wait over a page that comes after a key, and cuts what comes out to a page.
func (k *keeping) merge(req effect.KVRequest, after string, page KeptPage) (resp effect.KVResponse, bytes int) {
	values := make(map[string][]byte, len(page.Keys))
	for i, key := range page.Keys {
		values[key] = nil
		if req.Values {
			values[key] = page.Values[i]
		}
	}
	for key, c := range k.changes {
		// What comes after the page belongs to a later one.
		if !strings.HasPrefix(key, req.Prefix) || key <= after || page.More && key > page.Keys[len(page.Keys)-1] {
			continue
		}
		if c.delete {
			delete(values, key)
		} else {
			values[key] = c.value
		}
	}
	keys := slices.Sorted(maps.Keys(values))
	resp.More = page.More
	for i, key := range keys {
		size := 0
		if req.Values {
			size = len(values[key])
		}
		if i == effect.MaxKVListed || i > 0 && bytes+size > effect.MaxKVValues {
			resp.More = true
			break
		}
		bytes += size
		resp.Keys = append(resp.Keys, key)
		if req.Values {
			resp.Values = append(resp.Values, values[key])
		}
	}
	return resp, bytes
}

// change makes a write wait. Whether there is room for it is looked at now, so that the servlet can say so,
// and again when it is kept.
func (k *keeping) change(ctx context.Context, req effect.KVRequest, quota int64) error {
	if k.set += int64(len(req.Key) + len(req.Value)); k.set > maxKeptSets {
		return full("one call sets at most 64 MiB")
	}
	all, of, keys, err := k.keeper.Size(ctx, req.Key)
	if err != nil {
		return err
	}
	next := &pendingChange{delete: req.Op == effect.KVDelete}
	last, had := k.changes[req.Key], of
	if last != nil {
		had = last.size(req.Key)
	} else if len(k.changes) >= maxKept {
		return full("one call changes at most 10,000 keys")
	}
	if !next.delete {
		next.value = bytes.Clone(req.Value)
	}
	size := next.size(req.Key)
	grown, added := k.grown+size-had, k.added+countKey(size)-countKey(had)
	switch {
	case next.delete:
	case all+grown > quota && size > had:
		return full(fmt.Sprintf("this servlet may keep %d KB in all", quota>>10))
	case keys+added > maxKept && had == 0:
		return full("a servlet keeps at most 10,000 keys")
	}
	if k.changes == nil {
		k.changes = map[string]*pendingChange{}
	}
	k.changes[req.Key], k.grown, k.added = next, grown, added
	return nil
}

func countKey(size int64) int {
	if size > 0 {
		return 1
	}
	return 0
}

// Outdated says that another call has changed what this one read: whatever it answers, it was run in vain.
func (g *Guard) Outdated() bool {
	g.kept.mu.Lock()
	defer g.kept.mu.Unlock()
	return g.kept.lost
}

// Commit keeps what the call wrote. It is called once, when the call has succeeded, and never when it has
// not: ErrOutdated, ErrKeepFull, ErrManyEffects, ErrWithdrawn, or another error, and nothing is kept.
func (g *Guard) Commit(ctx context.Context) error {
	k := &g.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.lost:
		return ErrOutdated
	case k.ended || len(k.changes) == 0:
		return nil
	}
	k.ended = true
	right, refusal := g.policy.Rights.KV, ""
	if right == nil || right.ReadOnly || k.keeper == nil {
		refusal = ruleNoKV
	}
	if err := g.decide(ctx, capabilities.KindKV, "commit", fmt.Sprintf("%d keys", len(k.changes)), refusal); err != nil {
		if errors.Is(err, errTooMany) {
			return ErrManyEffects
		}
		return fmt.Errorf("keeping what a call wrote: %w", err)
	}
	changes := make([]KeptChange, 0, len(k.changes))
	for _, key := range slices.Sorted(maps.Keys(k.changes)) {
		c := k.changes[key]
		changes = append(changes, KeptChange{Key: key, Value: c.value, Delete: c.delete})
	}
	err := k.keeper.Commit(ctx, changes, int64(right.QuotaKB)<<10)
	k.lost = errors.Is(err, ErrOutdated)
	return err
}
