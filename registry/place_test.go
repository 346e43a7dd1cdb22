package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
)

// A folder that is named as the home by mistake stays as it is, to the last byte.
func TestNoHomeIsMadeAmongOtherThings(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		shown string
	}{
		"a project":                   {[]string{"main.go", "cache/x"}, "it has main.go;"},
		"one with a folder like ours": {[]string{"staging/deploy.yaml"}, "it has " + filepath.Join("staging", "deploy.yaml") + ";"},
		"one with blobs":              {[]string{"blobs/photo.jpg"}, "it has " + filepath.Join("blobs", "photo.jpg") + ";"},
		"one with keys":               {[]string{"keys/id_ed25519"}, "it has " + filepath.Join("keys", "id_ed25519") + ";"},
		"a file for a folder":         {[]string{"audit"}, "it has audit;"},
		"a folder for a file":         {[]string{"lock/x"}, "it has lock;"},
		"a name for a terminal":       {[]string{"\x1b[2J"}, `it has \u001b[2J;`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range c.files {
				plant(t, dir, file)
			}
			before := snapshot(t, dir)
			_, err := registry.Open(dir, nil)
			wantError(t, err, registry.ErrUnsafe)
			if text := err.Error(); !strings.Contains(text, c.shown) || !strings.Contains(text, "--home") || strings.ContainsAny(text, "\n\x1b") {
				t.Errorf("error %q", text)
			}
			wantUnchanged(t, dir, before)
			if _, err := os.Lstat(filepath.Join(dir, "lock")); name != "a folder for a file" && err == nil {
				t.Error("a lock was made")
			}
		})
	}
}

// What comes before the home, and what a kill leaves of one that was being made, is no reason to refuse.
func TestHomeIsMadeWhereOnlyItsOwnIs(t *testing.T) {
	for name, files := range map[string][]string{
		"nothing":                  nil,
		"the code cache and a log": {"cache/code/x", "logs/00000001.jsonl"},
		"a volume's own folder":    {"lost+found/x"},
		"a lock":                   {"lock"},
		"half a key":               {"lock", "staging/file-123"},
		"half a store":             {"staging/new-writ.db"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range files {
				plant(t, dir, file)
			}
			r, err := registry.Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			// With the home there, others' files are none of its business.
			plant(t, dir, "notes.txt")
			if r, err = registry.Open(dir, nil); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Opening tidies up after writers that were killed, and removes nothing that others put there.
func TestOnlyOwnLeftoversAreSwept(t *testing.T) {
	home := usedHome(t)
	own := []string{"file-1", "file-4294967295", "new-writ.db", "upgraded-writ.db"}
	foreign := []string{"deploy.yaml", "file-", "file-1.txt", "my-file-1", "new-writ.db.bak"}
	for _, name := range slices.Concat(own, foreign) {
		plant(t, home, "staging/"+name)
	}
	for _, folder := range []string{"empty", "file-7"} {
		if err := os.Mkdir(filepath.Join(home, "staging", folder), 0o700); err != nil {
			t.Fatal(err)
		}
		foreign = append(foreign, folder)
	}
	entries := must(os.ReadDir(filepath.Join(home, "staging")))
	old := time.Now().Add(-2 * time.Hour)
	for _, e := range entries {
		if err := os.Chtimes(filepath.Join(home, "staging", e.Name()), old, old); err != nil {
			t.Fatal(err)
		}
	}
	plant(t, home, "staging/file-9") // of a writer that lives
	foreign = append(foreign, "file-9")
	opened := func() {
		t.Helper()
		r, err := registry.Open(home, nil)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	opened()
	var left []string
	for _, e := range must(os.ReadDir(filepath.Join(home, "staging"))) {
		left = append(left, e.Name())
	}
	if slices.Sort(foreign); !slices.Equal(left, foreign) {
		t.Errorf("left %q, want %q", left, foreign)
	}

	// Nor is a link followed to where such names are somebody else's.
	outside := t.TempDir()
	plant(t, outside, "file-1")
	err := errors.Join(os.Chtimes(filepath.Join(outside, "file-1"), old, old),
		os.RemoveAll(filepath.Join(home, "staging")), os.Symlink(outside, filepath.Join(home, "staging")))
	if err != nil {
		t.Fatal(err)
	}
	opened()
	if _, err := os.Lstat(filepath.Join(outside, "file-1")); err != nil {
		t.Errorf("a link was followed: %v", err)
	}
}
