package registry_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// The configuration of whoever has an alias now is not told to the code of whoever had it before.
func TestConfiguredIsOfOneMoment(t *testing.T) {
	r := registrytest.Open(t)
	var work sync.WaitGroup
	defer work.Wait()
	stop := make(chan struct{})
	defer close(stop)
	work.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			name := fmt.Sprint("acme/n", i)
			in := registrytest.Installation("t", fileOf(name))
			in.Name, in.Grant.Servlet = name, name
			if _, err := r.Install(t.Context(), local, in, fileOf(name)); err != nil {
				t.Error(err)
				return
			}
			if err := r.SetConfig(t.Context(), local, "t", "NAME", name); err != nil {
				t.Error(err)
				return
			}
			if err := r.Remove(t.Context(), local, "t", true); err != nil {
				t.Error(err)
				return
			}
		}
	})
	told := map[string]bool{}
	for len(told) < 5 && !t.Failed() {
		in, values, generation, err := r.Configured(t.Context(), local, "t")
		if errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if values["NAME"] != "" && values["NAME"] != in.Name {
			t.Fatalf("%s is told the configuration of %s", in.Name, values["NAME"])
		}
		if generation%2 == 0 && values["NAME"] != "" {
			told[in.Name] = true
		}
	}
}

// As long as the generation is what Configured returned, so is what it found.
func TestConfiguredTellsItsGeneration(t *testing.T) {
	r := registrytest.Open(t)
	install(t, r, "t")
	for range 2 { // read, and remembered
		if _, _, generation, err := r.Configured(t.Context(), local, "t"); err != nil || generation%2 != 0 || generation != r.Generation() {
			t.Errorf("generation %d, want %d, %v", generation, r.Generation(), err)
		}
	}
	_, _, before, _ := r.Configured(t.Context(), local, "t")
	if err := r.SetConfig(t.Context(), local, "t", "UNITS", "x"); err != nil {
		t.Fatal(err)
	}
	if _, values, after, err := r.Configured(t.Context(), local, "t"); err != nil || after == before || values["UNITS"] != "x" {
		t.Errorf("generation %d after %d, values %v, %v", after, before, values, err)
	}
}
