package mcpserver

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// modernVersion is the revision in which every request stands alone. What came before needs the
// initialize handshake and a session.
const modernVersion = "2026-07-28"

// message is one JSON-RPC message, read by one strict parser before any other code looks at it, on
// both transports. Two parsers that disagree on a message (a duplicate "method", "Method" for
// "method") let one of them check what the other does not run; here the second never sees such a
// message.
type message struct {
	id        jsonrpc.ID // not valid: a notification
	method    string     // empty: a response
	params    json.RawMessage
	version   string // protocol version in _meta; empty: a message of a session
	name      string // what Mcp-Name repeats: params.name, or params.uri of resources/read
	cancels   jsonrpc.ID
	progress  bool // the client wants progress notifications
	arguments json.RawMessage
}

// modern says that the message stands alone, as all do from 2026-07-28 on.
func (m *message) modern() bool { return m.version != "" }

// request is the message as the SDK takes it.
func (m *message) request() *jsonrpc.Request {
	return &jsonrpc.Request{ID: m.id, Method: m.method, Params: m.params}
}

// envelopeNames are all the members that a message may have.
var envelopeNames = map[string]bool{
	"jsonrpc": true, "id": true, "method": true, "params": true, "result": true, "error": true,
}

// parseMessage reads one message. On an error the returned message has the id when it could be read.
// Source: JSON-RPC 2.0, sections 4 and 5; MCP 2026-07-28, basic, "Messages".
func parseMessage(data []byte) (message, *jsonrpc.Error) {
	var m message
	data = bytes.TrimLeft(data, " \t\r\n")
	var top map[string]json.RawMessage
	switch {
	case len(data) > 0 && data[0] == '[':
		return m, invalidRequest("batches are not supported; send one message at a time")
	case len(data) > 0 && data[0] != '{' && json.Valid(data):
		return m, invalidRequest("a message is a JSON object")
	}
	if err := strictjson.Decode(data, &top); err != nil {
		m.id = looseID(data)
		return m, &jsonrpc.Error{Code: jsonrpc.CodeParseError, Message: "parse error: " + err.Error()}
	}
	if raw, ok := top["id"]; ok {
		id, err := parseID(raw)
		if err != nil {
			return m, invalidRequest(err.Error())
		}
		m.id = id
	}
	for name := range top {
		if !envelopeNames[name] {
			return m, invalidRequest("unknown member " + quote(name))
		}
	}
	if string(top["jsonrpc"]) != `"2.0"` {
		return m, invalidRequest(`"jsonrpc" must be "2.0"`)
	}
	method, isRequest := top["method"]
	_, hasResult := top["result"]
	_, hasError := top["error"]
	switch {
	case !isRequest && (hasResult == hasError || !m.id.IsValid()):
		return m, invalidRequest("neither a request nor a response")
	case !isRequest:
		return m, nil
	case hasResult || hasError:
		return m, invalidRequest("both a request and a response")
	}
	if json.Unmarshal(method, &m.method) != nil || method[0] != '"' || m.method == "" {
		return m, invalidRequest(`"method" must be a string that is not empty`)
	}
	params, ok := top["params"]
	if !ok {
		return m, nil
	}
	return m, m.readParams(params)
}

// readParams takes from the params what decides where a message goes.
func (m *message) readParams(raw json.RawMessage) *jsonrpc.Error {
	m.params = raw
	var params map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &params) != nil {
		return invalidParams(`"params" must be an object`)
	}
	if name, ok := misspelt(params, paramNames); ok {
		return invalidParams("unknown member " + quote(name) + " of params")
	}
	m.arguments = params["arguments"]
	key := "name"
	if m.method == "resources/read" {
		key = "uri"
	}
	if value := params[key]; len(value) > 0 && value[0] == '"' {
		_ = json.Unmarshal(value, &m.name) // a JSON string always decodes
	}
	if m.method == "tools/call" && m.name == "" {
		return invalidParams(`"name" must be the name of a tool`)
	}
	if m.method == "notifications/cancelled" {
		id, err := parseID(params["requestId"])
		if err != nil {
			return invalidParams("requestId: " + err.Error())
		}
		m.cancels = id
	}
	meta, ok := params["_meta"]
	if !ok {
		return nil
	}
	var fields map[string]json.RawMessage
	if meta[0] != '{' || json.Unmarshal(meta, &fields) != nil {
		return invalidParams(`"_meta" must be an object`)
	}
	if name, ok := misspelt(fields, metaNames); ok {
		return invalidParams("unknown member " + quote(name) + " of _meta")
	}
	if token, ok := fields["progressToken"]; ok {
		if _, err := parseID(token); err != nil {
			return invalidParams("progressToken: " + err.Error())
		}
		m.progress = true
	}
	if version, ok := fields[mcp.MetaKeyProtocolVersion]; ok {
		if json.Unmarshal(version, &m.version) != nil || version[0] != '"' || m.version == "" {
			return invalidParams(mcp.MetaKeyProtocolVersion + " must be a protocol version")
		}
	}
	return nil
}

// paramNames and metaNames are the members with a meaning in the requests that are served here.
var (
	paramNames = []string{"_meta", "name", "arguments", "uri", "requestId", "cursor", "notifications",
		"protocolVersion", "capabilities", "clientInfo", "inputResponses", "requestState", "level"}
	metaNames = []string{"progressToken", mcp.MetaKeyProtocolVersion, mcp.MetaKeyClientInfo, mcp.MetaKeyClientCapabilities}
)

// misspelt finds a member that is a known name in other case. Go's own JSON reader takes "Name" for
// "name", so that a gateway written in Go would judge another tool than the one that runs.
func misspelt(members map[string]json.RawMessage, known []string) (string, bool) {
	for name := range members {
		for _, exact := range known {
			if name != exact && strings.EqualFold(name, exact) {
				return name, true
			}
		}
	}
	return "", false
}
