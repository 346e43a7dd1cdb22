package servlet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// KV is what this servlet keeps between calls: values under keys, its own for each caller or for the whole
// space, as [capabilities.kv] in servlet.toml says. It needs that section, and "kv" or "kv:ro" in the tool's
// uses.
//
// A call sees what it has set at once. Everything is kept together when the call has succeeded, and nothing
// of it when the tool returns an error or a result with IsError. When another call changes meanwhile what
// this one has read, its operations fail with [ErrConflict]: return that error. Writ then runs the call again
// from the start, unless it may have done something else as well.
var KV Store

// Store has the operations of [KV].
type Store struct{}

// Bounds of the host. How much is kept in all is the quota that was granted.
const (
	MaxKVKey   = 512     // bytes of a key, which is valid UTF-8 and not empty
	MaxKVValue = 1 << 20 // bytes of a value
)

// KVList says what [Store.List] lists.
type KVList struct {
	Prefix string // of the keys; empty: all
	Cursor string // of the page before; empty: from the start
	Values bool   // with the values
}

// KVPage is one page of a list, in the order of the bytes of the keys.
type KVPage struct {
	Entries []KVEntry
	Cursor  string // of the next page; empty: this is the last
}

// KVEntry is a key and its value, which is nil in a list without values.
type KVEntry struct {
	Key   string
	Value []byte
}

// wireKV and wireKeys are the heads of the interface.
type wireKV struct {
	Op     string `json:"op"`
	Key    string `json:"key,omitempty"`
	Prefix string `json:"prefix,omitempty"`
	Cursor string `json:"cursor,omitempty"`
	Values bool   `json:"values,omitempty"`
}

type wireKeys struct {
	Keys   []string `json:"keys"`
	Sizes  []int    `json:"sizes"`
	Cursor string   `json:"cursor"`
}

// keep does one operation and returns the parts of its answer.
func keep(ctx context.Context, head wireKV, value []byte) (keys, body []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	// JSON would have another key of what is no text.
	if !utf8.ValidString(head.Key) || !utf8.ValidString(head.Prefix) || !utf8.ValidString(head.Cursor) {
		return nil, nil, failure(-abi.Invalid, "a key is UTF-8")
	}
	raw, err := encode(head)
	if err != nil {
		return nil, nil, err
	}
	op := abi.StartKV(raw, value)
	if op <= 0 {
		return nil, nil, failure(op, "")
	}
	defer abi.Close(op)
	if err := await(ctx, op); err != nil {
		return nil, nil, err
	}
	if head.Op == "list" {
		keys = abi.Part(op, abi.PartHead)
	}
	if head.Op == "get" || head.Values {
		body = abi.Part(op, abi.PartBody)
	}
	return keys, body, nil
}

// Get returns the value of a key, and false when there is no such key.
func (Store) Get(ctx context.Context, key string) (value []byte, found bool, err error) {
	_, value, err = keep(ctx, wireKV{Op: "get", Key: key}, nil)
	switch {
	case err == nil:
		return value, true, nil
	case errors.Is(err, ErrNotFound):
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("reading %q: %w", key, err)
}

// GetJSON decodes the value of a key into v, and is false when there is no such key.
func (s Store) GetJSON(ctx context.Context, key string, v any) (found bool, err error) {
	value, found, err := s.Get(ctx, key)
	if err != nil || !found {
		return found, err
	}
	if err := json.Unmarshal(value, v); err != nil {
		return true, fmt.Errorf("reading %q: %w", key, err)
	}
	return true, nil
}

// Set keeps a value under a key, in the place of any it had. [ErrLimit] when it is too large or the quota is
// used up: then nothing has changed.
func (Store) Set(ctx context.Context, key string, value []byte) error {
	if _, _, err := keep(ctx, wireKV{Op: "set", Key: key}, value); err != nil {
		return fmt.Errorf("keeping %q: %w", key, err)
	}
	return nil
}

// SetJSON keeps v, encoded as JSON.
func (s Store) SetJSON(ctx context.Context, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keeping %q: %w", key, err)
	}
	return s.Set(ctx, key, value)
}

// Delete removes a key; one that is not there is no error.
func (Store) Delete(ctx context.Context, key string) error {
	if _, _, err := keep(ctx, wireKV{Op: "delete", Key: key}, nil); err != nil {
		return fmt.Errorf("deleting %q: %w", key, err)
	}
	return nil
}

// List returns a page of the keys: at most 1,000, and with values at most 1 MiB of them or a single key.
func (Store) List(ctx context.Context, l KVList) (KVPage, error) {
	head, body, err := keep(ctx, wireKV{Op: "list", Prefix: l.Prefix, Cursor: l.Cursor, Values: l.Values}, nil)
	if err != nil {
		return KVPage{}, fmt.Errorf("listing %q: %w", l.Prefix, err)
	}
	var keys wireKeys
	if err := json.Unmarshal(head, &keys); err != nil || l.Values && len(keys.Sizes) != len(keys.Keys) {
		return KVPage{}, failure(-abi.Internal, "the host sent an unreadable list")
	}
	page := KVPage{Cursor: keys.Cursor, Entries: make([]KVEntry, len(keys.Keys))}
	for i, key := range keys.Keys {
		page.Entries[i].Key = key
		if !l.Values {
			continue
		}
		n := keys.Sizes[i]
		if n < 0 || n > len(body) {
			return KVPage{}, failure(-abi.Internal, "the host sent an unreadable list")
		}
		page.Entries[i].Value, body = body[:n:n], body[n:]
	}
	return page, nil
}

// All yields every key that starts with prefix, with its value, in the order of the bytes of the keys. It
// ends with the first error.
func (s Store) All(ctx context.Context, prefix string) iter.Seq2[KVEntry, error] {
	return func(yield func(KVEntry, error) bool) {
		for l := (KVList{Prefix: prefix, Values: true}); ; {
			page, err := s.List(ctx, l)
			if err != nil {
				yield(KVEntry{}, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if l.Cursor = page.Cursor; l.Cursor == "" {
				return
			}
		}
	}
}
