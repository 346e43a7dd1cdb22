package servlet

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// Request is one HTTP exchange with a granted site. There is no URL: the site belongs to the capability,
// and the operator may have chosen it.
type Request struct {
	Capability string // id of an http capability of servlet.toml
	Method     string // empty: GET
	Path       string // percent-encoded, with a leading slash; url.PathEscape each variable part
	Query      string // encoded, without "?"; url.Values has an Encode method
	Header     Header
	Body       []byte
}

// Response is what came back. A status of 400 or above is a response, not an error.
type Response struct {
	Status int
	Header Header
	Body   []byte // decompressed
}

// OK tells whether the status is 2xx.
func (r Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// JSON decodes the body into v.
func (r Response) JSON(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	return nil
}

// Header holds HTTP header fields.
type Header map[string][]string

// Get returns the first value of a field, whatever the case of its name, or "".
func (h Header) Get(name string) string {
	for key, values := range h {
		if strings.EqualFold(key, name) && len(values) > 0 {
			return values[0]
		}
	}
	return ""
}

// wireRequest and wireResponse are the heads of the interface.
type wireRequest struct {
	Capability string      `json:"capability"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Query      string      `json:"query,omitempty"`
	Headers    [][2]string `json:"headers,omitempty"`
}

type wireResponse struct {
	URL     string      `json:"url"` // of a page
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
}

// Fetch does one exchange and waits for the whole answer. Run several in goroutines and they overlap.
// Its errors match ErrDenied, ErrLimit, ErrUnavailable and the others of this package, or ctx's error.
func Fetch(ctx context.Context, r Request) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	head := wireRequest{Capability: r.Capability, Method: r.Method, Path: r.Path, Query: r.Query, Headers: r.Header.lines()}
	if head.Method == "" {
		head.Method = "GET"
	}
	raw, err := encode(head)
	if err != nil {
		return Response{}, err
	}
	_, out, err := answer(ctx, abi.StartHTTP(raw, r.Body))
	if err != nil {
		return Response{}, fmt.Errorf("%s %s of %q: %w", head.Method, r.Path, r.Capability, err)
	}
	return out, nil
}

// lines are the fields as the interface has them, in a stable order.
func (h Header) lines() (lines [][2]string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			lines = append(lines, [2]string{name, value})
		}
	}
	return lines
}

// answer waits for a started operation and reads it; op is a negated code when it did not start.
func answer(ctx context.Context, op int32) (url string, out Response, err error) {
	if op <= 0 {
		return "", Response{}, failure(op, "")
	}
	defer abi.Close(op)
	if err := await(ctx, op); err != nil {
		return "", Response{}, err
	}
	var head wireResponse
	if err := json.Unmarshal(abi.Part(op, abi.PartHead), &head); err != nil {
		return "", Response{}, failure(-abi.Internal, "the host sent an unreadable response head")
	}
	out = Response{Status: head.Status, Header: Header{}, Body: abi.Part(op, abi.PartBody)}
	for _, field := range head.Headers {
		out.Header[field[0]] = append(out.Header[field[0]], field[1])
	}
	return head.URL, out, nil
}

// pending are the operations that goroutines of this call wait for.
var pending struct {
	mu    sync.Mutex // guards what is below; never held while waiting
	ids   []int32
	pause int64 // milliseconds of the next wait
}

// longestPause bounds how late a timer or another goroutine can be, in milliseconds.
const longestPause = 16

// await lets the goroutine wait for op. A guest has one thread, so a wait stops all goroutines: each
// waiter first lets the others run until they wait too, and then waits for the operations of all, a
// little longer each time nothing happened. Whoever's operation it was finds it finished in its turn.
func await(ctx context.Context, op int32) error {
	pending.mu.Lock()
	pending.ids = append(pending.ids, op)
	pending.pause = 1
	pending.mu.Unlock()
	defer forget(op)
	for {
		runtime.Gosched()
		if status := abi.Status(op); status != abi.Running {
			if status < 0 {
				return failure(status, string(abi.Part(op, abi.PartError)))
			}
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		ids, pause := nextWait()
		if done := abi.Wait(ids, pause); done > 0 {
			forget(done)
		}
	}
}

func nextWait() ([]int32, int64) {
	pending.mu.Lock()
	defer pending.mu.Unlock()
	pause := pending.pause
	pending.pause = min(pause*2, longestPause)
	return slices.Clone(pending.ids), pause
}

// forget takes op out of what is waited for, and makes the next wait short.
func forget(op int32) {
	pending.mu.Lock()
	defer pending.mu.Unlock()
	pending.ids = slices.DeleteFunc(pending.ids, func(id int32) bool { return id == op })
	pending.pause = 1
}
