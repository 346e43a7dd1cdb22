package registry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// A kind that filled several pages and was emptied again is as good as new: empty is not damaged.
func TestEmptiedKindsAreNoDamage(t *testing.T) {
	home := t.TempDir() + "/home"
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	file := []byte("a servlet")
	in := registrytest.Installation("many", file)
	if _, err := r.Install(t.Context(), local, in, file); err != nil {
		t.Fatal(err)
	}
	const keys = 60
	for i := range keys {
		if err := r.SetConfig(t.Context(), local, in.Alias, fmt.Sprintf("KEY_%d", i), strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		if err := r.UnsetConfig(t.Context(), local, in.Alias, fmt.Sprintf("KEY_%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Remove(t.Context(), local, in.Alias, true); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
