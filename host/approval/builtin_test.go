package approval_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/servlets/builtin"
)

// ship makes files the servlets of this binary until the test ends.
func ship(t *testing.T, files ...builtin.Packed) {
	t.Helper()
	packed, err := builtin.Pack(files, builtin.Packed{})
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for name, data := range packed {
		folder[name] = &fstest.MapFile{Data: data}
	}
	set, err := builtin.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(approval.Ship(set))
}

// sealBuiltIn signs with the key that everybody has.
func sealBuiltIn(t *testing.T, m capabilities.Manifest) []byte {
	t.Helper()
	file, err := capabilities.Seal(spinning(), m, capabilities.BuiltInKey())
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// builtInDesk is a desk at which the built-in servlet "files" is about to be installed.
func builtInDesk(t *testing.T) (desk, []byte) {
	t.Helper()
	file := sealBuiltIn(t, release("files", 1))
	ship(t, builtin.Packed{Name: "files", Version: "1.0.0", File: file})
	d := newDesk(t)
	c, err := approval.ReadBuiltIn(t.Context(), "files")
	if err != nil {
		t.Fatal(err)
	}
	d.c = c
	return d, file
}

func TestBuiltInIsSaidWhereTheKeyWouldStand(t *testing.T) {
	d, file := builtInDesk(t)
	plan := d.propose(t)
	if !plan.BuiltIn || !strings.HasPrefix(plan.Text, "files 1.0.0   built into writ (") || strings.Contains(plan.Text, "KEY") {
		t.Errorf("built in %v:\n%s", plan.BuiltIn, plan.Text)
	}
	if in := d.install(t); in.Source != builtin.Source || !capabilities.IsBuiltInKey(in.Publisher) {
		t.Errorf("installed %+v", in)
	}
	// It is the bytes that are trusted: the same ones from a disk are no other servlet.
	if c := read(t, write(t, file)); !c.BuiltIn() {
		t.Error("the same file from elsewhere is not what is built in")
	}
}

// Anyone can sign with the built-in key. Whatever such a file says, it must not get the trust of what is
// in the binary; without refuseForged each of these is read, and its screen says who answers for it.
func TestAFileThatOnlyClaimsToBeBuiltInIsRefused(t *testing.T) {
	builtInDesk(t)
	changed := release("files", 1)
	changed.Description = "The same, and more."
	newer := release("files", 2)
	newer.Version = "1.0.1"
	development := release("files", 0)
	development.Issued, development.Expires = "", ""
	for _, row := range []struct {
		name string
		m    capabilities.Manifest
	}{
		{"the name, version and number of one that is built in", changed},
		{"a newer one", newer},
		{"a development build", development},
		{"a name of its own", release("other", 1)},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := write(t, sealBuiltIn(t, row.m))
			if _, err := approval.Read(t.Context(), path); !errors.Is(err, approval.ErrNotBuiltIn) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if _, err := approval.Verify(t.Context(), sealBuiltIn(t, row.m), "https://files.test/files.wasm"); !errors.Is(err, approval.ErrNotBuiltIn) {
				t.Errorf("downloaded: got %v", err)
			}
			// The control: what is refused is the claim, not the servlet.
			if c := read(t, seal(t, row.m, key("acme"))); c.BuiltIn() {
				t.Error("built in by another key")
			}
			ship(t, builtin.Packed{Name: row.m.Name, Version: row.m.Version, File: sealBuiltIn(t, row.m)})
			if c := read(t, path); !c.BuiltIn() {
				t.Error("a file with a digest of this binary's is not built in")
			}
		})
	}
}

// What a binary has is decided when it installs: a candidate from anywhere else must not pass either.
func TestInstallAsksTheBinaryAgain(t *testing.T) {
	d, _ := builtInDesk(t)
	plan := d.propose(t)
	ship(t) // another binary, which has nothing built in
	check := unchanged(t, d.reg)
	if _, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, plan.Digest); !errors.Is(err, approval.ErrNotBuiltIn) {
		t.Errorf("got %v", err)
	}
	check()
}

func TestWhatWasBuiltInStaysInstalledWhenWritIsUpgraded(t *testing.T) {
	d, _ := builtInDesk(t)
	in := d.install(t)
	ship(t)
	c, _, err := approval.Load(t.Context(), d.reg, local, in.Alias)
	if err != nil || c.BuiltIn() {
		t.Fatalf("built in: %v, %v", c.BuiltIn(), err)
	}
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, approval.Choice{Tools: []string{"read_file"}, Dirs: d.choice.Dirs})
	if err != nil || plan.BuiltIn || !strings.Contains(plan.Screen(200, false), "built into another version of writ") {
		t.Errorf("%v:\n%s", err, plan.Text)
	}
}

// The name that was installed from the binary belongs to it, and the other way about.
func TestBuiltInNamesArePinned(t *testing.T) {
	d, _ := builtInDesk(t)
	d.install(t)
	theirs := read(t, seal(t, release("files", 9), key("mallory")))
	if _, err := approval.Propose(t.Context(), d.reg, local, theirs, approval.Choice{As: "other"}); !errors.Is(err, registry.ErrPublisher) || !strings.Contains(err.Error(), builtin.Source) {
		t.Errorf("a publisher's after the built-in one: %v", err)
	}
	d, _ = builtInDesk(t)
	ours := d.c
	d.c = theirs
	d.install(t)
	if _, err := approval.Propose(t.Context(), d.reg, local, ours, approval.Choice{As: "other"}); !errors.Is(err, registry.ErrPublisher) {
		t.Errorf("the built-in one after a publisher's: %v", err)
	}
}

// Two builds of Writ may hold different files of one version; the ratchet forbids only what is older.
func TestBuiltInVersionsOnlyGoUp(t *testing.T) {
	d, _ := builtInDesk(t)
	d.install(t)
	offer := func(seq uint64) error {
		m := release("files", seq)
		m.Description = "built by another compiler"
		ship(t, builtin.Packed{Name: "files", Version: "1.0.0", File: sealBuiltIn(t, m)})
		c, err := approval.ReadBuiltIn(t.Context(), "files")
		if err != nil {
			t.Fatal(err)
		}
		d.c, d.choice.As = c, "second-"+string(rune('a'+seq))
		plan, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
		if err != nil {
			return err
		}
		_, err = approval.Install(t.Context(), d.reg, local, d.c, d.choice, plan.Digest)
		return err
	}
	for _, row := range []struct {
		seq  uint64
		want error
	}{{1, nil}, {3, nil}, {2, registry.ErrRollback}} {
		if err := offer(row.seq); !errors.Is(err, row.want) {
			t.Errorf("number %d: %v, want %v", row.seq, err, row.want)
		}
	}
}

func TestABrokenBuildSaysSo(t *testing.T) {
	acme, err := os.ReadFile(seal(t, release("files", 1), key("acme")))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"a publisher's file":      acme,
		"another servlet":         sealBuiltIn(t, release("other", 1)),
		"no servlet at all":       []byte("text"),
		"one without a signature": spinning(),
	} {
		ship(t, builtin.Packed{Name: "files", Version: "1.0.0", File: file})
		if _, err := approval.ReadBuiltIn(t.Context(), "files"); !errors.Is(err, builtin.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := approval.ReadBuiltIn(t.Context(), "files-2"); !errors.Is(err, builtin.ErrUnknown) {
			t.Errorf("a name that is not there: %v", err)
		}
	}
}
