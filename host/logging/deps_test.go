package logging_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities": "text that is safe for a terminal",
		},
		Deny: map[string]string{"net": "a log stays here", "net/http": "a log stays here", "os/exec": "nothing is started", "unsafe": "untrusted input"},
	})
}
