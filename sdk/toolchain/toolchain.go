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
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/extism"
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
	// Learn lets the module import every kind of capability, whatever servlet.toml requests: what it does
	// not request is requested by a stand-in that no tool uses (Unrequested), so that a guard sees, refuses
	// and records what the code asks for. It is for "writ dev" alone.
	Learn bool
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
	// Manifest is what was sealed; of a learning build, without its stand-ins.
	Manifest capabilities.Manifest `json:"-"`
	// Sources are the files that a TypeScript servlet was bundled of, by absolute path.
	Sources []string `json:"-"`
	// Places tells where in the source a call of this build failed.
	Places Places `json:"-"`
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
	err := checkOutput(o.Output)
	if err == nil {
		err = apartFromPlugin(o.Output, o.Dir)
	}
	if err != nil {
		return Result{}, err
	}
	a, err := assemble(ctx, o)
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
		Manifest: a.declared, Sources: a.sources, Places: Places{o.Dir, a.names},
	}, nil
}

// assembled is a servlet that only lacks its signature.
type assembled struct {
	compiled
	manifest capabilities.Manifest
	declared capabilities.Manifest // without the stand-ins of a learning build
	admitted sandbox.Admitted
	tools    []string // names, in the manifest's order
}

// assemble compiles the source and makes the manifest. o.Key is that of the publisher to be.
func assemble(ctx context.Context, o Options) (a assembled, err error) {
	dir, cacheDir, key := o.Dir, o.CacheDir, o.Key
	d, err := readDeclaration(filepath.Join(dir, declarationFile))
	if err == nil {
		err = d.checkTools(dir)
	}
	if err != nil {
		return a, err
	}
	m := d.manifest()
	declared := m.Capabilities
	if o.Learn {
		m.Capabilities = everyKind(declared)
	}
	early := m // what can be said before the tools are known, before anybody waits for a compiler
	early.Uses = nil
	if err := d.check(early, key); err != nil {
		return a, err
	}
	if a.compiled, err = compile(ctx, dir, cacheDir, m); err != nil {
		return a, err
	}
	m.Module.ABI = cmp.Or(a.abi, capabilities.ABI)
	if a.admitted, err = sandbox.Admit(a.module, m.Module.ABI, m.Capabilities.Kinds()); err != nil {
		return a, fmt.Errorf("checking the module: %w", err)
	}
	if len(d.Tools) > 0 {
		a.description, err = d.description()
	}
	if err == nil && a.description == nil {
		a.description, err = describe(ctx, a.admitted, cacheDir, capabilities.EffectiveLimits(m.Limits))
	}
	if err != nil {
		return a, err
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
	m.Capabilities = declared // nothing uses a stand-in
	a.declared = m
	return a, d.checkUsed(m)
}

// compiled is what a language's compiler made.
type compiled struct {
	module      []byte
	description []byte // what the module said of its tools on the way; nil: it has yet to be asked
	inputs      []Input
	notes       []string
	sources     []string
	names       []byte // the name section of what was compiled; nil: it has none
	abi         string // empty: capabilities.ABI
}

// compile makes the module of whatever language the folder is in.
func compile(ctx context.Context, dir, cacheDir string, m capabilities.Manifest) (compiled, error) {
	entry, isGo := findEntry(dir), isFile(filepath.Join(dir, "go.mod"))
	isRust := isFile(filepath.Join(dir, cargoFile))
	isPlugin := isFile(filepath.Join(dir, pluginFile))
	switch {
	case isPlugin && (isGo || isRust || entry != ""):
		return compiled{}, &compilerError{fmt.Sprintf("%s has both %s and source: keep one, so that it is clear what the servlet is made of", dir, pluginFile)}
	case isPlugin:
		return readPlugin(dir)
	case isRust && (isGo || entry != ""):
		return compiled{}, &compilerError{fmt.Sprintf("%s has both %s and %s: keep one, so that it is clear what the servlet is written in", dir, cargoFile, cmp.Or(entry, "go.mod"))}
	case isRust:
		return compileRust(ctx, dir, cacheDir, m)
	case entry != "" && isGo:
		return compiled{}, &compilerError{fmt.Sprintf("%s has both go.mod and %s: keep one, so that it is clear what the servlet is written in", dir, entry)}
	case entry != "":
		return compileTypeScript(ctx, dir, entry, cacheDir, m)
	}
	if programs, _ := filepath.Glob(filepath.Join(dir, "*.go")); !isGo && len(programs) == 0 {
		return compiled{}, &compilerError{fmt.Sprintf("%s has no source: a servlet in Go has a go.mod, one in Rust a Cargo.toml, one in TypeScript a main.ts", dir)}
	}
	module, names, err := compileGo(ctx, dir)
	return compiled{module: module, names: names}, err
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
	if !module.Describes() {
		return nil, errUndescribed
	}
	outcome := code.Run(ctx, sandbox.Call{Entry: sandbox.EntryDescribe, Limits: describeLimits(limits.MemoryMB)})
	if outcome.Fault != nil {
		return nil, explainFault(outcome)
	}
	if module.ABI() == capabilities.ABIExtism {
		return extism.Description(outcome.Output), nil
	}
	return outcome.Output, nil
}
