// Package registrytest gives the tests of other rooms a registry in a folder of their own, and every
// implementation of registry.Store the suite that it has to pass.
package registrytest

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// Open returns a registry in a new home, which is closed when the test ends.
func Open(t testing.TB) *registry.Registry {
	t.Helper()
	return OpenHome(t, t.TempDir(), nil)
}

// OpenHome opens the registry of a given home, as another process would, and closes it when the test
// ends.
func OpenHome(t testing.TB, home string, opts *registry.Options) *registry.Registry {
	t.Helper()
	r, err := registry.Open(home, opts)
	if err != nil {
		t.Fatalf("opening registry: %v", err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("closing registry: %v", err)
		}
	})
	return r
}

// Publisher is the key id of the publisher of Installation.
const Publisher = "5f0e7d0c61a0bb3f3e0b1a9a2f4e6c8d5f0e7d0c61a0bb3f3e0b1a9a2f4e6c8d"

// Installation returns a valid installation of file in the default space, with seq 1 and a grant of
// one tool.
func Installation(alias string, file []byte) registry.Installation {
	sum := sha256.Sum256(file)
	name := "acme/" + alias
	return registry.Installation{
		Space: capabilities.DefaultSpace, Alias: alias, Name: name, Version: "1.0.0",
		Publisher: Publisher, Seq: 1, Digest: hex.EncodeToString(sum[:]), Source: alias + ".wasm",
		Grant: capabilities.Grant{
			Servlet: name, Publisher: Publisher, Approver: "local",
			Rights: capabilities.Rights{Tools: []string{"read"}},
		},
	}
}
