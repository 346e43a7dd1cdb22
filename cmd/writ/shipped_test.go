package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
)

// The servlets that ship with Writ answer their own tests and bear hostile inputs.
func TestShippedServletsPassTheirTests(t *testing.T) {
	for _, name := range []string{"fetch", "filesystem", "time"} {
		t.Run(name, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "home")
			if err := warm(home); err != nil {
				t.Fatal(err)
			}
			out, said, status := typed(t, guard.Network{}, home, "", "test", "../../servlets/"+name, "--hostile", "40")
			if status != exitOK || !strings.Contains(out, "0 failed; ") || !strings.Contains(out, " 0 findings") {
				t.Errorf("status %d: %s %s", status, out, said)
			}
		})
	}
}
