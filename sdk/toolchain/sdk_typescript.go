package toolchain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/sdk/typescript"
)

const (
	// sdkPackage is what a servlet in TypeScript imports the SDK as. It comes from this binary.
	sdkPackage = "writ-servlet"
	// sdkPrefix marks the SDK's own modules in a bundle and in a stack.
	sdkPrefix = sdkNamespace + ":"

	sdkNamespace = "writ"
)

// sdkExports are the modules of the SDK that a servlet may import, by what stands behind the package's name.
var sdkExports = map[string]string{"": "index", "/files": "files"}

// webGlobals are the names of the web that the SDK can put in place, with the modules that have them.
var webGlobals = map[string]string{
	"console": "console", "crypto": "crypto", "structuredClone": "clone",
	"TextDecoder": "encoding", "TextEncoder": "encoding",
	"AbortController": "events", "AbortSignal": "events", "CustomEvent": "events", "Event": "events", "EventTarget": "events",
	"fetch": "fetch", "Headers": "http", "Request": "http", "Response": "http",
	"URL": "url", "URLSearchParams": "url_search",
	"setTimeout": "loop", "setInterval": "loop", "clearTimeout": "loop", "clearInterval": "loop",
}

// sdkModules are the SDK's modules as one servlet needs them.
type sdkModules struct {
	globals   []string // of webGlobals, sorted
	requested capabilities.Capabilities
	survey    bool // the author's code alone is looked at: the SDK stays outside
}

// plugin makes the SDK importable.
func (s sdkModules) plugin() api.Plugin {
	return api.Plugin{Name: "writ", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^` + sdkPackage + `(/.*)?$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			name, ok := sdkExports[strings.TrimPrefix(a.Path, sdkPackage)]
			if !ok {
				return api.OnResolveResult{}, fmt.Errorf("the SDK has no module %q: it has %q and %q", a.Path, sdkPackage, sdkPackage+"/files")
			}
			if s.survey {
				return api.OnResolveResult{Path: a.Path, External: true}, nil
			}
			return api.OnResolveResult{Path: name, Namespace: sdkNamespace}, nil
		})
		b.OnResolve(api.OnResolveOptions{Filter: `^` + sdkPrefix}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Namespace != sdkNamespace && filepath.Base(a.Importer) != startName {
				return api.OnResolveResult{}, fmt.Errorf("%q is a part of the SDK: import %q", a.Path, sdkPackage)
			}
			return api.OnResolveResult{Path: strings.TrimPrefix(a.Path, sdkPrefix), Namespace: sdkNamespace}, nil
		})
		b.OnResolve(api.OnResolveOptions{Filter: `^\./`, Namespace: sdkNamespace}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: strings.TrimPrefix(a.Path, "./"), Namespace: sdkNamespace}, nil
		})
		b.OnLoad(api.OnLoadOptions{Filter: `.*`, Namespace: sdkNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			text, err := s.module(a.Path)
			return api.OnLoadResult{Contents: &text, Loader: api.LoaderJS}, err
		})
	}}
}

// module is the source of one of the SDK's modules.
func (s sdkModules) module(name string) (string, error) {
	switch name {
	case "globals":
		return s.globalsModule(), nil
	case "capabilities":
		return s.capabilitiesModule()
	case "fetch":
		if len(s.requested.HTTP) == 0 && s.requested.Web == nil {
			name = "no_fetch"
		}
	}
	modules, err := smallSDK()
	if err != nil {
		return "", err
	}
	source, ok := modules[name]
	if !ok {
		return "", fmt.Errorf("BUG: the SDK has no module %q", name)
	}
	return source, nil
}

// globalsModule puts in place the names that the servlet uses.
func (s sdkModules) globalsModule() string {
	var b strings.Builder
	for _, name := range s.globals {
		fmt.Fprintf(&b, "import { %s } from \"./%s\";\n", name, webGlobals[name])
	}
	fmt.Fprintf(&b, "const names = { self: globalThis, %s };\n", strings.Join(s.globals, ", "))
	b.WriteString("for (const name in names) Object.defineProperty(globalThis, name, { value: names[name], writable: true, configurable: true });\n")
	return b.String()
}

// capabilitiesModule tells fetch which sites servlet.toml requests.
func (s sdkModules) capabilitiesModule() (string, error) {
	type site struct {
		ID      string   `json:"id"`
		Origin  string   `json:"origin"`
		Methods []string `json:"methods"`
		Paths   []string `json:"paths"`
	}
	sites := []site{}
	for _, h := range s.requested.HTTP {
		sites = append(sites, site{h.ID, h.Origin, h.Methods, h.Paths})
	}
	raw, err := json.Marshal(sites)
	return "export const http = " + string(raw) + ";\n", err
}

// smallSDK is the SDK without types and with short names, by module. Nobody reads it in a servlet.
var smallSDK = sync.OnceValues(func() (map[string]string, error) {
	modules := map[string]string{}
	files, err := fs.Glob(typescript.Sources, "src/*.ts")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		source, err := fs.ReadFile(typescript.Sources, file)
		if err != nil {
			return nil, err
		}
		result := api.Transform(string(source), api.TransformOptions{
			Loader: api.LoaderTS, Target: api.ES2023, TsconfigRaw: "{}", Charset: api.CharsetASCII, LogLevel: api.LogLevelSilent,
			MinifyIdentifiers: true, MinifySyntax: true, MinifyWhitespace: true,
		})
		if len(result.Errors) > 0 {
			return nil, fmt.Errorf("BUG: the SDK's %s: %s", file, result.Errors[0].Text)
		}
		modules[strings.TrimSuffix(strings.TrimPrefix(file, "src/"), ".ts")] = string(result.Code)
	}
	return modules, nil
})

// typesFolder is where a servlet keeps the types that its editor reads; tsconfig.json points to it.
const typesFolder = ".writ/types"

// typesIn are the SDK's types in a folder.
func typesIn(folder string) ([]sourceFile, error) {
	names, err := fs.Glob(typescript.Types, "types/*.d.ts")
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	for _, name := range names {
		text, err := typescript.Types.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files = append(files, sourceFile{folder + strings.TrimPrefix(name, "types"), text})
	}
	return files, nil
}

// maxTSConfig bounds a tsconfig.json, in bytes.
const maxTSConfig = 1 << 20

// restoreTypes writes the types into a servlet's folder when its tsconfig.json points there and they are
// not there: the author deleted them, to get those of this Writ, or did not commit them.
func restoreTypes(dir string) error {
	config, err := readSource(filepath.Join(dir, "tsconfig.json"), maxTSConfig)
	if err != nil || !bytes.Contains(config, []byte(typesFolder)) {
		return nil // a build does without, and says what is wrong with the file
	}
	if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(typesFolder))); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, err := typesIn(typesFolder)
	if err == nil {
		err = writeFiles(dir, files)
	}
	if err != nil {
		return fmt.Errorf("building: restoring the types: %w", err)
	}
	return nil
}

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
