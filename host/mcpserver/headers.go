package mcpserver

import (
	"net/http"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Headers of MCP over HTTP.
const (
	versionHeader = "Mcp-Protocol-Version"
	sessionHeader = "Mcp-Session-Id"
	nameHeader    = "Mcp-Name"
)

// singleHeaders may be given once: of two, a gateway may read the other one.
var singleHeaders = []string{versionHeader, sessionHeader, "Mcp-Method", nameHeader}

// checkHeaders compares what the headers say with what the message says, as far as the SDK does not,
// and prepares them for the SDK's own comparison. The message decides what runs.
// Source: MCP 2026-07-28, Streamable HTTP, "Request headers".
func checkHeaders(msg *message, header http.Header, tools *snapshot) *jsonrpc.Error {
	for _, name := range singleHeaders {
		if len(header.Values(name)) > 1 {
			return mismatch(name + " is given twice")
		}
	}
	version := header.Get(versionHeader)
	if version != "" && !slices.Contains(mcp.SupportedProtocolVersions(), version) {
		return unsupportedVersion(version)
	}
	if msg.id.IsValid() && msg.method != "" {
		if refused := eraOf(msg); refused != nil {
			return refused
		}
	}
	if refused := checkSession(msg, header); refused != nil {
		return refused
	}
	if version != modernVersion {
		return nil
	}
	if value := header.Get(nameHeader); value != "" {
		name, err := decodeHeader(value)
		if err != nil {
			return mismatch(nameHeader + ": " + err.Error())
		}
		header.Set(nameHeader, name) // the SDK compares it as it is
	}
	if tool := tools.byName[msg.name]; msg.method == "tools/call" && tool != nil {
		if err := checkParams(tool.bound, header, msg.arguments); err != nil {
			return mismatch(err.Error())
		}
	}
	return nil
}

// checkSession refuses a message of the older era that belongs to no session.
func checkSession(msg *message, header http.Header) *jsonrpc.Error {
	if msg.modern() || header.Get(versionHeader) == modernVersion || header.Get(sessionHeader) != "" {
		return nil
	}
	if msg.method == "initialize" || msg.method == "ping" {
		return nil
	}
	return invalidParams("missing " + mcp.MetaKeyProtocolVersion + " in _meta, and no " + sessionHeader)
}

func mismatch(text string) *jsonrpc.Error {
	return &jsonrpc.Error{Code: mcp.CodeHeaderMismatch, Message: "header mismatch: " + text}
}
