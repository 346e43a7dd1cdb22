package extism_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities/effect":     "what a request and an answer become",
			"github.com/writ-run/writ/capabilities/strictjson": "the one reader of what a guest writes as JSON",
		},
		Deny: map[string]string{
			"net":    "nothing here reaches anything",
			"net/":   "nothing here reaches anything",
			"os":     "nothing here reaches anything",
			"unsafe": "the memory is reached with bounds checks only",
		},
	})
}
