package host_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			house.Module + "/capabilities":            "manifest, grant and policy of a call",
			house.Module + "/capabilities/effect":     "log lines of a call",
			house.Module + "/capabilities/guard":      "what a call may do is done there",
			house.Module + "/capabilities/strictjson": "one reading of JSON",
			house.Module + "/host/sandbox":            "where guests run",
			house.Module + "/host/schema":             "arguments and structured results",
			house.Module + "/registry":                "what is installed and granted",
		},
		Deny: map[string]string{
			"net": "the guard dials", "net/http": "the guard dials, mcpserver serves", "os/exec": "nothing is started",
			"unsafe": "untrusted input",
		},
	})
}
