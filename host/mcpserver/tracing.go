package mcpserver

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/host/trace"
)

// traced adds the trace context that a request names: in _meta, which is the client's own on every transport,
// or else in the headers, which what stands between may have written.
// Source: MCP 2026-07-28, basic, "_meta": traceparent, tracestate.
func traced(ctx context.Context, req *mcp.CallToolRequest) context.Context {
	meta := req.Params.GetMeta()
	parent, _ := meta[trace.ParentField].(string)
	state, _ := meta[trace.StateField].(string)
	if parent == "" && req.Extra != nil && len(req.Extra.Header.Values(trace.ParentField)) == 1 {
		parent, state = req.Extra.Header.Get(trace.ParentField), ""
		for i, more := range req.Extra.Header.Values(trace.StateField) { // may come in several lines
			if i > 0 {
				state += ","
			}
			state += more
		}
	}
	if c, ok := trace.Parse(parent, state); ok {
		return trace.With(ctx, c)
	}
	return ctx
}
