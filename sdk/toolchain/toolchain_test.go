package toolchain_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/sdk/toolchain"
)

// key is a development key for tests.
var key = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// cacheDir is shared by all tests: compiling a Go servlet is what takes their time.
var cacheDir string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "writ-toolchain-")
	if err != nil {
		panic(err)
	}
	cacheDir = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// offline gives the test an environment like a new user's: a home of its own, and no network. The
// compiler's cache is kept, or each test would compile the standard library.
func offline(t *testing.T) {
	t.Helper()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(cache)))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", "")
	// Go's counters would be written by a process that outlives the compiler, into a folder that is being removed.
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	telemetry := filepath.Join(config, "go", "telemetry")
	if err := errors.Join(os.MkdirAll(telemetry, 0o700), os.WriteFile(filepath.Join(telemetry, "mode"), []byte("off"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOWORK", "")
}

// servletIn makes a new servlet and replaces some of its files; "" removes one.
func servletIn(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello")
	if err := toolchain.New(dir, "go", "acme/hello"); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if text == "" {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func verified(t *testing.T, file []byte) capabilities.Servlet {
	t.Helper()
	u, err := capabilities.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := u.Verify()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The whole way of an author, offline and outside of this repository.
func TestFromNothingToARelease(t *testing.T) {
	offline(t)
	dir := servletIn(t, nil)

	test := exec.Command("go", "test", "./...")
	test.Dir = dir
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("go test: %v\n%s", err, out)
	}

	out := filepath.Join(t.TempDir(), "hello.wasm")
	result, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if result.Name != "acme/hello" || result.Version != "0.1.0" || result.Size != int64(len(file)) || !slices.Equal(result.Tools, []string{"count"}) {
		t.Errorf("result is %+v", result)
	}
	if again := builtElsewhere(t); !bytes.Equal(again, file) {
		t.Error("a second build of the same source differs")
	}
	if bytes.Contains(file, []byte(dir)) || bytes.Contains(file, []byte(os.Getenv("HOME"))) {
		t.Error("the file tells where it was built")
	}
	if result.Size > 4<<20 {
		t.Errorf("a small servlet has %d bytes", result.Size)
	}
	for _, name := range result.Imports {
		if strings.HasPrefix(name, "writ1.") && !slices.Contains([]string{"writ1.error_write", "writ1.input_len", "writ1.input_read", "writ1.log", "writ1.output_write"}, name) {
			t.Errorf("a servlet that only computes imports %s", name)
		}
	}

	m := verified(t, file).Manifest()
	const tool = `{"name":"count","title":"Count words","description":"Counts the words and characters of a text. Use it instead of guessing.",` +
		`"inputSchema":{"type":"object","properties":{"text":{"type":"string","description":"The text to measure"},"lines":{"type":"boolean","description":"Count lines too"}},"required":["text"],"additionalProperties":false},` +
		`"outputSchema":{"type":"object","properties":{"words":{"type":"integer"},"characters":{"type":"integer"},"lines":{"type":"integer"}},"required":["words","characters"]},` +
		`"annotations":{"readOnlyHint":true,"openWorldHint":false}}`
	if len(m.Tools) != 1 || string(m.Tools[0]) != tool {
		t.Errorf("tools are %s\nwant %s", m.Tools, tool)
	}
	if !m.Development() {
		t.Error("a build is no release")
	}

	release := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	signed, err := toolchain.Sign(file, toolchain.SignOptions{Key: release})
	if err != nil {
		t.Fatal(err)
	}
	s := verified(t, signed)
	if s.KeyID() != capabilities.KeyID(release.Public().(ed25519.PublicKey)) || s.Manifest().Development() {
		t.Errorf("signed by %s, manifest %+v", s.KeyID(), s.Manifest())
	}
}

// builtElsewhere builds a new servlet in another folder, with settings that must not matter.
func builtElsewhere(t *testing.T) []byte {
	t.Helper()
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("GOWASM", "satconv")
	t.Setenv("GODEBUG", "http2client=0")
	out := filepath.Join(t.TempDir(), "other.wasm")
	if _, err := toolchain.Build(t.Context(), toolchain.Options{Dir: servletIn(t, nil), Output: out, Key: key, CacheDir: cacheDir}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

const fetchingMain = `package main

import (
	"context"

	servlet "github.com/writ-run/writ/sdk/go"
)

func init() {
	servlet.AddTool(servlet.Tool{Name: "get", Description: "Gets a page", ReadOnly: true}, func(ctx context.Context, in struct{}) (string, error) {
		r, err := servlet.Fetch(ctx, servlet.Request{Capability: "api", Path: "/"})
		return string(r.Body), err
	})
}

func main() {}
`

const httpDeclaration = `name = "acme/hello"
version = "0.1.0"

[[capabilities.http]]
id = "api"
origin = "https://api.example.com"
methods = ["GET", "POST"]
paths = ["/"]
`

func TestBuildRefusals(t *testing.T) {
	offline(t)
	rows := []struct {
		name  string
		files map[string]string
		kind  error
		want  string
	}{
		{"source that does not compile", map[string]string{"main.go": "package main\n\nfunc main() { x }\n"},
			toolchain.ErrSource, "./main.go:3:15: undefined: x"},
		{"a dependency that is not here", map[string]string{"more.go": "package main\n\nimport _ \"example.com/not/here\"\n"},
			toolchain.ErrSource, "more.go:3:8: no required module provides package example.com/not/here"},
		{"a dependency that was not downloaded", map[string]string{
			"more.go": "package main\n\nimport _ \"example.com/not/here\"\n",
			"go.mod":  "module x\n\ngo 1.26\n\nrequire example.com/not/here v1.0.0\n\nrequire github.com/writ-run/writ/sdk/go v0.0.0\n\nreplace github.com/writ-run/writ/sdk/go => ./.writ/sdk\n",
			"go.sum":  "example.com/not/here v1.0.0 h1:4QTO8cBqQXcJ8SZOMVcSGQyBEZFZ0Xq6bXvNvY3rOPs=\nexample.com/not/here v1.0.0/go.mod h1:4QTO8cBqQXcJ8SZOMVcSGQyBEZFZ0Xq6bXvNvY3rOPs=\n"},
			toolchain.ErrSource, "more.go:3:8: module lookup disabled by GOPROXY=off\na build uses no network: run \"go mod download\""},
		{"no go.mod", map[string]string{"go.mod": ""}, toolchain.ErrSource, "has no go.mod, which names the Go module: copy the one that \"writ new go NAME\" makes"},
		{"no servlet.toml", map[string]string{"servlet.toml": ""}, toolchain.ErrDeclaration, "servlet.toml does not exist"},
		{"an import that was not requested", map[string]string{"main.go": fetchingMain},
			nil, "module imports writ1.http_start but servlet.toml requests no http capability"},
		{"a tool with a bad name", map[string]string{"main.go": strings.Replace(fetchingMain, `"get"`, `"Get Page"`, 1), "servlet.toml": httpDeclaration},
			toolchain.ErrDeclaration, `main.go:10: tool "Get Page": a name has 1 to 64 of a-z, 0-9 and "_", and starts with a letter`},
		{"uses of what does not exist, and a hint that the rights contradict", map[string]string{"main.go": fetchingMain, "servlet.toml": httpDeclaration + "\n[uses]\nget = [\"http:api\",\n  \"fs:docs\"]\nput = []\n"},
			toolchain.ErrDeclaration, "servlet.toml:11: uses.get[1]: no such capability: add it to capabilities, or remove the entry|" +
				"servlet.toml:13: uses.put: no such tool: remove it, or correct its name|" +
				"tool get: annotations.readOnlyHint: true, but uses.get has a right to write"},
		{"an origin that is none", map[string]string{"main.go": fetchingMain, "servlet.toml": strings.Replace(httpDeclaration, "https:", "ftp:", 1)},
			toolchain.ErrDeclaration, "servlet.toml:6: capabilities.http[0].origin: "},
		{"capabilities that no tool uses", map[string]string{"main.go": strings.Replace(fetchingMain, ", ReadOnly: true", "", 1), "servlet.toml": httpDeclaration +
			"\n[[capabilities.fs]]\nid = \"docs\"\nguest = \"/docs\"\nmode = \"ro\"\n\n[[capabilities.config]]\nkey = \"UNITS\"\n\n[uses]\nget = [\"http:api:ro\"]\n"},
			toolchain.ErrDeclaration, `servlet.toml:10: fs "docs": no tool uses it: name it in [uses] as "fs:docs", or remove it|servlet.toml:15: config "UNITS": no tool uses it`},
		{"a crash in init", map[string]string{"main.go": strings.Replace(fetchingMain, "func init() {", "func init() {\n\tpanic(\"boom\")", 1), "servlet.toml": httpDeclaration},
			nil, `the servlet wrote "panic: boom`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := servletIn(t, row.files)
			folder := t.TempDir()
			_, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: filepath.Join(folder, "out.wasm"), Key: key, CacheDir: cacheDir})
			if err == nil || !containsAll(err.Error(), row.want) || row.kind != nil && !errors.Is(err, row.kind) {
				t.Errorf("got %v\nwant %q", err, row.want)
			}
			if left, _ := os.ReadDir(folder); len(left) != 0 {
				t.Errorf("a failed build left %v", left)
			}
		})
	}
}

// containsAll tells whether text has every part of want, which are separated by "|".
func containsAll(text, want string) bool {
	for part := range strings.SplitSeq(want, "|") {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func TestBuildRestoresTheSDK(t *testing.T) {
	offline(t)
	dir := servletIn(t, map[string]string{".writ": "", "main.go": "package main\n\nimport servlet \"github.com/writ-run/writ/sdk/go\"\n\nfunc main() { servlet.Log(1, x) }\n"})
	_, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: filepath.Join(t.TempDir(), "out.wasm"), Key: key, CacheDir: cacheDir})
	if err == nil || err.Error() != "./main.go:5:30: undefined: x" {
		t.Errorf("the SDK was not found: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".writ", "sdk", "servlet.go")); err != nil {
		t.Error(err)
	}
}

func TestBuildNeedsACompiler(t *testing.T) {
	offline(t)
	dir := servletIn(t, nil)
	build := func() error {
		_, err := toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: filepath.Join(t.TempDir(), "out.wasm"), Key: key, CacheDir: cacheDir})
		return err
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if err := build(); !errors.Is(err, toolchain.ErrCompiler) || !strings.Contains(err.Error(), `"go" is not in PATH: install Go 1.26.5 or newer`) {
		t.Errorf("without go: %v", err)
	}
	old := "#!/bin/sh\necho '{\"GOVERSION\":\"go1.22.5\",\"GOMODCACHE\":\"/x\",\"GOCACHE\":\"/x\"}'\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(old), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := build(); !errors.Is(err, toolchain.ErrCompiler) || !strings.Contains(err.Error(), "is go1.22.5: install Go 1.26.5 or newer") {
		t.Errorf("with an old go: %v", err)
	}
}

func TestNewRefusals(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := []struct{ name, dir, language, servlet, want string }{
		{"another language", "", "cobol", "hello", `language "cobol" is not known`},
		{"a name with capitals", "", "go", "Hello", `"Hello" cannot be a name`},
		{"a name that leaves the folder", "", "go", "../x", `"../x" cannot be a name`},
		{"a name with an escape", "", "go", "a\x1b[2J", `"a\u001b[2J"`},
		{"a folder that is not empty", full, "go", "hello", "is not empty"},
		{"a folder that is a file", filepath.Join(full, "mine.txt"), "go", "hello", "not a directory"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := row.dir
			if dir == "" {
				dir = filepath.Join(t.TempDir(), "new")
			}
			err := toolchain.New(dir, row.language, row.servlet)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if row.dir == "" {
				if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
					t.Error("something was made")
				}
			}
		})
	}
	if left, _ := os.ReadDir(full); len(left) != 1 {
		t.Errorf("the full folder has %v", left)
	}
}

func TestNewInAnEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	if err := toolchain.New(dir, "go", "hello"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "main.go", "main_test.go", "servlet.toml", "README.md", ".gitignore", ".writ/sdk/go.mod", ".writ/sdk/servlettest/servlettest.go"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Contains(text, []byte("{{")) {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestSign(t *testing.T) {
	module := []byte("\x00asm\x01\x00\x00\x00")
	m := capabilities.Manifest{Schema: capabilities.Schema, Name: "acme/hello", Version: "1.0.0"}
	build, err := capabilities.Seal(module, m, key)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 20, 9, 0, 0, 500, time.FixedZone("", 3600))
	first, err := toolchain.Sign(build, toolchain.SignOptions{Key: key, Issued: at})
	if err != nil {
		t.Fatal(err)
	}
	got := verified(t, first).Manifest()
	if got.Seq != uint64(at.Unix()) || got.Issued != "2026-11-20T08:00:00Z" || got.Expires != "2027-11-20T08:00:00Z" {
		t.Errorf("got seq %d, issued %s, expires %s", got.Seq, got.Issued, got.Expires)
	}
	if !bytes.Equal(verified(t, first).Module(), module) {
		t.Error("the module changed")
	}

	t.Run("a second signature never goes back", func(t *testing.T) {
		again, err := toolchain.Sign(first, toolchain.SignOptions{Key: key, Issued: at.Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if seq := verified(t, again).Manifest().Seq; seq != got.Seq+1 {
			t.Errorf("seq is %d, want %d", seq, got.Seq+1)
		}
	})
	t.Run("a seq and a term of one's own", func(t *testing.T) {
		own, err := toolchain.Sign(build, toolchain.SignOptions{Key: key, Issued: at, Seq: 7, Expires: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if m := verified(t, own).Manifest(); m.Seq != 7 || m.Expires != "2026-11-20T09:00:00Z" {
			t.Errorf("got seq %d, expires %s", m.Seq, m.Expires)
		}
	})
	flipped := bytes.Clone(first)
	flipped[len(flipped)-20] ^= 1
	rows := []struct {
		name string
		file []byte
		o    toolchain.SignOptions
		want string
	}{
		{"a file that was changed", flipped, toolchain.SignOptions{Key: key}, "signing: "},
		{"a module without a manifest", module, toolchain.SignOptions{Key: key}, "no signed manifest"},
		{"no key", build, toolchain.SignOptions{}, "no key"},
		{"a term that is over", build, toolchain.SignOptions{Key: key, Expires: -time.Hour}, "choose a longer time"},
		{"a seq beyond what readers count", build, toolchain.SignOptions{Key: key, Seq: 1 << 60}, "seq: "},
		{"a time before time", build, toolchain.SignOptions{Key: key, Issued: time.Unix(-5, 0)}, "is no time of a release"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			signed, err := toolchain.Sign(row.file, row.o)
			if err == nil || signed != nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
