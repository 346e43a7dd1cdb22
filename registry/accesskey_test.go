package registry_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// clock is a time that a test moves.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) options() *registry.Options {
	return &registry.Options{Now: func() time.Time { return c.now }}
}

func createKey(t testing.TB, r *registry.Registry, spec registry.KeySpec) (string, registry.AccessKey) {
	t.Helper()
	if spec.Role == "" {
		spec.Role = capabilities.RoleUser
	}
	if spec.Spaces == nil {
		spec.Spaces = []string{"default"}
	}
	text, key, err := r.CreateKey(t.Context(), local, spec)
	if err != nil {
		t.Fatal(err)
	}
	return text, key
}

// wantKey checks whether a text is let in.
func wantKey(t *testing.T, r *registry.Registry, text string, want error) registry.AccessKey {
	t.Helper()
	key, err := r.Authenticate(t.Context(), text)
	if !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("presenting a key: %v, want %v", err, want)
	}
	return key
}

func TestAccessKeys(t *testing.T) {
	home, c := t.TempDir(), newClock()
	r := registrytest.OpenHome(t, home, c.options())
	other := registrytest.OpenHome(t, home, c.options()) // a server that runs meanwhile
	if any, err := other.HasKeys(t.Context()); any || err != nil {
		t.Fatal(any, err)
	}
	text, key := createKey(t, r, registry.KeySpec{Name: "ci", Spaces: []string{"work", "default", "work"}, Expires: c.now.Add(time.Hour)})
	if !regexp.MustCompile(`^writ_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$`).MatchString(text) {
		t.Errorf("the key has %d characters of another form", len(text))
	}
	got := wantKey(t, other, text, nil)
	by, ok := got.For("work")
	if !ok || by.Principal != "key:"+key.ID || by.Space != "work" || !by.MayCall() || by.IsOperator() {
		t.Errorf("%+v, %v", by, ok)
	}
	if _, ok := got.For("home"); ok {
		t.Error("the key is for a space that nobody named")
	}
	if _, _, err := r.CreateKey(t.Context(), local, registry.KeySpec{Name: "ci", Spaces: []string{"work"}, Role: "user"}); !errors.Is(err, registry.ErrExists) {
		t.Errorf("a second one of the name: %v", err)
	}

	// What is almost the key is not, wherever it differs.
	for i := range text {
		changed := []byte(text)
		changed[i] ^= 1
		wantKey(t, other, string(changed), registry.ErrKeyRefused)
	}
	for _, almost := range []string{"", "writ_", text + "0", text[1:], strings.ToLower(text), "Bearer " + text, strings.Repeat("x", 1<<20)} {
		wantKey(t, other, almost, registry.ErrKeyRefused)
	}

	c.now = c.now.Add(time.Hour)
	wantKey(t, other, text, registry.ErrKeyRefused)
	wantError(t, other.KeyStands(t.Context(), got), registry.ErrKeyRefused)
	wantError(t, other.KeyStands(t.Context(), registry.AccessKey{}), registry.ErrKeyRefused)
	wantError(t, other.KeyStands(t.Context(), key), registry.ErrKeyRefused) // never presented
}

func TestRotatedAndRevokedKeys(t *testing.T) {
	home, c := t.TempDir(), newClock()
	r := registrytest.OpenHome(t, home, c.options())
	other := registrytest.OpenHome(t, home, c.options())
	first, made := createKey(t, r, registry.KeySpec{Name: "ana"})
	presented := wantKey(t, other, first, nil)

	second, key, err := r.RotateKey(t.Context(), local, "ana", time.Hour, time.Time{})
	if err != nil || key.ID != made.ID || key.Rotated != c.now || first == second {
		t.Fatalf("%+v, %v", key, err)
	}
	wantKey(t, other, second, nil)
	wantKey(t, other, first, nil) // overlaps
	wantError(t, other.KeyStands(t.Context(), presented), nil)
	c.now = c.now.Add(time.Hour)
	wantKey(t, other, second, nil)
	wantKey(t, other, first, registry.ErrKeyRefused)
	wantError(t, other.KeyStands(t.Context(), presented), registry.ErrKeyRefused)

	third, _, err := r.RotateKey(t.Context(), local, made.ID, 0, c.now.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	wantKey(t, other, second, registry.ErrKeyRefused)
	wantKey(t, other, third, nil)
	// An overlap makes no text valid for longer than it was made for.
	fourth, _, err := r.RotateKey(t.Context(), local, "ana", time.Hour, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	c.now = c.now.Add(time.Minute)
	wantKey(t, other, third, registry.ErrKeyRefused)
	wantKey(t, other, fourth, nil)

	if _, err := r.RevokeKey(t.Context(), local, "ana"); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{first, second, third, fourth} {
		wantKey(t, other, text, registry.ErrKeyRefused)
	}
	if any, err := other.HasKeys(t.Context()); !any || err != nil {
		t.Error("after the last key was revoked nobody is asked for one", err)
	}
	_, err = r.RevokeKey(t.Context(), local, "ana")
	wantError(t, err, registry.ErrNotFound)
	_, _, err = r.RotateKey(t.Context(), local, "ana", 0, time.Time{})
	wantError(t, err, registry.ErrNotFound)
	_, err = r.RevokeKey(t.Context(), local, "nobody")
	wantError(t, err, registry.ErrNotFound)

	// The name is free again, and means the new key.
	_, again := createKey(t, r, registry.KeySpec{Name: "ana"})
	if key, err := r.RevokeKey(t.Context(), local, "ana"); err != nil || key.ID != again.ID {
		t.Errorf("%+v, %v", key, err)
	}
	// What ended is listed for a while, and not for ever.
	c.now = c.now.AddDate(0, 6, 0)
	createKey(t, r, registry.KeySpec{Name: "bo"})
	if all, err := r.Keys(t.Context(), local); err != nil || len(all) != 1 || all[0].Name != "bo" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestKeysAreOfTheOperatorAndOfOneForm(t *testing.T) {
	r := registrytest.Open(t)
	good := registry.KeySpec{Name: "a", Spaces: []string{"default"}, Role: capabilities.RoleUser}
	for _, by := range []capabilities.Caller{
		{Principal: "key:x", Space: "default"}, {Principal: "key:x", Space: "default", Roles: []string{capabilities.RoleUser}},
	} {
		_, _, err := r.CreateKey(t.Context(), by, good)
		wantError(t, err, registry.ErrOperator)
		_, err = r.Keys(t.Context(), by)
		wantError(t, err, registry.ErrOperator)
		_, err = r.RevokeKey(t.Context(), by, "a")
		wantError(t, err, registry.ErrOperator)
	}
	for name, change := range map[string]func(*registry.KeySpec){
		"no name":             func(s *registry.KeySpec) { s.Name = "" },
		"a name with escapes": func(s *registry.KeySpec) { s.Name = "a\x1b[2J" },
		"no space":            func(s *registry.KeySpec) { s.Spaces = nil },
		"a space of no form":  func(s *registry.KeySpec) { s.Spaces = []string{"A/b"} },
		"no role":             func(s *registry.KeySpec) { s.Role = "" },
		"an operator":         func(s *registry.KeySpec) { s.Role = capabilities.RoleOperator },
		"an end in the past":  func(s *registry.KeySpec) { s.Expires = time.Unix(1, 0) },
	} {
		spec := good
		change(&spec)
		if _, _, err := r.CreateKey(t.Context(), local, spec); !errors.Is(err, registry.ErrKeyName) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := r.CreateKey(t.Context(), local, good); err != nil {
		t.Error(err)
	}
}

// Changes are audited in every space of the key; uses are listed, and change nothing else. The text of a
// key is in no file.
func TestKeysLeaveTheirTraceAndNoText(t *testing.T) {
	home, c := t.TempDir(), newClock()
	r := registrytest.OpenHome(t, home, c.options())
	text, key := createKey(t, r, registry.KeySpec{Name: "ci", Spaces: []string{"default", "work"}})
	rotated, _, err := r.RotateKey(t.Context(), local, "ci", time.Hour, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	before := r.Generation()
	used := c.now.Add(time.Minute)
	for _, when := range []time.Time{used, c.now} { // the later one stays
		if err := r.RecordUse(t.Context(), map[string]time.Time{key.ID: when, "unknown": used}); err != nil {
			t.Fatal(err)
		}
	}
	if r.Generation() != before {
		t.Error("a use made every process read its home again")
	}
	if all, err := r.Keys(t.Context(), local); err != nil || len(all) != 1 || !all[0].Used.Equal(used) {
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := r.RevokeKey(t.Context(), local, "ci"); err != nil {
		t.Fatal(err)
	}
	for _, space := range []string{"default", "work"} {
		entries, err := r.Audit(t.Context(), capabilities.Local(space), registry.Filter{Event: "key"})
		if err != nil || len(entries) != 3 {
			t.Fatalf("%s: %d entries, %v", space, len(entries), err)
		}
		for i, change := range []string{"create", "rotate", "revoke"} {
			if detail := string(entries[i].Detail); !strings.Contains(detail, change) || !strings.Contains(detail, key.ID) {
				t.Errorf("entry %d of %s: %s", i, space, detail)
			}
		}
	}
	found := 0
	err = filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, text := range []string{text, rotated} {
			if bytes.Contains(data, []byte(text[18:])) {
				t.Errorf("%s holds the text of a key", path)
			}
		}
		if bytes.Contains(data, []byte(key.ID)) {
			found++
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("the search finds nothing even where it is: %v", err)
	}
}

func TestStoreBeforeKeysIsUpgraded(t *testing.T) {
	home := t.TempDir() + "/home"
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := install(t, r, "notes")
	setSecret(t, r, in, "TOKEN", canary)
	if err := errors.Join(r.Close(), registry.Downgrade(home, 2)); err != nil {
		t.Fatal(err)
	}
	r = registrytest.OpenHome(t, home, nil)
	text, _ := createKey(t, r, registry.KeySpec{Name: "ci"})
	wantKey(t, r, text, nil)
	wantSecret(t, r, in, "TOKEN", canary, nil)
	if _, err := os.Stat(filepath.Join(home, "writ.db.schema-2")); err != nil {
		t.Error(err)
	}
}

// Whatever is presented, only the text that was made is let in.
func FuzzAuthenticate(f *testing.F) {
	r := registrytest.Open(f)
	text, _ := createKey(f, r, registry.KeySpec{Name: "ci"})
	for _, seed := range []string{"", "writ_", text, text[:18], text + text, strings.Repeat("_", len(text)), "writ_0123456789AB_" + strings.Repeat("z", 49)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, presented string) {
		key, err := r.Authenticate(t.Context(), presented)
		if let := err == nil; let != (presented == text) || !let && !errors.Is(err, registry.ErrKeyRefused) || !let && key.ID != "" {
			t.Errorf("%q: %+v, %v", presented, key, err)
		}
	})
}

// What each request over HTTP pays for being asked who it comes from.
func BenchmarkAuthenticate(b *testing.B) {
	r := registrytest.Open(b)
	text, _ := createKey(b, r, registry.KeySpec{Name: "ci"})
	for name, presented := range map[string]string{"right": text, "wrong": text[:len(text)-1]} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Authenticate(b.Context(), presented); (err == nil) != (name == "right") {
					b.Fatal(err)
				}
			}
		})
	}
}
