package toolchain_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain"
)

// What an author's folder names by a way out of it is not put into a servlet.
func TestBuildsTakeNoDataFromOutside(t *testing.T) {
	dir := scriptIn(t, map[string]string{
		"main.ts": hello, "inside.json": `{"inside":1}`, "node_modules/pkg/data.json": `{"packed":1}`,
		"../secret/c.json": `{"secret":"hidden"}`, "../secret/c.txt": "hidden", "../secret/code.ts": "export const code = 'shared';",
	})
	if err := os.Symlink("../secret/c.json", filepath.Join(dir, "link.json")); err != nil {
		t.Skip(err)
	}
	reached := filepath.Join(t.TempDir(), "reached")
	if err := os.Symlink(dir, reached); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, line, want string
		notes            int
	}{
		{"data of the folder", "import c from './inside.json';", "", 0},
		{"data of a package", "import c from 'pkg/data.json';", "", 0},
		{"a script elsewhere", "import { code as c } from '../secret/code';", "", 1},
		{"data elsewhere", "import c from '../secret/c.json';", "main.ts:4:15: ", 0},
		{"data behind a link", "import c from './link.json';", "main.ts:4:15: ", 0},
		{"a text elsewhere", "import c from '../secret/c.txt';", "main.ts:4:15: ", 0},
		{"a script elsewhere as a text", "import c from '../secret/code.ts' with { type: 'text' };", "main.ts:4:15: ", 0},
	} {
		text := hello + row.line + "\nserver.registerTool('c', { description: 'c' }, () => String(c));\n"
		if err := os.WriteFile(filepath.Join(dir, "main.ts"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{dir, reached} {
			_, made, err := buildIn(t, dir)
			switch {
			case row.want == "" && (err != nil || len(made.Notes) != row.notes):
				t.Errorf("%s: %v, notes %q", row.name, err, made.Notes)
			case row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want) || !strings.Contains(err.Error(), "is outside of the source folder")):
				t.Errorf("%s: got %v", row.name, err)
			}
		}
	}
}

// No link of a test leads out of the source folder.
func TestTestsReadNothingOutside(t *testing.T) {
	const call = `{"calls":[{"name":"a","tool":"hello","arguments":{},"text":"hello","folders":{"docs":{"start":"data"}}}]}`
	build := func(t *testing.T, more map[string]string) string {
		files := map[string]string{
			"servlet.toml": "name = \"hello\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[[capabilities.fs]]\nid = \"docs\"\nguest = \"/docs\"\nmode = \"ro\"\nwhy = \"w\"\n[uses]\nhello = [\"fs:docs:ro\"]\n",
			"main.ts":      "import { readTextFile } from 'writ-servlet/files';\nimport { McpServer } from 'writ-servlet';\nnew McpServer().registerTool('hello', { description: 'Reads' }, () => readTextFile('/docs/key'));\n",
		}
		for name, text := range more {
			files[name] = text
		}
		return scriptIn(t, files)
	}
	link := func(t *testing.T, dir, target, name string) {
		if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(name))); err != nil {
			t.Skip(err)
		}
	}
	t.Run("a folder", func(t *testing.T) {
		dir := build(t, map[string]string{"tests/a.json": call, "../secret/key": "hidden", "fixtures/key": "hello"})
		link(t, dir, "../../secret", "tests/data")
		report, err := toolchain.Test(t.Context(), toolchain.TestOptions{Dir: dir, CacheDir: cacheDir})
		if err != nil || len(report.Calls) != 1 || !strings.Contains(report.Calls[0].Failure, "folders.docs.start: data: path escapes") {
			t.Errorf("%+v, %v", report, err)
		}
		if err := os.Remove(filepath.Join(dir, "tests/data")); err != nil {
			t.Fatal(err)
		}
		link(t, dir, "../fixtures", "tests/data")
		report, err = toolchain.Test(t.Context(), toolchain.TestOptions{Dir: dir, CacheDir: cacheDir})
		if err != nil || len(report.Calls) != 1 || report.Calls[0].Failed() {
			t.Errorf("a link that stays inside: %+v, %v", report, err)
		}
	})
	t.Run("a file of calls", func(t *testing.T) {
		dir := build(t, map[string]string{"tests/b.txt": "", "../secret/a.json": call})
		link(t, dir, "../../secret/a.json", "tests/a.json")
		if _, err := toolchain.Test(t.Context(), toolchain.TestOptions{Dir: dir, CacheDir: cacheDir}); err == nil || !strings.Contains(err.Error(), "tests/a.json: path escapes") {
			t.Errorf("got %v", err)
		}
	})
}

// The plug-in in the source folder is the source.
func TestBuildKeepsThePlugin(t *testing.T) {
	dir := scriptIn(t, map[string]string{"plugin.wasm": "\x00asm\x01\x00\x00\x00"})
	out := dir + "/../servlet/plugin.wasm"
	_, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir})
	if err == nil || !strings.Contains(err.Error(), "is the plug-in that the servlet is made of: choose another name") {
		t.Errorf("got %v", err)
	}
}

// The compiler of types that the folder brings is not told what the caller's environment has.
func TestCheckersSeeNoSecretsOfTheCaller(t *testing.T) {
	dir := scriptIn(t, map[string]string{
		"main.ts": hello, "tsconfig.json": "{}",
		"node_modules/.bin/tsgo": "#!/bin/sh\necho \"main.ts(1,1): error: token=$SECRET_TOKEN home=$HOME\"; exit 1\n",
	})
	if err := os.Chmod(filepath.Join(dir, "node_modules/.bin/tsgo"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_TOKEN", "hidden")
	t.Setenv("HOME", "/kept")
	report, err := toolchain.Check(t.Context(), dir, cacheDir)
	if err != nil || len(report.Remarks) == 0 || !strings.HasSuffix(report.Remarks[0].Text, "token= home=/kept") {
		t.Errorf("%+v, %v", report, err)
	}
}
