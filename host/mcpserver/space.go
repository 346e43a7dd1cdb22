package mcpserver

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/host"
)

// errNoSpace is a space in which nothing is installed.
var errNoSpace = errors.New("no such space")

// errPanic is a panic of the Tooler, already logged.
var errPanic = errors.New("the host failed; its log has the reason")

// space is one endpoint: the tools of one space, and the SDK's server that presents them.
type space struct {
	name   string
	spaces *spaces
	logger *slog.Logger
	mcp    *mcp.Server

	refreshing sync.Mutex // held by the one refresh at a time

	mu       sync.Mutex // guards tools and sessions
	tools    *snapshot
	sessions map[string]*session // of the older era, by id
}

// snapshot is a space's tools at one moment. It is never changed.
type snapshot struct {
	byName  map[string]*definition
	skipped map[string][]byte // definitions that cannot be shown, by name, so that each is logged once
	loaded  bool              // false: the host could not be asked yet
}

func newSpace(s *spaces, name string) *space {
	sp := &space{name: name, spaces: s, logger: s.server.cfg.Logger.With("space", name), tools: &snapshot{}, sessions: map[string]*session{}}
	sp.mcp = mcp.NewServer(s.server.implementation(), &mcp.ServerOptions{
		Instructions: instructions,
		// Without this the SDK offers "logging", which is deprecated.
		Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{ListChanged: true}},
		SetCacheable: cacheable,
	})
	sp.mcp.AddReceivingMiddleware(sp.receive)
	return sp
}

// cacheable marks every list as this caller's own: a cache between clients that showed one caller's
// list to another would tell who was granted what.
func cacheable(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
	c.CacheScope = "private"
	c.TTLMs = int((5 * time.Second).Milliseconds())
	if _, ok := req.(*mcp.ServerRequest[*mcp.DiscoverParams]); ok {
		c.TTLMs = int(time.Hour.Milliseconds())
	}
}

func (sp *space) current() *snapshot {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	return sp.tools
}

// refresh asks the host for the tools and tells the SDK what is new, changed or gone; the SDK tells
// the clients. After an error the tools stay as they were.
func (sp *space) refresh(ctx context.Context) error {
	sp.refreshing.Lock()
	defer sp.refreshing.Unlock()
	listed, err := sp.spaces.list(ctx, sp.name)
	if err != nil {
		if ctx.Err() == nil {
			sp.logger.Error("listing tools", "error", err)
		}
		return err
	}
	old := sp.current()
	next := &snapshot{byName: map[string]*definition{}, skipped: map[string][]byte{}, loaded: true}
	for _, tool := range listed {
		if def := sp.define(old, tool); def != nil {
			next.byName[def.name] = def
		} else {
			next.skipped[tool.Name] = bytes.Clone(tool.Definition)
		}
	}
	sp.mu.Lock()
	sp.tools = next
	sp.mu.Unlock()
	var gone []string
	for name := range old.byName {
		if next.byName[name] == nil {
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		sp.mcp.RemoveTools(gone...)
	}
	return nil
}

// define reads one tool and registers it with the SDK, or logs why it cannot be shown. One tool that
// no client could read must not hide the others.
func (sp *space) define(old *snapshot, tool host.Tool) *definition {
	if was := old.byName[tool.Name]; was != nil && bytes.Equal(was.source, tool.Definition) {
		return was
	}
	if was, ok := old.skipped[tool.Name]; ok && bytes.Equal(was, tool.Definition) {
		return nil
	}
	def, err := newDefinition(tool)
	if err == nil {
		err = errPanic
		sp.spaces.server.shielded("adding a tool", func() {
			sp.mcp.AddTool(def.registered(), unreachable)
			err = nil
		})
	}
	if err != nil {
		sp.logger.Error("skipping a tool", "tool", quote(tool.Name), "error", err)
		sp.spaces.server.cfg.Metrics.ToolBlocked()
		return nil
	}
	return def
}
