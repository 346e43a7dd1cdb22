package toolchain

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// nodeModules are the modules of Node.js, with what to use instead.
var nodeModules = map[string]string{
	"fs": `"` + sdkPackage + `/files"`, "http": "fetch", "https": "fetch", "http2": "fetch", "crypto": "the global crypto",
	"buffer": "Uint8Array and TextEncoder", "url": "the global URL", "timers": "setTimeout", "util": "a package without Node.js",
	"process": "config of \"" + sdkPackage + "\"", "console": "the global console", "querystring": "URLSearchParams",
}

var moreNodeModules = []string{
	"assert", "async_hooks", "child_process", "cluster", "constants", "dgram", "diagnostics_channel", "dns", "domain", "events",
	"inspector", "module", "net", "os", "path", "perf_hooks", "punycode", "readline", "repl", "stream", "string_decoder", "sys",
	"tls", "trace_events", "tty", "v8", "vm", "wasi", "worker_threads", "zlib",
}

// refuseNode refuses imports of Node.js's modules, with the place of the import.
func refuseNode() api.Plugin {
	names := slices.Sorted(maps.Keys(nodeModules))
	filter := `^node:|^(` + strings.Join(append(names, moreNodeModules...), "|") + `)(/.*)?$`
	return api.Plugin{Name: "node", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: filter}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.PluginData == askedBefore {
				return api.OnResolveResult{}, nil
			}
			bare, isNode := strings.CutPrefix(a.Path, "node:")
			if !isNode {
				// A package can have such a name ("events", "buffer"), and is fine when it is installed.
				found := b.Resolve(a.Path, api.ResolveOptions{Importer: a.Importer, Namespace: a.Namespace, ResolveDir: a.ResolveDir, Kind: a.Kind, PluginData: askedBefore})
				if len(found.Errors) == 0 {
					return api.OnResolveResult{Path: found.Path, Namespace: found.Namespace, External: found.External}, nil
				}
			}
			first, _, _ := strings.Cut(bare, "/")
			instead := "use a package that works in browsers"
			if hint := nodeModules[first]; hint != "" {
				instead = "use " + hint
			}
			return api.OnResolveResult{}, fmt.Errorf("%q is a part of Node.js, and servlets run without it: %s", a.Path, instead)
		})
	}}
}

// askedBefore keeps refuseNode from answering its own question.
const askedBefore = "asked before"
