package toolchain

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

const (
	declarationFile = "servlet.toml"
	maxDeclaration  = 64 << 10 // bytes
)

// declaration is servlet.toml: the part of the manifest that its author writes. The names and types are
// those of the manifest itself, so that both always agree.
type declaration struct {
	Name         string                    `json:"name"`
	Version      string                    `json:"version"`
	Description  string                    `json:"description"`
	Capabilities capabilities.Capabilities `json:"capabilities"`
	Uses         map[string][]string       `json:"uses"`
	Tools        []json.RawMessage         `json:"tools"` // of a plug-in, in the place of what it says itself
	Limits       capabilities.Limits       `json:"limits"`

	path string
	text string
}

// readDeclaration reads a servlet.toml. Errors are one line that starts with the file and line.
func readDeclaration(path string) (*declaration, error) {
	raw, err := readSource(path, maxDeclaration)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s does not exist: build a servlet's source folder, or make one with \"writ new LANGUAGE NAME\"", ErrDeclaration, path)
	}
	if err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err
		}
		return nil, declined([]error{fmt.Errorf("%s: %w", path, err)})
	}
	return parseDeclaration(path, string(raw))
}

func parseDeclaration(path, text string) (*declaration, error) {
	d := &declaration{path: path, text: text}
	var table map[string]any
	if _, err := toml.Decode(text, &table); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, d.refuse(syntax.Position.Line, syntax.Message)
		}
		return nil, d.refuse(1, err.Error())
	}
	if at, ok := findTime(table, nil); ok {
		return nil, d.refuse(d.line(at), "a date is not a value here: put it in quotes")
	}
	// By way of JSON, because the manifest's strict reader refuses unknown and misspelt names at any depth.
	raw, err := json.Marshal(table)
	if err != nil {
		return nil, d.refuse(1, "a number that is not finite")
	}
	if err := strictjson.Decode(raw, d); err != nil {
		message, pointer, _ := strings.Cut(strings.TrimPrefix(err.Error(), "JSON: "), " at ")
		at := splitPointer(pointer)
		found, unexpected := strings.CutPrefix(message, "unexpected ")
		if want := mismatch(at, found); unexpected && want != "" {
			message = want
		} else if len(at) > 0 {
			message += " " + strconv.QuoteToASCII(at[len(at)-1])
		}
		return nil, d.refuse(d.line(at), message)
	}
	return d, nil
}

func (d *declaration) refuse(line int, message string) error {
	return declined([]error{fmt.Errorf("%s:%d: %s", d.path, line, capabilities.Printable(message, 300))})
}

// manifest is the declared part of a manifest.
func (d *declaration) manifest() capabilities.Manifest {
	return capabilities.Manifest{
		Schema: capabilities.Schema, Name: d.Name, Version: d.Version, Description: d.Description,
		Capabilities: d.Capabilities, Uses: d.Uses, Limits: d.Limits,
	}
}

// check validates m, which was made of d, as an installer will. Complaints name the line of servlet.toml
// or the tool that they are about.
func (d *declaration) check(m capabilities.Manifest, key ed25519.PrivateKey) error {
	// What sealing will fill in, so that nothing complains of it.
	m.Publisher = capabilities.FormatPublisher(key.Public().(ed25519.PublicKey))
	m.Module = capabilities.Module{SHA256: strings.Repeat("0", 64), Size: 8, ABI: cmp.Or(m.Module.ABI, capabilities.ABI)}
	if err := m.Validate(); err != nil {
		return d.explain(err, m.Tools)
	}
	return nil
}

// explain puts a place before each line of a manifest's complaints: the line of servlet.toml, or the tool.
func (d *declaration) explain(err error, tools []json.RawMessage) error {
	var lines []error
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimRight(line, "\n")
		path, message, ok := strings.Cut(line, ": ")
		at := splitPath(path)
		switch {
		case !ok || len(at) == 0:
			lines = append(lines, errors.New(line))
		case at[0] == "tools" && len(at) > 1:
			i, _ := strconv.Atoi(at[1])
			lines = append(lines, fmt.Errorf("%s: %s: %s", toolAt(tools, i), strings.Join(at[2:], "."), message))
		default:
			lines = append(lines, fmt.Errorf("%s:%d: %s", d.path, d.line(at), line))
		}
	}
	return declined(lines)
}

// checkUsed refuses a capability that no tool can use: an operator would be asked for a folder or a
// site that nothing reaches. Secrets that Writ adds to requests are used by their site.
func (d *declaration) checkUsed(m capabilities.Manifest) error {
	used := make(map[string]bool)
	for _, uses := range m.Uses {
		for _, use := range uses {
			used[strings.TrimSuffix(use, ":ro")] = true
		}
	}
	var lines []error
	need := func(use, what string, at ...string) {
		if !used[use] {
			lines = append(lines, fmt.Errorf("%s:%d: %s: no tool uses it: name it in [uses] as %q, or remove it",
				d.path, d.line(append([]string{"capabilities"}, at...)), what, use))
		}
	}
	c := m.Capabilities
	for i, h := range c.HTTP {
		need("http:"+h.ID, fmt.Sprintf("http %q", h.ID), "http", strconv.Itoa(i))
	}
	if c.Web != nil {
		need("web", "web", "web")
	}
	for i, f := range c.FS {
		need("fs:"+f.ID, fmt.Sprintf("fs %q", f.ID), "fs", strconv.Itoa(i))
	}
	for i, k := range c.Config {
		need("config:"+k.Key, fmt.Sprintf("config %q", k.Key), "config", strconv.Itoa(i))
	}
	for i, s := range c.Secrets {
		if s.Use == capabilities.SecretGuest {
			need("secret:"+s.Key, fmt.Sprintf("secret %q", s.Key), "secrets", strconv.Itoa(i))
		}
	}
	if c.KV != nil {
		need("kv", "kv", "kv")
	}
	if len(lines) > 0 {
		return declined(lines)
	}
	return nil
}

// pathStep is one step of a manifest path: a name, [number] or ["quoted name"].
var pathStep = regexp.MustCompile(`^\.?([A-Za-z0-9_$-]+)|^\[(\d+)\]|^\[("(?:[^"\\]|\\.)*")\]`)

// splitPath splits a path such as capabilities.http[0].paths.
func splitPath(path string) []string {
	var steps []string
	for path != "" {
		found := pathStep.FindStringSubmatch(path)
		if found == nil {
			return steps
		}
		step := found[1] + found[2]
		if found[3] != "" {
			step, _ = strconv.Unquote(found[3])
		}
		steps = append(steps, step)
		path = path[len(found[0]):]
	}
	return steps
}

// splitPointer splits a quoted JSON pointer (RFC 6901).
func splitPointer(quoted string) []string {
	pointer, err := strconv.Unquote(strings.TrimSuffix(quoted, "..."))
	if err != nil || pointer == "" {
		return nil
	}
	steps := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, step := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return steps
}

// line finds the line on which the value at a path begins, or the nearest value around it. It reads the
// file again line by line, until the path is there: slow, exact, and only done for an error.
func (d *declaration) line(path []string) int {
	lines := strings.SplitAfter(d.text, "\n")
	for ; len(path) > 0; path = path[:len(path)-1] {
		start := 1
		prefix := ""
		for i, line := range lines {
			prefix += line
			var table map[string]any
			if _, err := toml.Decode(prefix, &table); err != nil {
				continue // inside a value of several lines
			}
			if defined(table, path) {
				return start
			}
			start = i + 2
		}
	}
	return 1
}

// defined tells whether there is a value at a path.
func defined(value any, path []string) bool {
	if len(path) == 0 {
		return true
	}
	switch v := value.(type) {
	case map[string]any:
		inner, ok := v[path[0]]
		return ok && defined(inner, path[1:])
	case []map[string]any:
		i, err := strconv.Atoi(path[0])
		return err == nil && i < len(v) && defined(v[i], path[1:])
	case []any:
		i, err := strconv.Atoi(path[0])
		return err == nil && i < len(v) && defined(v[i], path[1:])
	}
	return false
}

// findTime finds a date, which TOML has and JSON has not.
func findTime(value any, path []string) ([]string, bool) {
	switch v := value.(type) {
	case time.Time:
		return path, true
	case map[string]any:
		for name, inner := range v {
			if at, ok := findTime(inner, append(path[:len(path):len(path)], name)); ok {
				return at, true
			}
		}
	case []map[string]any:
		for i, inner := range v {
			if at, ok := findTime(inner, append(path[:len(path):len(path)], strconv.Itoa(i))); ok {
				return at, true
			}
		}
	case []any:
		for i, inner := range v {
			if at, ok := findTime(inner, append(path[:len(path):len(path)], strconv.Itoa(i))); ok {
				return at, true
			}
		}
	}
	return nil, false
}
