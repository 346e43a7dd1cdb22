package servlettest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// Bounds of Writ that a double keeps too.
const (
	defaultKVQuota = 256 << 10
	maxKVPage      = 1000    // keys
	maxKVValues    = 1 << 20 // bytes of a page's values
)

// commit keeps what the call wrote.
func (d *double) commit() {
	if d.host.KV == nil {
		return
	}
	clear(d.host.KV)
	maps.Copy(d.host.KV, d.kept)
}

// Keep answers as Writ does. Nobody else writes here, so nothing conflicts.
func (d *double) Keep(_ context.Context, rawHead, body []byte) ([]byte, []byte, int32, string) {
	var head struct {
		Op, Key, Prefix, Cursor string
		Values                  bool
	}
	if err := json.Unmarshal(rawHead, &head); err != nil {
		return nil, nil, -abi.Invalid, "the request's head is malformed"
	}
	for _, s := range []string{head.Key, head.Prefix, head.Cursor} {
		if len(s) > servlet.MaxKVKey || !utf8.ValidString(s) {
			return nil, nil, -abi.Invalid, "a key is 1 to 512 bytes of UTF-8"
		}
	}
	switch {
	case (head.Key == "") != (head.Op == "list"):
		return nil, nil, -abi.Invalid, "a key is 1 to 512 bytes of UTF-8"
	case d.host.KV == nil:
		return nil, nil, -abi.Denied, "keeping data is not granted"
	}
	switch head.Op {
	case "get":
		value, ok := d.kept[head.Key]
		if !ok {
			return nil, nil, -abi.NotFound, "there is no such key"
		}
		return nil, bytes.Clone(value), 0, ""
	case "set":
		return d.set(head.Key, body)
	case "delete":
		delete(d.kept, head.Key)
		return nil, nil, 0, ""
	case "list":
		return d.list(head.Prefix, head.Cursor, head.Values)
	}
	return nil, nil, -abi.Invalid, "the request's head is malformed"
}

func (d *double) set(key string, value []byte) ([]byte, []byte, int32, string) {
	quota := cmp.Or(d.host.KVQuota, defaultKVQuota)
	all := len(key) + len(value)
	for k, v := range d.kept {
		if k != key {
			all += len(k) + len(v)
		}
	}
	switch {
	case len(value) > servlet.MaxKVValue:
		return nil, nil, -abi.Limit, "a value has at most 1,048,576 bytes"
	case all > quota && all > len(key)+len(d.kept[key]):
		return nil, nil, -abi.Limit, "this servlet may not keep so much"
	}
	d.kept[key] = bytes.Clone(value)
	return nil, nil, 0, ""
}

func (d *double) list(prefix, cursor string, values bool) ([]byte, []byte, int32, string) {
	head := struct {
		Keys   []string `json:"keys"`
		Sizes  []int    `json:"sizes,omitempty"`
		Cursor string   `json:"cursor,omitempty"`
	}{Keys: []string{}}
	var body []byte
	for _, key := range slices.Sorted(maps.Keys(d.kept)) {
		if !strings.HasPrefix(key, prefix) || key <= cursor {
			continue
		}
		n := len(head.Keys)
		if n == maxKVPage || values && n > 0 && len(body)+len(d.kept[key]) > maxKVValues {
			head.Cursor = head.Keys[n-1]
			break
		}
		head.Keys = append(head.Keys, key)
		if values {
			head.Sizes = append(head.Sizes, len(d.kept[key]))
			body = append(body, d.kept[key]...)
		}
	}
	raw, err := json.Marshal(head)
	if err != nil {
		return nil, nil, -abi.Internal, err.Error()
	}
	return raw, body, 0, ""
}
