package abi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// replay is a host that answers as a transcript says, each line once but a setting's, and files as a
// guard does.
type replay struct {
	*guard.Guard

	mu      sync.Mutex
	left    []exchange // guarded by mu
	known   []exchange // guarded by mu; asked for already, and answered the same again
	strange []string   // requests that no line has; guarded by mu
	waiting int        // guarded by mu; lines that are answered together and have not been asked for
	all     chan struct{}
}

func newReplay(files *guard.Guard, lines []exchange) *replay {
	r := &replay{Guard: files, left: slices.Clone(lines), all: make(chan struct{})}
	for _, e := range lines {
		if e.together {
			r.waiting++
		}
	}
	return r
}

// patience is how long requests that are answered together wait for each other.
const patience = 20 * time.Second

// ask finds the line of a request and fills in its answer.
func (r *replay) ask(ctx context.Context, kind string, asked, answer any) *effect.Error {
	e, ok := r.take(kind, asked)
	if !ok {
		return &effect.Error{Code: effect.Internal, Text: "the transcript has no such request"}
	}
	if e.together {
		select {
		case <-r.all:
		case <-time.After(patience):
			r.note(kind + ": the requests do not overlap")
		case <-ctx.Done():
		}
	}
	if e.code != "" {
		return &effect.Error{Code: codes[e.code], Text: e.why}
	}
	if answer == nil || e.answer == nil {
		return nil
	}
	if err := json.Unmarshal(e.answer, answer); err != nil {
		r.note(fmt.Sprintf("%s: %v", kind, err))
	}
	return nil
}

// codes are those of sdk/ABI.md that a transcript may name.
var codes = map[string]effect.Code{
	"denied": effect.Denied, "invalid": effect.Invalid, "not_found": effect.NotFound, "limit": effect.Limit,
	"unavailable": effect.Unavailable, "conflict": effect.Conflict,
}

func (r *replay) take(kind string, asked any) (exchange, bool) {
	raw, err := json.Marshal(asked)
	if err != nil {
		r.note(err.Error())
		return exchange{}, false
	}
	got, err := value(raw)
	if err != nil {
		r.note(err.Error())
		return exchange{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, e := range r.left {
		if e.kind != kind || !includes(got, e.asked) {
			continue
		}
		r.left = slices.Delete(r.left, i, i+1)
		if kind == "config" {
			r.known = append(r.known, e) // it may be asked for again: for its length first, then for the value
		}
		if e.together {
			if r.waiting--; r.waiting == 0 {
				close(r.all)
			}
		}
		return e, true
	}
	for _, e := range r.known {
		if e.kind == kind && includes(got, e.asked) {
			return e, true
		}
	}
	r.strange = append(r.strange, kind+" "+string(raw))
	return exchange{}, false
}

func (r *replay) note(problem string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strange = append(r.strange, problem)
}

// problems are the requests that were not wanted, and those that never came.
func (r *replay) problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Clone(r.strange)
	for _, e := range r.left {
		out = append(out, fmt.Sprintf("never asked: %s %v", e.kind, e.asked))
	}
	return out
}

func (r *replay) Config(ctx context.Context, key string) (value string, refused *effect.Error) {
	return value, r.ask(ctx, "config", key, &value)
}

// message is an HTTP request or answer as a transcript writes it.
type message struct {
	Capability string      `json:"capability,omitempty"`
	URL        string      `json:"url,omitempty"`
	Method     string      `json:"method,omitempty"`
	Path       string      `json:"path,omitempty"`
	Query      string      `json:"query,omitempty"`
	Headers    [][2]string `json:"headers,omitempty"`
	Body       string      `json:"body,omitempty"`
	Status     int         `json:"status,omitempty"`
}

// lines are headers with their names in lower case: SDKs may write them as they like.
func lines(headers []effect.Header) (out [][2]string) {
	for _, h := range headers {
		out = append(out, [2]string{strings.ToLower(h.Name), h.Value})
	}
	return out
}

func (m message) response() effect.HTTPResponse {
	out := effect.HTTPResponse{Status: m.Status, Body: []byte(m.Body)}
	for _, h := range m.Headers {
		out.Header = append(out.Header, effect.Header{Name: h[0], Value: h[1]})
	}
	return out
}

func (r *replay) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	var answer message
	refused := r.ask(ctx, "http", message{
		Capability: req.Capability, Method: req.Method, Path: req.Path, Query: req.Query, Headers: lines(req.Header), Body: string(req.Body),
	}, &answer)
	return answer.response(), refused
}

func (r *replay) FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	var answer message
	refused := r.ask(ctx, "web", message{URL: req.URL, Method: req.Method, Headers: lines(req.Header), Body: string(req.Body)}, &answer)
	return effect.WebResponse{URL: answer.URL, HTTPResponse: answer.response()}, refused
}

// kept is an operation on what a servlet keeps, or its answer, as a transcript writes it.
type kept struct {
	Op     effect.KVOp `json:"op,omitempty"`
	Key    string      `json:"key,omitempty"`
	Value  string      `json:"value,omitempty"`
	Prefix string      `json:"prefix,omitempty"`
	Cursor string      `json:"cursor,omitempty"`
	Keys   []string    `json:"keys,omitempty"`
	More   bool        `json:"more,omitempty"`
}

func (r *replay) Keep(ctx context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error) {
	var answer kept
	refused := r.ask(ctx, "kv", kept{Op: req.Op, Key: req.Key, Value: string(req.Value), Prefix: req.Prefix, Cursor: req.Cursor}, &answer)
	return effect.KVResponse{Value: []byte(answer.Value), Keys: answer.Keys, More: answer.More}, refused
}

// progress takes a report of how far the call is.
func (r *replay) progress(done, total float64, text string) {
	r.ask(context.Background(), "progress", []any{done, total, text}, nil)
}
