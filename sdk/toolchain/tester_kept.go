package toolchain

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities/guard"
)

// keptHere is what a servlet keeps between the calls of one file, in memory. The calls are made one after
// another, so that nothing changes while one of them runs. The zero value keeps nothing yet.
type keptHere struct {
	mu     sync.Mutex // guards values
	values map[string][]byte
}

var _ guard.Keeper = (*keptHere)(nil)

func (k *keptHere) set(key string, value []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.values == nil {
		k.values = map[string][]byte{}
	}
	k.values[key] = value
}

// Get implements guard.Keeper.
func (k *keptHere) Get(_ context.Context, key string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	value, ok := k.values[key]
	if !ok {
		return nil, guard.ErrNoKey
	}
	return bytes.Clone(value), nil
}

// List implements guard.Keeper.
func (k *keptHere) List(_ context.Context, prefix, after string, count, size int, values bool) (page guard.KeptPage, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(k.values)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		value := k.values[key]
		if len(page.Keys) == count || values && len(page.Keys) > 0 && len(value) > size {
			page.More = true
			break
		}
		size -= len(value)
		page.Keys = append(page.Keys, key)
		page.Passed += len(key) + len(value)
		if values {
			page.Values = append(page.Values, bytes.Clone(value))
		}
	}
	return page, nil
}

// Size implements guard.Keeper.
func (k *keptHere) Size(_ context.Context, key string) (all, of int64, keys int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, value := range k.values {
		all += int64(len(name) + len(value))
		if name == key {
			of = int64(len(name) + len(value))
		}
	}
	return all, of, len(k.values), nil
}

// Commit implements guard.Keeper.
func (k *keptHere) Commit(_ context.Context, changes []guard.KeptChange, quota int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := maps.Clone(k.values)
	if next == nil {
		next = map[string][]byte{}
	}
	for _, c := range changes {
		if c.Delete {
			delete(next, c.Key)
			continue
		}
		next[c.Key] = bytes.Clone(c.Value)
	}
	size := int64(0)
	for name, value := range next {
		size += int64(len(name) + len(value))
	}
	if size > quota {
		return guard.ErrKeepFull
	}
	k.values = next
	return nil
}
