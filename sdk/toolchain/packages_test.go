package toolchain_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const packagesDir = "testdata/packages"

// needPackages skips a test that needs what "make test" fetches where there is npm.
func needPackages(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(packagesDir, "node_modules", "zod")); err == nil {
		return
	}
	const why = packagesDir + " has no node_modules: npm makes it"
	if os.Getenv("WRIT_REQUIRE_PACKAGES") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

var packages = sync.OnceValues(func() (installed, error) { return buildScript(packagesDir) })

func TestPackagesThatAuthorsUse(t *testing.T) {
	needPackages(t)
	s, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		name, tool, arguments, want string
		isError                     bool
	}{
		{"zod: a default and a transform", "zod", `{"at":"1970-01-02"}`, "3 86400000", false},
		{"zod: a refusal", "zod", `{"n":1.5,"at":"x"}`, "invalid arguments: n: Invalid input: expected int, received number", true},
		{"zod: an object of schemas", "shape", `{"n":4,"s":"x"}`, "4 x", false},
		{"zod: an object of schemas refuses", "shape", `{"n":1}`, "invalid arguments: n: Too small: expected number to be >=2", true},
		{"valibot", "valibot", `{"n":4}`, `{"n":4}`, false},
		{"valibot: a refusal", "valibot", `{"n":1}`, "invalid arguments: n: Invalid value: Expected >=2 but received 1", true},
		{"date-fns", "date_fns", `{}`, "2026-02-28 Saturday", false},
		{"yaml", "yaml", `{}`, "a:\n  - 1\n  - 2\nb:\n  c: \"3\"\n", false},
		{"semver", "semver", `{}`, "true", false},
		{"cheerio", "cheerio", `{}`, "ä&", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text, isError := textOf(t, s.code.Run(t.Context(), scriptCall(scriptHost{}, row.tool, row.arguments)))
			if text != row.want || isError != row.isError {
				t.Errorf("got %q, error %v", text, isError)
			}
		})
	}
	for _, tool := range s.servlet.Tools() {
		want := map[string]string{
			"zod":     `{"type":"object","properties":{"n":{"default":3,"type":"integer"`,
			"shape":   `"required":["n"],"additionalProperties":false}`,
			"valibot": `{"type":"object","properties":{"n":{"type":"number","minimum":2}},"required":["n"]}`,
		}[tool.Name]
		if !strings.Contains(string(tool.InputSchema), want) {
			t.Errorf("%s has the schema %s, want %s", tool.Name, tool.InputSchema, want)
		}
	}
}

func TestNotesForAuthors(t *testing.T) {
	needPackages(t)
	dir := scriptIn(t, map[string]string{"main.ts": hello + "import { z } from 'zod';\nserver.registerTool('z', { inputSchema: z.object({}) }, (a: any) => String(a === -0));\nif (typeof server === 'nothing') throw 1;\n"})
	modules, err := filepath.Abs(filepath.Join(packagesDir, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Skip(err)
	}
	_, made, err := buildIn(t, dir)
	want := []string{"main.ts:5:82: Comparison with -0 using the \"===\" operator will also match 0", `zod brings its messages in all languages: import * as z from "zod" leaves them out`}
	if err != nil || len(made.Notes) != 3 || made.Notes[0] != want[0] || made.Notes[2] != want[1] {
		t.Errorf("got %q, %v", made.Notes, err)
	}
}

// The types are what an editor shows: those of the SDK have to fit what it is, and infer what authors
// write.
func TestTypes(t *testing.T) {
	needPackages(t)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node, which starts the compiler of types")
	}
	for _, project := range []string{packagesDir, "../typescript", "../../servlets/brave-search", "../../servlets/eval-js"} {
		out, err := exec.CommandContext(t.Context(), node, filepath.Join(packagesDir, "node_modules", "typescript", "bin", "tsc"), "-p", project).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", project, err, out)
		}
	}
}
