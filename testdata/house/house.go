// Package house keeps the rooms apart: each room's deps_test.go says what the room may import and
// why, and these checks hold the code to it. Rules cover the imports of non-test files, for every
// operating system.
package house

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Module is this project's module path.
const Module = "github.com/writ-run/writ"

// Rule says what a room may import. Rooms of this project and foreign libraries are refused unless
// they are allowed; the standard library is allowed unless it is denied.
type Rule struct {
	Allow map[string]string // import path -> reason
	Deny  map[string]string // standard package, or prefix ending in "/" -> reason
}

// Check holds the package in the test's folder to rule, and the rule to the package: an allowed
// import that nobody uses is a stale rule.
func Check(t *testing.T, rule Rule) {
	t.Helper()
	imports, err := Imports(".")
	if err != nil {
		t.Fatal(err)
	}
	for path, file := range imports {
		if reason, bad := denied(rule, path); bad {
			t.Errorf("%s imports %s: %s", file, path, reason)
		}
	}
	for path, reason := range rule.Allow {
		if reason == "" {
			t.Errorf("the rule allows %s without a reason", path)
		}
		if imports[path] == "" {
			t.Errorf("the rule allows %s, which nothing here imports any more", path)
		}
	}
}

func denied(rule Rule, path string) (reason string, bad bool) {
	if rule.Allow[path] != "" {
		return "", false
	}
	for prefix, why := range rule.Deny {
		if path == prefix || strings.HasSuffix(prefix, "/") && strings.HasPrefix(path, prefix) {
			return why, true
		}
	}
	first, _, _ := strings.Cut(path, "/")
	if strings.Contains(first, ".") {
		return "not in this room's deps_test.go", true
	}
	return "", false
}

// Imports returns the imports of the non-test Go files in dir, each with a file that has it.
func Imports(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	imports := map[string]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return nil, err
			}
			imports[path] = file
		}
	}
	return imports, nil
}

// Root returns the folder of go.mod above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "testdata", "house")); statErr == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", os.ErrNotExist
	}
	return "", err
}
