package toolchain

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
)

const (
	cargoFile = "Cargo.toml"
	// rustSDK is the crate that servlets in Rust are made with.
	rustSDK = "writ-servlet"
	// describing is its feature that has a module describe its tools. What ships does without: the schemas
	// and the code that makes them would be a third of a small servlet.
	describing = rustSDK + "/describe"
)

// compileRust compiles the Rust library in dir to a Wasm reactor, and has it describe its tools.
func compileRust(ctx context.Context, dir, cacheDir string, m capabilities.Manifest) (compiled, error) {
	manifest, err := readCargoManifest(dir)
	if err != nil {
		return compiled{}, err
	}
	if err := restoreRustSDK(dir, manifest); err != nil {
		return compiled{}, err
	}
	c, err := findCargo(ctx, dir)
	if err != nil {
		return compiled{}, err
	}
	module, notes, err := c.build(ctx)
	if err != nil {
		return compiled{}, err
	}
	out := compiled{module: module.code, inputs: module.crates, notes: notes, names: module.functions}
	if module.exports(string(sandbox.EntryDescribe)) || !bytes.Contains(manifest, []byte(rustSDK)) {
		return out, nil // it is asked itself, or whoever wrote it knows why it does not say
	}
	talking, _, err := c.build(ctx, "--features", describing)
	if err != nil {
		return compiled{}, err
	}
	admitted, err := sandbox.Admit(talking.code, capabilities.ABI, m.Capabilities.Kinds())
	if err != nil {
		return compiled{}, fmt.Errorf("checking the module: %w", err)
	}
	out.description, err = describe(ctx, admitted, cacheDir, capabilities.EffectiveLimits(m.Limits))
	return out, err
}

// build compiles the library; more are arguments for cargo. The notes are for the author.
func (c cargo) build(ctx context.Context, more ...string) (rustModule, []string, error) {
	out, err := c.run(ctx, append([]string{
		"build", "--lib", "--release", "--target", rustTarget, "--locked", "--offline", "--message-format", "json-render-diagnostics",
	}, more...)...)
	if err != nil {
		return rustModule{}, nil, err
	}
	path, notes, err := c.library(out)
	if err != nil {
		return rustModule{}, nil, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return rustModule{}, nil, fmt.Errorf("building: %w", err)
	}
	module, err := readRustModule(raw)
	return module, notes, err
}

// artifact is what cargo says of a crate that it compiled, or found compiled.
type artifact struct {
	Reason    string
	Package   string `json:"package_id"`
	Manifest  string `json:"manifest_path"`
	Filenames []string
	Target    struct {
		Name  string
		Types []string `json:"crate_types"`
	}
}

// library finds the module among what cargo says that it made.
func (c cargo) library(messages []byte) (path string, notes []string, err error) {
	for line := range bytes.Lines(messages) {
		var made artifact
		if json.Unmarshal(line, &made) != nil || made.Reason != "compiler-artifact" {
			continue
		}
		at := slices.IndexFunc(made.Filenames, func(name string) bool { return strings.HasSuffix(name, ".wasm") })
		inside := strings.HasPrefix(made.Manifest, c.dir+string(filepath.Separator))
		switch {
		case filepath.Dir(made.Manifest) == c.dir && at >= 0:
			path = made.Filenames[at]
			if len(made.Target.Types) > 1 {
				notes = append(notes, cargoFile+` has crate-type with more than "cdylib": then Rust does not optimise across crates, and the servlet is half as large again`)
			}
		case !inside && strings.HasPrefix(made.Package, "path+") && !slices.Contains(made.Target.Types, "proc-macro"):
			notes = append(notes, fmt.Sprintf("%s comes from outside of this folder (%s), so the bytes of the servlet depend on where the two are",
				capabilities.Printable(made.Target.Name, 80), capabilities.Printable(filepath.Dir(made.Manifest), 200)))
		}
	}
	if path == "" {
		return "", nil, &compilerError{cargoFile + ` makes no module: write crate-type = ["cdylib"] below [lib]`}
	}
	return path, notes, nil
}

// rustModule is a module without its custom sections, and what they said.
type rustModule struct {
	code   []byte
	crates []Input // bytes of code by crate, largest first
	names  map[string]bool

	functions []byte // the name section
}

func (m rustModule) exports(name string) bool { return m.names[name] }

var errRustModule = errors.New("building: the compiler made no module that can be read")

// readRustModule takes a module of the linker's apart. Names of functions and places in sources stay behind:
// they are larger than the code, and differ between two machines.
func readRustModule(raw []byte) (rustModule, error) {
	sections, err := splitSections(raw)
	if err != nil {
		return rustModule{}, errRustModule
	}
	m := rustModule{code: slices.Clone(raw[:8]), names: map[string]bool{}}
	var names, imports, code []byte
	for _, s := range sections {
		switch s.id {
		case sectionCustom:
			r := wasmReader{rest: s.body}
			if r.name() == "name" {
				names, m.functions = r.rest, r.rest
			}
			continue
		case sectionImport:
			imports = s.body
		case sectionCode:
			code = s.body
		case sectionExport:
			r := wasmReader{rest: s.body}
			for n := r.number(); n > 0 && !r.bad; n-- {
				m.names[r.name()] = true
				r.byte()
				r.number()
			}
		}
		m.code = binary.AppendUvarint(append(m.code, s.id), uint64(len(s.body)))
		m.code = append(m.code, s.body...)
	}
	if list, err := readImports(imports); imports != nil && err == nil {
		m.crates = crateSizes(names, code, len(list))
	}
	return m, nil
}
