// Package host answers a tool call by running an installed servlet: it looks the servlet up, makes
// the call's policy, checks the arguments, opens a guard, runs the sandbox and checks the result.
//
// The path of a call, one file for each step:
//
//	call.go      the order of the steps, and the record before and after
//	servlet.go   servlet file -> what was signed; -> verified -> admitted -> compiled
//	loader.go    that once for all callers, and unloaded again
//	slots.go     how many servlets are loaded at a time, and for whom
//	failed.go    those that cannot be loaded are not tried all the time
//	prepare.go   the same right after an approval
//	ready.go     what keeps a servlet from running, in one sentence with the command that mends it
//	secrets.go   what is attached to requests, fetched when it is sent
//	kv.go        what a call wrote is kept when it succeeded, and a call that was overtaken is run again
//	lanes.go     how many calls run at a time, and how much memory their guests may have together
//	limits.go    the codes of limits
//	admit.go     how often a caller may call
//	crew.go      the goroutines that calls run on
//	watched.go   the time of a call's parts, and an answer in time whatever they wait for
//	observe.go   what is counted and logged of calls
//	report.go    all that a call did, for who writes its servlet
//	recorder.go  effects into the audit
//	running.go   calls whose grant is taken back while they run
//	progress.go  what a guest reports while it runs -> who asked
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
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/deadline"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/rate"
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
	// Running is how many calls of one installation run at a time, CallerRunning how many of one
	// caller, and MaxRunning how many of all; the rest waits for its turn. Zero: 16, 32 and 64.
	Running       int
	CallerRunning int
	MaxRunning    int
	// Waiting is how many calls wait for their turn, at most half of them of one caller: each holds its
	// arguments in memory. Zero: 1024.
	Waiting int
	// Memory is how many bytes the guests of all running calls may have together, by the limits of
	// their manifests; the rest waits for its turn, in order. One caller's calls have at most half of
	// it, unless it is a single call. A quarter of it, and of MaxRunning, is kept for callers of whom
	// nothing runs, a call for each; one that may have more than the rest is refused. Zero: half
	// of what this machine, or the container around it, has, or 2 GiB where it does not say; at most
	// three quarters of what the Engine has.
	Memory int64
	// Result is the most that a manifest's result_kb is worth here, in bytes. Zero: what it says.
	Result int
	// Rate is how often each caller may call. Zero: 100 calls a minute, and 20 at once.
	Rate Rate
	// Times are how long a call's parts may take.
	Times Times
	// Metrics counts what happens; nil: nobody does.
	Metrics *metrics.Set
	// CallLog gets a line for each call and each line that a servlet writes; nil: discard. Its texts are
	// not fit for a terminal as they are.
	CallLog *slog.Logger
	// PassTrace passes the trace context of a call on to the servers that its servlet's requests go to. Off
	// by default: it is an identifier that lets them, and whoever sees both ends, tell that requests belong
	// together, and a way by which a caller sends them text.
	PassTrace bool
	// Reports gets everything that each call did, on the goroutine of the call, when it has ended; nil: nobody
	// is told.
	Reports func(Report)
	// Learns shows every call one more directory, the root, of which nothing is granted: what a guest looks
	// for outside of the directories of its manifest is refused and recorded. It gives no right.
	Learns bool
	// State are folders that no grant may overlap, beside the Registry's home.
	State []string
	// Loaded is how many servlets are kept compiled. Zero: 64. One more is unloaded when it is idle.
	Loaded int
	// Idle is for how long a servlet is kept compiled that no call uses. Zero: 10 minutes. Loading it
	// again takes about a tenth of a second.
	Idle time.Duration
	// Foresee loads, when the Host starts, the code of the servlet that was used last by any process that
	// shares the Engine's cache folder. It is for who waits for calls: the first is likely its.
	Foresee bool
}

const (
	defaultRunning       = 16
	defaultCallerRunning = 32
	defaultMaxRunning    = 64
	defaultWaiting       = 1024
	defaultLoaded        = 64
	defaultIdle          = 10 * time.Minute
)

// store is the part of a registry that answers calls.
type store interface {
	Home() string
	Lookup(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, error)
	List(ctx context.Context, by capabilities.Caller) ([]registry.Installation, error)
	OpenBlob(ctx context.Context, digest string) (registry.BlobReader, error)
	Configured(ctx context.Context, by capabilities.Caller, alias string) (in registry.Installation, values map[string]string, generation uint64, err error)
	Secrets(ctx context.Context, by capabilities.Caller, alias string) ([]registry.Secret, error)
	Secret(ctx context.Context, by capabilities.Caller, in registry.Installation, key string) (capabilities.SecretValue, error)
	KV(by capabilities.Caller, in registry.Installation, rights capabilities.Rights) (*registry.KV, error)
	Record(ctx context.Context, e registry.Entry, durable bool) error
	Generation() uint64
	Watch(ctx context.Context, changed func(generation uint64))
}

// warden is the host side of one call: *guard.Guard.
type warden interface {
	sandbox.Host
	Effects() (allowed, denied int)
	Outdated() bool
	Commit(ctx context.Context) error
	End() error
}

var (
	_ sandbox.Host = (*guard.Guard)(nil)
	_ warden       = (*guard.Guard)(nil)
	_ store        = (*registry.Registry)(nil)
)

// Host runs installed servlets. It is safe for concurrent use.
type Host struct {
	store     store
	engine    *sandbox.Engine
	open      func(guard.Config) (warden, error)
	net       guard.Network
	log       *slog.Logger
	loader    *loader
	lanes     *lanes
	rate      *rate.Limiter // nil: no limit
	times     Times
	crew      crew           // the goroutines of calls
	behind    atomic.Int64   // calls that were left behind and have not ended
	asked     deadline.Group // lists of tools that are made
	metrics   *metrics.Set   // nil: nothing is counted
	callLog   *slog.Logger
	passTrace bool
	reports   func(Report) // nil: nobody is told
	learns    bool
	state     []string // folders that no grant may overlap
	calls     running
	repeats   repeats
	policies  policies
	lists     lists
	result    int // most bytes of a result; 0: what its manifest says
	notify    listeners

	life     context.Context // ends with Close
	cancel   context.CancelFunc
	followed chan struct{} // closed when the registry is no longer followed

	mu     sync.Mutex
	closed bool          // guarded by mu, so that no call is added while Close waits for the last
	active int           // guarded by mu; every call, from its first step to its answer
	idle   chan struct{} // closed when closed is true and active 0
}

// closeGrace is how long what was cancelled may take to end.
const closeGrace = time.Second

// New makes a Host. It follows the registry until Close.
func New(cfg Config) (*Host, error) {
	if cfg.Registry == nil || cfg.Engine == nil {
		return nil, errors.New("making host: registry and engine are required")
	}
	if err := cfg.Rate.check(); err != nil {
		return nil, fmt.Errorf("making host: %w", err)
	}
	return newHost(cfg, cfg.Registry), nil
}

func newHost(cfg Config, s store) *Host {
	h := &Host{
		store: s, engine: cfg.Engine, net: cfg.Network, log: cfg.Logger, open: openGuard,
		followed: make(chan struct{}), idle: make(chan struct{}),
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.watchOver(cfg)
	h.reports, h.learns, h.state = cfg.Reports, cfg.Learns, append([]string{s.Home()}, cfg.State...)
	h.life, h.cancel = context.WithCancel(context.Background())
	h.loader = newLoader(s, cfg.Engine, h.log, cfg.Learns, orDefault(cfg.Loaded, defaultLoaded), orDefault(cfg.Idle, defaultIdle))
	if cfg.Foresee {
		h.loader.foresee()
	}
	b := bounds{
		servlet: orDefault(cfg.Running, defaultRunning), caller: orDefault(cfg.CallerRunning, defaultCallerRunning),
		total: orDefault(cfg.MaxRunning, defaultMaxRunning), memory: cfg.Memory, waiting: orDefault(cfg.Waiting, defaultWaiting),
	}
	if b.memory <= 0 {
		// A part of the Engine's memory is left to the images that guests start from.
		b.memory = min(defaultMemory(), cfg.Engine.MaxMemory()/4*3)
	}
	h.lanes = newLanes(b)
	go func() {
		defer close(h.followed)
		h.follow()
	}()
	return h
}

func openGuard(cfg guard.Config) (warden, error) {
	g, err := guard.New(cfg)
	if err != nil {
		return nil, err // not g: a nil *Guard in an interface is not nil
	}
	return g, nil
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n <= 0 {
		return otherwise
	}
	return n
}

// enter registers a call that Close waits for, until leave. It is false after Close.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.active++
	return true
}

func (h *Host) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.active--; h.closed && h.active == 0 {
		close(h.idle)
	}
}

// shut lets no further call in.
func (h *Host) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed && h.active == 0 {
		close(h.idle)
	}
	h.closed = true
}

// Close waits for running calls to end (each has its deadline) and frees code. When ctx ends first,
// they are cancelled and have a second to end. What does not end even then (a compiler, a client that
// takes no progress) keeps its code: Close returns an error that says what it was and wraps that of
// ctx, and the Engine must not be closed. A call after Close is answered with StatusHost.
func (h *Host) Close(ctx context.Context) error {
	h.shut()
	last, done := lingering(ctx, closeGrace)
	defer done()
	select {
	case <-h.idle:
	case <-ctx.Done():
		h.calls.cancelAll(errClosing)
	}
	h.loader.stop()
	ended := within(last, h.idle)
	h.cancel()
	if !ended {
		h.mu.Lock()
		defer h.mu.Unlock()
		return fmt.Errorf("closing host: calls that still run: %d: %w", h.active, ctx.Err())
	}
	if !within(last, h.followed) {
		return fmt.Errorf("closing host: the registry is still being read: %w", ctx.Err())
	}
	if left := h.loader.land(last); left > 0 {
		return fmt.Errorf("closing host: servlets that are still compiled: %d: %w", left, ctx.Err())
	}
	if err := h.loader.close(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("closing host: %w", err)
	}
	return nil
}

// within says that done was closed before ctx ended.
func within(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// lingering is a context that ends a while after ctx.
func lingering(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(while)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-last.Done():
		}
	})
	return last, func() { stop(); cancel() }
}
