package main

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/spf13/cobra":                           "verbs, flags and help; this is its one room",
			"github.com/spf13/pflag":                           "what a flag wants, where its parser says so in its own words",
			"golang.org/x/term":                                "whether there is a terminal, and how wide; this is its one room",
			"golang.org/x/sys/unix":                            "discarding what was typed ahead",
			"golang.org/x/sys/windows":                         "the same on a console",
			"github.com/writ-run/writ/capabilities":            "callers, keys, text safe for a terminal",
			"github.com/writ-run/writ/capabilities/guard":      "the network that a host is given",
			"github.com/writ-run/writ/capabilities/strictjson": "one reading of arguments",
			"github.com/writ-run/writ/cmd/clients":             "the files of MCP clients",
			"github.com/writ-run/writ/cmd/download":            "servlet files from elsewhere",
			"github.com/writ-run/writ/host":                    "calls tools",
			"github.com/writ-run/writ/host/approval":           "plans, asks and installs",
			"github.com/writ-run/writ/host/approval/screen":    "the width of what is approved",
			"github.com/writ-run/writ/host/deadline":           "the times that a server is given",
			"github.com/writ-run/writ/host/logging":            "the log",
			"github.com/writ-run/writ/host/mcpserver":          "serves clients",
			"github.com/writ-run/writ/host/metrics":            "what a server counts",
			"github.com/writ-run/writ/host/sandbox":            "the engine that a host is given",
			"github.com/writ-run/writ/registry":                "the home",
			"github.com/writ-run/writ/registry/vault":          "the system's keyring, which a registry is given",
			"github.com/writ-run/writ/sdk/toolchain":           "builds servlets",
			"github.com/writ-run/writ/servlets/builtin":        "the servlets in this binary",
			"github.com/writ-run/writ/testdata/client":         "the real client of the demonstration",
		},
		Deny: map[string]string{
			"net/http": "servers and clients of HTTP live in host/mcpserver and capabilities/guard",
			"unsafe":   "nothing here needs it",
		},
	})
}
