package servlet

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// encode is json.Marshal without the escapes for HTML, which cost the model tokens.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// encoded is JSON that encode made.
type encoded []byte

// structured encodes what a program reads.
func structured(v any) (encoded, error) {
	raw, ok := v.(encoded)
	if !ok {
		var err error
		if raw, err = encode(v); err != nil {
			return nil, err
		}
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("structured content must be an object (a struct or a map), not %.20s", raw)
	}
	return raw, nil
}

// appendResult appends a result as MCP's CallToolResult. Results are written by hand, not by reflection:
// that is most of what a small answer costs.
func appendResult(b []byte, r Result) (_ []byte, err error) {
	var raw encoded
	if r.Structured != nil {
		if raw, err = structured(r.Structured); err != nil {
			return nil, err
		}
		if len(r.Content) == 0 {
			r.Content = []Content{TextBlock(string(raw))}
		}
	}
	b = append(b, `{"content":[`...)
	for i, c := range r.Content {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendContent(b, c); err != nil {
			return nil, err
		}
	}
	b = append(b, ']')
	if raw != nil {
		b = append(append(b, `,"structuredContent":`...), raw...)
	}
	if r.IsError {
		b = append(b, `,"isError":true`...)
	}
	if len(r.Meta) > 0 {
		meta, err := encode(r.Meta)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"_meta":`...), meta...)
	}
	return append(b, '}'), nil
}

// appendText appends the result of one text.
func appendText(b []byte, text string) []byte {
	b = slices.Grow(b, len(text)+64)
	b = appendMember(append(b, `{"content":[{`...), "text", text)
	return append(b, `"type":"text"}]}`...)
}

// appendContent appends the members that MCP requires for the block's type even when they are empty.
func appendContent(b []byte, c Content) (_ []byte, err error) {
	b = append(b, '{')
	switch c.Type {
	case "text":
		b = appendMember(b, "text", c.Text)
	case "image", "audio":
		b = appendBytes(b, "data", c.Data)
		b = appendMember(b, "mimeType", c.MIMEType)
	case "resource_link":
		b = appendGiven(b, "description", c.Description)
		b = appendGiven(b, "mimeType", c.MIMEType)
		b = appendMember(b, "name", c.Name)
		b = appendGiven(b, "title", c.Title)
		b = appendMember(b, "uri", c.URI)
	case "resource":
		if c.Resource == nil {
			return nil, fmt.Errorf("content of type resource without a resource")
		}
		b = append(appendResource(append(b, `"resource":`...), *c.Resource), ',')
	default:
		return nil, fmt.Errorf("content of unknown type %q", c.Type)
	}
	return append(appendString(append(b, `"type":`...), c.Type), '}'), nil
}

// appendResource appends a text resource with its text even when that is empty.
func appendResource(b []byte, r Resource) []byte {
	b = append(b, '{')
	if r.Blob != nil {
		b = appendBytes(b, "blob", r.Blob)
	} else {
		b = appendMember(b, "text", r.Text)
	}
	b = appendGiven(b, "mimeType", r.MIMEType)
	return append(appendString(append(b, `"uri":`...), r.URI), '}')
}

// appendMember appends a member, with the comma after it.
func appendMember(b []byte, name, value string) []byte {
	b = append(append(append(b, '"'), name...), `":`...)
	return append(appendString(b, value), ',')
}

// appendGiven appends a member that is not empty.
func appendGiven(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

func appendBytes(b []byte, name string, value []byte) []byte {
	b = append(append(append(b, '"'), name...), `":"`...)
	return append(base64.StdEncoding.AppendEncode(b, value), `",`...)
}

// appendString appends a JSON string as encode writes it.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0 // of what is not yet appended
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, n := rune(c), 1
		if c >= utf8.RuneSelf {
			if r, n = utf8.DecodeRuneInString(s[i:]); n > 1 && r != lineEnd && r != paragraphEnd {
				i += n
				continue
			}
		}
		b = appendEscape(append(b, s[from:i]...), r)
		i += n
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// Ends of lines in JavaScript, which takes them for the end of a string.
const (
	lineEnd      = '\u2028'
	paragraphEnd = '\u2029'
)

func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\b':
		return append(b, `\b`...)
	case '\f':
		return append(b, `\f`...)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', digits[r>>12], digits[r>>8&0xf], digits[r>>4&0xf], digits[r&0xf])
}
