//go:build unix

package toolchain_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain"
)

// Nobody writes to these pipes: whoever opens one as a file waits for ever.
func TestNamedPipesAreRefused(t *testing.T) {
	pipe := func(t *testing.T, path string) string {
		t.Helper()
		_ = os.Remove(path)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	build := func(dir, out string) error {
		_, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir})
		return err
	}
	for _, name := range []string{"servlet.toml", "go.mod"} {
		dir := servletIn(t, nil)
		path := pipe(t, filepath.Join(dir, name))
		if err := build(dir, filepath.Join(t.TempDir(), "out.wasm")); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	out := pipe(t, filepath.Join(t.TempDir(), "out.wasm"))
	if err := build(servletIn(t, nil), out); err == nil || !strings.Contains(err.Error(), "is not a regular file") {
		t.Errorf("as output: %v", err)
	}
}
