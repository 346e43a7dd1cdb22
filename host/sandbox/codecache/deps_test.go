package codecache_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"net":     "files only",
			"net/":    "files only",
			"os/exec": "files only",
			"unsafe":  "what lies on a disk may be damaged",
		},
	})
}
