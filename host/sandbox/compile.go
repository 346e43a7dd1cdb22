package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"

	"github.com/writ-run/writ/host/wasm"
)

// digest is a SHA-256.
type digest [sha256.Size]byte

// machine is compiled code. Servlets whose metered code is equal share one: a script engine is
// compiled once for all its scripts.
type machine struct {
	key      digest
	refs     int // guarded by Engine.mu
	done     chan struct{}
	compiled wazero.CompiledModule // set before done is closed
	err      error                 // set before done is closed
}

// Compile makes machine code of an admitted module: validated, then metered, then compiled. No guest
// code runs. It takes about a second for a Go program that is in no cache and cannot be interrupted, so
// it belongs to install and start, never to a call.
func (e *Engine) Compile(ctx context.Context, m Admitted) (c *Code, err error) {
	if m.gated.Code() == nil {
		return nil, errors.New("compiling module: it was not admitted")
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("compiling module: %w", err)
	}
	metered, err := e.meter(m.gated)
	if errors.Is(err, wasm.ErrInvalid) {
		return nil, fmt.Errorf("compiling module: %w", wasm.ErrInvalid)
	}
	if err != nil {
		return nil, fmt.Errorf("compiling module: %w", err)
	}
	mach, err := e.acquire(ctx, metered.Code())
	if err != nil {
		return nil, err
	}
	return e.newCode(mach, metered), nil
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

// maxValid bounds the modules that are remembered as valid. Above it all are looked up again.
const maxValid = 1024

// validator names what found a module valid, for the marks in the cache folder.
const validator = "wazero v1.12.0, core 2.0"

// validate runs the runtime's full validation, unless the same bytes passed it before.
func (e *Engine) validate(code []byte) error {
	h := sha256.New()
	io.WriteString(h, validator)
	h.Write(code)
	key := digest(h.Sum(nil))
	e.mu.Lock()
	known := e.valid[key]
	e.mu.Unlock()
	if known {
		return nil
	}
	mark := e.mark(key)
	if mark == "" || !exists(mark) {
		if err := fullyValidate(code); err != nil {
			return err
		}
		if mark != "" {
			// Without the mark the next process validates again, which is all that an error means.
			if err := os.WriteFile(mark, nil, 0o600); err != nil {
				e.logger.Warn("noting a valid module", "error", err)
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.valid) >= maxValid {
		clear(e.valid)
	}
	e.valid[key] = true
	return nil
}

// mark is the file that says that a module is valid, beside its machine code, which is trusted no less;
// empty: there is no cache folder.
func (e *Engine) mark(key digest) string {
	if e.cacheDir == "" {
		return ""
	}
	return filepath.Join(e.cacheDir, fmt.Sprintf("valid-%x", key))
}

func exists(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

// fullyValidate uses the runtime's interpreter, which validates without making machine code.
func fullyValidate(code []byte) error {
	ctx := context.Background()
	interpreter := wazero.NewRuntimeWithConfig(ctx, features(wazero.NewRuntimeConfigInterpreter()))
	_, err := interpreter.CompileModule(ctx, code)
	return errors.Join(err, interpreter.Close(ctx))
}

// acquire returns the machine of metered code, compiled by the first of many who ask.
func (e *Engine) acquire(ctx context.Context, code []byte) (*machine, error) {
	key := digest(sha256.Sum256(code))
	e.mu.Lock()
	mach, found := e.machines[key]
	if !found {
		mach = &machine{key: key, done: make(chan struct{})}
		e.machines[key] = mach
	}
	mach.refs++
	e.mu.Unlock()
	if !found {
		mach.compiled, mach.err = e.compile(ctx, code)
		close(mach.done)
	}
	<-mach.done
	if mach.err != nil {
		return nil, errors.Join(mach.err, e.release(ctx, mach))
	}
	return mach, nil
}

func (e *Engine) compile(ctx context.Context, code []byte) (c wazero.CompiledModule, err error) {
	defer e.survive("compiler", &err)
	c, err = e.runtime.CompileModule(context.WithoutCancel(ctx), code)
	if err != nil {
		// The module was valid before it was metered. The runtime's text may hold names that the guest
		// chose, and goes to the operator's log only.
		e.logger.Error("metered module was not compiled", "error", err)
		return nil, errors.New("compiling module: the compiler failed on it")
	}
	return c, nil
}

// survive turns a panic of the runtime into an error.
func (e *Engine) survive(what string, err *error) {
	if p := recover(); p != nil {
		e.logger.Error(what+" panicked", "panic", p)
		*err = errors.New("compiling module: the compiler failed on it")
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
