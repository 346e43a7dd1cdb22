package registry_test

import (
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func TestBoltConforms(t *testing.T) {
	homes := map[*testing.T]string{}
	registrytest.Conform(t, func(t *testing.T) registry.Store {
		if homes[t] == "" {
			homes[t] = t.TempDir()
		}
		s, err := registry.OpenStore(homes[t], time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	})
}
