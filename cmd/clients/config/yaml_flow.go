package config

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"github.com/writ-run/writ/capabilities/strictjson"
)

// flowEnd is the offset after the value in braces, brackets or quotation marks that begins at i.
func flowEnd(data []byte, i int) int {
	depth := 0
	for ; i < len(data); i++ {
		switch data[i] {
		case '"':
			i = strictjson.StringEnd(data, i) - 1
		case '\'':
			// Two of them in a row are one within the text: it reads as two texts here, which end alike.
			n := bytes.IndexByte(data[i+1:], '\'')
			if n < 0 {
				return len(data)
			}
			i += n + 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(data)
}

// afterBrace is the byte after the brace that a mapping begins with.
func afterBrace(data []byte, m *yaml.Node) byte {
	if at := offset(data, m); at+1 < len(data) && data[at] == '{' {
		return data[at+1]
	}
	return 0
}

// leave takes a member, whose value is in braces, out of a mapping in braces, with one comma.
func leave(data []byte, m *yaml.Node, i int) ([]byte, error) {
	value := offset(data, m.Content[i+1])
	if data[value] != '{' {
		return nil, failAt(data, value, "this is not written in braces: %w", ErrByHand)
	}
	s := splice{at: offset(data, m.Content[i]), end: flowEnd(data, value)}
	rest := bytes.TrimLeft(data[s.end:], " \t\r\n")
	head := bytes.TrimRight(data[:s.at], " \t\r\n")
	switch {
	case bytes.HasPrefix(rest, []byte(",")):
		s.end = len(data) - len(rest) + 1
		if s.end < len(data) && data[s.end] == ' ' {
			s.end++
		}
	case bytes.HasSuffix(head, []byte(",")):
		s.at = len(head) - 1
	}
	return apply(data, s), nil
}
