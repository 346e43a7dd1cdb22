package host

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/registry"
)

// Events of a call in the audit: what was asked before anything happens, each effect before it
// happens, and how it ended. A call without its third line was ended together with the process: what
// its last effect came to is unknown.
const (
	eventCall   = "call"
	eventEffect = "effect"
	eventAnswer = "answer"
)

// recorder writes what one call does into the audit, under the call's id.
type recorder struct {
	store store
	by    capabilities.Caller
	alias string
	call  string
	keeps bool          // what it records
	seen  []guard.Event // what was kept
	bytes int           // of the decisions that were recorded, about
}

var _ guard.Recorder = (*recorder)(nil)

// eventBytes is about what a decision takes in the audit beside its texts.
const eventBytes = 128

// Record keeps one decision of the guard. What reaches anything outside is on disk before it happens,
// so that after a crash the audit never knows less than the world; reads are batched, as their loss
// costs a line and no truth about the world.
func (r *recorder) Record(ctx context.Context, e guard.Event) error {
	if r.keeps {
		r.seen = append(r.seen, e)
	}
	r.bytes += eventBytes + len(e.Target) + len(e.Reason)
	return r.write(ctx, eventEffect, e, e.Decision == "allow" && changesSomething(e))
}

// harmless are the actions after which the world is as it was before, and nobody else knows more. No
// HTTP exchange is one, whatever its method: a GET's path and query are how data leaves.
var harmless = map[capabilities.Kind][]string{
	capabilities.KindFS:     {"open", "list", "stat", "readlink", "read"},
	capabilities.KindConfig: {"get"},
	capabilities.KindKV:     {"read", "set", "delete"}, // a write is none before its commit
}

func changesSomething(e guard.Event) bool {
	return !slices.Contains(harmless[capabilities.Kind(e.Kind)], e.Action)
}

func (r *recorder) write(ctx context.Context, event string, detail any, durable bool) error {
	raw, err := encoded(detail)
	if err != nil {
		return fmt.Errorf("recording %s: %w", event, err)
	}
	return r.store.Record(ctx, registry.Entry{
		Event: event, Principal: r.by.Principal, Space: r.by.Space, Alias: r.alias, Call: r.call,
		Detail: json.RawMessage(raw),
	}, durable)
}

// plain is a detail of every call. It writes itself as Encode would.
type plain interface{ write(*strictjson.Object) }

func encoded(detail any) ([]byte, error) {
	if d, ok := detail.(plain); ok {
		o := strictjson.NewObject(make([]byte, 0, 256))
		d.write(o)
		if raw, ok := o.Bytes(); ok {
			return raw, nil
		}
	}
	return strictjson.Encode(detail)
}

// intent is the detail of eventCall. Arguments may hold what no audit should: only their size is kept.
type intent struct {
	Tool      string `json:"tool"`
	Servlet   string `json:"servlet,omitempty"` // name and version
	Manifest  string `json:"manifest,omitempty"`
	Arguments int    `json:"arguments_bytes"`
	Trace     string `json:"trace,omitempty"`  // id of the caller's trace, as it says
	Parent    string `json:"parent,omitempty"` // id of the caller's part of it
}

// ending is the detail of eventAnswer.
type ending struct {
	Status     Status `json:"status"`
	Limit      Limit  `json:"limit,omitempty"`  // that was reached
	Reason     string `json:"reason,omitempty"` // kind of fault, or what was refused; written by the host
	WallMS     int64  `json:"wall_ms"`
	Fuel       uint64 `json:"fuel,omitempty"`
	Allowed    int    `json:"allowed"`
	Denied     int    `json:"denied"`
	Result     int    `json:"result_bytes"`
	Cleaned    int    `json:"cleaned,omitempty"`    // characters dropped from the result
	LogDropped int    `json:"log_dropped,omitzero"` // bytes of log lines above their limit
}

func (i intent) write(o *strictjson.Object) {
	o.Text("tool", i.Tool)
	textUnlessEmpty(o, "servlet", i.Servlet)
	textUnlessEmpty(o, "manifest", i.Manifest)
	o.Int("arguments_bytes", int64(i.Arguments))
	textUnlessEmpty(o, "trace", i.Trace)
	textUnlessEmpty(o, "parent", i.Parent)
}

func (e ending) write(o *strictjson.Object) {
	o.Text("status", string(e.Status))
	textUnlessEmpty(o, "limit", string(e.Limit))
	textUnlessEmpty(o, "reason", e.Reason)
	o.Int("wall_ms", e.WallMS)
	o.Uint("fuel", e.Fuel)
	o.Int("allowed", int64(e.Allowed))
	o.Int("denied", int64(e.Denied))
	o.Int("result_bytes", int64(e.Result))
	o.Int("cleaned", int64(e.Cleaned))
	if e.LogDropped != 0 {
		o.Int("log_dropped", int64(e.LogDropped))
	}
}

func textUnlessEmpty(o *strictjson.Object, name, text string) {
	if text != "" {
		o.Text(name, text)
	}
}
