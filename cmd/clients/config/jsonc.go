package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// jsoncEditor reads and edits JSON with comments and trailing commas.
type jsoncEditor struct{}

var _ editor = jsoncEditor{}

// document is a parsed file: values know their offsets in data.
type document struct {
	data []byte
	root hujson.Value
	nl   string
}

func parseJSON(data []byte) (document, error) {
	if at := tooDeep(data); at >= 0 {
		return document{}, failAt(data, at, "more than %d brackets within each other", maxDepth)
	}
	text := data
	if !bytes.HasSuffix(text, []byte("\n")) {
		// The parser wants a newline after a line comment, also at the end of the file.
		text = append(bytes.Clone(text), '\n')
	}
	root, err := hujson.Parse(text)
	if err != nil {
		return document{}, brokenJSON(data, err)
	}
	return document{data, root, newline(data)}, nil
}

// brokenJSON is the parser's error without the values that it quotes.
func brokenJSON(data []byte, err error) error {
	var line, column int
	text := strings.TrimPrefix(err.Error(), "hujson: ")
	if n, _ := fmt.Sscanf(text, "line %d, column %d:", &line, &column); n != 2 {
		line, column = 1, 1
	}
	why := "this is no JSON"
	_, reason, _ := strings.Cut(text, ": ")
	switch {
	case strings.Contains(reason, "unexpected EOF"):
		why = "it ends in the middle of a value or a comment"
	case strings.HasPrefix(reason, "invalid character "):
		why = reason
	}
	at := 0
	for range line - 1 {
		at = lineEnd(data, at)
	}
	return failAt(data, at+column-1, "%s", why)
}

// tooDeep finds the bracket that opens one level too many, or -1. Text and comments do not count.
func tooDeep(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = strictjson.StringEnd(data, i) - 1
		case '/':
			if end := commentEnd(data, i); end > i {
				i = end - 1
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return i
			}
		case '}', ']':
			depth--
		}
	}
	return -1
}

// commentEnd is the offset after the comment that begins at i, or i when none does. The newline of a
// line comment is not part of it.
func commentEnd(data []byte, i int) int {
	rest := data[i:]
	switch {
	case bytes.HasPrefix(rest, []byte("//")):
		if n := bytes.IndexByte(rest, '\n'); n >= 0 {
			return i + n
		}
		return len(data)
	case bytes.HasPrefix(rest, []byte("/*")):
		if n := bytes.Index(rest[2:], []byte("*/")); n >= 0 {
			return i + n + 4
		}
		return len(data)
	}
	return i
}

func (jsoncEditor) read(data []byte) (Value, error) {
	if blank(data) {
		return Value{Kind: Table}, nil
	}
	d, err := parseJSON(data)
	if err != nil {
		return Value{}, err
	}
	root := fromJSON(d.root)
	if root.Kind != Table {
		return Value{}, failAt(data, d.root.StartOffset, "the file holds no object")
	}
	return root, nil
}

func fromJSON(v hujson.Value) Value {
	switch v := v.Value.(type) {
	case *hujson.Object:
		out := Value{Kind: Table}
		for _, m := range v.Members {
			out.Members = append(out.Members, Member{nameOf(m), fromJSON(m.Value)})
		}
		return out
	case *hujson.Array:
		out := Value{Kind: List}
		for _, e := range v.Elements {
			out.Items = append(out.Items, fromJSON(e))
		}
		return out
	case hujson.Literal:
		if v.Kind() == '"' {
			return Value{Kind: String, Text: v.String()}
		}
		return Value{Text: string(v)}
	}
	panic("BUG: a JSON value of no kind")
}

func nameOf(m hujson.ObjectMember) string {
	name, _ := m.Name.Value.(hujson.Literal)
	return name.String()
}
