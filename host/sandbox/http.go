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

// pageHead is the head of web_start.
type pageHead struct {
	URL     string     `json:"url"`
	Method  string     `json:"method"`
	Headers [][]string `json:"headers"`
}

// responseHead is the head of their answers.
type responseHead struct {
	URL     string      `json:"url,omitempty"` // of a page: where redirects led to
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
}

// httpStart is http_start(head_ptr, head_len, body_ptr, body_len) -> i32.
func (r *run) httpStart(a args) int32 {
	return r.startExchange(a, func(head, body []byte) (func(context.Context) result, effect.Code) {
		req, code := decodeRequest(head)
		req.Body = body
		return func(ctx context.Context) result { return fetch(ctx, r.host, req) }, code
	})
}

// webStart is web_start(head_ptr, head_len, body_ptr, body_len) -> i32.
func (r *run) webStart(a args) int32 {
	return r.startExchange(a, func(head, body []byte) (func(context.Context) result, effect.Code) {
		req, code := decodePageRequest(head)
		req.Body = body
		return func(ctx context.Context) result { return fetchPage(ctx, r.host, req) }, code
	})
}

// startExchange starts what decode makes of a head and a body.
func (r *run) startExchange(a args, decode func(head, body []byte) (do func(context.Context) result, code effect.Code)) int32 {
	head, body := r.view(a.u32(0), a.u32(1)), r.view(a.u32(2), a.u32(3))
	switch {
	case r.refusing:
		return failed(effect.Denied)
	case len(head) > maxHead, len(body) > maxBody:
		return failed(effect.Limit)
	}
	do, code := decode(head, bytes.Clone(body)) // the guest runs on while the request is sent
	if code != effect.OK {
		return failed(code)
	}
	return r.start(int64(len(head)+len(body)), do)
}

// decodeRequest reads a head. It knows the form only; what may be asked is the guard's decision.
func decodeRequest(head []byte) (effect.HTTPRequest, effect.Code) {
	var h requestHead
	if err := strictjson.Decode(head, &h); err != nil {
		return effect.HTTPRequest{}, effect.Invalid
	}
	header, code := decodeHeaders(h.Headers)
	return effect.HTTPRequest{Capability: h.Capability, Method: h.Method, Path: h.Path, Query: h.Query, Header: header}, code
}

// decodePageRequest is decodeRequest for a page.
func decodePageRequest(head []byte) (effect.WebRequest, effect.Code) {
	var h pageHead
	if err := strictjson.Decode(head, &h); err != nil {
		return effect.WebRequest{}, effect.Invalid
	}
	header, code := decodeHeaders(h.Headers)
	return effect.WebRequest{Method: h.Method, URL: h.URL, Header: header}, code
}

func decodeHeaders(lines [][]string) (fields []effect.Header, code effect.Code) {
	if len(lines) > effect.MaxHeaders {
		return nil, effect.Limit
	}
	for _, line := range lines {
		if len(line) != 2 {
			return nil, effect.Invalid
		}
		fields = append(fields, effect.Header{Name: line[0], Value: line[1]})
	}
	return fields, effect.OK
}

func fetch(ctx context.Context, host Host, req effect.HTTPRequest) result {
	resp, ferr := host.Fetch(ctx, req)
	if ferr != nil {
		return result{err: known(ferr)}
	}
	return answered("", resp)
}

func fetchPage(ctx context.Context, host Host, req effect.WebRequest) result {
	resp, ferr := host.FetchPage(ctx, req)
	if ferr != nil {
		return result{err: known(ferr)}
	}
	return answered(validText([]byte(resp.URL), maxHead), resp.HTTPResponse)
}

// answered encodes an answer.
func answered(url string, resp effect.HTTPResponse) result {
	h := responseHead{URL: url, Status: resp.Status, Headers: make([][2]string, 0, len(resp.Header))}
	for _, line := range resp.Header {
		h.Headers = append(h.Headers, [2]string{validText([]byte(line.Name), maxHead), validText([]byte(line.Value), maxHead)})
	}
	head, err := strictjson.Encode(h)
	if err != nil {
		return result{err: &effect.Error{Code: effect.Internal, Text: "the answer's head could not be encoded"}}
	}
	return result{head: head, body: resp.Body}
}
