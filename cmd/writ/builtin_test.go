package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/servlets/builtin"
)

// carrying builds, once, a writ that has the filesystem servlet and the probe built in, whether or not
// they are packed where these tests run. It returns its folder, which has a file forged.wasm beside it:
// another servlet, signed with the key of built-in ones.
var carrying = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(built.dir), "carrying")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	filesystem, err := asBuiltIn(built.filesystem)
	if err != nil {
		return "", err
	}
	probe, err := asBuiltIn(built.probe)
	if err != nil {
		return "", err
	}
	files, err := builtin.Pack([]builtin.Packed{{Name: "filesystem", Version: "1.0.0", File: filesystem}}, builtin.Packed{Name: "probe", Version: "1.1.0", File: probe})
	if err != nil {
		return "", err
	}
	forged, err := asBuiltIn(built.weather)
	if err != nil {
		return "", err
	}
	overlay, err := overlayPayload(dir, files)
	if err != nil {
		return "", err
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(dir, "writ"), ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("building writ with servlets: %s", out)
	}
	return dir, os.WriteFile(filepath.Join(dir, "forged.wasm"), forged, 0o644)
})

// asBuiltIn signs a servlet file with the key that everybody has.
func asBuiltIn(path string) ([]byte, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return toolchain.Sign(file, toolchain.SignOptions{Key: capabilities.BuiltInKey(), Seq: 100_000_000_000, Issued: time.Unix(1, 0), Expires: 100 * 365 * 24 * time.Hour})
}

// overlayPayload makes files what a build finds packed. It returns the overlay's file.
func overlayPayload(dir string, files map[string][]byte) (string, error) {
	payload, err := filepath.Abs("../../servlets/builtin/payload")
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, data := range files {
		at := filepath.Join(dir, name)
		if err := os.WriteFile(at, data, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(payload, name)] = at
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, os.WriteFile(overlay, text, 0o644))
}

func TestSearchFindsWords(t *testing.T) {
	file, err := asBuiltIn(built.filesystem)
	if err != nil {
		t.Fatal(err)
	}
	set, err := packedSet(t, builtin.Packed{Name: "filesystem", Version: "1.0.0", File: file})
	if err != nil {
		t.Fatal(err)
	}
	for word, want := range map[string]int{"": 1, "FILE": 1, "one folder": 1, "move_file": 1, "weather": 0} {
		all, err := search(set, word)
		if err != nil || len(all) != want || all == nil {
			t.Errorf("%q: %v, %v, want %d", word, all, err, want)
		}
	}
	broken, err := packedSet(t, builtin.Packed{Name: "filesystem", Version: "1.0.0", File: []byte("text")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := search(broken, ""); !errors.Is(err, builtin.ErrDamaged) {
		t.Errorf("a broken set: %v", err)
	}
}

func TestWantsAreNamedAsInstallNamesThem(t *testing.T) {
	got := wants(capabilities.Capabilities{
		FS:      []capabilities.FS{{ID: "docs", Mode: capabilities.ModeFull}, {ID: "old", Mode: capabilities.ModeRead}},
		HTTP:    []capabilities.HTTP{{ID: "api", Origin: "https://api.acme.test"}, {ID: "mine", Origin: capabilities.UserOrigin}},
		Web:     &capabilities.Web{},
		KV:      &capabilities.KV{},
		Secrets: []capabilities.Secret{{Key: "API_KEY"}},
		Config:  []capabilities.Config{{Key: "UNITS"}},
	})
	want := []string{"read and change a folder (docs)", "read a folder (old)", "https://api.acme.test (api)", "a site of yours (mine)",
		"the open web (web)", "to keep data (kv)", "a secret (API_KEY)", "a setting (UNITS)"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wants(capabilities.Capabilities{}); !slices.Equal(got, []string{"nothing"}) {
		t.Errorf("got %q", got)
	}
}

func packedSet(t *testing.T, servlets ...builtin.Packed) (*builtin.Set, error) {
	t.Helper()
	files, err := builtin.Pack(servlets, builtin.Packed{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return builtin.Open(os.DirFS(dir))
}
