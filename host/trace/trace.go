// Package trace reads and writes W3C trace contexts, by which systems that a request passes through name
// it to one another.
//
// What a caller sends is checked and never believed: it names the call in logs and in the audit and decides
// nothing. Source: W3C Trace Context, levels 1 and 2; MCP 2026-07-28, basic, "_meta", for the member names.
package trace

import (
	"context"
	"strings"
)

// Names of the two fields, in HTTP headers and in _meta.
const (
	ParentField = "traceparent"
	StateField  = "tracestate"
)

// maxState bounds a tracestate, in bytes and in members, as the standard does.
const (
	maxState        = 512
	maxStateMembers = 32
)

// Context is a trace context that was checked. The zero Context is none.
type Context struct {
	Trace  string // 32 hexadecimal digits
	Parent string // 16 hexadecimal digits: the caller's own part of the trace
	Flags  string // 2 hexadecimal digits
	State  string // tracestate; empty: none
}

// Parse reads the two fields. It is false when parent is not valid, and then there is no context: a broken
// one is dropped, and a call is not refused for it. A broken state is dropped alone.
func Parse(parent, state string) (Context, bool) {
	// A later version may have more behind the flags, of which nothing is known.
	known := len(parent) == 55 || len(parent) > 55 && parent[55] == '-'
	if !known || parent[2] != '-' || parent[35] != '-' || parent[52] != '-' {
		return Context{}, false
	}
	version := parent[:2]
	c := Context{Trace: parent[3:35], Parent: parent[36:52], Flags: parent[53:55]}
	switch {
	case !hex(version), !hex(c.Trace), !hex(c.Parent), !hex(c.Flags):
	case version == "ff", version == "00" && len(parent) != 55:
	case strings.Trim(c.Trace, "0") == "", strings.Trim(c.Parent, "0") == "":
	default:
		if validState(state) {
			c.State = state
		}
		return c, true
	}
	return Context{}, false
}

// hex accepts lower-case digits alone, as the standard does.
func hex(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// validState accepts what may be passed on: printable ASCII, so that it cannot begin a header of its own,
// in members of the form key=value with each key once.
func validState(state string) bool {
	if len(state) > maxState {
		return false
	}
	seen := map[string]bool{}
	for member := range strings.SplitSeq(state, ",") {
		member = strings.Trim(member, " \t")
		if member == "" {
			continue
		}
		key, value, ok := strings.Cut(member, "=")
		if !ok || seen[key] || len(seen) == maxStateMembers || !stateKey(key) || value == "" || len(value) > 256 {
			return false
		}
		for _, c := range []byte(value) {
			if c < 0x20 || c > 0x7e || c == ',' || c == '=' {
				return false
			}
		}
		seen[key] = true
	}
	return true
}

func stateKey(key string) bool {
	for _, c := range []byte(key) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("_-*/@", rune(c)) {
			return false
		}
	}
	return key != "" && len(key) <= 256
}

// Child is the traceparent of a request that is made for the context, by a span of 16 hexadecimal digits.
func (c Context) Child(span string) string { return "00-" + c.Trace + "-" + span + "-" + c.Flags }

type contextKey struct{}

// With returns a context.Context that carries c.
func With(ctx context.Context, c Context) context.Context {
	return context.WithValue(ctx, contextKey{}, c)
}

// From returns what With was given, or the zero Context.
func From(ctx context.Context) Context {
	c, _ := ctx.Value(contextKey{}).(Context)
	return c
}
