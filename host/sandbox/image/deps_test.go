package image_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"golang.org/x/sys/unix": "sealed files, private mappings and the list of changed pages",
		},
		Deny: map[string]string{
			"net":     "memory only",
			"net/":    "memory only",
			"os/exec": "memory only",
		},
	})
}
