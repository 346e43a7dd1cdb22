package hostile

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"unicode/utf8"
)

// local are the odd values of one schema itself, without those of what is inside.
func (g *generator) local(node map[string]any, name, at string) (all []edge) {
	kinds := kindsOf(node)
	add := func(value any, forbidden bool, what string) {
		all = append(all, edge{value, at + ": " + what, forbidden})
	}
	typed := node["type"] != nil
	for _, other := range []struct {
		kind  string
		value any
	}{{"null", nil}, {"boolean", true}, {"number", json.Number("0.5")}, {"string", "text"}, {"array", []any{}}, {"object", map[string]any{}}} {
		if typed && !slices.Contains(kinds, other.kind) {
			add(other.value, true, "a value of type "+other.kind)
		}
	}
	if listed, ok := node["enum"].([]any); ok {
		for i, value := range listed[:min(len(listed), 20)] {
			add(value, false, fmt.Sprintf("choice %d", i+1))
		}
		add("no such choice", true, "none of the choices")
		return sorted(all)
	}
	for _, kind := range kinds {
		switch kind {
		case "string":
			g.strings(node, name, add)
		case "integer", "number":
			numbers(node, kind, add)
		case "boolean":
			add(true, false, "true")
			add(false, false, "false")
		case "array":
			g.arrays(node, add)
		case "object":
			g.objects(node, add)
		}
	}
	return sorted(all)
}

// sorted makes the order of edges that of the schema alone.
func sorted(all []edge) []edge {
	slices.SortStableFunc(all, func(a, b edge) int { return strings.Compare(a.why, b.why) })
	return all
}

// kindsOf are the types that a schema allows; of one that does not say, those that its other words are about.
func kindsOf(node map[string]any) []string {
	switch t := node["type"].(type) {
	case string:
		return []string{t}
	case []any:
		return texts(t)
	}
	if node["properties"] != nil {
		return []string{"object"}
	}
	return []string{"string", "integer"}
}

type adder func(value any, forbidden bool, what string)

// awkward are texts that have broken other programs.
var awkward = map[string]string{
	"empty": "", "a space": " ", "line breaks": "\r\n\n", "a zero byte": "a\x00b", "control characters": "\x01\x02\x1b[2J\x7f",
	"combining marks": strings.Repeat("e\u0301\u0323", 50), "emoji": "👩‍👩‍👧‍👦🏳️‍🌈", "another direction": "abc\u202edcba",
	"a word joiner and a tag": "a\u2060\U000e0041", "letters that grow": "ßﬁŉİ", "the last character": "\U0010ffff", "not a character": "\ufffe\uffff",
	"a format": "%s%n%x{0}${a}{{a}}", "quotation marks": `'"` + "`\\", "markup": "<script>alert(1)</script>]]>&amp;&", "a database": "'; DROP TABLE x;--",
	"JSON": `{"a":[1,{"b":null}]}`, "brackets": strings.Repeat("[", 5000), "parentheses": strings.Repeat("(", 2000), "a pattern": "(a+)+$", "half a pattern": "[(*+?{1,",
	"stars": strings.Repeat("*?", 100), "a number": "1e999", "minus zero": "-0", "no number": "NaN", "a date": "2026-02-30T25:61:61Z", "a long ago": "-99999-01-01",
	"a word of programs": "__proto__", "null": "null",
}

var paths = []string{
	"../../../../etc/passwd", "/etc/passwd", "..", ".", "/", "//", "a/../../b", "a//b/./c", "/proc/self/environ", `..\..\windows\win.ini`, `C:\boot.ini`,
	"~/.ssh/id_rsa", "a\x00.txt", "%2e%2e%2fetc%2fpasswd", "..%c0%af..", "con", "a/" + "b/../" + "c", "file:///etc/passwd", "**/*", "[", "\u2025/x", ".git/config",
}

var addresses = []string{
	"http://127.0.0.1/", "http://[::1]:80/", "http://169.254.169.254/latest/meta-data/", "https://user:word@example.com/", "https://example.com:99999/", "file:///etc/passwd",
	"javascript:alert(1)", "https://", "//example.com", "https://example.com/%zz", "https://xn--/", "https://exa mple.com/", "data:text/html,x", "https://example.com/\r\nX: y",
	"https://example.com/" + "?" + strings.Repeat("a=b&", 500),
}

// strings are the odd texts of a schema.
func (g *generator) strings(node map[string]any, name string, add adder) {
	least, most := count(node["minLength"], 0), count(node["maxLength"], -1)
	fits := func(text string) bool {
		n := utf8.RuneCountInString(text)
		return n >= least && (most < 0 || n <= most)
	}
	put := func(text, what string) { add(text, !fits(text), what) }
	for what, text := range awkward {
		put(text, what)
	}
	if least > 0 {
		put(strings.Repeat("a", least-1), "one character too few")
	}
	if most >= 0 && most <= 200_000 {
		put(strings.Repeat("a", most), "as long as allowed")
		put(strings.Repeat("é", most), "as long as allowed, in two bytes each")
		put(strings.Repeat("a", most+1), "one character too many")
	} else {
		put(strings.Repeat("a", 100_000), "100,000 characters")
		put(strings.Repeat("a\n", 50_000), "50,000 lines")
	}
	if valid, ok := node["default"].(string); ok {
		put(valid+valid, "the default twice")
	}
	about := strings.ToLower(name + " " + words(node["description"]))
	if containsAny(about, "path", "file", "folder", "directory", "dir") {
		for i, p := range paths {
			put(p, fmt.Sprintf("path %d", i+1))
		}
		for _, folder := range g.hints.Folders {
			for i, p := range append([]string{"", "/", "/..", "/../..", "/.", "/missing/file", "//x", "/a\x00", "/" + strings.Repeat("d/", 500), "/" + strings.Repeat("n", 300)}, below(g.hints.Files)...) {
				put(folder+p, fmt.Sprintf("path %d in %s", i+1, folder))
			}
		}
	}
	if containsAny(about, "url", "uri", "address", "link", "page") {
		for i, a := range addresses {
			put(a, fmt.Sprintf("address %d", i+1))
		}
	}
}

func below(files []string) (out []string) {
	for _, f := range files {
		out = append(out, "/"+f, "/"+f+"/", "/"+f+"/x")
	}
	return out
}

func words(v any) string { text, _ := v.(string); return text }

func containsAny(text string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
}

// count reads a keyword with a number of things.
func count(v any, none int) int {
	number, ok := v.(json.Number)
	if !ok {
		return none
	}
	n, err := number.Int64()
	if err != nil || n < 0 || n > 1<<30 {
		return none
	}
	return int(n)
}

// numbers are the odd numbers of a schema.
func numbers(node map[string]any, kind string, add adder) {
	low, lowOpen := limit(node, "minimum", "exclusiveMinimum")
	high, highOpen := limit(node, "maximum", "exclusiveMaximum")
	put := func(text string) {
		value, ok := new(big.Rat).SetString(text)
		if !ok {
			return
		}
		forbidden := kind == "integer" && !value.IsInt() ||
			low != nil && (value.Cmp(low) < 0 || lowOpen && value.Cmp(low) == 0) || high != nil && (value.Cmp(high) > 0 || highOpen && value.Cmp(high) == 0)
		add(json.Number(text), forbidden, text)
	}
	for _, text := range []string{
		"0", "1", "-1", "-0", "2", "0.5", "1.0", "1e2", "255", "65536", "2147483647", "2147483648", "-2147483649", "4294967296", "9007199254740993",
		"9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e18", "1e30", "1e308", "1e-300", "-1e308",
	} {
		put(text)
	}
	add(json.Number("1e400"), false, "1e400")
	add(json.Number("0."+strings.Repeat("3", 500)), kind == "integer", "500 digits")
	for _, edge := range []*big.Rat{low, high} {
		if edge == nil {
			continue
		}
		for _, by := range []int64{-1, 0, 1} {
			value := new(big.Rat).Add(edge, big.NewRat(by, 1))
			if value.IsInt() {
				put(value.RatString())
			} else {
				put(value.FloatString(6))
			}
		}
	}
}

// limit is a bound of a number, and whether it is excluded itself.
func limit(node map[string]any, closed, open string) (*big.Rat, bool) {
	read := func(v any) *big.Rat {
		number, ok := v.(json.Number)
		if !ok || len(number) > 40 || strings.ContainsAny(string(number), "eE") {
			return nil
		}
		value, _ := new(big.Rat).SetString(number.String())
		return value
	}
	if bound := read(node[open]); bound != nil {
		return bound, true
	}
	return read(node[closed]), false
}

func (g *generator) arrays(node map[string]any, add adder) {
	least, most := count(node["minItems"], 0), count(node["maxItems"], -1)
	items, _ := node["items"].(map[string]any)
	one := any("x")
	if items != nil {
		one = g.sample(items, 3, true)
	}
	of := func(n int) []any { return slices.Repeat([]any{one}, n) }
	unique, _ := node["uniqueItems"].(bool)
	put := func(n int, what string) {
		add(of(n), n < least || most >= 0 && n > most || unique && n > 1, what)
	}
	put(0, "no items")
	put(1, "one item")
	put(2, "the same item twice")
	if most >= 0 && most <= 2000 {
		put(most, "as many items as allowed")
		put(most+1, "one item too many")
	} else {
		put(999, "999 items")
	}
	if least > 0 {
		put(least-1, "one item too few")
	}
}

func (g *generator) objects(node map[string]any, add adder) {
	sample, _ := g.sample(node, 0, true).(map[string]any)
	required := texts(node["required"])
	for _, name := range slices.Sorted(maps.Keys(object(node["properties"]))) {
		without := maps.Clone(sample)
		delete(without, name)
		add(without, slices.Contains(required, name), "without "+name)
	}
	more := maps.Clone(sample)
	if more == nil {
		more = map[string]any{}
	}
	more["no such name"] = 1
	closed, said := node["additionalProperties"].(bool)
	add(more, said && !closed, "a name that the schema has not")
	add(map[string]any{}, len(required) > 0, "no members")
	var deep any = "end"
	for range 30 {
		deep = map[string]any{"a": deep}
	}
	nested := maps.Clone(more)
	nested["no such name"] = deep
	add(nested, said && !closed, "deep nesting")
}
