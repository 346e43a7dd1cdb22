package approval_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities":         "what is asked, given and compared",
			"github.com/writ-run/writ/host/approval/screen": "how it is drawn",
			"github.com/writ-run/writ/host/sandbox":         "gates a module; nothing here runs one",
			"github.com/writ-run/writ/host/schema":          "bounds the cost of schemas",
			"github.com/writ-run/writ/registry":             "what is known and installed in a home",
			"github.com/writ-run/writ/servlets/builtin":     "which files this binary vouches for",
		},
		Deny: map[string]string{
			"net":      "an approval is made here, from what is here",
			"net/http": "an approval is made here, from what is here",
			"os/exec":  "no process is started",
		},
	})
}
