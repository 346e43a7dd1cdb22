package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// onlyObject says that the root admits objects and nothing else.
func (n *node) onlyObject() bool {
	kind, ok := n.assert["type"].(string)
	return ok && kind == "object"
}

// combined says that n applies schemas to the value that it looks at itself.
func (n *node) combined() bool { return len(n.inPlace()) > 0 }

// silent says that n has no word on names that it does not mention.
func (n *node) silent() bool { return n.additional == nil && n.unevaluated == nil }

// closeSilent makes silence about additional properties mean false: at the root always, inside for
// objects that nothing but their own properties describes. A misspelt optional argument would
// otherwise be dropped without a word, and a guest would read names that no one approved.
func (t *tree) closeSilent() {
	no := false
	shut := func(n *node) *node { return &node{at: n.at, always: &no, weight: 1} }
	if t.root.silent() {
		if t.root.combined() {
			t.root.unevaluated = shut(t.root) // sees the names that allOf, $ref and the rest mention
		} else {
			t.root.additional = shut(t.root)
		}
	}
	shared := t.shared()
	for _, n := range t.places {
		for _, part := range n.parts() {
			described, plain := part.described()
			switch {
			case !described || !part.silent() || shared[part] || part.target > 0:
				// Who refers to a target may combine it: it is closed where it is referred to.
			case plain:
				part.additional = shut(part)
			default:
				part.unevaluated = shut(part)
			}
		}
	}
}

// shared collects the schemas that may not be alone on their value: all that a schema with allOf,
// anyOf and the like can lead to. Closing one would refuse what its neighbour mentions.
func (t *tree) shared() map[*node]bool {
	out := map[*node]bool{}
	var mark func(n *node)
	mark = func(n *node) {
		for _, x := range append(n.inPlace(), n.parts()...) {
			if !out[x] {
				out[x] = true
				mark(x)
			}
		}
	}
	for _, n := range t.places {
		if n.combined() && !n.alias() {
			mark(n)
		}
	}
	return out
}

// alias says that n is one reference and nothing else that applies schemas.
func (n *node) alias() bool {
	return n.ref != nil && len(n.inPlace()) == 1 && len(n.parts()) == 0 &&
		n.contains == nil && n.unevaluated == nil && n.unevaluatedItems == nil
}

// described says that n has properties and nothing else speaks of its names: plain, or through a
// reference that stands alone.
func (n *node) described() (yes, plain bool) {
	if n.properties != nil && !n.combined() {
		return true, true
	}
	if !n.alias() {
		return false, false
	}
	to := n.ref
	return to.properties != nil && !to.combined() && to.silent(), false
}

// parts lists the schemas that n applies to members and elements: each is alone on its value, as far
// as n is concerned.
func (n *node) parts() []*node {
	var out []*node
	for _, m := range []map[string]*node{n.properties, n.patterns} {
		for _, x := range m {
			out = append(out, x)
		}
	}
	for _, x := range append([]*node{n.additional, n.items}, n.prefix...) {
		if x != nil {
			out = append(out, x)
		}
	}
	return out
}

// document writes the tree as the plain schema that the library compiles.
func (t *tree) document() any {
	root, ok := t.write(t.root).(map[string]any)
	if !ok {
		return t.write(t.root)
	}
	defs := map[string]any{}
	for _, n := range t.targets {
		if n != t.root {
			defs[definition(n)] = t.write(n)
		}
	}
	if len(defs) > 0 {
		root["$defs"] = defs
	}
	return root
}

func definition(n *node) string { return "d" + strconv.Itoa(n.target) }

// place writes a schema where it is applied: a target of references is written once, under $defs.
func (t *tree) place(n *node) any {
	switch {
	case n.target == 0:
		return t.write(n)
	case n == t.root:
		return map[string]any{"$ref": "#"}
	}
	return map[string]any{"$ref": "#/$defs/" + definition(n)}
}

func (t *tree) write(n *node) any {
	if n.always != nil {
		return *n.always
	}
	out := maps.Clone(n.assert)
	if n.ref != nil {
		out["$ref"] = t.place(n.ref).(map[string]any)["$ref"]
	}
	for key, sub := range map[string]*node{
		"not": n.not, "if": n.cond, "then": n.then, "else": n.els,
		"additionalProperties": n.additional, "propertyNames": n.names, "unevaluatedProperties": n.unevaluated,
		"items": n.items, "contains": n.contains, "unevaluatedItems": n.unevaluatedItems,
	} {
		if sub != nil {
			out[key] = t.place(sub)
		}
	}
	for key, subs := range map[string][]*node{"allOf": n.allOf, "anyOf": n.anyOf, "oneOf": n.oneOf, "prefixItems": n.prefix} {
		if len(subs) == 0 {
			continue
		}
		list := make([]any, len(subs))
		for i, sub := range subs {
			list[i] = t.place(sub)
		}
		out[key] = list
	}
	for key, subs := range map[string]map[string]*node{
		"properties": n.properties, "patternProperties": n.patterns, "dependentSchemas": n.dependentSchemas,
	} {
		if len(subs) == 0 {
			continue
		}
		named := make(map[string]any, len(subs))
		for name, sub := range subs {
			named[name] = t.place(sub)
		}
		out[key] = named
	}
	return out
}

// address is where the document stands for the library. It names nothing that could be fetched.
const address = "writ:schema"

func compileDocument(doc any) (*jsonschema.Schema, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, refuse("", "it cannot be written down")
	}
	c := jsonschema.NewCompiler()
	c.Draft = jsonschema.Draft2020
	// Nothing is ever loaded: not from the network, and not from a file.
	c.LoadURL = func(string) (io.ReadCloser, error) { return nil, errors.New("loading schemas is forbidden") }
	if err := c.AddResource(address, strings.NewReader(string(text))); err != nil {
		return nil, refuse("", "it cannot be read back")
	}
	compiled, err := c.Compile(address)
	if err == nil {
		return compiled, nil
	}
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		leaf := leaves(invalid)[0]
		return nil, refuse(leaf.InstanceLocation, "not a valid schema: %s", line(leaf.Message))
	}
	return nil, fmt.Errorf("%w: it cannot be compiled", ErrSchema)
}
