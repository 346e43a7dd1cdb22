package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// splice puts text in the place of the bytes from at to end.
type splice struct {
	at, end int
	text    string
}

// apply makes the splices, which do not overlap; those at the same place keep their order.
func apply(data []byte, splices ...splice) []byte {
	slices.SortStableFunc(splices, func(a, b splice) int { return cmp.Compare(a.at, b.at) })
	var out []byte
	done := 0
	for _, s := range splices {
		out = append(append(out, data[done:s.at]...), s.text...)
		done = s.end
	}
	return append(out, data[done:]...)
}

// newline is how lines of data end.
func newline(data []byte) string {
	if i := bytes.IndexByte(data, '\n'); i > 0 && data[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// lineStart is the offset of the line that at is in.
func lineStart(data []byte, at int) int { return bytes.LastIndexByte(data[:at], '\n') + 1 }

// lineEnd is the offset after the newline that ends the line of at.
func lineEnd(data []byte, at int) int {
	if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
		return at + i + 1
	}
	return len(data)
}

// indentOf is the white space that the line of at begins with.
func indentOf(data []byte, at int) string {
	line := data[lineStart(data, at):at]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}

// failAt is a SyntaxError at an offset.
func failAt(data []byte, at int, format string, args ...any) error {
	at = min(max(at, 0), len(data))
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	return &SyntaxError{line, 1 + utf8.RuneCount(data[lineStart(data, at):at]), fmt.Errorf(format, args...)}
}

// quote is a string in quotation marks that JSON, TOML and YAML read alike.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("BUG: a string that has no JSON: " + err.Error())
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

// flow writes a value on one line as JSON, which YAML reads too; TOML for all but tables.
func flow(v Value, colon, comma string) string {
	var parts []string
	switch v.Kind {
	case String:
		return quote(v.Text)
	case List:
		for _, item := range v.Items {
			parts = append(parts, flow(item, colon, comma))
		}
		return "[" + strings.Join(parts, comma) + "]"
	case Table:
		for _, m := range v.Members {
			parts = append(parts, quote(m.Name)+colon+flow(m.Value, colon, comma))
		}
		return "{" + strings.Join(parts, comma) + "}"
	}
	return v.Text
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
