package calls_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			house.Module + "/capabilities":            "a guest's text is escaped before it is in a difference",
			house.Module + "/capabilities/strictjson": "one reading of JSON",
		},
		Deny: map[string]string{
			"os": "it reads what it is given", "net": "nothing is sent", "net/": "nothing is sent", "os/exec": "nothing is started", "unsafe": "untrusted input",
		},
	})
}
