package hostile

import (
	"encoding/json"
	"math/big"
	"regexp/syntax"
	"strings"
)

// sample is an ordinary value of a schema, as far as one is found: the host decides whether it is one. With
// all it has the members that need not be there too.
func (g *generator) sample(node map[string]any, depth int, all bool) any {
	node = g.resolve(node)
	if value, ok := node["const"]; ok {
		return value
	}
	if value, ok := node["default"]; ok {
		return value
	}
	if listed, ok := node["examples"].([]any); ok && len(listed) > 0 {
		return listed[0]
	}
	if listed, ok := node["enum"].([]any); ok && len(listed) > 0 {
		return listed[0]
	}
	for _, choice := range []string{"oneOf", "anyOf", "allOf"} {
		if options, ok := node[choice].([]any); ok && len(options) > 0 && node["properties"] == nil && depth < 8 {
			if option, ok := options[0].(map[string]any); ok {
				return g.sample(option, depth+1, all)
			}
		}
	}
	switch kindsOf(node)[0] {
	case "null":
		return nil
	case "boolean":
		return true
	case "integer", "number":
		return ordinary(node)
	case "array":
		return g.list(node, depth, all)
	case "object":
		value := map[string]any{}
		required := texts(node["required"])
		for name, sub := range object(node["properties"]) {
			needed := false
			for _, r := range required {
				needed = needed || r == name
			}
			if needed || all && depth < 6 {
				value[name] = g.sample(sub, depth+1, all)
			}
		}
		return value
	}
	return g.word(node)
}

func ordinary(node map[string]any) any {
	value := big.NewRat(1, 1)
	low, lowOpen := limit(node, "minimum", "exclusiveMinimum")
	if low != nil && value.Cmp(low) <= 0 {
		value = new(big.Rat).Set(low)
		if lowOpen {
			value.Add(value, big.NewRat(1, 1))
		}
	}
	if high, _ := limit(node, "maximum", "exclusiveMaximum"); high != nil && value.Cmp(high) > 0 {
		value = high
	}
	if value.IsInt() {
		return json.Number(value.RatString())
	}
	return json.Number(value.FloatString(6))
}

func (g *generator) list(node map[string]any, depth int, all bool) any {
	items, ok := node["items"].(map[string]any)
	if !ok || depth > 6 {
		return []any{}
	}
	n := max(1, min(count(node["minItems"], 1), 50))
	out := make([]any, n)
	for i := range out {
		out[i] = g.sample(items, depth+1, all)
	}
	return out
}

// word is a text that fits length and pattern.
func (g *generator) word(node map[string]any) string {
	text := "example"
	if pattern, ok := node["pattern"].(string); ok {
		if tree, err := syntax.Parse(pattern, syntax.Perl); err == nil {
			var b strings.Builder
			match(&b, tree.Simplify(), 0)
			text = b.String()
		}
	} else if len(g.hints.Folders) > 0 && strings.Contains(words(node["description"])+" path", "path") {
		text = g.hints.Folders[0]
		if len(g.hints.Files) > 0 {
			text += "/" + g.hints.Files[0]
		}
	}
	if least := count(node["minLength"], 0); len(text) < least && least < 1<<16 {
		text += strings.Repeat("a", least-len(text))
	}
	if most := count(node["maxLength"], -1); most >= 0 && len(text) > most {
		text = text[:most]
	}
	return text
}

// match writes a text that an expression matches.
func match(b *strings.Builder, e *syntax.Regexp, depth int) {
	if depth > 50 || b.Len() > 1000 {
		return
	}
	switch e.Op {
	case syntax.OpLiteral:
		b.WriteString(string(e.Rune))
	case syntax.OpCharClass:
		if len(e.Rune) > 0 {
			b.WriteRune(e.Rune[0])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('a')
	case syntax.OpPlus, syntax.OpCapture, syntax.OpAlternate:
		match(b, e.Sub[0], depth+1)
	case syntax.OpRepeat:
		for range e.Min {
			match(b, e.Sub[0], depth+1)
		}
	case syntax.OpConcat:
		for _, sub := range e.Sub {
			match(b, sub, depth+1)
		}
	}
}
