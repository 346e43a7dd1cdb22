package effect_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{},
		Deny: map[string]string{
			"os":      "no disk: a rule that acts before it decides cannot be tested as a table",
			"os/exec": "no process", "net": "no network", "net/http": "no network", "syscall": "no system calls", "unsafe": "untrusted input",
			"io/fs": "no disk", "log": "pure values say nothing", "math/rand": "nothing here is left to chance", "math/rand/v2": "nothing here is left to chance",
		},
	})
}
