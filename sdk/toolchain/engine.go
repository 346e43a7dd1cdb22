package toolchain

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/sdk/typescript"
)

// scriptEngine is the engine of TypeScript servlets in a sandbox, where it does a build's jobs: each in
// an instance of its own, which can reach nothing.
type scriptEngine struct {
	runtime *sandbox.Engine
	code    *sandbox.Code
}

// engineKinds are the kinds of which the engine has imports, with the bits that its glue knows them by
// (engine/engine.h).
var engineKinds = []struct {
	kind capabilities.Kind
	bit  uint32
}{
	{capabilities.KindConfig, 1},
	{capabilities.KindHTTP, 2},
	{capabilities.KindWeb, 4},
	{capabilities.KindKV, 8},
	{capabilities.KindFS, 16},
}

// Memory that a job may use. Compiling has nothing to do with what the servlet may have.
const compileMemory = 1 << 30

// jobWall is above what the engine itself allows a script's top level, whose error names the line.
const jobWall = 20 * time.Second

func openEngine(ctx context.Context, cacheDir string) (*scriptEngine, error) {
	var kinds []capabilities.Kind
	for _, k := range engineKinds {
		kinds = append(kinds, k.kind)
	}
	admitted, err := sandbox.Admit(typescript.Engine, capabilities.ABI, kinds)
	if err != nil {
		return nil, fmt.Errorf("opening the script engine: %w", err)
	}
	runtime, err := sandbox.New(ctx, sandbox.Config{CacheDir: cacheDir})
	if err != nil {
		return nil, fmt.Errorf("opening the script engine: %w", err)
	}
	e := &scriptEngine{runtime: runtime}
	if e.code, err = runtime.Compile(ctx, admitted); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the script engine: %w", err), e.close(ctx))
	}
	return e, nil
}

func (e *scriptEngine) close(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if e.code == nil {
		return e.runtime.Close(ctx)
	}
	return errors.Join(e.code.Close(ctx), e.runtime.Close(ctx))
}

// scriptError is an exception of a script, or a syntax error that only the engine found. Its places are
// in the bundle, unless they are in a function of one file.
type scriptError struct{ text string }

func (e *scriptError) Error() string { return e.text }

// job runs one job.
func (e *scriptEngine) job(ctx context.Context, input []byte, memory int64) ([]byte, error) {
	out := e.code.Run(ctx, sandbox.Call{Entry: sandbox.EntryDescribe, Input: input, Limits: sandbox.Limits{
		Memory: memory, Wall: jobWall, Output: 1 << 30, Log: 64 << 10, HostCalls: 1 << 20,
	}})
	switch {
	case out.Fault == nil:
		return out.Output, nil
	case out.Fault.Kind == sandbox.FaultTool:
		return nil, &scriptError{out.Fault.Text}
	}
	return nil, errors.New(out.Fault.Text)
}

// compile turns a bundle into bytecode without source text. Every function of it is placed where it was
// written, by way of the bundle's source map.
func (e *scriptEngine) compile(ctx context.Context, script []byte, places sourceMap) ([]byte, error) {
	le := binary.LittleEndian
	job := []byte{'c', 0, 0, 0}
	job = le.AppendUint32(job, uint32(len(places.files)))
	for _, name := range places.files {
		job = le.AppendUint32(job, uint32(len(name)))
		job = append(append(job, name...), 0)
	}
	for len(job)%4 != 0 {
		job = append(job, 0)
	}
	job = le.AppendUint32(job, uint32(len(places.rows)))
	for _, r := range places.rows {
		for _, v := range []int{r.line, r.column, r.file, r.sourceLine, r.sourceColumn} {
			job = le.AppendUint32(job, uint32(v))
		}
	}
	return e.job(ctx, append(job, script...), compileMemory)
}

// loaded is an engine that has run a script's top level and waits for its first call.
type loaded struct {
	description []byte
	base        uint32 // address of memory
	memory      []byte // to the end of the engine's memory
}

// load runs bytecode, in the memory that the servlet may have.
func (e *scriptEngine) load(ctx context.Context, bytecode []byte, kinds []capabilities.Kind, memory int64) (loaded, error) {
	var bits uint32
	for _, k := range engineKinds {
		for _, kind := range kinds {
			if k.kind == kind {
				bits |= k.bit
			}
		}
	}
	job := binary.LittleEndian.AppendUint32([]byte{'l', 0, 0, 0}, bits)
	out, err := e.job(ctx, append(job, bytecode...), memory)
	if err != nil {
		return loaded{}, err
	}
	description, rest, ok := bytes.Cut(out, []byte{0})
	if !ok || len(rest) < 4 {
		return loaded{}, errors.New("the script engine answered with half a servlet")
	}
	return loaded{description, binary.LittleEndian.Uint32(rest), rest[4:]}, nil
}
