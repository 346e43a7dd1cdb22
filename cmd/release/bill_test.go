package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/writ-run/writ/servlets/builtin"
)

// billOfThis is the bill of the binary of these tests, which has some of Writ's modules in it.
func billOfThis(t *testing.T) bill {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	info.Deps = slices.DeleteFunc(info.Deps, func(m *debug.Module) bool { return licenceOf(readFile(t, "../../NOTICE"), m.Path) == "" })
	if len(info.Deps) < 3 {
		t.Fatalf("%d modules", len(info.Deps))
	}
	files, err := builtin.Pack([]builtin.Packed{{Name: "notes", Version: "1.0.0", File: []byte("x")}}, builtin.Packed{})
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for name, data := range files {
		folder[name] = &fstest.MapFile{Data: data}
	}
	set, err := builtin.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	b, err := edition1.assemble(info, readFile(t, "../../NOTICE"), sha256.Sum256([]byte("binary")), set, map[string]contents{"notes": {runtime: []string{standardRef}, modules: []*debug.Module{{Path: "golang.org/x/net", Version: "v0.1.0"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What the schema of CycloneDX requires, and the NTIA's minimum beside it: name, version, a unique name,
// how parts depend on each other, and when it was made.
func TestBillHasWhatIsRequired(t *testing.T) {
	text, err := json.Marshal(billOfThis(t))
	if err != nil {
		t.Fatal(err)
	}
	var b struct {
		Format     string `json:"bomFormat"`
		Spec       string `json:"specVersion"`
		Serial     string `json:"serialNumber"`
		Version    int    `json:"version"`
		Metadata   struct{ Timestamp string }
		Components []map[string]any
		Depends    []struct {
			Ref string   `json:"ref"`
			On  []string `json:"dependsOn"`
		} `json:"dependencies"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Version != 1 || !uuid.MatchString(b.Serial) {
		t.Errorf("%s %s %d %s", b.Format, b.Spec, b.Version, b.Serial)
	}
	if _, err := time.Parse(time.RFC3339, b.Metadata.Timestamp); err != nil {
		t.Error(err)
	}
	purl := regexp.MustCompile(`^pkg:(golang|github)/[a-z0-9./_-]+@[^@ ]+$`)
	var refs []string
	for _, c := range b.Components {
		name, _ := c["name"].(string)
		ref, _ := c["bom-ref"].(string)
		version, _ := c["version"].(string)
		if name == "" || ref == "" || version == "" || c["licenses"] == nil || !slices.Contains([]any{"library", "file"}, c["type"]) {
			t.Errorf("component %v", c)
		}
		if p, ok := c["purl"].(string); c["type"] == "library" && (!ok || !purl.MatchString(p)) {
			t.Errorf("%s: package URL %q", name, p)
		}
		if slices.Contains(refs, ref) {
			t.Errorf("two components %s", ref)
		}
		refs = append(refs, ref)
	}
	for _, want := range []string{"std", "quickjs-ng", "servlet:notes"} {
		if !slices.Contains(refs, want) {
			t.Errorf("no component %s", want)
		}
	}
	if len(b.Depends) != 2 || b.Depends[0].Ref != "writ" || b.Depends[1].Ref != "servlet:notes" {
		t.Fatalf("dependencies %v", b.Depends)
	}
	if inside := []string{"std", "pkg:golang/golang.org/x/net@v0.1.0"}; !slices.Equal(b.Depends[1].On, inside) {
		t.Errorf("in the servlet: %v, want %v", b.Depends[1].On, inside)
	}
	used := append(slices.Clone(b.Depends[0].On), b.Depends[1].On...)
	for _, ref := range refs {
		if !slices.Contains(used, ref) {
			t.Errorf("nothing depends on %s", ref)
		}
	}
	for _, ref := range used {
		if !slices.Contains(refs, ref) {
			t.Errorf("%s is no component", ref)
		}
	}
}

func TestBillRefusesWhatNoticeDoesNotName(t *testing.T) {
	info := &debug.BuildInfo{Deps: []*debug.Module{{Path: "example.test/unknown", Version: "v1.0.0"}}}
	if _, err := edition1.assemble(info, readFile(t, "../../NOTICE"), [32]byte{}, &builtin.Set{}, nil); err == nil || !strings.Contains(err.Error(), "example.test/unknown") {
		t.Errorf("got %v", err)
	}
	if _, err := edition1.assemble(&debug.BuildInfo{}, "no engine", [32]byte{}, &builtin.Set{}, nil); err == nil {
		t.Error("a notice without the script engine passes")
	}
}

// NOTICE names every module that gets into writ, on every system that there is a release for.
func TestNoticeNamesEveryModule(t *testing.T) {
	notice := readFile(t, "../../NOTICE")
	seen := 0
	for _, system := range []string{"linux", "darwin", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "../writ")
		list.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
		out, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		modules := strings.Fields(string(out))
		slices.Sort(modules)
		for _, m := range slices.Compact(modules) {
			seen++
			if licenceOf(notice, m) == "" {
				t.Errorf("%s is in writ for %s and not in NOTICE", m, system)
			}
		}
	}
	folders, err := filepath.Glob("../../servlets/*/go.mod")
	if err != nil || len(folders) == 0 {
		t.Fatalf("servlets %v, %v", folders, err)
	}
	for _, mod := range folders {
		inside, err := contentsOf(t.Context(), filepath.Dir(mod))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inside.modules {
			if licenceOf(notice, m.Path) == "" {
				t.Errorf("%s is in %s and not in NOTICE", m.Path, filepath.Dir(mod))
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d modules: too few to be all", seen)
	}
}

func TestContentsOfServlets(t *testing.T) {
	for folder, want := range map[string]string{"../../servlets/eval-js": engineRef, "../../servlets/time": standardRef} {
		if c, err := contentsOf(t.Context(), folder); err != nil || !slices.Equal(c.runtime, []string{want}) {
			t.Errorf("%s contains %v, want %s (%v)", folder, c.runtime, want, err)
		}
	}
}
