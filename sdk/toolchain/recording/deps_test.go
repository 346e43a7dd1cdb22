package recording_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			house.Module + "/capabilities":            "which methods there are, and texts for a terminal",
			house.Module + "/capabilities/effect":     "header fields",
			house.Module + "/capabilities/guard":      "the tape that it is",
			house.Module + "/capabilities/strictjson": "one reading of JSON",
		},
		Deny: map[string]string{
			"os": "it reads what it is given", "net": "what is sent, the guard sends", "os/exec": "nothing is started", "unsafe": "untrusted input",
		},
	})
}
