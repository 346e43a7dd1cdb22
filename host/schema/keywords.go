package schema

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// keyword reads one keyword of a schema object into its node.
type keyword func(t *tree, n *node, key string, value any)

// modern keywords are annotations in draft-07, older ones in draft 2020-12.
var (
	modern = map[string]bool{
		"$anchor": true, "$dynamicRef": true, "$dynamicAnchor": true, "$recursiveRef": true, "$recursiveAnchor": true,
		"$vocabulary": true, "dependentSchemas": true, "dependentRequired": true, "unevaluatedProperties": true,
		"unevaluatedItems": true, "prefixItems": true, "minContains": true, "maxContains": true,
	}
	older = map[string]bool{"dependencies": true, "additionalItems": true}
)

// keywords are all that assert or apply something in draft 2020-12 or draft-07. Every other name is
// an annotation.
func keywords() map[string]keyword {
	list := func(set func(*node, []*node)) keyword {
		return func(t *tree, n *node, key string, v any) { set(n, t.list(n, key, v)) }
	}
	named := func(set func(*node, map[string]*node)) keyword {
		return func(t *tree, n *node, key string, v any) { set(n, t.named(n, key, v)) }
	}
	one := func(set func(*node, *node)) keyword {
		return func(t *tree, n *node, key string, v any) { set(n, t.schema(n.child(key), v)) }
	}
	all := map[string]keyword{
		"$ref": (*tree).readRef, "$anchor": (*tree).readAnchor, "$id": (*tree).readID,
		"$dynamicRef": (*tree).unsupported, "$recursiveRef": (*tree).unsupported,
		"$dynamicAnchor": (*tree).unsupported, "$recursiveAnchor": (*tree).unsupported, "$vocabulary": (*tree).unsupported,
		"$defs": named(func(*node, map[string]*node) {}), "definitions": named(func(*node, map[string]*node) {}),

		"allOf": list(func(n *node, l []*node) { n.allOf = l }),
		"anyOf": list(func(n *node, l []*node) { n.anyOf = l }),
		"oneOf": list(func(n *node, l []*node) { n.oneOf = l }),
		"not":   one(func(n, c *node) { n.not = c }),
		"if":    one(func(n, c *node) { n.cond = c }),
		"then":  one(func(n, c *node) { n.then = c }),
		"else":  one(func(n, c *node) { n.els = c }),

		"properties":            named(func(n *node, m map[string]*node) { n.properties = m }),
		"patternProperties":     (*tree).readPatterns,
		"additionalProperties":  one(func(n, c *node) { n.additional = c }),
		"propertyNames":         one(func(n, c *node) { n.names = c }),
		"dependentSchemas":      named((*node).addDependents),
		"dependencies":          (*tree).readDependencies,
		"unevaluatedProperties": one(func(n, c *node) { n.unevaluated = c }),

		"prefixItems":      list(func(n *node, l []*node) { n.prefix = l }),
		"items":            (*tree).readItems,
		"additionalItems":  one(func(n, c *node) { n.rest = c }),
		"contains":         one(func(n, c *node) { n.contains = c }),
		"unevaluatedItems": one(func(n, c *node) { n.unevaluatedItems = c }),

		"enum": (*tree).readEnum, "const": (*tree).readConst, "pattern": (*tree).readPattern,
		"type": (*tree).keep, "required": (*tree).readRequired, "dependentRequired": (*tree).keepListed, "uniqueItems": (*tree).keep,
	}
	for _, k := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"} {
		all[k] = (*tree).readNumber
	}
	for _, k := range []string{"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains"} {
		all[k] = (*tree).readCount
	}
	return all
}

func (t *tree) list(n *node, key string, value any) []*node {
	values, ok := value.([]any)
	if !ok || len(values) == 0 {
		t.fail(n.child(key), "must be an array of schemas that is not empty")
		return nil
	}
	out := make([]*node, len(values))
	for i, v := range values {
		out[i] = t.schema(n.child(key, strconv.Itoa(i)), v)
	}
	return out
}

func (t *tree) named(n *node, key string, value any) map[string]*node {
	values, ok := value.(map[string]any)
	if !ok {
		t.fail(n.child(key), "must be an object of schemas")
		return nil
	}
	out := make(map[string]*node, len(values))
	for name, v := range values {
		if len(name) > MaxName && key != "patternProperties" {
			t.fail(n.child(key), "a name of %d bytes; at most %d are allowed", len(name), MaxName)
			return nil
		}
		out[name] = t.schema(n.child(key, name), v)
	}
	return out
}

func (t *tree) unsupported(n *node, key string, _ any) {
	t.fail(n.at, "%s is not supported: what it refers to depends on who asks; use $ref", key)
}

func (t *tree) readRef(n *node, key string, value any) {
	text, ok := value.(string)
	if !ok {
		t.fail(n.child(key), "must be a string")
		return
	}
	t.pending = append(t.pending, reference{n, text})
}

func (t *tree) readAnchor(n *node, key string, value any) {
	name, ok := value.(string)
	if !ok || name == "" || strings.ContainsAny(name, "/#") || t.anchors[name] != nil {
		t.fail(n.child(key), "must be a name that is used once")
		return
	}
	t.anchors[name] = n
}

// readID refuses embedded resources: they move the base of every reference below them. Draft-07 says
// "$id": "#name" for what is an $anchor today.
func (t *tree) readID(n *node, key string, value any) {
	if n.at == "" {
		return
	}
	if id, _ := value.(string); t.legacy && strings.HasPrefix(id, "#") {
		t.readAnchor(n, key, id[1:])
		return
	}
	t.fail(n.child(key), "only the root may have an $id")
}

func (t *tree) readPatterns(n *node, key string, value any) {
	n.patterns = t.named(n, key, value)
	for pattern := range n.patterns {
		size, err := program(pattern)
		if err != nil {
			t.fail(n.child(key), "%v", err)
			return
		}
		n.nameSteps += size
	}
}

func (n *node) addDependents(m map[string]*node) {
	if n.dependentSchemas == nil {
		n.dependentSchemas = map[string]*node{}
	}
	for name, c := range m {
		n.dependentSchemas[name] = c
	}
}

// readDependencies splits the older keyword in two: lists of names and schemas.
func (t *tree) readDependencies(n *node, key string, value any) {
	values, ok := value.(map[string]any)
	if !ok {
		t.fail(n.child(key), "must be an object")
		return
	}
	required, _ := n.assert["dependentRequired"].(map[string]any)
	if required == nil {
		required = map[string]any{}
	}
	for name, v := range values {
		if names, ok := v.([]any); ok {
			required[name] = names
			continue
		}
		n.addDependents(map[string]*node{name: t.schema(n.child(key, name), v)})
	}
	t.keepListed(n, "dependentRequired", required)
}

// readItems takes the list form of draft-07 as prefixItems.
func (t *tree) readItems(n *node, key string, value any) {
	if _, many := value.([]any); many && t.legacy {
		n.prefix = t.list(n, key, value)
		return
	}
	n.items = t.schema(n.child(key), value)
}

func (t *tree) readEnum(n *node, key string, value any) {
	values, ok := value.([]any)
	if !ok || len(values) == 0 {
		t.fail(n.child(key), "must be an array that is not empty")
		return
	}
	if len(values) > MaxEnum {
		t.fail(n.child(key), "%d values; at most %d are allowed", len(values), MaxEnum)
		return
	}
	t.readConst(n, key, value)
}

// readConst keeps a value to compare with. Each comparison may walk all of it, and a failed one copies
// its text into an error.
func (t *tree) readConst(n *node, key string, value any) {
	text, err := json.Marshal(value)
	if err != nil || !numbersFit(value) {
		t.fail(n.child(key), "has a number of more than %d digits or an exponent above %d", maxDigits, maxExponent)
		return
	}
	n.weight += float64(len(text))/16 + float64(countValues(value))/2
	n.assert[key] = value
}

func (t *tree) readPattern(n *node, key string, value any) {
	pattern, ok := value.(string)
	if !ok {
		t.fail(n.child(key), "must be a string")
		return
	}
	size, err := program(pattern)
	if err != nil {
		t.fail(n.at, "%v", err)
		return
	}
	n.steps += size
	n.assert[key] = value
}

func (t *tree) readRequired(n *node, key string, value any) {
	names, _ := value.([]any)
	if len(names) > MaxSubschemas {
		t.fail(n.child(key), "%d names; at most %d are allowed", len(names), MaxSubschemas)
		return
	}
	t.keepListed(n, key, value)
}

// keepListed keeps a keyword that names properties: each is looked up, and missing ones are quoted.
func (t *tree) keepListed(n *node, key string, value any) {
	text, _ := json.Marshal(value)
	n.weight += float64(len(text)) / 32
	n.assert[key] = value
}

// keep keeps a keyword as it is: the meta-schema checks its form.
func (t *tree) keep(n *node, key string, value any) { n.assert[key] = value }

func (t *tree) readNumber(n *node, key string, value any) {
	number, ok := value.(json.Number)
	if !ok || !numberFits(number) {
		t.fail(n.child(key), "must be a number of at most %d digits and an exponent of at most %d", maxDigits, maxExponent)
		return
	}
	n.assert[key] = value
}

// readCount reads a keyword that counts something. The library would wrap a count that is too large
// around to a negative one.
func (t *tree) readCount(n *node, key string, value any) {
	number, _ := value.(json.Number)
	f, err := number.Float64()
	if err != nil || f < 0 || f > math.MaxInt32 || f != math.Trunc(f) {
		t.fail(n.child(key), "must be a whole number from 0 to %d", math.MaxInt32)
		return
	}
	switch key {
	case "maxLength":
		t.longest = max(t.longest, int(f))
	case "maxItems":
		t.arrays = max(t.arrays, int(f))
	}
	n.assert[key] = value
}
