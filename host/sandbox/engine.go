package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
)

// Config sets up an Engine. The zero Config works.
type Config struct {
	// CacheDir keeps compiled code between processes; empty: none on disk. What lies there is run as
	// machine code, so the folder is made with mode 0700, and one that others can write, that is a
	// link or that another user owns is refused.
	CacheDir string
	// Logger is told when the host side of a call panics; nil: discard. Guests never write to it.
	Logger *slog.Logger
}

// Engine compiles modules. One per process.
type Engine struct {
	runtime  wazero.Runtime
	cache    wazero.CompilationCache // nil: none on disk
	instance wazero.ModuleConfig
	logger   *slog.Logger
}

// New makes an Engine.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	e := &Engine{logger: cfg.Logger}
	if e.logger == nil {
		e.logger = slog.New(slog.DiscardHandler)
	}
	// WithCloseOnContextDone is what ends a guest at its deadline until calls are metered. It looks at
	// the clock at loop heads and calls, which slows a guest down several times and leaves bulk memory
	// operations and deep recursion to run past the deadline.
	rc := wazero.NewRuntimeConfig().WithCoreFeatures(api.CoreFeaturesV2).
		WithCloseOnContextDone(true).WithDebugInfoEnabled(false).WithCustomSections(false)
	if cfg.CacheDir != "" {
		if err := privateDir(cfg.CacheDir); err != nil {
			return nil, fmt.Errorf("opening code cache: %w", err)
		}
		cache, err := wazero.NewCompilationCacheWithDir(cfg.CacheDir)
		if err != nil {
			return nil, fmt.Errorf("opening code cache: %w", err)
		}
		e.cache = cache
		rc = rc.WithCompilationCache(cache)
	}
	// Anonymous instances: a name would be the guest's own, and a module that called itself like a
	// host namespace would answer other guests' imports. No start functions: the runtime would run a
	// command's _start by itself. The runtime's default randomness is a fixed sequence.
	e.instance = wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
	e.runtime = wazero.NewRuntimeWithConfig(ctx, rc)
	if err := e.link(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("linking host functions: %w", err), e.Close(ctx))
	}
	return e, nil
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
	for _, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close frees all code. No call may run.
func (e *Engine) Close(ctx context.Context) error {
	err := e.runtime.Close(ctx)
	if e.cache != nil {
		err = errors.Join(err, e.cache.Close(ctx))
	}
	return err
}

// Compile makes machine code of an admitted module. No guest code runs. It takes about a second for
// a Go program and cannot be interrupted, so it belongs to install and start, never to a call.
func (e *Engine) Compile(ctx context.Context, m Admitted) (c *Code, err error) {
	if m.gated.Code() == nil {
		return nil, errors.New("compiling module: it was not admitted")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compiling module: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			e.logger.Error("compiler panicked", "panic", p)
			c, err = nil, errors.New("compiling module: the compiler failed on it")
		}
	}()
	compiled, err := e.runtime.CompileModule(ctx, m.gated.Code())
	if err != nil {
		// The runtime's text may hold names that the guest chose.
		return nil, errors.New("compiling module: it is not valid WebAssembly 2.0 (a function body, constant or index is wrong)")
	}
	info := m.gated.Info()
	return &Code{engine: e, compiled: compiled, memoryMin: int64(info.MemoryMin) * wasm.PageSize}, nil
}

// Code is a compiled servlet. Any number of calls may run at a time.
type Code struct {
	engine    *Engine
	compiled  wazero.CompiledModule
	memoryMin int64 // bytes that an instance starts with
}

// Close frees the code. No call may run.
func (c *Code) Close(ctx context.Context) error { return c.compiled.Close(ctx) }
