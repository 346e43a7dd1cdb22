package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// released are the homes of testdata/homes, each as the last Writ of its schema left it.
var released = []struct {
	schema  int
	entries int  // of the audit
	secrets bool // it holds one
}{
	{1, 10, false},
	{2, 13, true},
	{3, 14, true},
}

// releasedHome is a copy of such a home, private as a home is.
func releasedHome(t testing.TB, schema int) string {
	t.Helper()
	from := fmt.Sprintf("testdata/homes/schema-%d", schema)
	to := filepath.Join(t.TempDir(), "home")
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
	if err == nil {
		err = os.Mkdir(filepath.Join(to, "staging"), 0o700) // empty, so that no fixture can hold it
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// wantReleased checks that everything of a released home is there.
func wantReleased(t *testing.T, r *registry.Registry, secrets bool) {
	t.Helper()
	work := capabilities.Local("work")
	in, err := r.Lookup(t.Context(), local, "hello")
	if err != nil || in.Name != "acme/hello" || in.Revoked || in.Source != "/srv/acme/hello.wasm" || len(in.Grant.Rights.Tools) != 1 {
		t.Errorf("hello: %+v, %v", in, err)
	}
	if _, err := r.Blob(t.Context(), in.Digest); err != nil {
		t.Error(err)
	}
	if values, err := r.Config(t.Context(), local, "hello"); err != nil || values["GREETING"] != "hi" {
		t.Errorf("config: %q, %v", values, err)
	}
	if in, err := r.Lookup(t.Context(), work, "greeter"); err != nil || !in.Revoked {
		t.Errorf("greeter: %+v, %v; its grant was revoked", in, err)
	}
	if calls, err := r.Audit(t.Context(), local, registry.Filter{Event: "call"}); err != nil || len(calls) != 2 {
		t.Errorf("%d calls, %v", len(calls), err)
	}
	if secrets {
		hook, err := r.Lookup(t.Context(), local, "hook")
		if err != nil {
			t.Fatal(err)
		}
		wantSecret(t, r, hook, "TOKEN", "fixture-token", nil)
	}
}

func TestHomesOfReleasedSchemasAreUpgraded(t *testing.T) {
	if len(released) != registry.StoreSchema-1 {
		t.Errorf("homes of %d schemas, and there were %d before this one: see testdata/homes/README.md", len(released), registry.StoreSchema-1)
	}
	for _, c := range released {
		t.Run(fmt.Sprint("schema ", c.schema), func(t *testing.T) {
			home := releasedHome(t, c.schema)
			old := must(os.ReadFile(filepath.Join(home, "writ.db")))
			before := must(os.Stat(filepath.Join(home, "writ.db")))
			counted := must(os.Stat(filepath.Join(home, "generation"))).Size()
			for range 2 { // upgraded once, and then as it is
				r := registrytest.OpenHome(t, home, nil)
				wantReleased(t, r, c.secrets)
				wantIntact(t, r, c.entries)
			}
			// This is what tells a process of the older Writ that has the home open: it reads another file
			// anew, and answers nothing from memory under another generation.
			if os.SameFile(before, must(os.Stat(filepath.Join(home, "writ.db")))) {
				t.Error("the store was upgraded in place")
			}
			if now := must(os.Stat(filepath.Join(home, "generation"))).Size(); now <= counted || now%2 != 0 {
				t.Errorf("generation %d, and %d before", now, counted)
			}
			kept, err := os.ReadFile(filepath.Join(home, fmt.Sprint("writ.db.schema-", c.schema)))
			if err != nil || !bytes.Equal(kept, old) {
				t.Errorf("the copy of the old store: %d bytes of %d, %v", len(kept), len(old), err)
			}
			if left, err := os.ReadDir(filepath.Join(home, "staging")); err != nil || len(left) > 0 {
				t.Errorf("left in staging: %v, %v", left, err)
			}
			// What is new can be used, and the old goes on.
			r := registrytest.OpenHome(t, home, nil)
			text, _ := createKey(t, r, registry.KeySpec{Name: "later"})
			wantKey(t, r, text, nil)
			install(t, r, "notes")
			record(t, r, true, "new-call")
			wantIntact(t, r, c.entries+3)
		})
	}
}

// The copy that an upgrade kept can be put back, also under a process that runs.
func TestOldStorePutBackIsUpgradedAgain(t *testing.T) {
	home := releasedHome(t, 2)
	r := registrytest.OpenHome(t, home, nil)
	install(t, r, "notes")
	old := must(os.ReadFile(filepath.Join(home, "writ.db.schema-2")))
	if err := errors.Join(os.Remove(filepath.Join(home, "writ.db")), os.WriteFile(filepath.Join(home, "writ.db"), old, 0o600)); err != nil {
		t.Fatal(err)
	}
	registry.BumpGeneration(t, home)
	_, err := r.Lookup(t.Context(), local, "notes")
	wantError(t, err, registry.ErrNotFound) // it came after the copy
	wantReleased(t, r, true)
	text, _ := createKey(t, r, registry.KeySpec{Name: "later"})
	wantKey(t, r, text, nil)
	wantIntact(t, r, 14)
}

// upgradeAndDie is a newer Writ that is killed while it upgrades a home.
func upgradeAndDie(home string, args []string) error {
	_, err := registry.Open(home, registry.AtStep(func(point string) {
		if point == args[0] {
			die()
		}
	}))
	return errors.Join(err, errors.New("it was not killed"))
}

func TestUpgradeKilledAnywhere(t *testing.T) {
	for _, point := range []string{"file written", "file renamed", "store upgraded", "upgrade in place"} {
		t.Run(point, func(t *testing.T) {
			home := releasedHome(t, 2)
			if out, err := child(t, "upgrade", home, point).CombinedOutput(); err == nil || bytes.Contains(out, []byte("not killed")) {
				t.Fatalf("%v: %s", err, out)
			}
			if n := must(os.Stat(filepath.Join(home, "generation"))).Size(); point == "upgrade in place" && n%2 == 0 {
				t.Errorf("generation %d: processes that have the old store in their memory answer from it", n)
			}
			r := registrytest.OpenHome(t, home, nil)
			wantReleased(t, r, true)
			wantIntact(t, r, 13)
			if _, settled := registry.StoreOf(r).Generation(); !settled {
				t.Error("a change is still under way")
			}
			install(t, r, "after")
		})
	}
}

// A process that has a home open when a newer Writ upgrades it does nothing with it any more, from the
// store or from memory, and changes nothing.
func TestOpenProcessRefusesTheStoreOfANewerWrit(t *testing.T) {
	const newest = 99
	for name, overtake := range map[string]func(home string) error{
		"in another file": func(home string) error { return registry.Overtake(home, newest) },
		"in place":        func(home string) error { return registry.WriteSchema(home, newest) },
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			r, err := registry.Open(home, nil)
			if err != nil {
				t.Fatal(err)
			}
			in := install(t, r, "notes")
			record(t, r, true, "before")
			for range 2 { // from the store, and from memory
				if _, err := r.Lookup(t.Context(), local, "notes"); err != nil {
					t.Fatal(err)
				}
			}
			if err := overtake(home); err != nil {
				t.Fatal(err)
			}
			registry.BumpGeneration(t, home)
			before := snapshot(t, home)
			_, lookup := r.Lookup(t.Context(), local, "notes")
			_, list := r.List(t.Context(), local)
			_, audit := r.Audit(t.Context(), local, registry.Filter{})
			_, again := registry.Open(home, nil)
			for what, err := range map[string]error{
				"looking up": lookup, "listing": list, "reading the audit": audit, "opening": again,
				"setting": r.SetConfig(t.Context(), local, "notes", "K", "V"), "removing": r.Remove(t.Context(), local, "notes", true),
			} {
				if wantError(t, err, registry.ErrNewer); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "schema 99") {
					t.Errorf("%s: %v", what, err)
				}
			}
			wantUnchanged(t, home, before)
			if _, err := os.Stat(filepath.Join(home, "blobs", in.Digest)); err != nil {
				t.Error(err)
			}
			done := make(chan error, 1)
			go func() { done <- r.Close() }()
			select {
			case err := <-done:
				wantError(t, err, registry.ErrNewer) // the end of its calls stays unsigned
			case <-time.After(time.Minute):
				t.Error("closing does not end")
			}
		})
	}
}
