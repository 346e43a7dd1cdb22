package schema

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// node is one schema: its assertions, and the schemas that it applies to the same value or to a part
// of it.
type node struct {
	at     string         // JSON pointer in the signed schema
	always *bool          // a schema that is true or false
	assert map[string]any // keywords that look at the value alone, as they were written
	weight float64        // cost of the assertions, in evaluations
	steps  float64        // cost of pattern, in steps for each byte of a string
	target int            // 1 and up: some $ref points here

	ref              *node
	allOf            []*node
	anyOf            []*node
	oneOf            []*node
	not              *node
	cond, then, els  *node
	dependentSchemas map[string]*node

	properties  map[string]*node
	patterns    map[string]*node
	nameSteps   float64 // cost of the names of patterns, in steps for each byte of a name
	additional  *node
	names       *node
	unevaluated *node // unevaluatedProperties

	prefix           []*node
	items            *node
	rest             *node // additionalItems of draft-07: items when there is a prefix
	contains         *node
	unevaluatedItems *node
}

// tree is a whole schema.
type tree struct {
	keywords map[string]keyword
	root     *node
	places   map[string]*node // by pointer
	anchors  map[string]*node
	pending  []reference
	base     string // $id of the root
	legacy   bool   // draft-07
	targets  []*node
	longest  int // largest maxLength
	arrays   int // largest maxItems
	problems error
}

type reference struct {
	from *node
	text string
}

// refuse makes the one line of a refused schema. Text from the schema in format arguments must have
// gone through quote.
func refuse(at, format string, args ...any) error {
	place := ""
	if at != "" {
		place = " at " + quote(at)
	}
	return fmt.Errorf("%w%s: %s", ErrSchema, place, fmt.Sprintf(format, args...))
}

// quote shows text of a schema or an instance: in double quotes, escaped, at most 64 characters.
func quote(s string) string { return `"` + capabilities.Printable(s, 64) + `"` }

func parse(raw []byte) (*tree, error) {
	if len(raw) > MaxSchema {
		return nil, refuse("", "%d bytes; at most %d are allowed", len(raw), MaxSchema)
	}
	compact, err := strictjson.Compact(raw)
	if err != nil {
		return nil, refuse("", "%v", err)
	}
	value, err := decode(compact)
	if err != nil {
		return nil, refuse("", "%v", err)
	}
	t := &tree{keywords: keywords(), places: map[string]*node{}, anchors: map[string]*node{}}
	if m, ok := value.(map[string]any); ok {
		if err := t.dialect(m); err != nil {
			return nil, err
		}
	}
	t.root = t.schema("", value)
	if t.problems != nil {
		return nil, t.problems
	}
	return t, t.resolve()
}

// dialect reads what only the root may say: which language the schema is in, and its name.
func (t *tree) dialect(m map[string]any) error {
	switch id, _ := m["$id"].(string); {
	case m["$id"] == nil:
	case id == "" || strings.Contains(id, "#"):
		return refuse("", "$id must be a URI without fragment")
	default:
		t.base = id
	}
	said, there := m["$schema"]
	if !there {
		return nil
	}
	dialect, _ := said.(string)
	switch strings.TrimSuffix(dialect, "#") {
	case "https://json-schema.org/draft/2020-12/schema":
	case "http://json-schema.org/draft-07/schema", "https://json-schema.org/draft-07/schema":
		t.legacy = true
	default:
		return refuse("", "$schema %s is not known; use https://json-schema.org/draft/2020-12/schema or leave it out", quote(dialect))
	}
	return nil
}

func (t *tree) fail(at, format string, args ...any) {
	if t.problems == nil {
		t.problems = refuse(at, format, args...)
	}
}

// schema reads one schema and all below it. The first problem ends the reading.
func (t *tree) schema(at string, value any) *node {
	n := &node{at: at, weight: 1 + float64(len(at))/128}
	if t.problems != nil {
		return n
	}
	if len(t.places) >= MaxSubschemas {
		t.fail(at, "more than %d subschemas", MaxSubschemas)
		return n
	}
	t.places[at] = n
	switch v := value.(type) {
	case bool:
		n.always = &v
	case map[string]any:
		t.object(n, v)
	default:
		t.fail(at, "a schema must be an object, true or false")
	}
	return n
}

func (t *tree) object(n *node, m map[string]any) {
	n.assert = map[string]any{}
	if ref, ok := m["$ref"]; ok && t.legacy {
		// In draft-07 a reference hides what stands beside it, definitions aside.
		hidden := map[string]any{"$ref": ref}
		for _, k := range []string{"definitions", "$defs", "$id", "$schema"} {
			if v, ok := m[k]; ok {
				hidden[k] = v
			}
		}
		m = hidden
	}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		read, known := t.keywords[key]
		if !known || (t.legacy && modern[key]) || (!t.legacy && older[key]) {
			continue // an annotation: it asserts nothing
		}
		read(t, n, key, m[key])
		if t.problems != nil {
			return
		}
	}
	if t.legacy && n.prefix != nil {
		n.items = n.rest
	}
}

// child is the place of a keyword, or of a name below one.
func (n *node) child(parts ...string) string {
	at := n.at
	for _, p := range parts {
		at += "/" + escape(p)
	}
	return at
}

var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")
var pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")

func escape(part string) string { return pointerEscape.Replace(part) }

// resolve finds the target of every reference, within the document.
func (t *tree) resolve() error {
	for _, r := range t.pending {
		fragment, ok := t.fragment(r.text)
		if !ok {
			return refuse(r.from.at, "$ref %s leaves the document; Writ fetches no schema, so move it under $defs", quote(r.text))
		}
		var to *node
		if fragment == "" || fragment[0] == '/' {
			to = t.places[fragment]
		} else {
			to = t.anchors[fragment]
		}
		if to == nil {
			return refuse(r.from.at, "$ref %s does not point at a schema", quote(r.text))
		}
		r.from.ref = to
		if to.target == 0 {
			t.targets = append(t.targets, to)
			to.target = len(t.targets)
			to.weight++ // the document reaches it through one more step
		}
	}
	return nil
}

// fragment returns the part of a reference after "#" when it stays in this document.
func (t *tree) fragment(ref string) (string, bool) {
	base, fragment, _ := strings.Cut(ref, "#")
	if base != "" && base != t.base {
		return "", false
	}
	fragment, err := url.PathUnescape(fragment)
	return fragment, err == nil
}

// goOnly finds what RE2 has and ECMA-262 has not: flags, names in Go's form, text anchors, quoting and
// POSIX classes. JSON Schema means the latter, and clients compile patterns as they read a list of tools.
var goOnly = regexp.MustCompile(`\(\?[a-zA-Z-]+[:)]|\(\?P<|\\[AzQEC]|\[:\^?[a-z]+:\]`)

// program measures a pattern: how many instructions its RE2 program has.
func program(pattern string) (float64, error) {
	if len(pattern) > MaxPattern {
		return 0, fmt.Errorf("a pattern of %d bytes; at most %d are allowed", len(pattern), MaxPattern)
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		for _, mark := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
			if strings.Contains(pattern, mark) {
				return 0, fmt.Errorf("pattern %s looks around with %s, which RE2 does not have: it can take exponential time", quote(pattern), mark)
			}
		}
		return 0, fmt.Errorf("pattern %s is not RE2 syntax", quote(pattern))
	}
	if mark := goOnly.FindString(strings.ReplaceAll(pattern, `\\`, "")); mark != "" {
		return 0, fmt.Errorf("pattern %s has %s, which JavaScript does not know: a client would drop every tool over it", quote(pattern), mark)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return 0, fmt.Errorf("pattern %s cannot be compiled", quote(pattern))
	}
	return float64(len(prog.Inst)), nil
}
