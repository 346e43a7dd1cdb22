package toolchain_test

import (
	"testing"

	"github.com/writ-run/writ/testdata/house"
)

func TestImports(t *testing.T) {
	house.Check(t, house.Rule{
		Allow: map[string]string{
			"github.com/BurntSushi/toml":                       "servlet.toml; this is its one room",
			"github.com/evanw/esbuild/pkg/api":                 "the bundler of scripts; this is its one room",
			"github.com/writ-run/writ/capabilities":            "the manifest, and how it is sealed",
			"github.com/writ-run/writ/capabilities/effect":     "log lines of a test's calls",
			"github.com/writ-run/writ/capabilities/guard":      "what decides in a test's calls, as in a host's",
			"github.com/writ-run/writ/capabilities/strictjson": "the one reader of what a module says of itself",
			"github.com/writ-run/writ/host/sandbox":            "where a module describes its tools",
			"github.com/writ-run/writ/host/sandbox/extism":     "how a plug-in describes its tools",
			"github.com/writ-run/writ/host/schema":             "whether a tool's schema can be checked",
			"github.com/writ-run/writ/sdk/rust":                "the SDK of servlets in Rust",
			"github.com/writ-run/writ/sdk/toolchain/calls":     "files of calls, and what their answers are compared with",
			"github.com/writ-run/writ/sdk/toolchain/hostile":   "inputs that a tool's author did not think of",
			"github.com/writ-run/writ/sdk/toolchain/recording": "HTTP exchanges of tests",
			"github.com/writ-run/writ/sdk/typescript":          "the engine and the SDK of scripts",
		},
		Deny: map[string]string{
			"net":                               "a build uses no network",
			"net/":                              "a build uses no network",
			"unsafe":                            "nothing here needs it",
			"github.com/writ-run/writ/registry": "a build knows nothing of what is installed",
		},
	})
}
