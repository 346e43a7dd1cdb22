package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// A module that was found valid is not validated again by the next process, and one that was not found
// valid has no mark.
func TestValidModulesAreMarked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	marks := func() int {
		list, err := filepath.Glob(filepath.Join(dir, "valid-*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	for range 2 {
		code := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), grower(1))
		if out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}); out.Fault != nil {
			t.Error(out.Fault)
		}
		if n := marks(); n != 1 {
			t.Errorf("%d marks", n)
		}
	}
	engine := newEngine(t, sandbox.Config{CacheDir: dir})
	bad, err := sandbox.Admit(guest(func(m *w.Module) [][]byte { return [][]byte{w.Get(7)} }), "writ1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := engine.Compile(t.Context(), bad); err == nil {
			t.Error("an invalid module was compiled")
		}
	}
	if n := marks(); n != 1 {
		t.Errorf("%d marks after an invalid module", n)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
