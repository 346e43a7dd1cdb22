package builtin_test

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/writ-run/writ/servlets/builtin"
)

var (
	notes = builtin.Packed{Name: "notes", Version: "1.0.0", File: []byte("\x00asm notes")}
	probe = builtin.Packed{Name: "probe", Version: "1.0.0", File: []byte("\x00asm probe")}
)

func pack(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := builtin.Pack([]builtin.Packed{notes}, probe)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func open(files map[string][]byte) (*builtin.Set, error) {
	folder := fstest.MapFS{}
	for name, data := range files {
		folder[name] = &fstest.MapFile{Data: data}
	}
	return builtin.Open(folder)
}

func TestWhatIsPackedIsFound(t *testing.T) {
	set, err := open(pack(t))
	if err != nil {
		t.Fatal(err)
	}
	all := set.Servlets()
	if len(all) != 1 || all[0].Name != "notes" || !set.Has("notes") || !set.Holds(all[0].SHA256) {
		t.Errorf("servlets %v", all)
	}
	if file, err := set.File("notes"); err != nil || !bytes.Equal(file, notes.File) {
		t.Errorf("%q, %v", file, err)
	}
	if again := pack(t); !maps.EqualFunc(again, pack(t), bytes.Equal) {
		t.Error("packed twice, two results")
	}
}

// The probe is for the demonstration: nobody gets it installed as a servlet of Writ's.
func TestTheProbeIsNotAmongTheServlets(t *testing.T) {
	set, err := open(pack(t))
	if err != nil {
		t.Fatal(err)
	}
	file, err := set.Probe()
	if err != nil || !bytes.Equal(file, probe.File) {
		t.Errorf("%q, %v", file, err)
	}
	onlyProbe, err := builtin.Pack([]builtin.Packed{probe}, builtin.Packed{})
	if err != nil {
		t.Fatal(err)
	}
	asServlet, err := open(onlyProbe)
	if err != nil {
		t.Fatal(err)
	}
	if digest := asServlet.Servlets()[0].SHA256; set.Has("probe") || set.Holds(digest) || !asServlet.Holds(digest) {
		t.Error("the probe counts as a servlet")
	}
	if _, err := set.File("probe"); !errors.Is(err, builtin.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsBuiltInWithoutAnIndex(t *testing.T) {
	empty, err := open(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, set := range map[string]*builtin.Set{"empty folder": empty, "zero set": {}} {
		if len(set.Servlets()) > 0 || set.Has("") || set.Holds("") {
			t.Errorf("%s: it holds something", name)
		}
		if _, err := set.File("notes"); !errors.Is(err, builtin.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := set.Probe(); !errors.Is(err, builtin.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamageIsNoticed(t *testing.T) {
	for name, change := range map[string]func(files map[string][]byte){
		"a flipped bit":   func(f map[string][]byte) { f["notes.wasm.gz"][20] ^= 1 },
		"a missing file":  func(f map[string][]byte) { delete(f, "notes.wasm.gz") },
		"a cut file":      func(f map[string][]byte) { f["notes.wasm.gz"] = f["notes.wasm.gz"][:15] },
		"another's bytes": func(f map[string][]byte) { f["notes.wasm.gz"] = f["probe.wasm.gz"] },
		"an index of another shape": func(f map[string][]byte) {
			f[builtin.IndexFile] = []byte(`{"servlets":7}`)
		},
		"a name that leads out": func(f map[string][]byte) {
			f[builtin.IndexFile] = bytes.Replace(f[builtin.IndexFile], []byte(`"notes"`), []byte(`"../notes"`), 1)
		},
		"one name twice": func(f map[string][]byte) {
			f[builtin.IndexFile] = bytes.Replace(f[builtin.IndexFile], []byte(`"notes"`), []byte(`"probe"`), 1)
		},
	} {
		files := pack(t)
		change(files)
		set, err := open(files)
		if err == nil {
			_, err = set.File("notes")
		}
		if !errors.Is(err, builtin.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPackRefusesNames(t *testing.T) {
	for _, name := range []string{"", "../up", "Upper", "a b", strings.Repeat("a", 25)} {
		if _, err := builtin.Pack([]builtin.Packed{{Name: name, Version: "1.0.0", File: []byte("x")}}, builtin.Packed{}); err == nil {
			t.Errorf("packed %q", name)
		}
	}
}

// Whatever is packed into this very binary is whole.
func TestShippedServletsAreWhole(t *testing.T) {
	set, err := builtin.Shipped()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Servlets() {
		if _, err := set.File(s.Name); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	t.Logf("%d servlets are packed", len(set.Servlets()))
}
