package toolchain

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/sdk/typescript"
)

// entryFiles are the names that a TypeScript servlet's first file can have.
var entryFiles = []string{"main.ts", "src/main.ts", "main.js", "src/main.js"}

// findEntry finds the first file of a TypeScript servlet; "": the folder has none.
func findEntry(dir string) string {
	for _, name := range entryFiles {
		if isFile(filepath.Join(dir, filepath.FromSlash(name))) {
			return name
		}
	}
	return ""
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// compileTypeScript turns a script into a module that has already run its top level, and that starts
// with the memory which that left.
func compileTypeScript(ctx context.Context, dir, entry, cacheDir string, m capabilities.Manifest) (c compiled, err error) {
	f, err := openScriptFolder(dir, entry)
	if err != nil {
		return compiled{}, err
	}
	if err := restoreTypes(dir); err != nil {
		return compiled{}, err
	}
	b, err := bundle(f, m.Capabilities)
	if err != nil {
		return compiled{}, err
	}
	engine, err := openEngine(ctx, cacheDir)
	if err != nil {
		return compiled{}, err
	}
	defer func() { err = errors.Join(err, engine.close(ctx)) }()
	// Two jobs, each in an instance of its own: what compiling leaves behind is not in the servlet.
	bytecode, err := engine.compile(ctx, b.script, b.places)
	if err != nil {
		return compiled{}, b.explain(err)
	}
	image, err := engine.load(ctx, bytecode, b.kinds, int64(capabilities.EffectiveLimits(m.Limits).MemoryMB)<<20)
	if err != nil {
		return compiled{}, b.explain(err)
	}
	module, err := sealImage(typescript.Engine, image, unaskedImports(b.kinds))
	return compiled{module: module, description: image.description, inputs: b.inputs, notes: b.notes, sources: b.sources}, err
}
