package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Request is one tool call.
type Request struct {
	Tool      string          // <alias>_<tool>
	Arguments json.RawMessage // nil is {}
	// Progress is told how far the call is, by one goroutine, and never after CallTool; nil: dropped.
	// The servlet does not wait for it: one that takes its time is told the latest state alone. The
	// text is the servlet's, cleaned as results are.
	Progress func(done, total float64, text string)
	// Take is called with the size, in bytes, of a large result while the call still counts as running,
	// and waits until whoever asked has room for it, or ctx ended; nil: there is always room.
	Take func(ctx context.Context, bytes int)
}

// Status sorts answers for exit codes and metrics.
type Status string

// The ways in which a call is answered.
const (
	StatusOK     Status = "ok"
	StatusTool   Status = "tool error" // the servlet or its arguments: isError
	StatusDenied Status = "denied"     // not granted, revoked, not ready
	StatusHost   Status = "host failure"
)

// Answer is the answer to a call, whatever happened.
type Answer struct {
	Status  Status
	Limit   Limit           // at which the call ended; empty: at none
	Result  json.RawMessage // MCP CallToolResult, always present
	Call    string          // id, in the audit
	Logs    []effect.LogLine
	Wall    time.Duration
	Fuel    uint64
	Allowed int // effects
	Denied  int
}

// newCallID makes an id that a person can type from an error text into a search.
func newCallID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// failure is a CallToolResult of one text that the host wrote, or cleaned, with the limit that was
// reached, if it was one, and when to try again, if that is known.
func failure(text string, limit Limit, retry time.Duration) json.RawMessage {
	type block struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	type meta struct {
		Limit Limit `json:"run.writ/limit"`
		Retry int64 `json:"run.writ/retry_after_ms,omitzero"`
	}
	var about *meta
	if limit != "" {
		about = &meta{limit, (retry + time.Millisecond - 1).Milliseconds()}
	}
	raw, err := strictjson.Encode(struct {
		Content []block `json:"content"`
		IsError bool    `json:"isError"`
		Meta    *meta   `json:"_meta,omitempty"`
	}{[]block{{"text", text}}, true, about})
	if err != nil { // text is not valid UTF-8: a mistake of the caller of this function
		return json.RawMessage(`{"content":[{"type":"text","text":"The call failed."}],"isError":true}`)
	}
	return raw
}
