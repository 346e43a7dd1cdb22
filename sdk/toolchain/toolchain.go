// Package toolchain turns a source folder into a signed servlet: it builds the module, asks it to
// describe its tools, writes the manifest and seals both. It works offline: the SDK that a servlet is
// built with is part of this package.
//
// A build, in order:
//
//  1. servlet.toml is read strictly: what it declares is what the manifest will ask for.
//  2. The compiler runs with an environment of its own, so that the same source gives the same bytes.
//  3. The module passes the sandbox's gate; an import of a kind that was not declared stops here.
//  4. The module describes its tools, in a sandbox that grants nothing.
//  5. Manifest and tools are validated as an installer would, sealed, and written in one step.
package toolchain

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
)

// Errors that a caller may tell apart. The texts that wrap them say what to do.
var (
	// ErrCompiler is a compiler that is missing or too old.
	ErrCompiler = errors.New("no usable compiler")
	// ErrSource is source code that does not compile. The text is the compiler's, with file and line.
	ErrSource = errors.New("source does not compile")
	// ErrDeclaration is a servlet.toml, or a tool, that cannot become a manifest.
	ErrDeclaration = errors.New("declaration refused")
)

// Options of a build.
type Options struct {
	Dir    string             // source folder with servlet.toml
	Output string             // file to write, as WriteServlet does
	Key    ed25519.PrivateKey // development key
	// CacheDir keeps compiled code, as in sandbox.Config: a module that is built again, or installed
	// from the same cache, is compiled once. Empty: none is kept.
	CacheDir string
}

// Result is what a build made.
type Result struct {
	Output  string   `json:"output"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Size    int64    `json:"size"`    // bytes of the file
	Tools   []string `json:"tools"`   // names, in the manifest's order
	Imports []string `json:"imports"` // "module.name", sorted
	// Kinds are the capabilities of which the module has an import, sorted: what it could ask for.
	Kinds  []capabilities.Kind `json:"kinds,omitempty"`
	Inputs []Input             `json:"inputs,omitempty"` // what a TypeScript servlet is bundled of, largest first
	Notes  []string            `json:"notes,omitempty"`  // what its author may want to know, a line each
}

// Build builds, describes and seals offline. Equal source, key, compiler and Writ give equal bytes,
// wherever the folder is. On an error Output is as it was.
func Build(ctx context.Context, o Options) (Result, error) {
	if o.Output == "" {
		return Result{}, errors.New("building: no output file was named")
	}
	if len(o.Key) != ed25519.PrivateKeySize {
		return Result{}, errors.New("building: no development key")
	}
	if err := checkOutput(o.Output); err != nil {
		return Result{}, err
	}
	a, err := assemble(ctx, o.Dir, o.CacheDir, o.Key)
	if err != nil {
		return Result{}, err
	}
	file, err := capabilities.Seal(a.module, a.manifest, o.Key)
	if err != nil {
		return Result{}, fmt.Errorf("building: %w", err)
	}
	if err := WriteServlet(o.Output, file); err != nil {
		return Result{}, err
	}
	return Result{
		Output: o.Output, Name: a.manifest.Name, Version: a.manifest.Version, Size: int64(len(file)),
		Tools: a.tools, Imports: a.admitted.Imports(), Kinds: a.admitted.Kinds(), Inputs: a.inputs, Notes: a.notes,
	}, nil
}

// assembled is a servlet that only lacks its signature.
type assembled struct {
	compiled
	manifest capabilities.Manifest
	admitted sandbox.Admitted
	tools    []string // names, in the manifest's order
}

// assemble compiles the source in dir and makes the manifest. key is that of the publisher to be.
func assemble(ctx context.Context, dir, cacheDir string, key ed25519.PrivateKey) (a assembled, err error) {
	d, err := readDeclaration(filepath.Join(dir, declarationFile))
	if err != nil {
		return a, err
	}
	m := d.manifest()
	early := m // what can be said before the tools are known, before anybody waits for a compiler
	early.Uses = nil
	if err := d.check(early, key); err != nil {
		return a, err
	}
	if a.compiled, err = compile(ctx, dir, cacheDir, m); err != nil {
		return a, err
	}
	if a.admitted, err = sandbox.Admit(a.module, capabilities.ABI, m.Capabilities.Kinds()); err != nil {
		return a, fmt.Errorf("checking the module: %w", err)
	}
	if a.description == nil {
		if a.description, err = describe(ctx, a.admitted, cacheDir, capabilities.EffectiveLimits(m.Limits)); err != nil {
			return a, err
		}
	}
	if m.Tools, err = parseDescription(a.description); err != nil {
		return a, err
	}
	if a.tools, err = checkTools(m.Tools); err != nil {
		return a, err
	}
	if err := d.check(m, key); err != nil {
		return a, err
	}
	a.manifest = m
	return a, d.checkUsed(m)
}

// compiled is what a language's compiler made.
type compiled struct {
	module      []byte
	description []byte // what the module said of its tools on the way; nil: it has yet to be asked
	inputs      []Input
	notes       []string
}

// compile makes the module of whatever language the folder is in.
func compile(ctx context.Context, dir, cacheDir string, m capabilities.Manifest) (compiled, error) {
	entry, isGo := findEntry(dir), isFile(filepath.Join(dir, "go.mod"))
	switch {
	case entry != "" && isGo:
		return compiled{}, &compilerError{fmt.Sprintf("%s has both go.mod and %s: keep one, so that it is clear what the servlet is written in", dir, entry)}
	case entry != "":
		return compileTypeScript(ctx, dir, entry, cacheDir, m)
	}
	if programs, _ := filepath.Glob(filepath.Join(dir, "*.go")); !isGo && len(programs) == 0 {
		return compiled{}, &compilerError{fmt.Sprintf("%s has no source: a servlet in Go has a go.mod, one in TypeScript a main.ts", dir)}
	}
	module, err := compileGo(ctx, dir)
	return compiled{module: module}, err
}

// describeLimits bound the one run of a build: describing is a matter of milliseconds.
func describeLimits(memoryMB int) sandbox.Limits {
	return sandbox.Limits{
		Memory: int64(memoryMB) << 20, Wall: 20 * time.Second,
		Output: 4 << 20, Log: 64 << 10, HostCalls: 10_000,
	}
}

// describe asks the module for its tools, in a sandbox without a host.
func describe(ctx context.Context, module sandbox.Admitted, cacheDir string, limits capabilities.Limits) ([]byte, error) {
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: cacheDir})
	if err != nil {
		return nil, fmt.Errorf("describing tools: %w", err)
	}
	defer engine.Close(context.WithoutCancel(ctx))
	code, err := engine.Compile(ctx, module)
	if err != nil {
		return nil, fmt.Errorf("describing tools: %w", err)
	}
	defer code.Close(context.WithoutCancel(ctx))
	outcome := code.Run(ctx, sandbox.Call{Entry: sandbox.EntryDescribe, Limits: describeLimits(limits.MemoryMB)})
	if outcome.Fault != nil {
		return nil, explainFault(outcome)
	}
	return outcome.Output, nil
}
