package mcpserver_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/modelcontextprotocol/go-sdk/mcp":       "the protocol; this is its one room",
			"github.com/modelcontextprotocol/go-sdk/jsonrpc":   "its messages, which the front reads first",
			"github.com/writ-run/writ/capabilities":            "who calls",
			"github.com/writ-run/writ/capabilities/strictjson": "the one reader of messages",
			"github.com/writ-run/writ/host":                    "what is presented",
			"github.com/writ-run/writ/host/deadline":           "the time in which a client is known",
			"github.com/writ-run/writ/host/metrics":            "what is counted, and how probes are answered",
			"github.com/writ-run/writ/host/rate":               "how often a key asks for sessions and lists",
			"github.com/writ-run/writ/host/trace":              "how clients name their calls to other systems",
			"github.com/writ-run/writ/registry":                "keys of clients",
		},
		Deny: map[string]string{
			"os":      "streams and listeners are given: nothing here opens one",
			"os/exec": "no process is started",
		},
	})
}
