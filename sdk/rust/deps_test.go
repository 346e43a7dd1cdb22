package rust_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"github.com/writ-run/writ/": "the guest side never imports the host side",
			"net":                       "it is embedded source",
			"os":                        "it is embedded source",
			"unsafe":                    "nothing here needs it",
		},
	})
}
