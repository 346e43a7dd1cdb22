package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

// floors are the top rooms from the ground up; an import may only point to a lower or the same floor.
var floors = []string{"capabilities", "servlets/builtin", "registry", "host", "sdk/rust", "sdk/typescript", "sdk/toolchain", "cmd"}

// owners are the foreign libraries with the one room that may import each.
var owners = map[string]string{
	"github.com/go-json-experiment/json":         "capabilities/strictjson",
	"go.etcd.io/bbolt":                           "registry",
	"github.com/tetratelabs/wazero":              "host/sandbox",
	"github.com/santhosh-tekuri/jsonschema/":     "host/schema",
	"github.com/modelcontextprotocol/go-sdk":     "host/mcpserver",
	"github.com/BurntSushi/toml":                 "sdk/toolchain",
	"github.com/evanw/esbuild/":                  "sdk/toolchain",
	"github.com/spf13/cobra":                     "cmd/writ",
	"github.com/spf13/pflag":                     "cmd/writ",
	"golang.org/x/term":                          "cmd/writ",
	"golang.org/x/time/":                         "host/rate",
	"github.com/tailscale/hujson":                "cmd/clients/config",
	"github.com/pelletier/go-toml/":              "cmd/clients/config",
	"go.yaml.in/yaml/":                           "cmd/clients/config",
	"github.com/rogpeppe/go-internal/testscript": "", // tests only
}

// maxLines is the most that a file of code may have.
const maxLines = 600

// packages are the rooms' folders with Go code that the project ships, relative to the root.
func packages(t *testing.T) (root string, dirs map[string][]string) {
	t.Helper()
	root, err := house.Root()
	if err != nil {
		t.Fatal(err)
	}
	dirs = map[string][]string{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == "out" || name == "node_modules" || name == ".git" || name == "vendor") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(name, ".go") {
			rel, _ := filepath.Rel(root, filepath.Dir(path))
			dirs[filepath.ToSlash(rel)] = append(dirs[filepath.ToSlash(rel)], path)
		}
		return nil
	})
	if err != nil || len(dirs) < 10 {
		t.Fatalf("found %d packages: %v", len(dirs), err)
	}
	return root, dirs
}

func shipped(dir string) bool {
	for _, f := range floors {
		if dir == f || strings.HasPrefix(dir, f+"/") {
			return !strings.HasSuffix(dir, "test") && !strings.Contains(dir, "testdata")
		}
	}
	return false
}

func floorOf(dir string) int {
	for i, f := range floors {
		if dir == f || strings.HasPrefix(dir, f+"/") {
			return i
		}
	}
	return -1
}

func TestArrowsPointDown(t *testing.T) {
	root, dirs := packages(t)
	for dir := range dirs {
		if !shipped(dir) {
			continue
		}
		imports, err := house.Imports(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for path, file := range imports {
			if rel, ours := strings.CutPrefix(path, house.Module+"/"); ours && floorOf(rel) > floorOf(dir) {
				t.Errorf("%s imports %s: arrows point down, %s", file, rel, strings.Join(floors, " < "))
			}
			for lib, owner := range owners {
				if strings.HasPrefix(path, lib) && dir != owner {
					t.Errorf("%s imports %s, which belongs to %q alone", file, path, owner)
				}
			}
		}
	}
}

func TestEveryRoomHasRulesAndASentence(t *testing.T) {
	root, dirs := packages(t)
	for dir, files := range dirs {
		if shipped(dir) {
			if _, err := os.Stat(filepath.Join(root, dir, "deps_test.go")); err != nil {
				t.Errorf("%s has no deps_test.go", dir)
			}
		}
		documented, code := false, false
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			code = true
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			documented = documented || saysItsJob(parsed)
		}
		if code && !documented {
			t.Errorf("%s: no package comment", dir)
		}
	}
}

func saysItsJob(f *ast.File) bool { return f.Doc != nil && len(strings.Fields(f.Doc.Text())) >= 5 }

func TestFilesStaySmall(t *testing.T) {
	_, dirs := packages(t)
	for _, files := range dirs {
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(data), "\n"); n > maxLines {
				t.Errorf("%s has %d lines, more than %d: split it", file, n, maxLines)
			}
		}
	}
}
