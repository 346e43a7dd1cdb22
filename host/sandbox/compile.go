package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/writ-run/writ/host/wasm"
)

// digest is a SHA-256.
type digest [sha256.Size]byte

// machine is compiled code. Servlets whose metered code is equal share one: a script engine is
// compiled once for all its scripts.
type machine struct {
	key      digest // of its program
	refs     int    // guarded by Engine.mu
	done     chan struct{}
	compiled wazero.CompiledModule // set before done is closed
	err      error                 // set before done is closed
}

// Errors of Compile that a caller may tell apart.
var (
	// ErrCompile is a module that passed the gate and that the compiler fails on, or not within its limits.
	ErrCompile = errors.New("the compiler failed on it")
	// ErrCache is a cache folder that cannot be used: what is not in it cannot be compiled.
	ErrCache = errors.New("the folder of compiled code cannot be written")
	// ErrInvalid is a module that passed the gate and that the validator refuses.
	ErrInvalid = wasm.ErrInvalid
)

// Compile makes machine code of an admitted module: validated, then metered, then compiled, or taken
// from the cache folder where the same was done before. No guest code runs. It takes about two seconds
// for a Go program that is in no cache and cannot be interrupted, so it belongs to install and start,
// never to a call.
func (e *Engine) Compile(ctx context.Context, m Admitted) (c *Code, err error) {
	if m.gated.Code() == nil {
		return nil, errors.New("compiling module: it was not admitted")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compiling module: %w", err)
	}
	p, err := e.program(ctx, m)
	if errors.Is(err, wasm.ErrInvalid) {
		return nil, fmt.Errorf("compiling module: %w", wasm.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("compiling module: %w", err)
	}
	mach, err := e.acquire(ctx, p)
	if err != nil {
		return nil, err
	}
	return e.newCode(mach, p, m.dialect), nil
}

// meter validates and rewrites a module. The order is what makes it sound: an invalid module could
// become valid by the rewrite, with another meaning.
func (e *Engine) meter(gated wasm.Gated) (m wasm.Metered, err error) {
	defer e.survive("validator", &err)
	validated, err := wasm.Validate(gated, e.validate)
	if err != nil {
		return m, err
	}
	return wasm.Meter(validated)
}

// maxValid bounds the modules that are remembered as valid. Above it all are validated again.
const maxValid = 1024

// validator names what finds a module valid and compiles it. What another one made is not used.
const validator = "wazero v1.12.0, core 2.0"

// validate runs the runtime's full validation, unless the same bytes passed it before.
func (e *Engine) validate(code []byte) error {
	key := digest(sha256.Sum256(code))
	e.mu.Lock()
	known := e.valid[key]
	e.mu.Unlock()
	if known {
		return nil
	}
	if err := fullyValidate(code); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.valid) >= maxValid {
		clear(e.valid)
	}
	e.valid[key] = true
	return nil
}

// fullyValidate runs the runtime's validator and no more. The runtime asks for the listener of a first
// function as soon as a module is valid, and is stopped there: what comes next takes a hundred times the
// module's memory in its interpreter, and 10 s in its compiler. The time and the memory of validation are
// bounded by the gate: see TestGateLimitsCompile.
func fullyValidate(code []byte) (err error) {
	ctx := context.Background()
	runtime := wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfigInterpreter()))
	defer func() {
		if p := recover(); p != nil && p != any(errValid) {
			panic(p)
		}
		err = errors.Join(err, runtime.Close(ctx))
	}()
	_, err = runtime.CompileModule(experimental.WithFunctionListenerFactory(ctx, validOnly{}), code)
	return err
}

// validOnly stops the runtime when it found a module valid.
type validOnly struct{}

var errValid = errors.New("the module is valid")

func (validOnly) NewFunctionListener(api.FunctionDefinition) experimental.FunctionListener {
	panic(errValid)
}

// acquire returns the machine of a program, compiled by the first of many who ask.
func (e *Engine) acquire(ctx context.Context, p program) (*machine, error) {
	e.mu.Lock()
	mach, found := e.machines[p.key]
	if !found {
		mach = &machine{key: p.key, done: make(chan struct{})}
		e.machines[p.key] = mach
	}
	mach.refs++
	e.mu.Unlock()
	if !found {
		mach.compiled, mach.err = e.compile(ctx, p)
		close(mach.done)
	}
	<-mach.done
	if mach.err != nil {
		return nil, errors.Join(mach.err, e.release(ctx, mach))
	}
	return mach, nil
}

func (e *Engine) compile(ctx context.Context, p program) (c wazero.CompiledModule, err error) {
	defer e.survive("compiler", &err)
	ctx = context.WithoutCancel(ctx)
	c, err = e.runtime.CompileModule(ctx, p.metered.Code())
	if err != nil && e.dropMachineFile(p.key) {
		e.logger.Warn("compiled code was damaged, and is made again", "error", err)
		c, err = e.runtime.CompileModule(ctx, p.metered.Code())
	}
	var unwritten *fs.PathError
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &unwritten):
		return nil, fmt.Errorf("compiling module: %w: %w", ErrCache, unwritten)
	}
	// The module was valid before it was metered. The runtime's text may hold names that the guest
	// chose, and goes to the operator's log only.
	e.logger.Error("metered module was not compiled", "error", err)
	return nil, fmt.Errorf("compiling module: %w", ErrCompile)
}

// survive turns a panic of the runtime into an error.
func (e *Engine) survive(what string, err *error) {
	if p := recover(); p != nil {
		e.logger.Error(what+" panicked", "panic", p)
		*err = fmt.Errorf("compiling module: %w", ErrCompile)
	}
}

// release gives a machine back; the last one to do so frees it.
func (e *Engine) release(ctx context.Context, mach *machine) error {
	e.mu.Lock()
	mach.refs--
	last := mach.refs == 0
	if last {
		delete(e.machines, mach.key)
	}
	e.mu.Unlock()
	if !last || mach.compiled == nil {
		return nil
	}
	return mach.compiled.Close(ctx)
}
