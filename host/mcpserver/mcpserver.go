// Package mcpserver presents a Host as an MCP server, over stdio and Streamable HTTP, to clients of
// the 2026-07-28 revision and of the sessions before it.
//
// It is the only room that imports the MCP SDK. The SDK keeps the protocol; this room keeps what the
// SDK leaves to its user: one strict reading of every message, the choice of era, who may connect,
// limits, and that whatever happens below it fails one call and nothing else.
//
// Over HTTP, Access says who is let in. Beyond loopback every client needs a key, over TLS. On loopback
// browsers are turned away but, as long as no key was ever made, no one is authenticated: every user and
// program of this machine reaches every space, with the grants of the one who serves. Where others have
// accounts, make a key, or serve over stdio, which belongs to the client that started it.
package mcpserver

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/metrics"
)

// Errors of the room.
var (
	// ErrNotLoopback is a server that others can reach and that asks nobody for a key.
	ErrNotLoopback = errors.New("needs clients that have a key: make one with `writ key create NAME`")
	// ErrPlaintext is a listener that would take keys without TLS from other machines.
	ErrPlaintext = errors.New("needs TLS: give it a certificate, or put it behind a proxy that has one")
	// ErrNoPublicAddress is a server behind a proxy that does not know under which name it is reached.
	ErrNoPublicAddress = errors.New("needs the address that clients use")
	// ErrNoProxy is a server that is told where its proxy is, and not that it is behind one.
	ErrNoProxy = errors.New("the addresses of a proxy are for a server behind one")
	// ErrSpaceName is a space name that cannot be part of an address.
	ErrSpaceName = errors.New("a space is named with 1 to 32 of a-z, 0-9 and -")
)

// Limits of a server. They bound what one client can make it hold, not what a servlet may do.
const (
	maxLineBytes   = 16 << 20 // one message on stdio
	maxBodyBytes   = 4 << 20  // one message over HTTP
	maxHeaderBytes = 64 << 10
	maxInFlight    = 256 // requests that wait for an answer, on stdio
	maxListens     = 64  // open subscriptions of one client on stdio
	maxSpaces      = 256
)

// Tooler is what is presented. *host.Host is one.
//
// A panic in a method fails the request it was called for. Watch blocks until its ctx ends; one that
// ends early is started again.
type Tooler interface {
	Tools(ctx context.Context, by capabilities.Caller) ([]host.Tool, error)
	CallTool(ctx context.Context, by capabilities.Caller, req host.Request) (host.Answer, error)
	Watch(ctx context.Context, changed func())
}

var _ Tooler = (*host.Host)(nil)

// Config makes a Server.
type Config struct {
	Host    Tooler       // required
	Version string       // of Writ, told to clients
	Logger  *slog.Logger // nil: discard
	Access  Access       // over HTTP
	Metrics *metrics.Set // nil: nothing is counted
	// StoreReady says whether requests can be served, for /readyz; nil: it is not known, and they cannot.
	StoreReady func(ctx context.Context) error
	// Drain is how long running calls may go on after the end of a server is asked for; zero: 5 s.
	Drain time.Duration
}

// Server speaks MCP. It has no state of its own: each Serve method owns all that it starts.
type Server struct {
	cfg   Config
	ready atomic.Bool
}

// Ready says whether a ServeHTTP takes requests: false before it listens and from the moment at which its
// end was asked for, while running calls may still be answered.
func (s *Server) Ready() bool { return s.ready.Load() }

// New makes a Server. It fails when no Host is given.
func New(cfg Config) (*Server, error) {
	if cfg.Host == nil {
		return nil, errors.New("making an MCP server: no host given")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Version == "" {
		cfg.Version = "unknown"
	}
	if cfg.Drain == 0 {
		cfg.Drain = 5 * time.Second
	}
	return &Server{cfg: cfg}, nil
}

// implementation is how the server names itself.
func (s *Server) implementation() *mcp.Implementation {
	return &mcp.Implementation{Name: "writ", Title: "Writ", Version: s.cfg.Version}
}

// instructions are the few words a model gets with the list of tools.
const instructions = "Each tool runs in a fresh sandbox with only the access its operator approved. " +
	"When a tool answers that something is not granted or not ready, tell the user the command it names; it cannot be granted from here."
