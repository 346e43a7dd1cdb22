package sandbox

import (
	"bytes"
	"context"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// kvHead is the head of kv_start. A member that is not there is told from one that is empty.
type kvHead struct {
	Op     string  `json:"op"`
	Key    *string `json:"key"`
	Prefix *string `json:"prefix"`
	Cursor *string `json:"cursor"`
	Values *bool   `json:"values"`
}

// keptKeys is the head of the answer to a list.
type keptKeys struct {
	Keys   []string `json:"keys"`
	Sizes  []int    `json:"sizes,omitzero"`
	Cursor string   `json:"cursor,omitempty"`
}

// kvStart is kv_start(head_ptr, head_len, body_ptr, body_len) -> i32. It is done when it returns: what a
// call reads after it wrote depends on the order, and the host's disk is near.
func (r *run) kvStart(a args) int32 {
	head, body := r.view(a.u32(0), a.u32(1)), r.view(a.u32(2), a.u32(3))
	switch {
	case r.refusing:
		return failed(effect.Denied)
	case len(head) > maxHead:
		return failed(effect.Limit)
	}
	req, code := decodeKeep(head, body)
	if code != effect.OK {
		return failed(code)
	}
	return r.startAtOnce(int64(len(head)), func(ctx context.Context) result {
		if len(req.Value) > effect.MaxKVValue {
			return result{err: &effect.Error{Code: effect.Limit, Text: "a value has at most 1,048,576 bytes"}}
		}
		return keep(ctx, r.host, req)
	})
}

// decodeKeep reads a head. It knows the form only; what may be done is the guard's decision.
func decodeKeep(head, body []byte) (effect.KVRequest, effect.Code) {
	var h kvHead
	if err := strictjson.Decode(head, &h); err != nil {
		return effect.KVRequest{}, effect.Invalid
	}
	req := effect.KVRequest{Op: effect.KVOp(h.Op), Key: text(h.Key), Prefix: text(h.Prefix), Cursor: text(h.Cursor), Value: body}
	for _, s := range []string{req.Key, req.Prefix, req.Cursor} {
		if len(s) > effect.MaxKVKey || !utf8.ValidString(s) {
			return effect.KVRequest{}, effect.Invalid
		}
	}
	listing := h.Prefix != nil || h.Cursor != nil || h.Values != nil
	switch req.Op {
	case effect.KVGet, effect.KVDelete, effect.KVSet:
		if req.Key == "" || listing || len(body) > 0 && req.Op != effect.KVSet {
			return effect.KVRequest{}, effect.Invalid
		}
	case effect.KVList:
		if h.Key != nil || len(body) > 0 {
			return effect.KVRequest{}, effect.Invalid
		}
		req.Values = h.Values != nil && *h.Values
	default:
		return effect.KVRequest{}, effect.Invalid
	}
	return req, effect.OK
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func keep(ctx context.Context, host Host, req effect.KVRequest) result {
	resp, ferr := host.Keep(ctx, req)
	switch {
	case ferr != nil:
		return result{err: known(ferr)}
	case req.Op == effect.KVGet:
		return result{body: resp.Value}
	case req.Op != effect.KVList:
		return result{}
	}
	h := keptKeys{Keys: resp.Keys}
	if h.Keys == nil {
		h.Keys = []string{}
	}
	if resp.More && len(resp.Keys) > 0 {
		h.Cursor = resp.Keys[len(resp.Keys)-1]
	}
	var body []byte
	if req.Values {
		h.Sizes = []int{}
		for _, v := range resp.Values {
			h.Sizes = append(h.Sizes, len(v))
		}
		body = bytes.Join(resp.Values, nil)
	}
	head, err := strictjson.Encode(h)
	if err != nil {
		return result{err: &effect.Error{Code: effect.Internal, Text: "the answer's head could not be encoded"}}
	}
	return result{head: head, body: body}
}
