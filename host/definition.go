package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// define is a signed tool object with the prefixed name and honest hints; everything else is what the
// publisher signed, byte for byte and in its order. rights are those of a call; nil: unknown, and the
// signed hints stand.
func define(raw json.RawMessage, name string, rights *capabilities.Rights) (json.RawMessage, error) {
	quoted, err := strictjson.Encode(name)
	if err != nil {
		return nil, err
	}
	out, err := setMember(raw, "name", quoted)
	if err != nil || rights == nil {
		return out, err
	}
	hints := proven(*rights)
	if len(hints) == 0 {
		return out, nil
	}
	annotations, err := member(raw, "annotations")
	if err != nil {
		return nil, err
	}
	if annotations == nil {
		annotations = json.RawMessage(`{}`)
	}
	for _, h := range hints {
		if annotations, err = setMember(annotations, h.name, []byte(h.value)); err != nil {
			return nil, err
		}
	}
	return setMember(out, "annotations", annotations)
}

type hint struct{ name, value string }

// proven are the hints that the rights of a call prove: what cannot write cannot destroy, and what
// has no network reaches nothing. Where rights prove nothing the signed hint stands, which signing
// checked against the rights that were asked for; nothing here makes a tool look safer than it is.
func proven(r capabilities.Rights) []hint {
	var hints []hint
	if !writes(r) {
		hints = append(hints, hint{"readOnlyHint", "true"}, hint{"destructiveHint", "false"})
	}
	if len(r.HTTP) == 0 && r.Web == nil {
		hints = append(hints, hint{"openWorldHint", "false"})
	}
	return hints
}

// writes says that rights allow a change outside the call.
func writes(r capabilities.Rights) bool {
	sends := func(methods []string) bool {
		return slices.ContainsFunc(methods, func(m string) bool { return m != "GET" && m != "HEAD" })
	}
	for _, h := range r.HTTP {
		if sends(h.Methods) {
			return true
		}
	}
	for _, f := range r.FS {
		if f.Mode != capabilities.ModeNone && f.Mode != capabilities.ModeRead {
			return true
		}
	}
	return r.Web != nil && sends(r.Web.Methods) || r.KV != nil && !r.KV.ReadOnly
}

var errMembers = errors.New("tool object cannot be read")

// members calls each for every member of a JSON object, with the offsets of its value. It returns the
// offset of the closing brace.
func members(object json.RawMessage, each func(name string, from, to int)) (end int, err error) {
	dec := json.NewDecoder(bytes.NewReader(object))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return 0, errMembers
	}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok {
			return 0, errMembers
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0, errMembers
		}
		to := int(dec.InputOffset())
		each(name, to-len(value), to)
	}
	if _, err := dec.Token(); err != nil {
		return 0, errMembers
	}
	return int(dec.InputOffset()) - 1, nil
}

func member(object json.RawMessage, name string) (json.RawMessage, error) {
	var found json.RawMessage
	_, err := members(object, func(n string, from, to int) {
		if n == name {
			found = object[from:to]
		}
	})
	return found, err
}

// setMember replaces the value of a member where it stands, or adds it at the end.
func setMember(object json.RawMessage, name string, value []byte) (json.RawMessage, error) {
	var out json.RawMessage
	empty := true
	end, err := members(object, func(n string, from, to int) {
		empty = false
		if n == name {
			out = slices.Concat(object[:from], value, object[to:])
		}
	})
	if err != nil {
		return nil, err
	}
	if out != nil {
		return out, nil
	}
	quoted, err := strictjson.Encode(name)
	if err != nil {
		return nil, err
	}
	comma := ","
	if empty {
		comma = ""
	}
	return slices.Concat(object[:end], []byte(comma), quoted, []byte(":"), value, object[end:]), nil
}
