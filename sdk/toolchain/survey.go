package toolchain

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/writ-run/writ/capabilities"
)

// survey is what the author's code and its packages use of the SDK.
type survey struct {
	globals []string // of webGlobals, sorted
	subtle  bool     // something says crypto.subtle
	config  []place  // where the author uses config
	kv      []place
	files   []place
	fetch   []place
	sdk     bool                // something imports the SDK
	unused  []capabilities.Kind // what nothing mentions, packages included
	places  sourceMap
}

// freeName stands in a surveyed script for a name that nothing in it declares.
const freeName = "__writ_free_"

var (
	importsSDK = regexp.MustCompile(`require\("` + sdkPackage + `"\)`)
	namesSDK   = regexp.MustCompile(`\bimport_writ_servlet\d* = (__toESM\()?(__)?require\("` + sdkPackage + `"\)`)
	passesSDK  = regexp.MustCompile(`\bimport_writ_servlet\d*[,)\];\[]`)
	usesConfig = regexp.MustCompile(`\bimport_writ_servlet\w*\.config\b`)
	usesKV     = regexp.MustCompile(`\bimport_writ_servlet\w*\.kv\b`)
	usesSubtle = regexp.MustCompile(`\bsubtle\b`)
	usesFiles  = regexp.MustCompile(`require\("` + sdkPackage + `/files"\)`)
	usesFetch  = regexp.MustCompile(`\b` + freeName + `fetch\b|\bglobalThis\.fetch\b`)
)

// survey bundles the author's code without the SDK.
func (f scriptFolder) survey() (survey, error) {
	o := f.options(sdkModules{survey: true})
	for name := range webGlobals {
		o.Define[name] = freeName + name
	}
	result := api.Build(o)
	if len(result.Errors) > 0 {
		return survey{}, explainMessages(result.Errors)
	}
	script, places, err := output(result)
	if err != nil {
		return survey{}, err
	}
	text := string(script)
	s := survey{places: places, sdk: importsSDK.MatchString(text), subtle: usesSubtle.MatchString(text)}
	for _, name := range slices.Sorted(maps.Keys(webGlobals)) {
		// Any mention will do: code that asks for globalThis.URL in its own way has to find it.
		if regexp.MustCompile(`\b(` + freeName + `)?` + name + `\b`).MatchString(text) {
			s.globals = append(s.globals, name)
		}
	}
	// Who has all of the SDK in a variable may use any of it.
	whole := len(importsSDK.FindAllString(text, -1)) != len(namesSDK.FindAllString(text, -1)) || passesSDK.MatchString(text)
	for _, use := range []struct {
		pattern *regexp.Regexp
		found   *[]place
		kind    capabilities.Kind
	}{{usesConfig, &s.config, capabilities.KindConfig}, {usesKV, &s.kv, capabilities.KindKV}, {usesFiles, &s.files, capabilities.KindFS}, {usesFetch, &s.fetch, ""}} {
		*use.found = s.find(text, use.pattern)
		if use.kind != "" && !whole && !use.pattern.MatchString(text) {
			s.unused = append(s.unused, use.kind)
		}
	}
	if !slices.Contains(s.globals, "fetch") {
		s.unused = append(s.unused, capabilities.KindHTTP, capabilities.KindWeb)
	}
	return s, nil
}

// kinds are those of the requested kinds that something uses: of the others the module has no import.
func (s survey) kinds(c capabilities.Capabilities) []capabilities.Kind {
	return slices.DeleteFunc(c.Kinds(), func(k capabilities.Kind) bool { return slices.Contains(s.unused, k) })
}

// find maps what a pattern matches to the author's own files.
func (s survey) find(text string, pattern *regexp.Regexp) (found []place) {
	line, start := 1, 0
	for _, at := range pattern.FindAllStringIndex(text, -1) {
		line += strings.Count(text[start:at[0]], "\n")
		start = at[0]
		column := at[0] - strings.LastIndexByte(text[:at[0]], '\n')
		p, ok := s.places.find(line, column)
		if ok && !strings.Contains(s.places.files[p.file], "node_modules/") {
			found = append(found, p)
		}
	}
	return found
}

// check refuses what the author uses and servlet.toml does not request. What only a package mentions is
// left alone: it may never be called, and is refused when it is.
func (s survey) check(c capabilities.Capabilities) error {
	var lines []error
	need := func(found []place, what, table string, requested bool) {
		if len(found) == 0 || requested {
			return
		}
		p := found[0]
		lines = append(lines, fmt.Errorf("%s:%d:%d: %s needs a capability that servlet.toml does not request: add %s to it",
			capabilities.Printable(s.places.files[p.file], 200), p.sourceLine, p.sourceColumn, what, table))
	}
	need(s.config, "config", "[[capabilities.config]]", len(c.Config) > 0)
	need(s.kv, "kv", "[capabilities.kv]", c.KV != nil)
	need(s.files, `"`+sdkPackage+`/files"`, "[[capabilities.fs]]", len(c.FS) > 0)
	need(s.fetch, "fetch", "[[capabilities.http]]", len(c.HTTP) > 0 || c.Web != nil)
	if len(lines) > 0 {
		return declined(lines)
	}
	return nil
}
