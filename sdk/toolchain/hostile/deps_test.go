package hostile_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{},
		Deny: map[string]string{
			"os": "it reads what it is given", "net": "nothing is sent", "net/": "nothing is sent", "os/exec": "nothing is started", "unsafe": "untrusted input",
		},
	})
}
