// Package host answers a tool call by running an installed servlet: it looks the servlet up, makes
// the call's policy, checks the arguments, opens a guard, runs the sandbox and checks the result.
//
// The path of a call, one file for each step:
//
//	call.go      the order of the steps, and the record before and after
//	loader.go    servlet file -> verified -> admitted -> compiled, once for all callers
//	ready.go     what keeps a servlet from running, in one sentence with the command that mends it
//	lanes.go     how many calls run at a time
//	recorder.go  effects into the audit
//	running.go   calls whose grant is taken back while they run
//	result.go    what a guest answered -> what a model may see (members, blocks, hygiene)
//
// Nothing that a guest, its arguments or a fault below can do ends the process: a panic is an answer.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// ErrUnknownTool is a name that no servlet of the caller's space has.
var ErrUnknownTool = errors.New("unknown tool")

// Config makes a Host. Registry and Engine are required and stay the caller's to close.
type Config struct {
	Registry *registry.Registry
	Engine   *sandbox.Engine
	Network  guard.Network
	Logger   *slog.Logger // nil: discard
	// Running is how many calls of one installation run at a time, and MaxRunning how many of all;
	// the rest waits for its turn. Zero: 16 and 64.
	Running    int
	MaxRunning int
	// Loaded is how many servlets are kept compiled. Zero: 64. One more is unloaded when it is idle.
	Loaded int
}

const (
	defaultRunning    = 16
	defaultMaxRunning = 64
	defaultLoaded     = 64
)

// store is the part of a registry that answers calls.
type store interface {
	Home() string
	Lookup(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, error)
	List(ctx context.Context, by capabilities.Caller) ([]registry.Installation, error)
	Blob(ctx context.Context, digest string) ([]byte, error)
	Config(ctx context.Context, by capabilities.Caller, alias string) (map[string]string, error)
	Record(ctx context.Context, e registry.Entry, durable bool) error
	Generation() uint64
	Watch(ctx context.Context, changed func(generation uint64))
}

// warden is the host side of one call: *guard.Guard.
type warden interface {
	sandbox.Host
	Effects() (allowed, denied int)
	End() error
}

var (
	_ sandbox.Host = (*guard.Guard)(nil)
	_ warden       = (*guard.Guard)(nil)
	_ store        = (*registry.Registry)(nil)
)

// Host runs installed servlets. It is safe for concurrent use.
type Host struct {
	store  store
	open   func(guard.Config) (warden, error)
	net    guard.Network
	log    *slog.Logger
	loader *loader
	lanes  *lanes
	calls  running
	lists  lists
	notify listeners

	life   context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // the goroutine that follows the registry

	mu     sync.Mutex
	closed bool // guarded by mu, so that no call is added while Close waits for the last
}

// New makes a Host. It follows the registry until Close.
func New(cfg Config) (*Host, error) {
	if cfg.Registry == nil || cfg.Engine == nil {
		return nil, errors.New("making host: registry and engine are required")
	}
	return newHost(cfg, cfg.Registry), nil
}

func newHost(cfg Config, s store) *Host {
	h := &Host{store: s, net: cfg.Network, log: cfg.Logger, open: openGuard}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.life, h.cancel = context.WithCancel(context.Background())
	h.loader = newLoader(s, cfg.Engine, h.log, orDefault(cfg.Loaded, defaultLoaded))
	h.lanes = newLanes(orDefault(cfg.Running, defaultRunning), orDefault(cfg.MaxRunning, defaultMaxRunning))
	h.work.Go(h.follow)
	return h
}

func openGuard(cfg guard.Config) (warden, error) {
	g, err := guard.New(cfg)
	if err != nil {
		return nil, err // not g: a nil *Guard in an interface is not nil
	}
	return g, nil
}

func orDefault(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// enter registers a call that Close waits for. It is false after Close.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.calls.idle.Add(1)
	return true
}

// Close waits for running calls to end (each has its deadline) and frees code. When ctx ends first,
// running calls are cancelled. A call after Close is answered with StatusHost.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		h.calls.idle.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		h.calls.cancelAll(errClosing)
		<-idle
	}
	h.cancel()
	h.work.Wait()
	if err := h.loader.close(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("closing host: %w", err)
	}
	return nil
}
