// Package guests builds the guests of its folders for tests: real programs, made by the standard Go
// compiler as a servlet's author makes them.
package guests

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

var built struct {
	sync.Mutex
	modules map[string][]byte
}

// Build compiles the guest in the folder name to a wasip1 reactor. One process builds each guest
// once; the go command's own cache makes it fast for the next.
func Build(tb testing.TB, name string) []byte {
	tb.Helper()
	built.Lock()
	defer built.Unlock()
	if module, ok := built.modules[name]; ok {
		return module
	}
	_, here, _, _ := runtime.Caller(0)
	out := filepath.Join(tb.TempDir(), name+".wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, "./"+name)
	cmd.Dir = filepath.Dir(here)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("building guest %s: %v\n%s", name, err, text)
	}
	module, err := os.ReadFile(out)
	if err != nil {
		tb.Fatal(err)
	}
	if built.modules == nil {
		built.modules = map[string][]byte{}
	}
	built.modules[name] = module
	return module
}
