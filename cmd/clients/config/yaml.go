package config

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// yamlEditor reads and edits YAML of one document.
type yamlEditor struct{}

var _ editor = yamlEditor{}

// maxNodes bounds what aliases expand to.
const maxNodes = 100_000

func (yamlEditor) read(data []byte) (Value, error) {
	root, err := parseYAML(data)
	if err != nil {
		return Value{}, err
	}
	if root == nil {
		return Value{Kind: Table}, nil
	}
	budget := maxNodes
	v, ok := fromYAML(root, &budget, 0)
	switch {
	case !ok:
		return Value{}, failNode(data, root, "it is nested too deeply, or its aliases expand to more than %d values", maxNodes)
	case v.Kind != Table:
		return Value{}, failNode(data, root, "the file holds no mapping")
	}
	return v, nil
}

// parseYAML returns the root of the one document, or nil for a file without content.
func parseYAML(data []byte) (*yaml.Node, error) {
	// These end a line for YAML, but not for us: offsets would be off.
	for _, odd := range []string{"\u0085", "\u2028", "\u2029"} {
		if i := bytes.Index(data, []byte(odd)); i >= 0 {
			return nil, failAt(data, i, "it has a line end of an unusual kind")
		}
	}
	if i := bytes.IndexByte(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n\n")), '\r'); i >= 0 {
		return nil, failAt(data, i, "it has a line end of an unusual kind")
	}
	var docs []yaml.Node
	if err := yaml.Load(data, &docs, yaml.WithAllDocuments()); err != nil {
		return nil, brokenYAML(data, err)
	}
	switch {
	case len(docs) == 0:
		return nil, nil
	case len(docs) > 1:
		return nil, failNode(data, &docs[1], "the file holds more than one document")
	case docs[0].Kind != yaml.DocumentNode:
		return &docs[0], nil
	case len(docs[0].Content) == 0:
		return nil, nil
	}
	root := docs[0].Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		return nil, nil
	}
	return root, nil
}

func brokenYAML(data []byte, err error) error {
	var broken *yaml.LoadError
	if !errors.As(err, &broken) {
		return &SyntaxError{1, 1, errors.New("this is no YAML")}
	}
	why := "this is no YAML"
	if !strings.ContainsAny(broken.Message, "'\"`") { // a message with quotation marks quotes the file
		why += ": " + broken.Message
	}
	return &SyntaxError{max(1, broken.Mark.Line), max(1, broken.Mark.Column), errors.New(why)}
}

// fromYAML follows aliases, as long as there is budget.
func fromYAML(n *yaml.Node, budget *int, depth int) (Value, bool) {
	if *budget--; *budget < 0 || depth > maxDepth {
		return Value{}, false
	}
	switch n.Kind {
	case yaml.AliasNode:
		return fromYAML(n.Alias, budget, depth+1)
	case yaml.MappingNode:
		out := Value{Kind: Table}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, ok := fromYAML(n.Content[i+1], budget, depth+1)
			if !ok {
				return v, false
			}
			out.Members = append(out.Members, Member{n.Content[i].Value, v})
		}
		return out, true
	case yaml.SequenceNode:
		out := Value{Kind: List}
		for _, c := range n.Content {
			v, ok := fromYAML(c, budget, depth+1)
			if !ok {
				return v, false
			}
			out.Items = append(out.Items, v)
		}
		return out, true
	}
	if n.ShortTag() == "!!str" {
		return Value{Kind: String, Text: n.Value}, true
	}
	return Value{Text: n.Value}, true
}

// offset is where a node begins.
func offset(data []byte, n *yaml.Node) int {
	at := 0
	for range n.Line - 1 {
		at = lineEnd(data, at)
	}
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(data[at:])
		at += size
	}
	return min(at, len(data))
}

func failNode(data []byte, n *yaml.Node, format string, args ...any) error {
	return failAt(data, offset(data, n), format, args...)
}
