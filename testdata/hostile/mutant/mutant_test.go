package mutant_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/testdata/hostile/mutant"
	"github.com/writ-run/writ/testdata/house"
)

// Every mutant takes its lines out of the code as it is, and what is left is Go.
func TestEveryMutantApplies(t *testing.T) {
	root, err := house.Root()
	if err != nil {
		t.Fatal(err)
	}
	all, err := mutant.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
		if err != nil {
			t.Errorf("mutant %s: %v", m.ID, err)
			continue
		}
		mutated, err := m.Apply(source)
		if err != nil {
			t.Error(err)
			continue
		}
		before, after := unused(t, m.File, source), unused(t, m.File, mutated)
		for complaint := range after {
			if !before[complaint] {
				t.Errorf("mutant %s cannot be built: %s", m.ID, complaint)
			}
		}
	}
}

// unused are the complaints of a compiler that needs no other file: syntax, and what is declared or imported and not
// used, which is what a rule leaves behind when it is taken out.
func unused(t *testing.T, name string, source []byte) map[string]bool {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
	if err != nil {
		return map[string]bool{err.Error(): true}
	}
	complaints := map[string]bool{}
	check := types.Config{Importer: empty{}, Error: func(err error) {
		if complaint := err.(types.Error).Msg; strings.Contains(complaint, "and not used") {
			complaints[complaint] = true
		}
	}}
	_, _ = check.Check(name, set, []*ast.File{file}, nil) // of the rest of its errors each file has many
	return complaints
}

// empty has every package, with nothing in it.
type empty struct{}

func (empty) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndexByte(path, '/')+1:])
	p.MarkComplete()
	return p, nil
}

const one = `// About this file.

# rule-one: nothing above ten passes
rooms/gate.go
 	switch {
-	case n > 10:
+	case false:
`

func TestApply(t *testing.T) {
	all, err := mutant.Parse(one)
	if err != nil || len(all) != 1 || all[0].ID != "rule-one" || all[0].Rule != "nothing above ten passes" || all[0].File != "rooms/gate.go" {
		t.Fatalf("mutants %+v, %v", all, err)
	}
	const before, after = "func f() {\n  switch {\n  case n > 10:\n  }\n", "func f() {\n\tswitch {\n\tcase false:\n  }\n"
	if got, err := all[0].Apply([]byte(before)); err != nil || string(got) != after {
		t.Errorf("got %q, %v", got, err)
	}
	for name, source := range map[string]string{
		"gone":  strings.Replace(before, "10", "11", 1),
		"twice": before + before,
		"apart": strings.Replace(before, "case", "x()\ncase", 1),
		"empty": "",
	} {
		if _, err := all[0].Apply([]byte(source)); !errors.Is(err, mutant.ErrStale) || !strings.HasPrefix(err.Error(), "mutant rule-one no longer applies: rooms/gate.go has its lines ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"rooms/gate.go\n-a\n":                      "line 1: want",
		"# rule: one word\nrooms/gate.go\n-a\n":    "line 1: want",
		"# rule-one: r\n-a\n+b\n":                  "names no file",
		"# rule-one: r\nrooms/gate.go\n":           "changes nothing",
		"# rule-one: r\nrooms/gate.go\n-a\n+a\n":   "changes nothing",
		"# rule-one: r\nrooms/gate.go\n+a\n":       "changes nothing",
		"# rule-one: r\n../gate.go\n-a\n":          "neither a Go file nor a line of a diff",
		"# rule-one: r\nrooms/gate.txt\n-a\n":      "neither a Go file nor a line of a diff",
		"# rule-one: r\nrooms/gate.go\n-a\nx\n":    "line 4: mutant rule-one: neither",
		"# rule-one: r\na.go\n-a\n# rule-two: r\n": "mutant rule-two names no file",
	} {
		if _, err := mutant.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// The go command is told to take the mutant's file in place of the project's, which stays as it is.
func TestOverlay(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	file := filepath.Join(root, "rooms", "gate.go")
	const source = "switch {\ncase n > 10:\n}\n"
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(source), 0o600)); err != nil {
		t.Fatal(err)
	}
	all, err := mutant.Parse(one)
	if err != nil {
		t.Fatal(err)
	}
	path, err := all[0].Overlay(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(text, &overlay); err != nil || len(overlay.Replace) != 1 {
		t.Fatalf("overlay %s, %v", text, err)
	}
	if mutated, err := os.ReadFile(overlay.Replace[file]); err != nil || strings.Contains(string(mutated), "n > 10") {
		t.Errorf("mutated %q, %v", mutated, err)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != source {
		t.Errorf("the project's file is %q, %v", now, err)
	}
}

// A folder without mutants, or with one of a name twice, is an error and not an easy run.
func TestLoadRefuses(t *testing.T) {
	root := t.TempDir()
	if _, err := mutant.Load(root); err == nil {
		t.Error("no mutants are enough")
	}
	for _, name := range []string{"mutants/a.txt", "groups/mutants.txt"} {
		path := filepath.Join(root, filepath.FromSlash(mutant.Folder), filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(one), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mutant.Load(root); err == nil || !strings.Contains(err.Error(), "two of the name rule-one") {
		t.Errorf("two of a name: %v", err)
	}
}
