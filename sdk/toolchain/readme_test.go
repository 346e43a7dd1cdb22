package toolchain_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var exampleBlocks = regexp.MustCompile("(?s)```ts\n(.*?)```.*?```toml\n(.*?)```")

// readmeExamples are the servlets in the SDK's README: each script is followed by its servlet.toml.
func readmeExamples(t *testing.T) [][][]byte {
	t.Helper()
	readme, err := os.ReadFile("../typescript/README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := exampleBlocks.FindAllSubmatch(readme, -1)
	if scripts := bytes.Count(readme, []byte("```ts\n")); len(examples) != scripts || scripts < 6 {
		t.Fatalf("found %d servlets, and %d scripts", len(examples), scripts)
	}
	return examples
}

func TestTypeScriptExamplesBuild(t *testing.T) {
	for _, e := range readmeExamples(t) {
		dir := scriptIn(t, map[string]string{"main.ts": string(e[1]), "servlet.toml": string(e[2])})
		if _, made, err := buildIn(t, dir); err != nil || len(made.Tools) != 1 {
			t.Errorf("%s: %v", made.Tools, err)
		}
	}
}

func TestTypeScriptExamplesHaveTypes(t *testing.T) {
	needPackages(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node, which starts the compiler of types")
	}
	dir := t.TempDir()
	types, err := filepath.Abs("../typescript/types")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"extends": %q, "compilerOptions": {"paths": {"writ-servlet": [%q], "writ-servlet/*": [%q]}}, "include": ["*.ts", %q], "files": []}`,
		filepath.Join(filepath.Dir(types), "tsconfig.json"), filepath.Join(types, "index.d.ts"), filepath.Join(types, "*.d.ts"), filepath.Join(types, "globals.d.ts"))
	files := map[string][]byte{"tsconfig.json": []byte(config)}
	for i, e := range readmeExamples(t) {
		files[fmt.Sprintf("example%d.ts", i)] = e[1]
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compiler, err := filepath.Abs(filepath.Join(packagesDir, "node_modules", "typescript", "bin", "tsc"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), node, compiler, "-p", dir).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

var goBlocks = regexp.MustCompile("(?s)```(go|toml)\n(.*?)```")

// The README of the SDK for Go shows the files of one servlet: it is built, and its tests are run.
func TestGoExamplesBuildAndPass(t *testing.T) {
	readme, err := os.ReadFile("../go/README.md")
	if err != nil {
		t.Fatal(err)
	}
	offline(t)
	files := map[string]string{"main_test.go": "", "main.go": ""}
	for i, block := range goBlocks.FindAllSubmatch(readme, -1) {
		name := fmt.Sprintf("part%d.go", i)
		switch {
		case string(block[1]) == "toml":
			name = "servlet.toml"
		case bytes.Contains(block[2], []byte("\nfunc Test")):
			name = "part_test.go"
		}
		files[name] = string(block[2])
	}
	dir := servletIn(t, files)
	if _, made, err := buildIn(t, dir); err != nil || len(made.Tools) != 3 {
		t.Errorf("%s: %v", made.Tools, err)
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-v", ".")
	test.Dir = dir
	if out, err := test.CombinedOutput(); err != nil || bytes.Count(out, []byte("\n--- PASS: ")) != 3 {
		t.Errorf("%v\n%s", err, out)
	}
}
