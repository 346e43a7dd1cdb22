package registry_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
	"github.com/writ-run/writ/registry/vault"
)

const canary = "canary-4c1f0e77-value"

func secretValue(t testing.TB, text string) capabilities.SecretValue {
	t.Helper()
	v, err := capabilities.NewSecretValue(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func setSecret(t testing.TB, r *registry.Registry, in registry.Installation, key, text string) registry.Secret {
	t.Helper()
	s, err := r.SetSecret(t.Context(), local, in, key, secretValue(t, text))
	if err != nil {
		t.Fatalf("setting %s: %v", key, err)
	}
	return s
}

// wantSecret checks what a secret opens to, or the error.
func wantSecret(t *testing.T, r *registry.Registry, in registry.Installation, key, text string, want error) {
	t.Helper()
	v, err := r.Secret(t.Context(), local, in, key)
	if v.Reveal() != text || !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%s of %s: %q, %v; want %q, %v", key, in.Alias, v.Reveal(), err, text, want)
	}
}

func TestSecrets(t *testing.T) {
	home := t.TempDir()
	r := registrytest.OpenHome(t, home, nil)
	other := registrytest.OpenHome(t, home, nil) // another process
	notes, docs := install(t, r, "notes"), install(t, r, "docs")
	wantSecret(t, r, notes, "TOKEN", "", registry.ErrNotFound)
	wantError(t, r.UnsetSecret(t.Context(), local, "notes", "TOKEN"), registry.ErrNotFound)

	one := setSecret(t, r, notes, "TOKEN", canary)
	setSecret(t, other, docs, "TOKEN", "of the docs")
	wantSecret(t, other, notes, "TOKEN", canary, nil)
	wantSecret(t, r, docs, "TOKEN", "of the docs", nil)
	wantSecret(t, r, notes, "OTHER", "", registry.ErrNotFound)

	two := setSecret(t, other, notes, "TOKEN", "replaced")
	if two.Version <= one.Version {
		t.Errorf("versions %d, then %d", one.Version, two.Version)
	}
	wantSecret(t, r, notes, "TOKEN", "replaced", nil) // at once
	if list, err := r.Secrets(t.Context(), local, "notes"); err != nil || len(list) != 1 || list[0] != two {
		t.Errorf("listed %+v, %v", list, err)
	}
	if err := r.UnsetSecret(t.Context(), local, "notes", "TOKEN"); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, other, notes, "TOKEN", "", registry.ErrNotFound)

	entries, err := r.Audit(t.Context(), local, registry.Filter{Event: "secret"})
	said := ""
	for _, e := range entries {
		said += string(e.Detail)
	}
	if err != nil || len(entries) != 4 || !strings.Contains(said, "TOKEN") || strings.Contains(said, "canary") {
		t.Errorf("recorded %+v, %v", entries, err)
	}
	if report, err := r.VerifyAudit(t.Context()); err != nil {
		t.Errorf("audit: %+v, %v", report, err)
	}
}

// A secret is of the servlet, publisher and space that it was set for, and of nobody else.
func TestSecretsBelongToTheServlet(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	setSecret(t, r, in, "TOKEN", canary)
	foreign := in
	foreign.Publisher = strings.Repeat("b", 64)
	wantSecret(t, r, foreign, "TOKEN", "", registry.ErrNotFound)
	foreign = in
	foreign.Name = "acme/other"
	wantSecret(t, r, foreign, "TOKEN", "", registry.ErrNotFound)
	_, err := r.SetSecret(t.Context(), local, foreign, "TOKEN", secretValue(t, "x"))
	wantError(t, err, registry.ErrConflict)
	work := capabilities.Local("work")
	if v, err := r.Secret(t.Context(), work, in, "TOKEN"); v.Reveal() != "" || !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("in another space: %v, %v", v, err)
	}
	// Removed without --purge it waits for the same servlet; with it, it is gone.
	if err := r.Remove(t.Context(), local, "notes", false); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, r, install(t, r, "notes"), "TOKEN", canary, nil)
	if err := r.Remove(t.Context(), local, "notes", true); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, r, install(t, r, "notes"), "TOKEN", "", registry.ErrNotFound)
}

// Who can write the disk and has the home's key, as who runs as the same user has, still cannot make
// one sealed secret pass for another, or an old one for the current one.
func TestSecretsThatWereMovedOrPutBackAreRefused(t *testing.T) {
	type records map[string]registry.Record
	for intent, tamper := range map[string]func(at map[string]string, old, now records) (key string, value []byte){
		"replaced by another key's": func(at map[string]string, _, now records) (string, []byte) {
			return at["TOKEN"], []byte(strings.Replace(string(now[at["OTHER"]].Value), `"OTHER"`, `"TOKEN"`, 1))
		},
		"put back as it was before": func(at map[string]string, old, _ records) (string, []byte) {
			return at["TOKEN"], old[at["TOKEN"]].Value
		},
		"put back after its removal": func(at map[string]string, old, _ records) (string, []byte) {
			return at["GONE"], old[at["GONE"]].Value
		},
		"cut": func(at map[string]string, _, now records) (string, []byte) {
			text := string(now[at["TOKEN"]].Value)
			i := strings.Index(text, `"sealed":"`) + len(`"sealed":"`)
			return at["TOKEN"], []byte(text[:i] + text[i+4:])
		},
		"emptied": func(at map[string]string, _, now records) (string, []byte) {
			text := string(now[at["TOKEN"]].Value)
			return at["TOKEN"], []byte(text[:strings.Index(text, `"sealed":"`)] + `"sealed":""}`)
		},
		"given the current number": func(at map[string]string, old, now records) (string, []byte) {
			return at["TOKEN"], []byte(strings.Replace(string(old[at["TOKEN"]].Value), `"version":1`, `"version":4`, 1))
		},
	} {
		t.Run(intent, func(t *testing.T) {
			r := registrytest.Open(t)
			in := install(t, r, "notes")
			at := map[string]string{}
			for _, key := range []string{"TOKEN", "OTHER", "GONE"} {
				setSecret(t, r, in, key, "first of "+key)
				at[key] = "space:default\x00notes\x00" + key
			}
			read := func() records {
				all := records{}
				err := registry.StoreOf(r).View(t.Context(), func(tx registry.Tx) error {
					for rec, err := range tx.Range(registry.KindSecret, "", "") {
						if err != nil {
							return err
						}
						all[rec.Key] = rec
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			old := read()
			setSecret(t, r, in, "TOKEN", "second of TOKEN")
			if err := r.UnsetSecret(t.Context(), local, "notes", "GONE"); err != nil {
				t.Fatal(err)
			}
			now := read()
			wantSecret(t, r, in, "TOKEN", "second of TOKEN", nil)
			key, value := tamper(at, old, now)
			err := registry.StoreOf(r).Update(t.Context(), func(tx registry.Tx) error {
				_, err := tx.Put(registry.KindSecret, key, value, now[key].Version)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			wantSecret(t, r, in, key[strings.LastIndexByte(key, 0)+1:], "", registry.ErrSecretDamaged)
			wantSecret(t, r, in, "OTHER", "first of OTHER", nil)
			setSecret(t, r, in, "TOKEN", "mended")
			wantSecret(t, r, in, "TOKEN", "mended", nil)
		})
	}
}

// ring is a keyring in memory; broken makes it refuse.
type ring struct {
	texts  map[string]string
	broken bool
}

func (k *ring) Get(_ context.Context, name string) (string, error) {
	if text, ok := k.texts[name]; ok && !k.broken {
		return text, nil
	}
	return "", vault.ErrLocked
}

func (k *ring) Put(_ context.Context, name, text string) error {
	if k.broken {
		return vault.ErrLocked
	}
	k.texts[name] = text
	return nil
}

func (k *ring) Delete(_ context.Context, name string) error {
	delete(k.texts, name)
	return nil
}

// The key can be moved while another process has it open, and each place refuses when it is not there.
func TestKeyOfSecretsMoves(t *testing.T) {
	home, outside := t.TempDir(), filepath.Join(t.TempDir(), "writ-secrets.key")
	keys := &ring{texts: map[string]string{}}
	phrase := "correct horse"
	opts := &registry.Options{Keyring: keys, Passphrase: func(context.Context, bool) ([]byte, error) { return []byte(phrase), nil }}
	opened := func() *registry.Registry { return registrytest.OpenHome(t, home, opts) }
	first := opened()
	in := install(t, first, "notes")
	setSecret(t, first, in, "TOKEN", canary)
	if k, err := first.SecretKey(t.Context()); err != nil || k.Provider != "keyring" || k.Secrets != 1 || k.Problem != "" || len(keys.texts) != 1 {
		t.Errorf("%+v, %v", k, err)
	}
	keys.broken = true
	wantSecret(t, opened(), in, "TOKEN", "", registry.ErrSecretsLocked)
	wantSecret(t, first, in, "TOKEN", canary, nil) // it has the key already
	keys.broken = false

	for _, place := range []struct{ provider, file string }{{"file", ""}, {"file", outside}, {"passphrase", ""}, {"file", ""}, {"keyring", ""}} {
		if err := opened().UseSecretKey(t.Context(), local, place.provider, place.file); err != nil {
			t.Fatalf("%v: %v", place, err)
		}
		wantSecret(t, opened(), in, "TOKEN", canary, nil)
		wantSecret(t, first, in, "TOKEN", canary, nil)
		files, _ := filepath.Glob(filepath.Join(home, "keys", "secrets-*"))
		if want := place.provider == "file" && place.file == ""; (len(files) == 1) != want || len(files) > 1 || (len(keys.texts) == 1) != (place.provider == "keyring") {
			t.Errorf("%v: left %q and %d entries of the keyring", place, files, len(keys.texts))
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", f, info.Mode(), err)
			}
		}
		switch {
		case place.file != "":
			os.Chmod(place.file, 0o644)
			wantSecret(t, opened(), in, "TOKEN", "", registry.ErrSecretsLocked)
			os.Chmod(place.file, 0o600)
		case place.provider == "passphrase":
			phrase = "wrong horse"
			wantSecret(t, opened(), in, "TOKEN", "", registry.ErrSecretsLocked)
			phrase = "correct horse"
			opts.Passphrase = nil
			wantSecret(t, opened(), in, "TOKEN", "", registry.ErrSecretsLocked)
			if err := opened().Remove(t.Context(), local, "notes", true); err != nil { // what is locked can be removed
				t.Error(err)
			}
			install(t, first, "notes")
			setSecret(t, first, in, "TOKEN", canary)
			opts.Passphrase = func(context.Context, bool) ([]byte, error) { return []byte(phrase), nil }
		}
	}
	if _, err := os.Stat(outside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file that was left is still there: %v", err)
	}

	clear(keys.texts) // the key is lost
	wantSecret(t, opened(), in, "TOKEN", "", registry.ErrSecretsLocked)
	if err := opened().ResetSecrets(t.Context(), local); err != nil {
		t.Fatal(err)
	}
	again := opened()
	wantSecret(t, again, in, "TOKEN", "", registry.ErrNotFound)
	setSecret(t, again, in, "TOKEN", "after")
	wantSecret(t, first, in, "TOKEN", "after", nil)
}

// A stolen home gives away no secret whose key is elsewhere. The control: the canary is found where it
// is stored in the open.
func TestStolenHomeHoldsNoSecret(t *testing.T) {
	home := t.TempDir()
	r := registrytest.OpenHome(t, home, &registry.Options{Keyring: &ring{texts: map[string]string{}}})
	in := install(t, r, "notes")
	setSecret(t, r, in, "TOKEN", canary)
	found := func() (n int) {
		err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), canary) {
				n++
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := found(); n != 0 {
		t.Errorf("%d files hold the secret", n)
	}
	wantSecret(t, registrytest.OpenHome(t, home, nil), in, "TOKEN", "", registry.ErrSecretsLocked)
	if err := r.SetConfig(t.Context(), local, "notes", "OPEN", canary); err != nil {
		t.Fatal(err)
	}
	if found() == 0 {
		t.Error("the search finds nothing even where it is")
	}
}

// A home of the Writ before secrets is upgraded, once, with a copy left.
func TestStoreBeforeSecretsIsUpgraded(t *testing.T) {
	home := t.TempDir() + "/home"
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := install(t, r, "notes")
	if err := errors.Join(r.Close(), registry.Downgrade(home, 1)); err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(home, "writ.db"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r := registrytest.OpenHome(t, home, nil)
		if _, err := r.Lookup(t.Context(), local, "notes"); err != nil {
			t.Fatal(err)
		}
		setSecret(t, r, in, "TOKEN", canary)
		wantSecret(t, r, in, "TOKEN", canary, nil)
	}
	kept, err := os.ReadFile(filepath.Join(home, "writ.db.schema-1"))
	if err != nil || string(kept) != string(old) {
		t.Errorf("the copy of the old store: %d bytes of %d, %v", len(kept), len(old), err)
	}
}
