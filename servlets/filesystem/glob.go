package main

import (
	"regexp"
	"slices"
	"strings"

	servlet "github.com/writ-run/writ/sdk/go"
)

// glob is a compiled pattern for slash-separated paths. It is a regular expression of Go's kind, so no
// pattern takes more than linear time.
type glob struct{ expression *regexp.Regexp }

func (g glob) match(path string) bool { return g.expression.MatchString(path) }

const maxPattern = 300 // bytes

// compileGlob understands * and ? within a name, ** for any directories, [a-z] and [!a-z], {one,other}.
// Case does not matter.
func compileGlob(pattern string) (glob, error) {
	if len(pattern) > maxPattern {
		return glob{}, servlet.Errorf("the pattern is longer than %d characters", maxPattern)
	}
	var b strings.Builder
	b.WriteString(`(?is)\A`)
	braces := 0
	for rest := strings.TrimPrefix(pattern, "./"); rest != ""; {
		c, size := rest[0], 1
		switch {
		case strings.HasPrefix(rest, "**/"):
			b.WriteString(`(?:[^/]+/)*`)
			size = 3
		case strings.HasPrefix(rest, "**"):
			b.WriteString(`.*`)
			size = 2
		case c == '*':
			b.WriteString(`[^/]*`)
		case c == '?':
			b.WriteString(`[^/]`)
		case c == '[':
			class, n := globClass(rest)
			if n == 0 {
				return glob{}, servlet.Errorf("pattern %q: a [ has no ]", pattern)
			}
			b.WriteString(class)
			size = n
		case c == '{':
			braces++
			b.WriteString(`(?:`)
		case c == '}' && braces > 0:
			braces--
			b.WriteString(`)`)
		case c == ',' && braces > 0:
			b.WriteString(`|`)
		case c == '\\' && len(rest) > 1:
			b.WriteString(regexp.QuoteMeta(rest[1:2]))
			size = 2
		default:
			b.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[size:]
	}
	if braces > 0 {
		return glob{}, servlet.Errorf("pattern %q: a { has no }", pattern)
	}
	b.WriteString(`\z`)
	expression, err := regexp.Compile(b.String())
	if err != nil {
		return glob{}, servlet.Errorf("pattern %q cannot be read", pattern)
	}
	return glob{expression}, nil
}

// globClass translates a class such as [a-z] or [!a-z] and returns the bytes it took, 0 when it has no end.
func globClass(rest string) (string, int) {
	inner := rest[1:]
	negated := strings.HasPrefix(inner, "!") || strings.HasPrefix(inner, "^")
	if negated {
		inner = inner[1:]
	}
	end := strings.IndexByte(inner, ']')
	if end == 0 { // a first ] stands for itself
		if end = strings.IndexByte(inner[1:], ']'); end >= 0 {
			end++
		}
	}
	if end < 0 {
		return "", 0
	}
	class := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `&`, `\&`).Replace(inner[:end])
	size := len(rest) - len(inner) + end + 1
	if negated {
		return `[^/` + class + `]`, size
	}
	return `[` + class + `]`, size
}

// compileExcludes makes a test for what to leave out. A plain name excludes what is called so at any depth;
// a glob is matched with the path.
func compileExcludes(patterns []string) (func(rest string) bool, error) {
	var globs []glob
	for _, pattern := range patterns {
		forms := []string{pattern}
		if !strings.ContainsAny(pattern, "*?[{") {
			forms = append(forms, "**/"+pattern)
		}
		for _, form := range forms {
			g, err := compileGlob(form)
			if err != nil {
				return nil, err
			}
			globs = append(globs, g)
		}
	}
	return func(rest string) bool {
		return slices.ContainsFunc(globs, func(g glob) bool { return g.match(rest) })
	}, nil
}
