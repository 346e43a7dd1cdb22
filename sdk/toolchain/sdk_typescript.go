package toolchain

import (
	"encoding/json"
	"fmt"
	"io/fs"
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
var sdkExports = map[string]string{"": "index", "/eval": "eval", "/files": "files"}

// webGlobals are the names of the web that the SDK can put in place, with the modules that have them.
var webGlobals = map[string]string{
	"Blob": "blob", "console": "console", "crypto": "crypto", "structuredClone": "clone",
	"TextDecoder": "encoding", "TextEncoder": "encoding",
	"AbortController": "events", "AbortSignal": "events", "CustomEvent": "events", "Event": "events", "EventTarget": "events",
	"fetch": "fetch", "Headers": "http", "Request": "http", "Response": "http",
	"URL": "url", "URLSearchParams": "url_search",
	"setTimeout": "loop", "setInterval": "loop", "clearTimeout": "loop", "clearInterval": "loop",
}

// sdkModules are the SDK's modules as one servlet needs them.
type sdkModules struct {
	globals   []string // of webGlobals, sorted
	subtle    bool     // crypto.subtle is used
	requested capabilities.Capabilities
	survey    bool // the author's code alone is looked at: the SDK stays outside
}

// plugin makes the SDK importable.
func (s sdkModules) plugin() api.Plugin {
	return api.Plugin{Name: "writ", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^` + sdkPackage + `(/.*)?$`}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			name, ok := sdkExports[strings.TrimPrefix(a.Path, sdkPackage)]
			if !ok {
				return api.OnResolveResult{}, fmt.Errorf("the SDK has no module %q: it has %q, %q and %q", a.Path, sdkPackage, sdkPackage+"/eval", sdkPackage+"/files")
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
	if s.subtle && slices.Contains(s.globals, "crypto") {
		b.WriteString("import { subtle } from \"./subtle\";\ncrypto.subtle = subtle;\n")
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
