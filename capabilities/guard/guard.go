// Package guard is the only way out of a sandbox: it decides, records, then acts. Each request is
// checked against the policy where the effect happens (the opened handle, the dialled address), and
// an effect that cannot be recorded is refused.
//
// One Guard serves one call:
//
//  1. [New] pins every granted directory and refuses a policy that it cannot enforce.
//  2. The sandbox asks for files, configuration values and HTTP exchanges, from any goroutine.
//  3. [Guard.End] stops what still runs, closes every handle and records how often the last refusal
//     was repeated; later requests are refused.
package guard

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/writ-run/writ/capabilities"
)

// Errors of New. Their texts name the capability and never a path of the host.
var (
	ErrNoRecorder       = errors.New("guard without a recorder")
	ErrPolicy           = errors.New("policy contradicts itself")
	ErrDirectoryMissing = errors.New("granted directory is missing")
	ErrDirectoryUnsafe  = errors.New("granted directory is unsafe")
)

// Config makes a Guard. Policy's zero value refuses everything; a nil Recorder is an error.
type Config struct {
	Policy   capabilities.Policy
	Recorder Recorder
	Network  Network
	// Secrets are what grants with auth attach; nil: their requests are refused.
	Secrets Secrets
	// Trace is told to the servers of granted origins.
	Trace Trace
	// State are folders that no grant may overlap: Writ's own home.
	State []string
}

// Guard is the host side of one call. It implements the sandbox's Host. End it when the call ended.
// The zero Guard refuses everything.
type Guard struct {
	policy  capabilities.Policy
	network Network
	secrets Secrets
	trace   Trace
	masked  masked // every secret that this call has sent
	ledger  ledger
	inodes  maphash.Seed // of this call, so that two calls cannot compare inode numbers

	life context.Context // ends with End; bounds requests that have no context of their own
	end  context.CancelFunc

	mounts []*mount
	files  table
	spent  spending

	mu         sync.Mutex // guards transports
	transports map[string]*http.Transport
	exchanging chan struct{} // one slot for each exchange that may hold a body in memory
}

// New opens what the policy grants: one handle per granted directory. A granted directory that is
// missing or unsafe is an error that names the capability: it matches ErrDirectoryMissing or
// ErrDirectoryUnsafe.
func New(cfg Config) (*Guard, error) {
	if cfg.Recorder == nil {
		return nil, ErrNoRecorder
	}
	mounts, err := openMounts(cfg.Policy, cfg.State)
	if err != nil {
		return nil, err
	}
	g := &Guard{
		policy:     cfg.Policy,
		network:    cfg.Network,
		secrets:    cfg.Secrets,
		trace:      cfg.Trace,
		ledger:     ledger{recorder: cfg.Recorder},
		inodes:     maphash.MakeSeed(),
		mounts:     mounts,
		transports: make(map[string]*http.Transport),
		exchanging: make(chan struct{}, maxExchanging),
	}
	// What the caller changes after New must not widen a running call.
	g.policy.Rights.HTTP = maps.Clone(cfg.Policy.Rights.HTTP)
	if web := cfg.Policy.Rights.Web; web != nil {
		g.policy.Rights.Web = &capabilities.WebRight{Methods: slices.Clone(web.Methods)}
	}
	g.policy.Rights.Secret = maps.Clone(cfg.Policy.Rights.Secret)
	g.policy.Rights.Config = slices.Clone(cfg.Policy.Rights.Config)
	g.policy.Values = maps.Clone(cfg.Policy.Values)
	g.network.Loopback = slices.Clone(cfg.Network.Loopback)
	g.life, g.end = context.WithCancel(context.Background())
	g.files.start(mounts)
	return g, nil
}

// End stops running exchanges and closes every handle of the call. Ending twice is harmless. (It is
// not named Close, as that closes one handle.)
func (g *Guard) End() error {
	if g.end == nil {
		return nil
	}
	g.end()
	errs := []error{g.ledger.end(), g.files.stop()}
	for _, m := range g.mounts {
		errs = append(errs, m.close())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.transports {
		t.CloseIdleConnections()
	}
	clear(g.transports)
	return errors.Join(errs...)
}

// lifetime is a context for requests that bring none.
func (g *Guard) lifetime() context.Context {
	if g.life == nil {
		return context.Background()
	}
	return g.life
}
