package toolchain

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/writ-run/writ/capabilities"
)

// bundled is one script made of all that a servlet imports.
type bundled struct {
	script []byte
	places sourceMap
	inputs []Input
	notes  []string            // what the author may want to know, a line each
	kinds  []capabilities.Kind // what the script can ask a host for

	sources []string            // absolute paths of the files that it is made of
	imports map[string][]string // which of the author's files import which
}

// startName is what imports the entry file.
const startName = "<servlet>"

// Input is a part of a bundle: a file of the author's, a package, or the SDK.
type Input struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"` // in the bundle, without types, comments and spare white space
}

// scriptFolder is where a TypeScript servlet's source is.
type scriptFolder struct {
	dir   string // absolute, without links
	entry string // the first file, relative to dir
	raw   string // what stands for tsconfig.json; "": the folder has its own
}

func openScriptFolder(dir, entry string) (scriptFolder, error) {
	absolute, err := filepath.Abs(dir)
	if err == nil {
		absolute, err = filepath.EvalSymlinks(absolute) // as the bundler names files
	}
	if err != nil {
		return scriptFolder{}, fmt.Errorf("building: %w", err)
	}
	f := scriptFolder{dir: absolute, entry: entry}
	// One in a folder above would change what comes out, depending on where the source is.
	if !isFile(filepath.Join(absolute, "tsconfig.json")) {
		f.raw = "{}"
	}
	return f, nil
}

// bundle joins an entry file, all that it imports and the SDK into one script, without types. It first
// looks at what the author's code uses, so that only that much of the SDK is in the servlet and nothing
// is used that servlet.toml does not request.
func bundle(f scriptFolder, c capabilities.Capabilities) (bundled, error) {
	uses, err := f.survey()
	if err != nil {
		return bundled{}, err
	}
	if !uses.sdk {
		return bundled{}, &compilerError{fmt.Sprintf("%s imports no %q: register a tool with its McpServer", f.entry, sdkPackage)}
	}
	if err := uses.check(c); err != nil {
		return bundled{}, err
	}
	o := f.options(sdkModules{globals: uses.globals, subtle: uses.subtle, requested: c})
	o.Metafile = true
	result := api.Build(o)
	if len(result.Errors) > 0 {
		return bundled{}, explainMessages(result.Errors)
	}
	b := bundled{kinds: uses.kinds(c)}
	if b.script, b.places, err = output(result); err != nil {
		return bundled{}, err
	}
	b.notes = notes(result)
	if b.inputs, err = sizes(result.Metafile); err != nil {
		return bundled{}, err
	}
	if b.imports, err = importsOf(result.Metafile); err != nil {
		return bundled{}, err
	}
	b.sources, err = f.sources(result.Metafile)
	b.notes = append(b.notes, f.outsideNotes(b.sources)...)
	return b, err
}

// notes are the bundler's warnings about the author's own files, and what costs a servlet its size.
func notes(result api.BuildResult) []string {
	own := slices.DeleteFunc(slices.Clone(result.Warnings), func(m api.Message) bool {
		return m.Location == nil || strings.Contains(m.Location.File, "node_modules/")
	})
	lines := messageLines(own)
	if strings.Contains(result.Metafile, `node_modules/zod/v4/locales/de.`) {
		lines = append(lines, `zod brings its messages in all languages: import * as z from "zod" leaves them out`)
	}
	return lines
}

// options are those of both bundles of a folder. modules are what the SDK's imports mean.
func (f scriptFolder) options(modules sdkModules) api.BuildOptions {
	first := fmt.Sprintf("import %q;\n", "./"+f.entry)
	if !modules.survey {
		first = fmt.Sprintf("import %q;\n", sdkPrefix+"globals") + first
	}
	return api.BuildOptions{
		Stdin:         &api.StdinOptions{Contents: first, ResolveDir: f.dir, Sourcefile: startName, Loader: api.LoaderTS},
		AbsWorkingDir: f.dir, TsconfigRaw: f.raw,
		Bundle: true, Outfile: "bundle.js", Format: api.FormatIIFE, Target: api.ES2023,
		Platform: api.PlatformBrowser, MainFields: []string{"browser", "module", "main"},
		// The builds of packages for workers are the ones without Node and without a page.
		Conditions:   []string{"workerd", "worker", "browser", "import", "module", "default"},
		Define:       map[string]string{"process.env.NODE_ENV": `"production"`, "global": "globalThis"},
		MinifySyntax: true, TreeShaking: api.TreeShakingTrue, LegalComments: api.LegalCommentsNone,
		// Positions count bytes for the engine and characters for the bundler: in ASCII both are the same.
		Charset:   api.CharsetASCII,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude,
		LogLevel: api.LogLevelSilent,
		Plugins:  []api.Plugin{modules.plugin(), refuseNode(), f.refuseOutside()},
	}
}

// output finds the script and its source map in a result.
func output(result api.BuildResult) (script []byte, places sourceMap, err error) {
	for _, f := range result.OutputFiles {
		if !strings.HasSuffix(f.Path, ".map") {
			script = f.Contents
		} else if places, err = parseSourceMap(f.Contents); err != nil {
			return nil, sourceMap{}, err
		}
	}
	return script, places, nil
}

// sizes reads how much each input contributed, largest first. The files of a package count together.
func sizes(metafile string) ([]Input, error) {
	var m struct {
		Outputs map[string]struct {
			Inputs map[string]struct{ BytesInOutput int }
		}
	}
	if err := json.Unmarshal([]byte(metafile), &m); err != nil {
		return nil, fmt.Errorf("reading what the bundle is made of: %w", err)
	}
	sum := map[string]int{}
	for _, out := range m.Outputs {
		for path, in := range out.Inputs {
			sum[inputName(path)] += in.BytesInOutput
		}
	}
	var list []Input
	for name, n := range sum {
		if n > 0 && name != startName {
			list = append(list, Input{name, n})
		}
	}
	slices.SortFunc(list, func(a, b Input) int { return cmp.Or(b.Bytes-a.Bytes, cmp.Compare(a.Name, b.Name)) })
	return list, nil
}

// sources are the files that a bundle is made of: those of packages as well, not those of the SDK.
func (f scriptFolder) sources(metafile string) (paths []string, err error) {
	var m struct{ Inputs map[string]struct{} }
	if err := json.Unmarshal([]byte(metafile), &m); err != nil {
		return nil, fmt.Errorf("reading what the bundle is made of: %w", err)
	}
	for name := range m.Inputs {
		if !strings.HasPrefix(name, sdkPrefix) && name != startName {
			paths = append(paths, filepath.Join(f.dir, filepath.FromSlash(name)))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// inputName is the package that a file belongs to, or the file.
func inputName(path string) string {
	if strings.HasPrefix(path, sdkPrefix) {
		return sdkPackage
	}
	const folder = "node_modules/"
	at := strings.LastIndex(path, folder)
	if at < 0 {
		return path
	}
	steps := strings.SplitN(path[at+len(folder):], "/", 3)
	if strings.HasPrefix(steps[0], "@") && len(steps) > 1 {
		return steps[0] + "/" + steps[1]
	}
	return steps[0]
}

// maxMessages bounds how many of the bundler's messages an error has.
const maxMessages = 20

// explainMessages makes one error of the bundler's messages: a line each, with file, line and column.
func explainMessages(messages []api.Message) error {
	return &compilerError{strings.Join(messageLines(messages), "\n")}
}

func messageLines(messages []api.Message) (lines []string) {
	for _, m := range messages[:min(len(messages), maxMessages)] {
		text := m.Text
		if name, ok := strings.CutPrefix(text, "Could not resolve "); ok {
			text = "cannot find " + name
			if !strings.HasPrefix(name, `".`) && !strings.HasPrefix(name, `"/`) {
				text += ": if it is a package, run \"npm install\" in the source folder"
			}
		}
		if strings.HasPrefix(text, "Top-level await") {
			text = "the top level cannot wait: it runs once, while the servlet is built; await inside a tool"
		}
		text = capabilities.Printable(text, 400)
		if m.Location != nil {
			text = fmt.Sprintf("%s:%d:%d: %s", capabilities.Printable(m.Location.File, 200), m.Location.Line, m.Location.Column+1, text)
		}
		lines = append(lines, text)
	}
	if more := len(messages) - maxMessages; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return lines
}
