package capabilities_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// Homes remember the built-in key as the publisher of what was installed by it: it must stay what it is.
func TestTheBuiltInKeyStaysTheSame(t *testing.T) {
	id := capabilities.KeyID(capabilities.BuiltInKey().Public().(ed25519.PublicKey))
	if print := capabilities.Fingerprint(id); print != "37ba-3f72-caee-91b8" {
		t.Errorf("the built-in key is %s", print)
	}
	if !capabilities.IsBuiltInKey(id) {
		t.Error("its own id is not that of the built-in key")
	}
	for _, other := range []string{"", strings.ToUpper(id), id[:63], id + "0", strings.Repeat("0", 64)} {
		if capabilities.IsBuiltInKey(other) {
			t.Errorf("%q passes for the built-in key", other)
		}
	}
}
