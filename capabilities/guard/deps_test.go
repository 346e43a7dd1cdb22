package guard_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/writ-run/writ/capabilities":        "the policy that is enforced",
			"github.com/writ-run/writ/capabilities/effect": "what a guest asks for, and the answers",
			"golang.org/x/sys/unix":                        "mount ids and kinds of file systems, which package syscall does not know",
		},
		Deny: map[string]string{
			"os/exec":   "no process is started",
			"unsafe":    "nothing here needs it",
			"math/rand": "what a guest could guess protects nothing",
			"io/ioutil": "superseded",
		},
	})
}
