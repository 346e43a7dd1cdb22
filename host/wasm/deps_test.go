package wasm_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"os":      "a gate reads bytes, not files",
			"os/exec": "no process is started",
			"net":     "no network",
			"net/":    "no network",
			"unsafe":  "hostile bytes are read with bounds checks only",
		},
	})
}
