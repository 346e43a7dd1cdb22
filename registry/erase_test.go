package registry_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// usedHome is a home with something in each of its folders.
func usedHome(t *testing.T) string {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	setSecret(t, r, install(t, r, "notes"), "TOKEN", canary)
	if _, err := r.DevelopmentKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, r, true, "one")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cache/code/x/y", "staging/file-1", "writ.db.schema-1"} {
		plant(t, home, name)
	}
	return home
}

func plant(t *testing.T, home, name string) {
	t.Helper()
	path := filepath.Join(home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// madeInCache is what a part of Writ that the registry does not know says of its names.
func madeInCache(name string, folder bool) bool {
	return folder && slices.Contains([]string{"cache", "cache/code", "cache/code/x"}, name) || !folder && name == "cache/code/x/y"
}

func TestEraseRemovesAllOfAHome(t *testing.T) {
	home := usedHome(t)
	traces := must(registry.FindTraces(home, madeInCache))
	if len(traces.Foreign) > 0 || len(traces.Own) < 12 {
		t.Errorf("found %+v", traces)
	}
	if err := registry.Erase(t.Context(), home, time.Second, madeInCache); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home is still there: %v", err)
	}
	_, err := registry.FindTraces(home, nil)
	wantError(t, err, registry.ErrNotFound)
}

func TestEraseLeavesWhatOthersMade(t *testing.T) {
	home := usedHome(t)
	outside := filepath.Join(t.TempDir(), "outside")
	plant(t, outside, "precious")
	foreign := []string{"audit/diary", "blobs/notes.txt", "cache/code/x/z", "cache/index.html", "cachet/z", "keys/id_rsa.key", "mine.txt",
		"staging/deploy.yaml", "staging/file-x", "writ.db.schema-x"}
	for _, name := range foreign {
		plant(t, home, name)
	}
	for link, to := range map[string]string{"cache/link": outside, "staging/link": outside, "elsewhere": outside} {
		if err := os.Symlink(to, filepath.Join(home, link)); err != nil {
			t.Fatal(err)
		}
	}
	found := must(registry.FindTraces(home, madeInCache)).Foreign
	if want := []string{"audit/diary", "blobs/notes.txt", "cache/code/x/z", "cache/index.html", "cache/link", "cachet", "elsewhere",
		"keys/id_rsa.key", "mine.txt", "staging/deploy.yaml", "staging/file-x", "staging/link", "writ.db.schema-x"}; !slices.Equal(found, want) {
		t.Errorf("foreign %q, want %q", found, want)
	}
	if err := registry.Erase(t.Context(), home, time.Second, madeInCache); err != nil {
		t.Fatal(err)
	}
	var left []string
	if err := fs.WalkDir(os.DirFS(home), ".", func(name string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			left = append(left, name)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := slices.Sorted(slices.Values(append([]string{"cache/link", "elsewhere", "staging/link"}, foreign...))); !slices.Equal(slices.Sorted(slices.Values(left)), want) {
		t.Errorf("left %q, want %q", left, want)
	}
	if _, err := os.Stat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}

func TestEraseRefusesWhatIsNoHome(t *testing.T) {
	dir := t.TempDir()
	plant(t, dir, "writ.db")
	plant(t, dir, "cache/x")
	before := snapshot(t, dir)
	wantError(t, registry.Erase(t.Context(), dir, time.Second, madeInCache), registry.ErrNotFound)
	wantUnchanged(t, dir, before)
	if _, err := os.Lstat(filepath.Join(dir, "lock")); err == nil {
		t.Error("a lock was made")
	}

	home := usedHome(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(home, link); err != nil {
		t.Fatal(err)
	}
	before = snapshot(t, home)
	_, err := registry.FindTraces(link, madeInCache)
	wantError(t, err, registry.ErrUnsafe)
	wantError(t, registry.Erase(t.Context(), link, time.Second, madeInCache), registry.ErrUnsafe)
	wantError(t, registry.Erase(t.Context(), filepath.Join(dir, "writ.db"), time.Second, nil), registry.ErrUnsafe)
	wantUnchanged(t, home, before)
}

func TestEraseWaitsForTheLock(t *testing.T) {
	home := usedHome(t)
	cmd := child(t, "hold", home)
	stdin, stdout := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(stdout, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, home)
	wantError(t, registry.Erase(t.Context(), home, 50*time.Millisecond, madeInCache), registry.ErrLocked)
	wantUnchanged(t, home, before)
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := registry.Erase(t.Context(), home, time.Minute, madeInCache); err != nil {
		t.Error(err)
	}
}

// What a kill leaves of a home can be erased still.
func TestEraseGoesOnWhereItWasKilled(t *testing.T) {
	home := usedHome(t)
	for _, name := range []string{"writ.db", "generation", "blobs", "audit"} {
		if err := os.RemoveAll(filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := registry.Erase(t.Context(), home, time.Second, madeInCache); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the home is still there: %v", err)
	}
}

func TestForgettingTheKeyLocksTheSecrets(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(t.TempDir(), "outside.key")
	r := registrytest.OpenHome(t, home, nil)
	if provider, _, err := r.SecretKeyPlace(t.Context()); err != nil || provider != "" {
		t.Errorf("place %q, %v", provider, err)
	}
	if err := r.ForgetSecretKey(t.Context(), local); err != nil {
		t.Error(err)
	}
	in := install(t, r, "notes")
	setSecret(t, r, in, "TOKEN", canary)
	if err := r.UseSecretKey(t.Context(), local, "file", file); err != nil {
		t.Fatal(err)
	}
	looking, err := registry.Open(home, &registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if provider, at, err := looking.SecretKeyPlace(t.Context()); err != nil || provider != "file" || at != file {
		t.Errorf("place %q %q, %v", provider, at, err)
	}
	if err := errors.Join(looking.ForgetSecretKey(t.Context(), local), looking.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key is still there: %v", err)
	}
	wantSecret(t, registrytest.OpenHome(t, home, nil), in, "TOKEN", "", registry.ErrSecretsLocked)
}

func TestReadOnlyChangesNothing(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	_, err := registry.Open(none, &registry.Options{ReadOnly: true})
	wantError(t, err, registry.ErrNotFound)
	if _, err := os.Lstat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a home was made: %v", err)
	}

	home := usedHome(t)
	plant(t, home, "blobs/"+"0000000000000000000000000000000000000000000000000000000000000000") // an orphan
	before := snapshot(t, home)
	r, err := registry.Open(home, &registry.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Lookup(t.Context(), local, "notes"); err != nil {
		t.Error(err)
	}
	wantError(t, r.SetConfig(t.Context(), local, "notes", "K", "V"), registry.ErrReadOnly)
	wantError(t, r.Remove(t.Context(), local, "notes", true), registry.ErrReadOnly)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	wantUnchanged(t, home, before)

	old := releasedHome(t, 2)
	before = snapshot(t, old)
	_, err = registry.Open(old, &registry.Options{ReadOnly: true})
	wantError(t, err, registry.ErrReadOnly)
	wantUnchanged(t, old, before)

	// Looking waits no longer than it was told to.
	cmd := child(t, "hold", home)
	stdin, stdout := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if _, err := io.ReadFull(stdout, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = registry.Open(home, &registry.Options{ReadOnly: true, LockTimeout: 50 * time.Millisecond})
	wantError(t, err, registry.ErrLocked)
	if ctx.Err() != nil {
		t.Error("it waited for a minute")
	}
}
