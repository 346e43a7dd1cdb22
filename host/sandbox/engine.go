package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// defaultMaxMemory bounds the memory of all instances when Config names no bound: 4 GiB.
const defaultMaxMemory = 4 << 30

// Config sets up an Engine. The zero Config works.
type Config struct {
	// CacheDir keeps compiled code between processes; empty: none on disk. What lies there is run as
	// machine code, so the folder is made with mode 0700, and one that others can write, that is a
	// link or that another user owns is refused.
	CacheDir string
	// MaxMemory bounds the linear memory of all instances, running or waiting, and of the images that
	// they start from, bytes; 0: 4 GiB. A call above it fails with FaultLimit.
	MaxMemory int64
	// Best is the best rung of the ladder that is used; empty: RungReset.
	Best Rung
	// Method is the best way of restoring memories that is used; zero: the best that the system has.
	Method image.Method
	// Logger is told when the host side of a call panics; nil: discard. Guests never write to it.
	Logger *slog.Logger
}

// Engine compiles modules. One per process.
type Engine struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil: none on disk
	cacheDir string
	instance wazero.ModuleConfig
	logger   *slog.Logger
	best     Rung
	space    *image.Space
	janitor  janitor

	mu       sync.Mutex
	machines map[digest]*machine // guarded by mu
	codes    map[*Code]bool      // guarded by mu; not yet closed
	valid    map[digest]bool     // guarded by mu; modules that the validator passed
}

// New makes an Engine.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	e := &Engine{logger: cfg.Logger, best: cfg.Best, machines: map[digest]*machine{}, codes: map[*Code]bool{}, valid: map[digest]bool{}}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxMemory == 0 {
		cfg.MaxMemory = defaultMaxMemory
	}
	// WithCloseOnContextDone stays off: it slows a guest down several times and lets bulk operations
	// and deep recursion run past their deadline. Metered code asks the host instead (see run.yield).
	rc := features(wazero.NewRuntimeConfig())
	if cfg.CacheDir != "" {
		if err := privateDir(cfg.CacheDir); err != nil {
			return nil, fmt.Errorf("opening code cache: %w", err)
		}
		cache, err := wazero.NewCompilationCacheWithDir(cfg.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("opening code cache: %w", err)
		}
		e.cache, e.cacheDir = cache, cfg.CacheDir
		rc = rc.WithCompilationCache(cache)
	}
	// Anonymous instances: a name would be the guest's own, and a module that called itself like a
	// host namespace would answer other guests' imports. No start functions: the runtime would run a
	// command's _start by itself. The runtime's default randomness is a fixed sequence.
	e.instance = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
	e.space = image.NewSpace(image.Config{Best: cfg.Method, Limit: cfg.MaxMemory, Reclaim: e.reclaim})
	e.runtime = wazero.NewRuntimeWithConfig(ctx, rc)
	e.janitor.start(e.sweep)
	if err := e.link(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("linking host functions: %w", err), e.Close(ctx))
	}
	return e, nil
}

// features are what validation and compilation agree on.
func features(rc wazero.RuntimeConfig) wazero.RuntimeConfig {
	return rc.WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false).WithCustomSections(false)
}

// link offers the guest interface to every module of the runtime. The functions keep no state: a
// call travels in its context.
func (e *Engine) link(ctx context.Context) error {
	builders := map[string]wazero.HostModuleBuilder{
		writ1: e.runtime.NewHostModuleBuilder(writ1),
		wasi:  e.runtime.NewHostModuleBuilder(wasi),
	}
	for _, f := range functions() {
		sig := f.signature()
		builders[f.module].NewFunctionBuilder().
			WithGoModuleFunction(api.GoModuleFunc(f.serve), sig.Params, sig.Results).Export(f.name)
	}
	// The namespace that metering adds is no part of the interface: the gate refuses a module that
	// imports it.
	meter := e.runtime.NewHostModuleBuilder(wasm.YieldModule)
	meter.NewFunctionBuilder().WithGoModuleFunction(api.GoModuleFunc(yield), nil, nil).Export(wasm.YieldName)
	builders[wasm.YieldModule] = meter
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// MemoryMethod tells how memories are restored between calls and, when it is not the best way, why.
func (e *Engine) MemoryMethod() (image.Method, string) { return e.space.Method() }

// Close frees all code, that of every Code included. No call may run.
func (e *Engine) Close(ctx context.Context) error {
	e.janitor.stop()
	var errs []error
	for _, c := range e.open() {
		errs = append(errs, c.Close(ctx))
	}
	errs = append(errs, e.runtime.Close(ctx))
	if e.cache != nil {
		errs = append(errs, e.cache.Close(ctx))
	}
	return errors.Join(append(errs, e.space.Close())...)
}

// open lists the Codes that were not closed.
func (e *Engine) open() []*Code {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*Code, 0, len(e.codes))
	for c := range e.codes {
		list = append(list, c)
	}
	return list
}

// reclaim gives up all instances that wait, for one that runs and needs memory.
func (e *Engine) reclaim() {
	for _, c := range e.open() {
		c.pool.drain()
	}
}
