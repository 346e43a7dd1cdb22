package capabilities

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// Limits of one JSON Schema. What checking an instance against it may cost is bounded by host/schema.
const (
	maxSchema     = 64 << 10 // bytes
	maxDepth      = 32       // schemas inside schemas
	maxSubschemas = 1000
	maxProperty   = 128 // bytes of a property's name
)

// How the keywords of JSON Schema hold other schemas. Every keyword that is not here holds data, in
// which "$ref" is a plain word.
// Source: JSON Schema 2020-12, "A Vocabulary for Applying Subschemas"; draft-07, section 6.
var (
	schemaKeywords = []string{"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items",
		"not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties"}
	schemaListKeywords = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	schemaMapKeywords  = []string{"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
	dialects           = []string{"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema", "http://json-schema.org/draft-07/schema#"}
	// These rename schemas or choose one while checking, so that what a reference means cannot be
	// read off the signed text.
	refusedKeywords = []string{"$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$vocabulary", "id"}
)

const headerKeyword = "x-mcp-header"

// schemaWalk visits every subschema of one schema.
type schemaWalk struct {
	r       *report
	count   int
	places  map[string]bool // JSON pointers at which there is a schema
	refs    []schemaRef
	headers map[string]bool // lower case
	input   bool
}

type schemaRef struct{ path, target string }

// checkInput checks a tool's inputSchema.
func checkInput(r *report, path string, raw json.RawMessage) {
	w := &schemaWalk{r: r, input: true}
	root, ok := w.run(path, raw)
	if !ok {
		return
	}
	// Spelled exactly so: clients and SDKs drop or crash on any other root.
	if root["type"] != "object" {
		r.add(path+".type", "want \"object\"")
	}
}

// checkOutput checks a tool's outputSchema.
func checkOutput(r *report, path string, raw json.RawMessage) {
	w := &schemaWalk{r: r}
	w.run(path, raw)
}

func (w *schemaWalk) run(path string, raw json.RawMessage) (map[string]any, bool) {
	if len(raw) > maxSchema {
		w.r.add(path, "has %d bytes: the most is %d", len(raw), maxSchema)
		return nil, false
	}
	var v any
	if len(raw) > 0 {
		if err := strictjson.Decode(raw, &v); err != nil {
			w.r.add(path, "%v", err)
			return nil, false
		}
	}
	root, ok := v.(map[string]any)
	if !ok {
		w.r.add(path, "want a JSON Schema object")
		return nil, false
	}
	w.places, w.headers = map[string]bool{}, map[string]bool{}
	w.visit(path, "", root, 0, true)
	if w.count > maxSubschemas {
		w.r.add(path, "has more than %d subschemas: simplify it", maxSubschemas)
		return nil, false
	}
	for _, ref := range w.refs {
		if !w.places[ref.target] {
			w.r.add(ref.path+".$ref", "want a reference to a schema in the same document, such as \"#/$defs/name\"")
		}
	}
	return root, true
}

// visit checks the schema v at pointer. reachable says that only "properties" lead to it from the
// root, which is where the protocol looks for header parameters.
func (w *schemaWalk) visit(path, pointer string, v any, depth int, reachable bool) {
	if w.count++; w.count > maxSubschemas {
		return
	}
	if depth > maxDepth {
		w.r.add(path, "is nested deeper than %d schemas: flatten it", maxDepth)
		return
	}
	w.places[pointer] = true
	s, ok := v.(map[string]any)
	if !ok {
		if _, ok := v.(bool); !ok {
			w.r.add(path, "want a schema: an object or a boolean")
		}
		return
	}
	w.keywords(path, s, depth, reachable)
	for _, word := range schemaKeywords {
		if sub, ok := s[word]; ok && !isList(word, sub) {
			w.visit(member(path, word), step(pointer, word), sub, depth+1, false)
		}
	}
	for _, word := range schemaListKeywords {
		list, ok := s[word].([]any)
		if _, present := s[word]; present && !ok && word != "items" {
			w.r.add(member(path, word), "want a list of schemas")
		}
		for i, sub := range list {
			w.visit(fmt.Sprintf("%s[%d]", member(path, word), i), fmt.Sprintf("%s/%d", step(pointer, word), i), sub, depth+1, false)
		}
	}
	for _, word := range schemaMapKeywords {
		w.members(member(path, word), step(pointer, word), word, s, depth, reachable)
	}
}

// members visits the schemas of a keyword whose members are names.
func (w *schemaWalk) members(path, pointer, word string, s map[string]any, depth int, reachable bool) {
	value, present := s[word]
	if !present {
		return
	}
	named, ok := value.(map[string]any)
	if !ok {
		w.r.add(path, "want an object of schemas")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if word == "properties" && (name == "" || len(name) > maxProperty) {
			w.r.add(path, "want property names of 1 to %d bytes", maxProperty)
		}
		if _, list := named[name].([]any); list && word == "dependencies" {
			continue // draft-07: a list of property names
		}
		w.visit(member(path, name), step(pointer, name), named[name], depth+1, reachable && word == "properties")
	}
}

// isList says that keyword word holds draft-07's list of schemas instead of one.
func isList(word string, v any) bool {
	_, list := v.([]any)
	return list && word == "items"
}

// step appends a name to a JSON pointer (RFC 6901).
func step(pointer, name string) string { return pointer + "/" + escapes.Replace(name) }

var escapes = strings.NewReplacer("~", "~0", "/", "~1")

func (w *schemaWalk) keywords(path string, s map[string]any, depth int, reachable bool) {
	for _, word := range refusedKeywords {
		if _, ok := s[word]; ok {
			w.r.add(member(path, word), "is not accepted: refer with a local \"$ref\"")
		}
	}
	if dialect, ok := s["$schema"]; ok {
		text, _ := dialect.(string)
		if depth > 0 || !slices.Contains(dialects, text) {
			w.r.add(member(path, "$schema"), "want draft 2020-12 or draft-07, at the root only")
		}
	}
	if ref, ok := s["$ref"]; ok {
		w.ref(path, ref)
	}
	if header, ok := s[headerKeyword]; ok {
		w.header(path, header, s["type"], depth > 0 && reachable)
	}
}

// ref notes a reference. It must be a JSON pointer into the same document: anything else would be
// fetched from the network, or resolved differently by different readers.
func (w *schemaWalk) ref(path string, ref any) {
	text, _ := ref.(string)
	fragment, ok := strings.CutPrefix(text, "#")
	target, err := url.PathUnescape(fragment)
	if !ok || err != nil {
		target = "not a pointer"
	}
	w.refs = append(w.refs, schemaRef{path, target})
}

// header checks a parameter that clients repeat as an HTTP header, by the rules under which they
// would otherwise drop the tool without a word.
// Source: Model Context Protocol, revision 2026-07-28, Streamable HTTP, "x-mcp-header".
func (w *schemaWalk) header(path string, header, kind any, reachable bool) {
	path = member(path, headerKeyword)
	name, _ := header.(string)
	switch {
	case !w.input || !reachable:
		w.r.add(path, "is allowed only on properties of an inputSchema that are reached by \"properties\" alone")
	case !tokenForm.MatchString(name):
		w.r.add(path, "want a header name of letters, digits and \"-\"")
	case w.headers[strings.ToLower(name)]:
		w.r.add(path, "a second parameter with header %s: rename one", name)
	case kind != "string" && kind != "integer" && kind != "boolean":
		w.r.add(path, "want type \"string\", \"integer\" or \"boolean\"")
	}
	w.headers[strings.ToLower(name)] = true
}
