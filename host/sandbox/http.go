package sandbox

import (
	"bytes"
	"context"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Bounds of one request (sdk/ABI.md, "Limits").
const (
	maxHead = 64 << 10
	maxBody = 8 << 20
)

// requestHead is the head of http_start.
type requestHead struct {
	Capability string     `json:"capability"`
	Method     string     `json:"method"`
	Path       string     `json:"path"`
	Query      string     `json:"query"`
	Headers    [][]string `json:"headers"`
}

// responseHead is the head of its answer.
type responseHead struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
}

// httpStart is http_start(head_ptr, head_len, body_ptr, body_len) -> i32.
func (r *run) httpStart(a args) int32 {
	head, body := r.view(a.u32(0), a.u32(1)), r.view(a.u32(2), a.u32(3))
	switch {
	case r.refusing:
		return failed(effect.Denied)
	case len(head) > maxHead, len(body) > maxBody:
		return failed(effect.Limit)
	}
	req, code := decodeRequest(head)
	if code != effect.OK {
		return failed(code)
	}
	req.Body = bytes.Clone(body) // the guest runs on while the request is sent
	return r.start(int64(len(head)+len(body)), func(ctx context.Context) result {
		return fetch(ctx, r.host, req)
	})
}

// decodeRequest reads a head. It knows the form only; what may be asked is the guard's decision.
func decodeRequest(head []byte) (effect.HTTPRequest, effect.Code) {
	var h requestHead
	if err := strictjson.Decode(head, &h); err != nil {
		return effect.HTTPRequest{}, effect.Invalid
	}
	if len(h.Headers) > effect.MaxHeaders {
		return effect.HTTPRequest{}, effect.Limit
	}
	req := effect.HTTPRequest{Capability: h.Capability, Method: h.Method, Path: h.Path, Query: h.Query}
	for _, line := range h.Headers {
		if len(line) != 2 {
			return effect.HTTPRequest{}, effect.Invalid
		}
		req.Header = append(req.Header, effect.Header{Name: line[0], Value: line[1]})
	}
	return req, effect.OK
}

func fetch(ctx context.Context, host Host, req effect.HTTPRequest) result {
	resp, ferr := host.Fetch(ctx, req)
	if ferr != nil {
		return result{err: known(ferr)}
	}
	h := responseHead{Status: resp.Status, Headers: make([][2]string, 0, len(resp.Header))}
	for _, line := range resp.Header {
		h.Headers = append(h.Headers, [2]string{validText([]byte(line.Name), maxHead), validText([]byte(line.Value), maxHead)})
	}
	head, err := strictjson.Encode(h)
	if err != nil {
		return result{err: &effect.Error{Code: effect.Internal, Text: "the answer's head could not be encoded"}}
	}
	return result{head: head, body: resp.Body}
}
