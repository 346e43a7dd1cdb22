package typescript_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Deny: map[string]string{
			"os":   "it only carries files",
			"net":  "it only carries files",
			"net/": "it only carries files",
		},
	})
}
