package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// receive stands between the SDK and every request: it answers tools/call and renders tools/list
// itself, and turns a panic into the failure of one request.
func (sp *space) receive(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (result mcp.Result, err error) {
		began := time.Now()
		defer func() { sp.spaces.server.cfg.Metrics.Operation(method, time.Since(began)) }()
		err = internalError("the request failed; Writ's log has the reason")
		returned := sp.spaces.server.shielded("answering "+method, func() {
			switch req := req.(type) {
			case *mcp.CallToolRequest:
				result, err = sp.callTool(ctx, req)
			case *mcp.ListToolsRequest:
				result, err = sp.listTools(ctx, method, req, next)
			default:
				result, err = next(ctx, method, req)
				if session, ok := req.GetSession().(*mcp.ServerSession); ok && method == "initialize" && err == nil && !sp.spaces.local {
					who, _ := ctx.Value(identityKey{}).(identity)
					sp.own(session, who)
				}
			}
		})
		if !returned {
			result = nil
		}
		return result, err
	}
}

// standsAlone says whether a request is of the 2026-07-28 era. The transports let no other version
// through in _meta, and bring requests without one to a session of the older era, whatever version
// that session asked for.
func standsAlone(params mcp.Params) bool {
	_, ok := params.GetMeta()[mcp.MetaKeyProtocolVersion]
	return ok
}

// callTool runs one tool call. The host looks the tool up itself: the list may be older than a grant.
func (sp *space) callTool(ctx context.Context, req *mcp.CallToolRequest) (mcp.Result, error) {
	who, known := sp.callerOf(ctx, req.Session, standsAlone(req.Params))
	if !known || !who.by.MayCall() {
		return nil, notAllowed("call tools")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(sp.spaces.running, cancel)()
	if begin := sp.spaces.begin; begin != nil {
		var leave func()
		ctx, leave = begin(ctx, who)
		defer leave()
	}

	call := host.Request{Tool: req.Params.Name, Arguments: req.Params.Arguments}
	if string(call.Arguments) == "null" {
		call.Arguments = nil
	}
	if token := req.Params.GetProgressToken(); token != nil {
		reporter := &progress{ctx: ctx, session: req.Session, token: token}
		defer reporter.stop()
		call.Progress = reporter.report
	}
	if held, ok := ctx.Value(heldKey{}).(*held); ok {
		call.Take = held.take
	}
	if len(call.Arguments) >= heavy {
		runtime.GC() // reading them left several times as much
	}
	answer, err := sp.spaces.server.cfg.Host.CallTool(traced(ctx, req), who.by, call)
	switch {
	case errors.Is(err, host.ErrUnknownTool):
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "unknown tool " + quote(req.Params.Name)}
	case ctx.Err() != nil: // who asked is gone: an answer would be rendered for nobody
		return nil, internalError("the call was cancelled")
	case errors.Is(err, registry.ErrNewer):
		sp.logger.Error("calling a tool", "tool", quote(req.Params.Name), "error", err)
		return nil, internalError("a newer Writ has taken over this one's home: restart what started it, so that the newer one answers")
	case err != nil:
		sp.logger.Error("calling a tool", "tool", quote(req.Params.Name), "error", err)
		return nil, internalError("Writ could not run the tool; its log has the reason")
	}
	result, err := renderResult(answer.Result, standsAlone(req.Params))
	if err != nil {
		sp.logger.Error("rendering a result", "tool", quote(req.Params.Name), "call", answer.Call, "error", err)
		return nil, internalError("the tool's result is not valid")
	}
	return result, nil
}

// listTools renders a page of the list. Names and pages are the SDK's, definitions are the host's bytes.
func (sp *space) listTools(ctx context.Context, method string, req *mcp.ListToolsRequest, next mcp.MethodHandler) (mcp.Result, error) {
	modern := req.Params != nil && standsAlone(req.Params)
	if who, known := sp.callerOf(ctx, req.Session, modern); !known || !who.by.MayList() {
		return nil, notAllowed("list tools")
	}
	if err := sp.refresh(ctx); err != nil && !sp.current().loaded {
		return nil, internalError("Writ could not list its tools; its log has the reason")
	}
	paged, err := next(ctx, method, req)
	if err != nil {
		return nil, err
	}
	page, ok := paged.(*mcp.ListToolsResult)
	if !ok {
		return nil, internalError("the list of tools has an unexpected type")
	}
	tools := []json.RawMessage{}
	current := sp.current()
	for _, tool := range page.Tools {
		def := current.byName[tool.Name]
		switch {
		case def == nil: // gone since the page was made
		case modern:
			tools = append(tools, def.modern)
		default:
			tools = append(tools, def.legacy)
		}
	}
	return renderList(tools, page, modern)
}

// notAllowed refuses what a caller has no role for.
func notAllowed(what string) *jsonrpc.Error {
	return invalidRequest("the key that this was asked for with does not allow to " + what)
}
