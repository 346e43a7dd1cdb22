package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A new entry goes right below the line of the key that holds the entries, so that comments stay with
// what they are about; in a mapping in braces right after the brace, as in JSON. A key that is not
// there yet comes at the end of the file, and goes again with its only entry.

// pair is a key with its value.
type pair struct{ key, value *yaml.Node }

// member finds a key of a mapping. Two of a name are refused.
func member(data []byte, m *yaml.Node, name string) (p pair, at int, err error) {
	at = -1
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != name {
			continue
		}
		if at >= 0 {
			return pair{}, -1, failNode(data, m.Content[i], "%q is there twice", name)
		}
		p, at = pair{m.Content[i], m.Content[i+1]}, i
	}
	return p, at, nil
}

// isFlow says that a mapping is written in braces.
func isFlow(n *yaml.Node) bool { return n.Style&yaml.FlowStyle != 0 }

func (y yamlEditor) put(data []byte, at Path, fields []Field) ([]byte, error) {
	entry := *merged(nil, fields)
	root, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return appendKey(data, "", at, entry), nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, failNode(data, root, "the file holds no mapping")
	}
	holder, i, err := member(data, root, at.Key)
	switch {
	case err != nil:
		return nil, err
	case i < 0 && isFlow(root):
		return enter(data, root, quote(at.Key)+": { "+quote(at.Name)+": "+flow(entry, ": ", ", ")+" }")
	case i < 0:
		return appendKey(data, indentOf(data, offset(data, root.Content[0])), at, entry), nil
	}
	container := holder.value
	if container.Kind != yaml.MappingNode {
		return nil, failNode(data, holder.key, `%q holds no entries: write "%s: {}" there, or take the line out: %w`, at.Key, at.Key, ErrByHand)
	}
	old, j, err := member(data, container, at.Name)
	switch {
	case err != nil:
		return nil, err
	case j >= 0 && isFlow(old.value):
		return y.replace(data, at, old.value, fields)
	case j >= 0:
		return y.update(data, at, fields)
	case isFlow(container):
		return enter(data, container, quote(at.Name)+": "+flow(entry, ": ", ", "))
	}
	below := lineEnd(data, offset(data, holder.key))
	indent := indentOf(data, offset(data, container.Content[0]))
	return apply(data, splice{below, below, block(at.Name, entry, indent, newline(data))}), nil
}

// appendKey adds the key with the entry at the end of the file.
func appendKey(data []byte, indent string, at Path, entry Value) []byte {
	nl := newline(data)
	text := indent + plain(at.Key) + ":" + nl + block(at.Name, entry, indent+"  ", nl)
	if len(data) > 0 && data[len(data)-1] != '\n' {
		text = nl + strings.TrimSuffix(text, nl)
	}
	return append(data, text...)
}

// enter puts a member into a mapping in braces, right after the brace.
func enter(data []byte, m *yaml.Node, text string) ([]byte, error) {
	at := offset(data, m)
	if data[at] != '{' {
		return nil, failAt(data, at, "this mapping begins in an unusual way: %w", ErrByHand)
	}
	if len(m.Content) > 0 {
		text += ", "
	}
	return apply(data, splice{at + 1, at + 1, text}), nil
}

// replace writes an entry in braces anew. What others added to it would be lost, so there must be
// nothing.
func (y yamlEditor) replace(data []byte, at Path, old *yaml.Node, fields []Field) ([]byte, error) {
	budget := maxNodes
	before, _ := fromYAML(old, &budget, 0)
	after := merged(&before, fields)
	start := offset(data, old)
	end := flowEnd(data, start)
	if bytes.ContainsAny(data[start:end], "#&*!") {
		return nil, failAt(data, start, "%q is written in braces: %w", at.Name, ErrByHand)
	}
	return apply(data, splice{start, end, flow(*after, ": ", ", ")}), nil
}

// update changes the members of an entry one after the other.
func (y yamlEditor) update(data []byte, at Path, fields []Field) ([]byte, error) {
	for _, f := range fields {
		root, err := parseYAML(data)
		if err != nil {
			return nil, err
		}
		holder, _, _ := member(data, root, at.Key)
		entry, _, _ := member(data, holder.value, at.Name)
		if entry.value.Kind != yaml.MappingNode {
			return nil, failNode(data, entry.key, "%q is no mapping: %w", at.Name, ErrByHand)
		}
		p, i, err := member(data, entry.value, f.Name)
		if err != nil {
			return nil, err
		}
		if i >= 0 && f.Value != nil {
			budget := maxNodes
			if now, ok := fromYAML(p.value, &budget, 0); ok && equal(now, valueOf(f.Value)) {
				continue
			}
		}
		if f.Value == nil && i < 0 || f.Value != nil && f.Once {
			continue
		}
		nl := newline(data)
		s := splice{at: blockEnd(data, entry), end: blockEnd(data, entry)}
		if i >= 0 {
			s = splice{at: lineStart(data, offset(data, p.key)), end: blockEnd(data, p)}
		}
		if f.Value != nil {
			s.text = indentOf(data, offset(data, entry.value.Content[0])) + plain(f.Name) + ": " + flow(valueOf(f.Value), ": ", ", ") + nl
		}
		if s.end == len(data) && data[s.end-1] != '\n' {
			// The last line has no newline, and goes on having none.
			if s.at = beforeNewline(data, s.at); s.text != "" {
				s.text = nl + strings.TrimSuffix(s.text, nl)
			}
		}
		data = apply(data, s)
	}
	return data, nil
}

func (yamlEditor) drop(data []byte, at Path) ([]byte, error) {
	root, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	holder, i, err := member(data, root, at.Key)
	if err != nil {
		return nil, err
	}
	container := holder.value
	if container.Kind != yaml.MappingNode {
		return nil, failNode(data, container, "%q is an alias: %w", at.Key, ErrByHand)
	}
	entry, j, err := member(data, container, at.Name)
	if err != nil {
		return nil, err
	}
	alone := len(container.Content) == 2
	switch {
	case isFlow(container) && alone && isFlow(root) && afterBrace(data, container) == ' ':
		return leave(data, root, i)
	case isFlow(container):
		return leave(data, container, j)
	case alone:
		return cutLines(data, holder)
	}
	return cutLines(data, entry)
}

// cutLines takes out a pair of a mapping in lines.
func cutLines(data []byte, p pair) ([]byte, error) {
	key := offset(data, p.key)
	s := splice{at: lineStart(data, key), end: blockEnd(data, p)}
	if len(bytes.TrimLeft(data[s.at:key], " ")) > 0 {
		return nil, failAt(data, key, "%q does not begin its line: %w", p.key.Value, ErrByHand)
	}
	if s.end == len(data) && data[s.end-1] != '\n' {
		s.at = beforeNewline(data, s.at)
	}
	return apply(data, s), nil
}

// blockEnd is the offset after the last line of a pair: the lines below that are indented deeper, up
// to the last one that is neither empty nor a comment. A sequence may begin at the key's own column.
func blockEnd(data []byte, p pair) int {
	column := p.key.Column - 1
	end := lineEnd(data, offset(data, p.key))
	for at := end; at < len(data); {
		next := lineEnd(data, at)
		line := bytes.TrimRight(data[at:next], " \r\n")
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		item := p.value.Kind == yaml.SequenceNode && indent == column && bytes.HasPrefix(append(bytes.Clone(text), ' '), []byte("- "))
		switch {
		case len(text) == 0 || text[0] == '#':
		case indent > column || item:
			end = next
		default:
			return end
		}
		at = next
	}
	return end
}

// block writes an entry as lines.
func block(name string, entry Value, indent, nl string) string {
	text := indent + plain(name) + ":" + nl
	for _, m := range entry.Members {
		text += fmt.Sprintf("%s  %s: %s%s", indent, plain(m.Name), flow(m.Value, ": ", ", "), nl)
	}
	return text
}

// plain is a key without quotation marks, where no reader of any version takes it for anything else.
func plain(key string) string {
	word := len(key) > 0 && !strings.ContainsRune("0123456789-", rune(key[0]))
	for _, c := range []byte(key) {
		word = word && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-')
	}
	if !word || slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(key)) {
		return quote(key)
	}
	return key
}
