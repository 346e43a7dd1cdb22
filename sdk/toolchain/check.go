package toolchain

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// Remark is one thing that a check found. It is fit for a terminal.
type Remark struct {
	File string `json:"file"`
	Line int    `json:"line"`           // from 1
	Text string `json:"text"`           // one line
	Hint bool   `json:"hint,omitempty"` // worth a look; nothing is refused for it
}

// CheckReport is what a check found, and what it could not look at.
type CheckReport struct {
	Remarks   []Remark `json:"remarks"`
	Checked   []string `json:"checked"`             // what was looked at, and by which program
	Unchecked []string `json:"unchecked,omitempty"` // what was not, and what to do about it
	Types     bool     `json:"types_checked"`       // a compiler has looked at every type
	Language  string   `json:"language,omitempty"`  // "go", "rust" or "typescript"; empty: there is no source
	Tools     []string `json:"tools,omitempty"`     // names; nil where the source does not compile
}

// Check looks at a servlet without running a tool: servlet.toml, the types of the source, what the module
// imports, how the tools describe themselves, and the files of calls. It builds in memory and offline. The only
// error is a folder that has no servlet.toml, or ctx.
func Check(ctx context.Context, dir, cacheDir string) (r CheckReport, err error) {
	d, err := readDeclaration(filepath.Join(dir, declarationFile))
	if err != nil {
		if _, missing := os.Stat(filepath.Join(dir, declarationFile)); missing != nil {
			return r, err
		}
		r.add(dir, err)
		return r, nil
	}
	r.Checked = append(r.Checked, declarationFile)
	r.Language = languageOf(dir)
	a, built := assemble(ctx, Options{Dir: dir, CacheDir: cacheDir, Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))})
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	switch {
	case errors.Is(built, ErrCompiler):
		r.Unchecked = append(r.Unchecked, "the source: "+oneLine(built))
	case built != nil:
		r.add(dir, built)
	default:
		r.Checked, r.Tools = append(r.Checked, "what the module imports", "tools and their schemas"), a.tools
		r.unimported(d, a)
		r.describe(dir, a.manifest.Tools)
	}
	if err := r.types(ctx, dir, built); err != nil {
		return r, err
	}
	r.calls(dir, a.tools)
	r.Remarks = sortedRemarks(r.Remarks)
	return r, nil
}

func languageOf(dir string) string {
	switch {
	case isFile(filepath.Join(dir, cargoFile)):
		return "rust"
	case isFile(filepath.Join(dir, "go.mod")):
		return "go"
	case findEntry(dir) != "":
		return "typescript"
	}
	return ""
}

func sortedRemarks(all []Remark) []Remark {
	slices.SortStableFunc(all, func(a, b Remark) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		return a.Line - b.Line
	})
	return slices.Compact(all)
}

func oneLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return capabilities.Printable(line, 300)
}

// placed is how compilers begin a message: file, line and perhaps a column.
var placed = regexp.MustCompile(`^(?:vet: )?(.+?)(?::(\d+)(?::\d+)?|\((\d+),\d+\)):\s*(.*)$`)

// add takes the lines of an error apart. A line about a tool belongs to where the tool is named, another without
// a place to servlet.toml as a whole.
func (r *CheckReport) add(dir string, err error) { r.addLines(dir, err.Error()) }

func (r *CheckReport) addLines(dir, text string) {
	from := len(r.Remarks)
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "# ") || r.Language == "rust" && r.addCargo(dir, line, from) {
			continue
		}
		if n := len(r.Remarks); (line[0] == ' ' || line[0] == '\t') && n > 0 { // goes on with the one above
			r.Remarks[n-1].Text = capabilities.Printable(r.Remarks[n-1].Text+" "+strings.TrimSpace(line), 600)
			continue
		}
		remark := Remark{File: declarationFile, Line: 1, Text: capabilities.Printable(line, 600)}
		if about, ok := strings.CutPrefix(line, "tool "); ok {
			name, _, _ := strings.Cut(about, ": ")
			remark.File, remark.Line = findTool(dir, name)
		} else if found := placed.FindStringSubmatch(line); found != nil {
			remark.File = within(dir, found[1])
			remark.Line, _ = strconv.Atoi(found[2] + found[3])
			remark.Text = capabilities.Printable(found[4], 600)
		}
		r.Remarks = append(r.Remarks, remark)
	}
}

// within names a file as it is inside the servlet's folder.
func within(dir, file string) string {
	if short, err := filepath.Rel(dir, file); err == nil && (filepath.IsAbs(file) || strings.HasPrefix(filepath.Clean(file), filepath.Clean(dir)+string(filepath.Separator))) && !strings.HasPrefix(short, "..") {
		file = short
	}
	return capabilities.Printable(filepath.ToSlash(filepath.Clean(file)), 300)
}

// unimported finds capabilities that no code can use: an operator would be asked for what nothing reaches. The
// engine of scripts has an import for all that servlet.toml requests, so of scripts it tells nothing.
func (r *CheckReport) unimported(d *declaration, a assembled) {
	if r.Language == "typescript" {
		return
	}
	has := a.admitted.Kinds()
	for _, kind := range d.Capabilities.Kinds() {
		if kind == capabilities.KindSecret || slices.Contains(has, kind) {
			continue
		}
		table := map[capabilities.Kind]string{capabilities.KindHTTP: "http", capabilities.KindWeb: "web", capabilities.KindFS: "fs", capabilities.KindConfig: "config", capabilities.KindKV: "kv"}[kind]
		r.Remarks = append(r.Remarks, Remark{
			File: declarationFile, Line: d.line([]string{"capabilities", table}),
			Text: fmt.Sprintf("%s is requested, and no code asks for it: remove the request, or use it", kind),
		})
	}
}

// describe finds what a model is not told about a tool.
func (r *CheckReport) describe(dir string, tools []json.RawMessage) {
	for _, raw := range tools {
		tool, err := capabilities.ParseTool(raw)
		if err != nil {
			continue // assembling refused it
		}
		file, line := findTool(dir, tool.Name)
		hint := func(format string, values ...any) {
			r.Remarks = append(r.Remarks, Remark{File: file, Line: line, Hint: true,
				Text: "tool " + capabilities.Printable(tool.Name, 64) + ": " + fmt.Sprintf(format, values...)})
		}
		if n := len([]rune(tool.Description)); n < 20 {
			hint("a model chooses by the description, which has %d characters: say what the tool does and when to use it", n)
		}
		var input struct {
			Properties map[string]struct {
				Description string `json:"description"`
				Ref         string `json:"$ref"`
			} `json:"properties"`
		}
		if json.Unmarshal(tool.InputSchema, &input) != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(input.Properties)) {
			if p := input.Properties[name]; p.Description == "" && p.Ref == "" {
				hint("the argument %s has no description", capabilities.Printable(name, 64))
			}
		}
	}
}

// findTool looks for the line of the source that names a tool.
func findTool(dir, tool string) (file string, line int) {
	var files []string
	for _, pattern := range []string{"*.go", "*.ts", "*.js", "src/*.ts", "src/*.rs", "src/*.js"} {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		files = append(files, found...)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".d.ts") {
			continue
		}
		text, err := readSource(path, 1<<20)
		if err != nil {
			continue
		}
		for _, form := range []string{strconv.Quote(tool), "'" + tool + "'", "fn " + tool + "("} {
			if at := bytes.Index(text, []byte(form)); at >= 0 {
				return within(dir, path), 1 + bytes.Count(text[:at], []byte("\n"))
			}
		}
	}
	return declarationFile, 1
}

// calls reads the files of calls, and looks whether there are such tools. tools is nil where it is not known.
func (r *CheckReport) calls(dir string, tools []string) {
	files, err := readTests(TestOptions{Dir: dir})
	if err != nil {
		if matches, _ := filepath.Glob(filepath.Join(dir, callsFolder, "*.json")); len(matches) == 0 {
			r.Unchecked = append(r.Unchecked, fmt.Sprintf("calls: there is no %s/*.json for \"writ test\"", callsFolder))
			return
		}
		r.add(dir, err)
		return
	}
	r.Checked = append(r.Checked, "calls in "+callsFolder)
	for _, f := range files {
		for i, c := range f.calls.Calls {
			if tools != nil && !slices.Contains(tools, c.Tool) {
				r.Remarks = append(r.Remarks, Remark{File: f.calls.Name, Line: f.calls.Line(i, "tool"),
					Text: fmt.Sprintf("the servlet has no tool %q", capabilities.Printable(c.Tool, 80))})
			}
		}
		for _, e := range f.known.Exchanges {
			if !f.calls.Has(e.Call) {
				r.Remarks = append(r.Remarks, Remark{File: f.exchangesName(), Line: 1,
					Text: fmt.Sprintf("there is no call %q", capabilities.Printable(e.Call, 80))})
			}
		}
	}
}
