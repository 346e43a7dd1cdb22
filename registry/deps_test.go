package registry_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What this room may import besides the standard library, and why.
var allowed = map[string][]string{
	".": {
		"go.etcd.io/bbolt",         // the store of one machine; no type of it leaves this room
		"golang.org/x/sys/windows", // LockFileEx
		"github.com/writ-run/writ/capabilities",
		"github.com/writ-run/writ/capabilities/strictjson",
	},
	"registrytest": {
		"github.com/writ-run/writ/capabilities",
		"github.com/writ-run/writ/registry",
	},
}

// What it must not import: it keeps state and reaches no network and no other program.
var forbidden = []string{"net", "net/http", "os/exec", "unsafe", "plugin", "math/rand", "math/rand/v2"}

func TestRoomImportsOnlyWhatItMay(t *testing.T) {
	for folder, foreign := range allowed {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", folder, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				standard := !strings.Contains(strings.Split(path, "/")[0], ".")
				if slices.Contains(forbidden, path) || !standard && !slices.Contains(foreign, path) {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
	}
}
