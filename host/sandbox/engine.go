package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/sandbox/codecache"
	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// defaultMaxMemory bounds the memory of all instances when Config names no bound: 4 GiB.
const defaultMaxMemory = 4 << 30

// defaultCacheBytes bounds the cache folder when Config does not: 2 GiB hold some 80 Go programs.
const defaultCacheBytes = 2 << 30

// Config sets up an Engine. The zero Config works.
type Config struct {
	// CacheDir keeps compiled code between processes; empty: none on disk. What lies there is run as
	// machine code, so the folder is made with mode 0700, and one that others can write, that is a
	// link or that another user owns is refused.
	CacheDir string
	// CacheBytes bounds the files in CacheDir, bytes; 0: 2 GiB. What was not used for longest is dropped.
	CacheBytes int64
	// Compiler makes another process compile into CacheDir, by CompileInto; nil: this process does. It is
	// asked for what is not there yet, and its errors are those of Compile.
	Compiler func(ctx context.Context, job Job) error
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
	runtime    wazero.Runtime
	cache      wazero.CompilationCache // nil: none on disk
	folder     *codecache.Folder       // nil: none on disk
	compiler   func(context.Context, Job) error
	cacheBytes int64
	instance   wazero.ModuleConfig
	logger     *slog.Logger
	best       Rung
	space      *image.Space
	janitor    janitor
	turns      *turns
	instances  atomic.Int64 // that are not discarded

	mu       sync.Mutex
	machines map[digest]*machine     // guarded by mu
	codes    map[*Code]bool          // guarded by mu; not yet closed
	valid    map[digest]bool         // guarded by mu; modules that the validator passed
	expected map[string]*expectation // guarded by mu; by the file of their program
}

// New makes an Engine.
func New(ctx context.Context, cfg Config) (*Engine, error) {
	e := &Engine{
		logger: cfg.Logger, best: cfg.Best, turns: newTurns(runtime.GOMAXPROCS(0)),
		machines: map[digest]*machine{}, codes: map[*Code]bool{}, valid: map[digest]bool{}, expected: map[string]*expectation{},
	}
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
		if err := e.openCache(cfg); err != nil {
			return nil, err
		}
		rc = rc.WithCompilationCache(e.cache)
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

func (e *Engine) openCache(cfg Config) error {
	folder, err := codecache.Open(cfg.CacheDir)
	if err != nil {
		return err
	}
	dir := filepath.Join(folder.Dir(), runtimeFolder)
	err = os.MkdirAll(dir, 0o700)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		// Nothing is in it that this runtime could use, and nothing can be put there.
		e.logger.Warn("code cache is not used", "reason", err)
		e.cache = wazero.NewCompilationCache()
		return nil
	}
	if err == nil {
		e.cache, err = wazero.NewCompilationCacheWithDir(dir)
	}
	if err != nil {
		return fmt.Errorf("opening code cache: %w", err)
	}
	e.folder, e.compiler, e.cacheBytes = folder, cfg.Compiler, cfg.CacheBytes
	if e.cacheBytes == 0 {
		e.cacheBytes = defaultCacheBytes
	}
	return nil
}

// features are what validation and compilation agree on.
func features(rc wazero.RuntimeConfig) wazero.RuntimeConfig {
	return rc.WithCoreFeatures(api.CoreFeaturesV2).WithDebugInfoEnabled(false).WithCustomSections(false)
}

// link offers the guest interface to every module of the runtime. The functions keep no state: a
// call travels in its context.
func (e *Engine) link(ctx context.Context) error {
	builders := map[string]wazero.HostModuleBuilder{}
	for _, f := range slices.Concat(functions(), extismFunctions(), absentFunctions()) {
		if builders[f.module] == nil {
			builders[f.module] = e.runtime.NewHostModuleBuilder(f.module)
		}
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

// MaxMemory is Config.MaxMemory, bytes.
func (e *Engine) MaxMemory() int64 { return e.space.Limit() }

// Instances is how many instances there are: those that run a call, those that wait for one, and those
// that images are taken of.
func (e *Engine) Instances() int { return int(e.instances.Load()) }

// UsedMemory is how many bytes of MaxMemory are in use.
func (e *Engine) UsedMemory() int64 { return e.space.Used() }

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
