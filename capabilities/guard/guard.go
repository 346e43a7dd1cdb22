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
	// Keeper keeps what a grant of kv lets the servlet keep; nil: its requests are refused.
	Keeper Keeper
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

	life life // bounds requests that have no context of their own

	mounts []*mount
	files  table
	spent  spending
	kept   keeping

	mu         sync.Mutex                 // guards transports
	transports map[string]*http.Transport // nil before the first exchange
	exchanging chan struct{}              // one slot for each exchange that may hold a body in memory; nil: none is granted
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
		policy:  cfg.Policy,
		network: cfg.Network,
		secrets: cfg.Secrets,
		trace:   cfg.Trace,
		ledger:  ledger{recorder: cfg.Recorder},
		mounts:  mounts,
		life:    life{begun: true},
	}
	// Most calls are granted nothing, and every call has a Guard.
	if len(cfg.Policy.Rights.HTTP) > 0 || cfg.Policy.Rights.Web != nil {
		g.exchanging = make(chan struct{}, maxExchanging)
	}
	if len(mounts) > 0 {
		g.inodes = maphash.MakeSeed()
		g.files.start(mounts)
	}
	// What the caller changes after New must not widen a running call.
	g.policy.Rights.HTTP = maps.Clone(cfg.Policy.Rights.HTTP)
	if web := cfg.Policy.Rights.Web; web != nil {
		g.policy.Rights.Web = &capabilities.WebRight{Methods: slices.Clone(web.Methods)}
	}
	if kv := cfg.Policy.Rights.KV; kv != nil {
		own := *kv
		g.policy.Rights.KV = &own
	}
	g.kept.keeper = cfg.Keeper
	g.policy.Rights.Secret = maps.Clone(cfg.Policy.Rights.Secret)
	g.policy.Rights.Config = slices.Clone(cfg.Policy.Rights.Config)
	if g.policy.Values = nil; len(cfg.Policy.Values) > 0 {
		g.policy.Values = maps.Clone(cfg.Policy.Values)
	}
	g.network.Loopback = slices.Clone(cfg.Network.Loopback)
	return g, nil
}

// End stops running exchanges and closes every handle of the call. Ending twice is harmless. (It is
// not named Close, as that closes one handle.)
func (g *Guard) End() error {
	if !g.life.begun {
		return nil
	}
	g.life.end()
	err := g.ledger.end()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.mounts) == 0 && len(g.transports) == 0 { // nothing else was opened
		return err
	}
	errs := []error{err, g.files.stop()}
	for _, m := range g.mounts {
		errs = append(errs, m.close())
	}
	for _, t := range g.transports {
		t.CloseIdleConnections()
	}
	clear(g.transports)
	return errors.Join(errs...)
}
