package builtin_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"os":  "what is built in is in the binary: nothing on a disk can add to it or change it",
			"net": "and nothing on a network",
		},
	})
}
