package wasm_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// Programs that real compilers made, of Rust, TinyGo, Zig and C, print the same plain and metered.
func TestRealPrograms(t *testing.T) {
	root := filepath.Join(specFolder(t), "..", "..", "..")
	programs := map[string][]string{
		"imports/wasi_snapshot_preview1/testdata/cargo-wasi/wasi.wasm":        {"wasi", "ls", "."},
		"imports/wasi_snapshot_preview1/testdata/tinygo/wasi.wasm":            {"wasi", "ls", "."},
		"imports/wasi_snapshot_preview1/testdata/zig-cc/wasi.wasm":            {"wasi", "ls", "."},
		"imports/wasi_snapshot_preview1/testdata/zig/wasi.wasm":               {"wasi", "ls", "."},
		"imports/wasi_snapshot_preview1/example/testdata/cargo-wasi/cat.wasm": {"cat", "/file.txt"},
		"imports/wasi_snapshot_preview1/example/testdata/tinygo/cat.wasm":     {"cat", "/file.txt"},
		"imports/wasi_snapshot_preview1/example/testdata/zig-cc/cat.wasm":     {"cat", "/file.txt"},
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "file.txt"), []byte("what the file says\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	printed := 0
	for file, args := range programs {
		t.Run(file, func(t *testing.T) {
			module, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			m := newMachine(t, wazero.NewRuntimeConfigCompiler())
			wasi_snapshot_preview1.MustInstantiate(t.Context(), m)
			form, err := m.meter(module, openRules(module))
			if err != nil {
				t.Fatal(err)
			}
			var plain, metered bytes.Buffer
			config := anonymous.WithArgs(args...).WithFSConfig(wazero.NewFSConfig().WithFSMount(os.DirFS(folder), "/"))
			one, err := m.InstantiateWithConfig(t.Context(), module, config.WithStdout(&plain).WithStderr(&plain))
			if err != nil {
				t.Fatal(err)
			}
			two, err := m.start(form, config.WithStdout(&metered).WithStderr(&metered), 1<<20, plenty)
			if err != nil {
				t.Fatal(err)
			}
			_, err1 := one.ExportedFunction("_start").Call(t.Context())
			_, err2 := two.ExportedFunction("_start").Call(t.Context())
			if (err1 == nil) != (err2 == nil) || err1 != nil && trapText(err1) != trapText(err2) || plain.String() != metered.String() {
				t.Errorf("plain %v: %q; metered %v: %q", err1, plain.String(), err2, metered.String())
			}
			if strings.Contains(plain.String(), "file") {
				printed++
			}
		})
	}
	if printed < len(programs)-2 {
		t.Errorf("%d of %d programs printed what they should", printed, len(programs))
	}
}
