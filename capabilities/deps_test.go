package capabilities_test

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
	".":          {"github.com/writ-run/writ/capabilities/strictjson"}, // one reading of every manifest
	"strictjson": {"github.com/go-json-experiment/json", "github.com/go-json-experiment/json/jsontext"},
	"effect":     {},
}

// What it must not import: rules that could reach a disk, a network or a process could not be tested
// as tables, and could act before they decide.
var forbidden = []string{"os", "net", "net/http", "os/exec", "syscall", "unsafe", "io/fs", "log", "math/rand", "math/rand/v2", "plugin"}

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
