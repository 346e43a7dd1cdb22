package typescript_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/typescript"
)

// The engine is built by hand, seldom: this says when its sources changed and it did not.
func TestEngineIsOfItsSources(t *testing.T) {
	sums, err := os.ReadFile("engine/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for lines := bufio.NewScanner(bytes.NewReader(sums)); lines.Scan(); {
		want, name, _ := strings.Cut(lines.Text(), "  ")
		listed = append(listed, "engine/"+name)
		file, err := os.ReadFile(filepath.Join("engine", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(file)); got != want {
			t.Errorf("%s is not what engine.wasm was built of: run \"make engine\"", name)
		}
	}
	for _, pattern := range []string{"engine/*.c", "engine/*.h", "engine/*.patch", "engine/build.sh", "engine/engine.wasm"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s: %v", pattern, err)
		}
		for _, file := range files {
			if !slices.Contains(listed, file) {
				t.Errorf("%s is not in SHA256SUMS: run \"make engine\"", file)
			}
		}
	}
}

func TestEverythingIsEmbedded(t *testing.T) {
	if !bytes.HasPrefix(typescript.Engine, []byte("\x00asm")) {
		t.Error("the engine is no Wasm module")
	}
	for _, name := range []string{"types/index.d.ts", "types/files.d.ts", "types/globals.d.ts"} {
		if _, err := typescript.Types.ReadFile(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := typescript.Sources.ReadFile("src/index.ts"); err != nil {
		t.Error(err)
	}
}
