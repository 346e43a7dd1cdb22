package screen_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities": "escapes what is not safe for a terminal",
		},
		Deny: map[string]string{
			"os":      "drawing is a function of what is drawn",
			"time":    "drawing is a function of what is drawn",
			"os/exec": "no process is started",
		},
	})
}
