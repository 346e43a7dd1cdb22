package toolchain_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain"
)

const oldWasm = "\x00asm\x01\x00\x00\x00 old"

// errFolder is what the system says of a folder in the place of a file.
const errFolder = syscall.EISDIR

func TestWriteServletReplacesOnlyServlets(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"main.go": "package main\n", "old.wasm": oldWasm, "short": "\x00as", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := []struct {
		name, file string
		kind       error  // nil: it is written
		want       string // after "writing PATH: "
	}{
		{"a new file", "new.wasm", nil, ""},
		{"an older servlet", "old.wasm", nil, ""},
		{"an empty file", "empty", nil, ""},
		{"the author's source", "main.go", fs.ErrExist, "exists and is not a Wasm file: choose another name, or remove it first"},
		{"a file too short to be one", "short", fs.ErrExist, "exists and is not a Wasm file"},
		{"a folder", ".", errFolder, "is a folder: name a file"},
		{"a folder that is not there", "none/x.wasm", fs.ErrNotExist, "no such folder: make it first"},
		{"a file in the place of the folder", "main.go/x.wasm", nil, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			path := dir + "/" + row.file
			before, _ := os.ReadFile(path)
			err := toolchain.WriteServlet(path, []byte(oldWasm+"new"))
			after, _ := os.ReadFile(path)
			if strings.HasPrefix(row.file, "main.go/") {
				if err == nil || !strings.HasPrefix(err.Error(), "writing "+path+": ") {
					t.Errorf("got %v", err)
				}
				return
			}
			if row.want == "" {
				if err != nil || string(after) != oldWasm+"new" {
					t.Errorf("it was not written: %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), "writing "+path+": "+row.want) {
				t.Errorf("got %v", err)
			}
			if !errors.Is(err, row.kind) {
				t.Errorf("%v does not match %v", err, row.kind)
			}
			if string(after) != string(before) {
				t.Errorf("it was changed to %q", after)
			}
		})
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".writ-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A refusal comes before the compiler, and names no file of Writ's own.
func TestBuildRefusesItsSourceAsOutput(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // whoever gets as far as the compiler says something else
	dir := servletIn(t, nil)
	out := filepath.Join(dir, "main.go")
	before, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	_, err = toolchain.Build(t.Context(), toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: cacheDir})
	if !errors.Is(err, fs.ErrExist) || strings.Contains(err.Error(), ".writ-") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	if after, _ := os.ReadFile(out); string(after) != string(before) {
		t.Error("the source was replaced")
	}
}

func TestResultIsJSONWithLowerCaseNames(t *testing.T) {
	text, err := json.Marshal(toolchain.Result{Output: "x.wasm", Name: "x", Version: "1.0.0", Size: 8, Tools: []string{"a"}, Imports: []string{"writ1.log"}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"output":"x.wasm","name":"x","version":"1.0.0","size":8,"tools":["a"],"imports":["writ1.log"]}`; string(text) != want {
		t.Errorf("got %s", text)
	}
}
