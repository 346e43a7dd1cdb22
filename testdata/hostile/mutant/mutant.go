// Package mutant takes rules out of the product, one at a time: a mutant is the product without one named rule, built
// from the same sources but for a few lines. A test of a rule that stays green when its rule is gone tests nothing.
//
// Mutants are data, in files of their own:
//
//	# gate-memory-count: a module has exactly one memory
//	host/wasm/sections.go
//	-	case m.memories != 1:
//	+	case false:
//
// that is the mutant's id, the rule that it takes out, the file, and the lines of it as in a diff: a minus is what the
// file has, a plus what it gets, a space what stays. White space at either end of a line does not matter.
package mutant

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Folder has the mutants of groups, below the project's root: in files of its folder "mutants", and in a file
// "mutants.txt" beside the rows of a group.
const Folder = "testdata/hostile"

// Mutant is one rule that can be taken out.
type Mutant struct {
	ID   string
	Rule string // what the rule says, in one line
	File string // below the project's root, with slashes
	old  []string
	new  []string
}

var heading = regexp.MustCompile(`^# ([a-z0-9]+(?:-[a-z0-9]+)+): (\S.*)$`)

// Load reads the mutants of a project, sorted by id.
func Load(root string) ([]Mutant, error) {
	var files []string
	for _, pattern := range []string{"mutants/*.txt", "*/mutants.txt"} {
		some, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(Folder), filepath.FromSlash(pattern)))
		if err != nil {
			return nil, fmt.Errorf("loading mutants: %w", err)
		}
		files = append(files, some...)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("loading mutants: there is no file of them in %s", Folder)
	}
	var all []Mutant
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("loading mutants: %w", err)
		}
		some, err := Parse(string(text))
		if err != nil {
			return nil, fmt.Errorf("loading mutants: %s: %w", file, err)
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Mutant) int { return strings.Compare(a.ID, b.ID) })
	for i := range all[1:] {
		if all[i].ID == all[i+1].ID {
			return nil, fmt.Errorf("loading mutants: there are two of the name %s", all[i].ID)
		}
	}
	return all, nil
}

// Parse reads the text of one file of mutants.
func Parse(text string) ([]Mutant, error) {
	var all []Mutant
	for n, line := range strings.Split(text, "\n") {
		if head := heading.FindStringSubmatch(line); head != nil {
			all = append(all, Mutant{ID: head[1], Rule: head[2]})
			continue
		}
		if len(all) == 0 {
			if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "//") {
				return nil, fmt.Errorf("line %d: want \"# id: rule\"", n+1)
			}
			continue
		}
		if err := all[len(all)-1].take(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	for _, m := range all {
		if m.File == "" || len(m.old) == 0 || slices.Equal(m.old, m.new) {
			return nil, fmt.Errorf("mutant %s names no file, or changes nothing in it", m.ID)
		}
	}
	return all, nil
}

// take reads a line that follows a heading.
func (m *Mutant) take(line string) error {
	switch {
	case line == "" || strings.HasPrefix(line, "//"):
	case strings.HasPrefix(line, "-"):
		m.old = append(m.old, line[1:])
	case strings.HasPrefix(line, "+"):
		m.new = append(m.new, line[1:])
	case strings.HasPrefix(line, " "):
		m.old, m.new = append(m.old, line[1:]), append(m.new, line[1:])
	case m.File == "" && filepath.IsLocal(line) && strings.HasSuffix(line, ".go"):
		m.File = line
	default:
		return fmt.Errorf("mutant %s: neither a Go file nor a line of a diff: %.40q", m.ID, line)
	}
	return nil
}

// ErrStale is a mutant whose lines are no longer what the file has, once.
var ErrStale = errors.New("no longer applies")

// Apply returns the source of the mutant's file without the rule.
func (m Mutant) Apply(source []byte) ([]byte, error) {
	lines := strings.Split(string(source), "\n")
	same := func(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }
	at, found := 0, 0
	for i := range lines {
		if len(lines)-i >= len(m.old) && slices.EqualFunc(lines[i:i+len(m.old)], m.old, same) {
			at, found = i, found+1
		}
	}
	if found != 1 {
		return nil, fmt.Errorf("mutant %s %w: %s has its lines %d times, not once", m.ID, ErrStale, m.File, found)
	}
	return []byte(strings.Join(slices.Concat(lines[:at], m.new, lines[at+len(m.old):]), "\n")), nil
}

// Overlay writes the mutant's file into dir and returns the file that go build -overlay takes.
func (m Mutant) Overlay(root, dir string) (string, error) {
	path := filepath.Join(root, filepath.FromSlash(m.File))
	source, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", m.ID, err)
	}
	mutated, err := m.Apply(source)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, m.ID+".go")
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, m.ID+".json")
	return list, errors.Join(os.WriteFile(file, mutated, 0o600), os.WriteFile(list, overlay, 0o600))
}
