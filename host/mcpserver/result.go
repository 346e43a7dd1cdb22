package mcpserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// opaque is a result of which this room knows only the members that the protocol owns: all others
// reach the client as they are, whatever the SDK's types have.
type opaque struct {
	mcp.ResultBase // _meta that the SDK adds
	members        map[string]json.RawMessage
}

// MarshalJSON writes the members, with the SDK's _meta over the servlet's.
func (o *opaque) MarshalJSON() ([]byte, error) {
	if len(o.Meta) == 0 {
		return marshal(o.members)
	}
	meta := map[string]any{}
	if own, err := object(o.members["_meta"]); err == nil {
		for name, value := range own {
			meta[name] = value
		}
	}
	maps.Copy(meta, o.Meta)
	raw, err := marshal(meta)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(o.members)
	out["_meta"] = raw
	return marshal(out)
}

// marshal writes JSON without the escapes that only a web page needs.
func marshal(v any) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// protocolMembers of a result are the server's to write. A servlet that could write them could ask
// the user questions (inputRequests) that no one granted.
var protocolMembers = []string{"resultType", "inputRequests", "requestState"}

// renderResult makes a CallToolResult readable for the client's era.
func renderResult(raw json.RawMessage, modern bool) (*opaque, error) {
	compact, err := strictjson.Compact(raw)
	if err != nil {
		return nil, err
	}
	members, err := object(compact)
	if err != nil {
		return nil, err
	}
	for _, name := range protocolMembers {
		delete(members, name)
	}
	if raw, ok := members["_meta"]; ok {
		meta, err := object(raw)
		if err != nil {
			return nil, fmt.Errorf("_meta: %v", err)
		}
		delete(meta, mcp.MetaKeyServerInfo) // a servlet must not speak as the server
		members["_meta"] = encode(meta)
	}
	if content, ok := members["content"]; !ok {
		members["content"] = json.RawMessage(`[]`)
	} else if content[0] != '[' {
		return nil, errors.New("content: not a JSON array")
	}
	if modern {
		members["resultType"] = json.RawMessage(`"complete"`)
	} else {
		downgradeResult(members)
	}
	return &opaque{members: members}, nil
}

// downgradeResult drops structured content that is not an object, which clients of the sessions era
// refuse together with the whole result, and keeps what it said as text.
func downgradeResult(members map[string]json.RawMessage) {
	structured, ok := members["structuredContent"]
	if !ok || structured[0] == '{' {
		return
	}
	delete(members, "structuredContent")
	if string(members["content"]) != "[]" {
		return
	}
	text, err := marshal([]map[string]string{{"type": "text", "text": string(structured)}})
	if err != nil {
		panic("BUG: text does not encode: " + err.Error())
	}
	members["content"] = text
}

// renderList makes a page of tools/list.
func renderList(tools []json.RawMessage, page *mcp.ListToolsResult, modern bool) (*opaque, error) {
	members := map[string]json.RawMessage{}
	var errs error
	set := func(name string, value any) {
		raw, err := marshal(value)
		members[name] = raw
		errs = errors.Join(errs, err)
	}
	set("tools", tools)
	if page.NextCursor != "" {
		set("nextCursor", page.NextCursor)
	}
	if modern {
		set("resultType", "complete")
		set("ttlMs", page.TTLMs)
		set("cacheScope", page.CacheScope)
	}
	return &opaque{members: members}, errs
}
