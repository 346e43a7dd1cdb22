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
			house.Module + "/host/deadline":           "the time of a call's parts",
			house.Module + "/host/metrics":            "what is counted",
			house.Module + "/host/rate":               "how often a caller may call",
			house.Module + "/host/sandbox":            "where guests run",
			house.Module + "/host/sandbox/extism":     "the form of a plug-in's results",
			house.Module + "/host/schema":             "arguments and structured results",
			house.Module + "/host/trace":              "how callers name their calls to other systems",
			house.Module + "/registry":                "what is installed and granted",
		},
		Deny: map[string]string{
			"net": "the guard dials", "net/http": "the guard dials, mcpserver serves", "os/exec": "nothing is started",
			"unsafe": "untrusted input",
		},
	})
}
