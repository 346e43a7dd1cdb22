package config_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/writ-run/writ/cmd/clients/config"
)

// generator writes valid files of every shape that it knows.
type generator struct {
	*rand.Rand
	nl string
}

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

// gap is white space and comments of JSON.
func (g generator) gap() string {
	text := ""
	for range g.IntN(3) {
		text += g.pick("", " ", "\t", g.nl, g.nl+"  ", "/* one */", "/* \"two\" { */", "// three, }"+g.nl, "//"+g.nl)
	}
	return text
}

func (g generator) json(depth int) string {
	if depth == 0 || g.IntN(4) == 0 {
		return g.pick("1", "-2.5e3", "true", "null", `"text"`, `"// no comment"`, `"{\"a\": ["`, `"é \\"`)
	}
	if g.IntN(3) == 0 {
		text := "["
		n := g.IntN(3)
		for i := range n {
			text += g.gap() + g.json(depth-1) + g.gap()
			if i < n-1 || g.IntN(3) == 0 {
				text += ","
			}
		}
		return text + g.gap() + "]"
	}
	return g.object(depth, "a", "b", "writ x", "")
}

func (g generator) object(depth int, names ...string) string {
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:g.IntN(len(names)+1)]
	text := "{"
	for i, name := range names {
		value := g.json(depth - 1)
		if name == "servers" {
			value = g.object(depth-1, "a", "b", "writ-2")
		}
		text += g.gap() + fmt.Sprintf("%q", name) + g.gap() + ":" + g.gap() + value + g.gap()
		if i < len(names)-1 || g.IntN(3) == 0 {
			text += ","
		}
	}
	return text + g.gap() + "}"
}

func (g generator) toml() string {
	comment := func() string { return g.pick("", "", " # one", " # [servers.writ]") }
	empty := func() string {
		return g.pick("", "", g.nl, g.nl+g.nl, "# alone"+g.nl, "  # writ = 1"+g.nl, "   "+g.nl)
	}
	line := func(key string) string {
		value := g.pick("1", "'a # b'", `"[servers.writ]"`, "1979-05-27", "[1, 2]", "["+g.nl+"  1, # x"+g.nl+"]", "'''"+g.nl+"[servers.writ]"+g.nl+"'''", "{ a = 1 }")
		return g.pick("", "  ") + key + g.pick(" = ", "=", "  =  ") + value + comment() + g.nl
	}
	text := empty()
	for _, key := range []string{"a", `"b c"`, "d.e", "servers.x.y"} {
		if g.IntN(3) == 0 {
			text += line(key) + empty()
		}
	}
	dotted := strings.Contains(text, "servers.x.y")
	for _, table := range []string{"[t]", "[[list]]", "[servers]", "[servers.a]", "[servers.a.env]", "[ servers . \"b\" ]", "[z]"} {
		if g.IntN(3) == 0 || table == "[servers]" && dotted {
			continue
		}
		text += table + comment() + g.nl + empty()
		for _, key := range []string{"k", "l"} {
			if g.IntN(2) == 0 {
				text += line(key) + empty()
			}
		}
	}
	return g.end(text)
}

func (g generator) yaml() string {
	if g.IntN(6) == 0 {
		return g.pick("", "# nothing"+g.nl, "{}"+g.nl, "{a: 1}", "{servers: {}, b: 2} # end"+g.nl, "{servers: {a: {x: '}'}}}", "---"+g.nl+"{}"+g.nl)
	}
	text := g.pick("", "# first"+g.nl, "---"+g.nl)
	names := []string{"a", "servers", `"b c"`, "z"}
	g.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return g.end(text + g.mapping("", names[:1+g.IntN(4)], 3))
}

func (g generator) mapping(indent string, names []string, depth int) string {
	text := ""
	step := indent + g.pick("  ", "    ", " ")
	for _, name := range names {
		text += g.pick("", "", indent+"# about it"+g.nl, g.nl, "      # far out"+g.nl)
		comment := g.pick("", " # same line")
		if name == "servers" {
			if depth == 0 || g.IntN(3) == 0 {
				text += indent + "servers:" + g.pick(" {}", " {a: {b: 1}}", ` {"a": {"b": [1, 2]}}`) + comment + g.nl
			} else {
				text += indent + "servers:" + comment + g.nl + g.mapping(step, []string{"a", "writ-2"}[:1+g.IntN(2)], depth-1)
			}
			continue
		}
		switch kind := g.IntN(7); {
		case kind == 0 && depth > 0:
			text += indent + name + ":" + comment + g.nl + g.mapping(step, []string{"x", "y"}, depth-1)
		case kind == 1:
			text += indent + name + ":" + comment + g.nl + indent + "- one" + g.nl + indent + "- two: 2" + g.nl
		case kind == 2:
			text += indent + name + ": " + g.pick("|", ">-", "|+") + g.nl + step + "text" + g.nl + g.nl + step + "# text" + g.nl
		case kind == 3:
			text += indent + name + ": 'it''s" + g.nl + step + "long'" + g.nl
		default:
			text += indent + name + ": " + g.pick("1", "true", "~", `"q: \" # no"`, "plain text", "[a, {b: c}]", "&anchor x") + comment + g.nl
		}
	}
	return text
}

// end takes the last newline away from some files.
func (g generator) end(text string) string {
	if g.IntN(3) == 0 {
		return strings.TrimRight(text, "\r\n")
	}
	return text
}

func (g generator) file(s config.Syntax) string {
	switch s {
	case config.TOML:
		return g.toml()
	case config.YAML:
		return g.yaml()
	}
	return g.gap() + g.object(4, "a", "servers", "theme") + g.gap()
}

// edited puts the entry into a generated file, which must work, and takes it out again.
func edited(t *testing.T, seed uint64, s config.Syntax) {
	g := generator{rand.New(rand.NewPCG(seed, uint64(s))), "\n"}
	if g.IntN(4) == 0 {
		g.nl = "\r\n"
	}
	before := g.file(s)
	after, err := s.Put([]byte(before), at, entry)
	if errors.Is(err, config.ErrByHand) && s == config.YAML && !strings.HasSuffix(before, "\n") {
		return // a text block at the end of a file without a last newline would get one
	}
	if err != nil {
		t.Fatalf("seed %d, syntax %d: %v\n%s", seed, s, err, before)
	}
	roundTrip(t, s, []byte(before), after)
	if t.Failed() {
		t.Fatalf("seed %d, syntax %d:\n%s\n-----\n%s", seed, s, before, after)
	}
}

func TestGeneratedFiles(t *testing.T) {
	for seed := range uint64(400) {
		for _, s := range []config.Syntax{config.JSONC, config.TOML, config.YAML} {
			edited(t, seed, s)
		}
	}
}

func FuzzGenerated(f *testing.F) {
	for s := range 3 {
		f.Add(uint64(s), byte(s))
	}
	f.Fuzz(func(t *testing.T, seed uint64, s byte) { edited(t, seed, config.Syntax(s%3)+1) })
}
