package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host"
)

// definition is one tool as clients see it: the host's bytes, passed through because the SDK's own
// Tool type would drop the members that it does not know.
type definition struct {
	name   string
	source []byte          // as the host gave it
	modern json.RawMessage // for 2026-07-28
	legacy json.RawMessage // for sessions before it
	input  json.RawMessage
	bound  []boundParam // arguments that HTTP clients repeat in headers
}

// newDefinition reads a tool object. It refuses what the SDK would panic on and what makes clients
// drop the whole list.
func newDefinition(tool host.Tool) (*definition, error) {
	modern, err := strictjson.Compact(tool.Definition)
	if err != nil {
		return nil, err
	}
	members, err := object(modern)
	if err != nil {
		return nil, fmt.Errorf("its definition: %v", err)
	}
	var name string
	if json.Unmarshal(members["name"], &name) != nil || name != tool.Name {
		return nil, errors.New("its definition has another name")
	}
	if rootType(members["inputSchema"]) != "object" {
		return nil, errors.New(`its inputSchema is not of type "object"`)
	}
	if raw, ok := members["outputSchema"]; ok {
		if _, err := object(raw); err != nil && string(raw) != "true" && string(raw) != "false" {
			return nil, errors.New("its outputSchema is not a schema")
		}
	}
	bound, err := boundParams(members["inputSchema"])
	if err != nil {
		return nil, err
	}
	def := &definition{
		name: name, source: bytes.Clone(tool.Definition), modern: modern, legacy: modern,
		input: members["inputSchema"], bound: bound,
	}
	if downgradeDefinition(members) {
		def.legacy = encode(members)
	}
	return def, nil
}

// downgradeDefinition makes a tool readable for clients of the sessions era, and reports whether
// anything had to change. Those clients parse a schema's root as {type: "object", properties: objects}
// and refuse the whole list when one tool has any other.
func downgradeDefinition(members map[string]json.RawMessage) bool {
	changed := false
	if _, ok := members["outputSchema"]; ok && rootType(members["outputSchema"]) != "object" {
		delete(members, "outputSchema")
		changed = true
	}
	for _, key := range []string{"inputSchema", "outputSchema"} {
		if raw, ok := members[key]; ok {
			if schema, did := plainProperties(raw); did {
				members[key] = schema
				changed = true
			}
		}
	}
	return changed
}

// plainProperties replaces the boolean schemas among a schema's properties by objects that mean the same.
func plainProperties(raw json.RawMessage) (json.RawMessage, bool) {
	schema, err := object(raw)
	if err != nil {
		return raw, false
	}
	properties, err := object(schema["properties"])
	if err != nil {
		return raw, false
	}
	changed := false
	for name, property := range properties {
		switch string(property) {
		case "true":
			properties[name] = json.RawMessage(`{}`)
		case "false":
			properties[name] = json.RawMessage(`{"not":{}}`)
		default:
			continue
		}
		changed = true
	}
	if !changed {
		return raw, false
	}
	schema["properties"] = encode(properties)
	return encode(schema), true
}

// registered is the tool as the SDK needs it: for its list of names, its change notifications and
// its own check of headers. What clients read is modern or legacy.
func (d *definition) registered() *mcp.Tool {
	return &mcp.Tool{Name: d.name, InputSchema: d.input}
}

// unreachable stands in for the handler of a tool: calls are answered by space.receive, which also
// knows tools that came after the last list.
func unreachable(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return nil, internalError("a tool call went past the host")
}

// object reads a JSON object whose syntax is known to be right.
func object(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		return nil, errors.New("not a JSON object")
	}
	return members, nil
}

// rootType is the type of a schema's root, or empty when it has none or several.
func rootType(schema json.RawMessage) string {
	var name string
	if members, err := object(schema); err == nil {
		_ = json.Unmarshal(members["type"], &name) // a union of types leaves it empty
	}
	return name
}

// encode writes members that were read from JSON, which cannot fail.
func encode(members map[string]json.RawMessage) json.RawMessage {
	out, err := marshal(members)
	if err != nil {
		panic("BUG: JSON that was read does not encode: " + err.Error())
	}
	return out
}
