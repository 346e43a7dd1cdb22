package main

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities":     "the key of built-in servlets",
			"github.com/writ-run/writ/sdk/toolchain":    "builds and signs them",
			"github.com/writ-run/writ/servlets/builtin": "packs them",
		},
		Deny: map[string]string{"net/http": "a release is made from what is here"},
	})
}
