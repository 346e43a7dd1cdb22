package toolchain

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
)

// Places tells where in an author's source a call failed. The zero Places knows nothing. What it returns is
// for the author: it names files, and text of the guest.
type Places struct {
	dir   string // source folder
	names []byte // the module's name section; nil: it has none
}

// Where finds the place at which a call ended, in what the guest logged of it or, for one that was stopped, in
// the functions that it was in, innermost first: "at main.ts:12:5", "in crash, which begins at main.go:75". It
// is "" when neither says. What each language tells:
//
//	TypeScript  file, line and column, of exceptions and of where a deadline or the end of the fuel found it
//	Go          file and line of a panic; the function and where it begins, of everything else
//	Rust        file, line and column of a panic; the function, of everything else
func (p Places) Where(logs []effect.LogLine, frames []uint32) string {
	if p.dir == "" {
		return ""
	}
	var lines []string
	for _, l := range logs {
		for line := range strings.Lines(l.Text) {
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		}
	}
	for _, find := range []func([]string) string{scriptPlace, p.goPlace, rustPlace} {
		if at := find(lines); at != "" {
			return "at " + at
		}
	}
	return p.function(frames)
}

// scriptPlace is the first place in a stack of the script engine that the author wrote.
func scriptPlace(lines []string) string {
	for _, line := range lines {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
		if !ok {
			continue
		}
		found := position.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		f := frame{file: strings.TrimPrefix(found[1], "at ")}
		f.line, _ = strconv.Atoi(found[2])
		f.column, _ = strconv.Atoi(found[3])
		if f.own() {
			return f.String()
		}
	}
	return ""
}

// goFrame is the second line of a frame in a Go program's trace.
var goFrame = regexp.MustCompile(`^\t(\S.*\.go:\d+)( \+0x[0-9a-f]+)?$`)

// goPlace is the first frame of a Go trace that is in the author's module. Paths in it begin with the module's.
func (p Places) goPlace(lines []string) string {
	module := p.goModule()
	if module == "" {
		return ""
	}
	for _, line := range lines {
		found := goFrame.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		if at, ok := strings.CutPrefix(found[1], module+"/"); ok {
			return at
		}
	}
	return ""
}

var moduleLine = regexp.MustCompile(`(?m)^module[ \t]+"?([^\s"]+)`)

// goModule is the path of the author's module; "": the folder has none.
func (p Places) goModule() string {
	raw, err := os.ReadFile(filepath.Join(p.dir, "go.mod"))
	if err != nil {
		return ""
	}
	if found := moduleLine.FindSubmatch(raw); found != nil {
		return string(found[1])
	}
	return ""
}

// rustPanic is the first line of what a Rust program says of a panic.
var rustPanic = regexp.MustCompile(`panicked at (\S+:\d+:\d+)`)

// rustPlace is the place of a Rust panic: of the author's, or of a crate that the author called.
func rustPlace(lines []string) string {
	for _, line := range lines {
		if found := rustPanic.FindStringSubmatch(line); found != nil {
			return found[1]
		}
	}
	return ""
}

// function is the innermost of the functions that the author wrote.
func (p Places) function(frames []uint32) string {
	names := functionNames(p.names)
	module := p.goModule()
	for _, f := range frames {
		switch name := names[int(f)]; {
		case name == "":
		case module != "" && (strings.HasPrefix(name, "main.") || strings.HasPrefix(name, module+"/")):
			return p.goFunction(module, name)
		case strings.HasPrefix(name, "_ZN"), strings.HasPrefix(name, "_R"):
			if readable := rustName(name); strings.HasPrefix(readable, p.crate()+"::") {
				return "in " + readable
			}
		}
	}
	return ""
}

// goFunction says where a function of a Go program begins.
func (p Places) goFunction(module, name string) string {
	pkg, rest, _ := strings.Cut(name, ".")
	dir := p.dir
	if i := strings.LastIndexByte(name, '/'); i >= 0 { // a dot in the path is none before the function
		last, after, _ := strings.Cut(name[i+1:], ".")
		pkg, rest = name[:i+1]+last, after
	}
	if sub, ok := strings.CutPrefix(pkg, module+"/"); ok {
		dir = filepath.Join(dir, filepath.FromSlash(sub))
	}
	plain := strings.NewReplacer("(*", "", ")", "", "[...]", "").Replace(rest)
	steps := strings.Split(plain, ".")
	receiver, function := "", steps[0]
	if strings.HasPrefix(rest, "(*") && len(steps) > 1 {
		receiver, function = steps[0], steps[1]
	}
	text := "in " + function
	if receiver != "" {
		text = "in " + receiver + "." + function
	}
	if at := findGoFunction(dir, receiver, function); at != "" {
		return text + ", which begins at " + at
	}
	return text
}

// findGoFunction finds a declaration in a folder: "main.go:12", or "".
func findGoFunction(dir, receiver, function string) string {
	sources, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			continue // it was changed since it was built
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && f.Name.Name == function && receiverOf(f) == receiver {
				return filepath.Base(path) + ":" + strconv.Itoa(files.Position(f.Pos()).Line)
			}
		}
	}
	return ""
}

func receiverOf(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if name, ok := t.(*ast.Ident); ok {
		return name.Name
	}
	return "?"
}

var crateLine = regexp.MustCompile(`(?m)^name[ \t]*=[ \t]*"([^"]+)"`)

// crate is the name of the author's crate, as symbols have it.
func (p Places) crate() string {
	raw, err := os.ReadFile(filepath.Join(p.dir, cargoFile))
	if found := crateLine.FindSubmatch(raw); err == nil && found != nil {
		return strings.ReplaceAll(string(found[1]), "-", "_")
	}
	return "?"
}

// disambiguator is what tells two crates or functions of one name apart, in Rust's current mangling.
var disambiguator = regexp.MustCompile(`^s[0-9A-Za-z]*_`)

// rustName is the path in a mangled name, in either mangling: what stands in it with its length before it,
// without the hash at the end of the older one.
// Source: The rustc book, "Symbol mangling".
func rustName(symbol string) string {
	rest, older := strings.CutPrefix(symbol, "_ZN")
	rest = strings.TrimPrefix(rest, "_R")
	var parts []string
	for len(rest) > 0 {
		if found := disambiguator.FindString(rest); found != "" && !older {
			rest = rest[len(found):]
			continue
		}
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 {
			rest = rest[1:]
			continue
		}
		n, err := strconv.Atoi(rest[:digits])
		rest = strings.TrimPrefix(rest[digits:], "_")
		if err != nil || n > len(rest) {
			return ""
		}
		if n > 0 {
			parts = append(parts, rest[:n])
		}
		rest = rest[n:]
	}
	if older && len(parts) > 1 {
		parts = parts[:len(parts)-1]
	}
	return strings.NewReplacer("$LT$", "<", "$GT$", ">", "$u7b$", "{", "$u7d$", "}", "$RF$", "&", "$u20$", " ", "..", "::").Replace(strings.Join(parts, "::"))
}
