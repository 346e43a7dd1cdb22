package main

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/servlets/builtin"
)

// bill is a bill of materials in CycloneDX, as far as Writ fills it in.
// Source: ECMA-424 (CycloneDX 1.6), "bom-1.6.schema.json".
type bill struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Serial     string      `json:"serialNumber"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
	Depends    []depends   `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	PURL       string     `json:"purl,omitempty"`
	Hashes     []hash     `json:"hashes,omitempty"`
	Licenses   []licence  `json:"licenses,omitempty"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type licence struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// bill lists what a binary is made of: its modules as the Go linker noted them, the standard library,
// what NOTICE says is in the script engine, and the servlets built into it.
func (e edition) bill(ctx context.Context, p platform, binary string, set *builtin.Set) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading what %s is made of: %w", p.program(), err)
	}
	notice, err := os.ReadFile("NOTICE")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	inside := map[string]contents{}
	for _, s := range set.Servlets() {
		if inside[s.Name], err = contentsOf(ctx, filepath.Join("servlets", s.Name)); err != nil {
			return nil, err
		}
	}
	b, err := e.assemble(info, string(notice), sha256.Sum256(data), set, inside)
	if err != nil {
		return nil, err
	}
	b.Metadata.Component.Properties = append(b.Metadata.Component.Properties, property{"writ:platform", p.String()})
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// contents are what gets into a servlet file besides its own source: the file does not say.
type contents struct {
	runtime []string // refs of components that the bill has in any case
	modules []*debug.Module
}

// contentsOf finds them for the servlet in a folder.
func contentsOf(ctx context.Context, folder string) (contents, error) {
	if _, err := os.Stat(filepath.Join(folder, "main.ts")); err == nil {
		return contents{runtime: []string{engineRef}}, nil
	}
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); errors.Is(err, fs.ErrNotExist) {
		return contents{}, nil
	}
	list := exec.CommandContext(ctx, "go", "list", "-deps", "-f", "{{with .Module}}{{if not (or .Main .Replace)}}{{.Path}} {{.Version}}{{end}}{{end}}", ".")
	list.Dir = folder
	list.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=", "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		return contents{}, fmt.Errorf("listing the modules of %s: %w", folder, err)
	}
	c := contents{runtime: []string{standardRef}}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if path, version, ok := strings.Cut(line, " "); ok {
			c.modules = append(c.modules, &debug.Module{Path: path, Version: version})
		}
	}
	return c, nil
}

// Refs of components: Go's standard library, and the engine of scripts.
const (
	standardRef = "std"
	engineRef   = "quickjs-ng"
)

// assemble is bill without a file system; inside is what each servlet contains.
func (e edition) assemble(info *debug.BuildInfo, notice string, digest [sha256.Size]byte, set *builtin.Set, inside map[string]contents) (bill, error) {
	self := component{Type: "application", Ref: "writ", Name: "writ", Version: e.Version,
		PURL: golang(info.Main.Path, "v"+e.Version), Hashes: []hash{{"SHA-256", hex.EncodeToString(digest[:])}}, Licenses: licensed("Apache-2.0")}
	if e.Commit != "" {
		self.Properties = append(self.Properties, property{"writ:commit", e.Commit})
	}
	b := bill{Format: "CycloneDX", Spec: "1.6", Serial: serial(digest), Version: 1,
		Metadata:   metadata{e.Date.Format(time.RFC3339), self},
		Components: []component{{Type: "library", Ref: standardRef, Name: "std", Version: info.GoVersion, PURL: golang("std", strings.TrimPrefix(info.GoVersion, "go")), Licenses: licensed("BSD-3-Clause")}},
	}
	deps := depends{Ref: self.Ref, On: []string{standardRef, engineRef}}
	add := func(by *depends, m *debug.Module) error {
		if m.Replace != nil {
			m = m.Replace
		}
		c := component{Type: "library", Ref: golang(m.Path, m.Version), Name: m.Path, Version: m.Version, PURL: golang(m.Path, m.Version)}
		by.On = append(by.On, c.Ref)
		if slices.ContainsFunc(b.Components, func(have component) bool { return have.Ref == c.Ref }) {
			return nil
		}
		spdx := licenceOf(notice, m.Path)
		if spdx == "" {
			return fmt.Errorf("%s is in the binary and not in NOTICE: add it there with its licence", m.Path)
		}
		c.Licenses = licensed(spdx)
		if m.Sum != "" {
			c.Properties = []property{{"go:sum", m.Sum}}
		}
		b.Components = append(b.Components, c)
		return nil
	}
	for _, m := range info.Deps {
		if err := add(&deps, m); err != nil {
			return bill{}, err
		}
	}
	engine := quickJS.FindStringSubmatch(notice)
	if engine == nil {
		return bill{}, errors.New("NOTICE does not name the script engine with its version")
	}
	b.Components = append(b.Components, component{Type: "library", Ref: engineRef, Name: "quickjs-ng", Version: engine[1], PURL: "pkg:github/quickjs-ng/quickjs@v" + engine[1], Licenses: licensed("MIT")})
	b.Depends = []depends{deps}
	for _, s := range set.Servlets() {
		within := depends{Ref: "servlet:" + s.Name, On: inside[s.Name].runtime}
		for _, m := range inside[s.Name].modules {
			if err := add(&within, m); err != nil {
				return bill{}, err
			}
		}
		b.Depends[0].On = append(b.Depends[0].On, within.Ref)
		b.Depends = append(b.Depends, within)
		b.Components = append(b.Components, component{Type: "file", Ref: within.Ref, Name: s.Name + ".wasm", Version: s.Version,
			Hashes: []hash{{"SHA-256", s.SHA256}}, Licenses: licensed("Apache-2.0"), Properties: []property{{"writ:origin", builtin.Source}}})
	}
	return b, nil
}

var quickJS = regexp.MustCompile(`(?m)^  QuickJS-NG ([0-9.]+) +MIT$`)

// golang is the package URL of a module; the type wants its path in lower case.
// Source: package-url, "golang" type.
func golang(path, version string) string {
	return "pkg:golang/" + strings.ToLower(path) + "@" + version
}

func licensed(id string) []licence {
	l := licence{}
	l.License.ID = id
	return []licence{l}
}

// licenceOf finds the licence that NOTICE names for a module: on the line with its path or with the
// beginning of it, of the paths in braces too. Empty: none does.
func licenceOf(notice, module string) string {
	for line := range strings.Lines(notice) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "  ") || len(fields) < 2 {
			continue
		}
		for _, path := range expand(fields[0]) {
			if module == path || strings.HasPrefix(module, path+"/") {
				for _, f := range fields[1:] {
					if known[f] {
						return f
					}
				}
			}
		}
	}
	return ""
}

// known are the licences that a part of Writ may have.
var known = map[string]bool{"Apache-2.0": true, "BSD-2-Clause": true, "BSD-3-Clause": true, "MIT": true}

// expand turns a/{b,c} into a/b and a/c.
func expand(path string) []string {
	head, rest, ok := strings.Cut(path, "{")
	inner, tail, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return []string{path}
	}
	var all []string
	for _, part := range strings.Split(inner, ",") {
		all = append(all, head+part+tail)
	}
	return all
}

// serial makes a UUID of a digest: equal binaries have equal bills.
// Source: RFC 9562, section 5.8.
func serial(digest [sha256.Size]byte) string {
	u := digest[:16]
	u = append([]byte{}, u...)
	u[6] = u[6]&0x0f | 0x80
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
