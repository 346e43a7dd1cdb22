package extism

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// members are an object as it was written, by name.
type members map[string]json.RawMessage

// object reads an object; nil: raw is none.
func object(raw []byte) (m members) {
	if strictjson.Decode(raw, &m) != nil {
		return nil
	}
	return m
}

// withoutNulls drops what is null, as some kits write what is missing. It tells whether there was any.
func (m members) withoutNulls() (changed bool) {
	for name, value := range m {
		if isNull(value) {
			delete(m, name)
			changed = true
		}
	}
	return changed
}

// encode writes m, or returns raw when nothing was changed.
func (m members) encode(changed bool, raw []byte) []byte {
	if !changed {
		return raw
	}
	out, err := strictjson.Encode(m)
	if err != nil {
		return raw
	}
	return out
}

// Result makes an MCP CallToolResult of what a plug-in answered. One that is well-formed stays as it is,
// byte for byte. What older kits write otherwise is brought into form: members that are null are dropped,
// a text block has no mimeType, data has no "data:" before it, and a resource without its own object gets
// one. What is no object stays what it is, to be refused.
func Result(output []byte) []byte {
	m := object(output)
	if m == nil {
		return output
	}
	changed := m.withoutNulls()
	var blocks []json.RawMessage
	if strictjson.Decode(m["content"], &blocks) == nil {
		inside := false
		for i, raw := range blocks {
			if fixed, different := contentBlock(raw, i); different {
				blocks[i], inside = fixed, true
			}
		}
		if inside {
			if raw, err := strictjson.Encode(blocks); err == nil {
				m["content"], changed = raw, true
			}
		}
	}
	return m.encode(changed, output)
}

// contentBlock brings the i-th content block into form.
func contentBlock(raw json.RawMessage, i int) (fixed json.RawMessage, changed bool) {
	m := object(raw)
	if m == nil {
		return raw, false
	}
	changed = m.withoutNulls()
	if notes := object(m["annotations"]); notes != nil && notes.withoutNulls() {
		changed = true
		if m["annotations"] = notes.encode(true, nil); len(notes) == 0 {
			delete(m, "annotations")
		}
	}
	var kind string
	read(m["type"], &kind)
	switch kind {
	case "text":
		if _, typed := m["mimeType"]; typed {
			delete(m, "mimeType")
			changed = true
		}
	case "image", "audio":
		changed = m.plainData() || changed
	case "resource":
		if _, whole := m["resource"]; !whole {
			m.nest(i)
			changed = true
		}
	}
	return m.encode(changed, raw), changed
}

// plainData takes "data:image/png;base64," off the data of a block, which says its type if nothing else
// does.
func (m members) plainData() bool {
	var data string
	read(m["data"], &data)
	rest, ok := strings.CutPrefix(data, "data:")
	mime, encoded, cut := strings.Cut(rest, ";base64,")
	if !ok || !cut {
		return false
	}
	m.set("data", encoded)
	if _, typed := m["mimeType"]; !typed {
		m.set("mimeType", mime)
	}
	return true
}

// nest moves what an embedded resource says of itself into its own object. Without a name it gets one
// that means nothing outside of this result.
func (m members) nest(i int) {
	inner := members{}
	for from, to := range map[string]string{"uri": "uri", "mimeType": "mimeType", "text": "text", "data": "blob"} {
		if value, ok := m[from]; ok {
			inner[to] = value
			delete(m, from)
		}
	}
	if _, named := inner["uri"]; !named {
		inner.set("uri", fmt.Sprintf("servlet:resource/%d", i+1))
	}
	m["resource"] = inner.encode(true, nil)
}

func (m members) set(name, text string) {
	if raw, err := strictjson.Encode(text); err == nil {
		m[name] = raw
	}
}

// Description makes {"tools":[...]} of what a plug-in says of itself: that, or one bare tool as the oldest
// have it. Members that are null are dropped, and a tool without a schema takes any object. What is
// neither stays what it is, to be refused.
func Description(output []byte) []byte {
	m := object(output)
	if m == nil {
		return output
	}
	var tools []json.RawMessage
	if _, bare := m["name"]; bare {
		tools = []json.RawMessage{output}
	} else if strictjson.Decode(m["tools"], &tools) != nil {
		return output
	}
	for i, raw := range tools {
		tools[i] = tool(raw)
	}
	out, err := strictjson.Encode(struct {
		Tools []json.RawMessage `json:"tools"`
	}{tools})
	if err != nil {
		return output
	}
	return out
}

func tool(raw json.RawMessage) json.RawMessage {
	m := object(raw)
	if m == nil {
		return raw
	}
	changed := m.withoutNulls()
	if notes := object(m["annotations"]); notes != nil && notes.withoutNulls() {
		m["annotations"], changed = notes.encode(true, nil), true
	}
	if _, ok := m["inputSchema"]; !ok {
		m["inputSchema"], changed = json.RawMessage(`{"type":"object"}`), true
	}
	return m.encode(changed, raw)
}
