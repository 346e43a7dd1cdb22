package mcpserver

import (
	"encoding/json"
	"strconv"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func invalidRequest(text string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "invalid request: " + text}
}

func invalidParams(text string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "invalid params: " + text}
}

func internalError(text string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "internal error: " + text}
}

// unsupportedVersion answers a protocol version that is not spoken here, with those that are.
func unsupportedVersion(requested string) *jsonrpc.Error {
	data, err := json.Marshal(mcp.UnsupportedProtocolVersionData{Supported: mcp.SupportedProtocolVersions(), Requested: requested})
	if err != nil {
		panic("BUG: two strings do not encode: " + err.Error())
	}
	return &jsonrpc.Error{Code: mcp.CodeUnsupportedProtocolVersion, Message: "unsupported protocol version " + quote(requested), Data: data}
}

// quote makes a client's text safe for an error message and a log line, and short.
func quote(text string) string {
	const most = 120
	if len(text) > most {
		text = text[:most] + "…"
	}
	return strconv.QuoteToASCII(text)
}

// encodeError is the wire form of an error. MCP omits an id that could not be read, where JSON-RPC
// says null: a client that is strict about ids refuses null.
func encodeError(id jsonrpc.ID, e *jsonrpc.Error) []byte {
	data, err := jsonrpc.EncodeMessage(&jsonrpc.Response{ID: id, Error: e})
	if err != nil {
		panic("BUG: an error does not encode: " + err.Error())
	}
	return data
}
