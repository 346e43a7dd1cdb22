package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/writ-run/writ/sdk/toolchain"
)

// scripts makes a home with n servlets in TypeScript, js0 and on. Each is a script of its own: one entry
// of its table has its number.
func (b *bench) scripts(n int) (string, error) {
	source := filepath.Join(b.root, "testdata/bench/js")
	script, err := os.ReadFile(filepath.Join(source, "main.ts"))
	if err != nil {
		return "", err
	}
	declaration, err := os.ReadFile(filepath.Join(source, "servlet.toml"))
	if err != nil {
		return "", err
	}
	dir, out := filepath.Join(b.dir, "script"), filepath.Join(b.dir, "script.wasm")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	return b.homeOf("scripts", n, func(i int) (string, []byte, error) {
		alias := fmt.Sprint("js", i)
		named := bytes.Replace(declaration, []byte(`"js"`), fmt.Appendf(nil, "%q", alias), 1)
		if err := os.WriteFile(filepath.Join(dir, "servlet.toml"), named, 0o644); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, "main.ts"), fmt.Appendf(script, "\ntable.set(%q, %d);\n", alias, i), 0o644); err != nil {
			return "", nil, err
		}
		if _, err := toolchain.Build(b.ctx, toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: b.cache}); err != nil {
			return "", nil, err
		}
		file, err := os.ReadFile(out)
		return alias, file, err
	})
}
