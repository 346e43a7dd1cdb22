package config

import (
	"bytes"
	"fmt"
	"slices"
)

// A new entry goes to the end of the file, where a table may always begin, after one empty line; a
// file whose last line has no newline keeps it so. The way back takes the lines of the entry, and
// one empty line before them.

func (t tomlEditor) put(data []byte, at Path, fields []Field) ([]byte, error) {
	root, err := t.read(data)
	if err != nil {
		return nil, err
	}
	all, err := expressions(data)
	if err != nil {
		return nil, err
	}
	if root.Get(at.Key).Get(at.Name) != nil {
		return t.update(data, at, fields)
	}
	// A key that ends in a value takes no further tables.
	for _, e := range all {
		if !e.header && len(e.key) == 1 && e.key[0] == at.Key {
			return nil, failAt(data, e.at, "%q is written on one line: add [%s.%s] below a table [%s] of its own: %w", at.Key, at.Key, at.Name, at.Key, ErrByHand)
		}
	}
	nl := newline(data)
	text := "[" + bare(at.Key) + "." + bare(at.Name) + "]"
	for _, m := range merged(nil, fields).Members {
		text += nl + bare(m.Name) + " = " + tomlValue(m.Value)
	}
	switch {
	case len(data) == 0:
		text += nl
	case data[len(data)-1] == '\n':
		text = nl + text + nl
	default:
		text = nl + nl + text
	}
	return append(data, text...), nil
}

// update changes the fields of the table [KEY.NAME] one after the other.
func (t tomlEditor) update(data []byte, at Path, fields []Field) ([]byte, error) {
	for _, f := range fields {
		all, err := expressions(data)
		if err != nil {
			return nil, err
		}
		header := slices.IndexFunc(all, func(e expression) bool {
			return e.header && slices.Equal(e.key, []string{at.Key, at.Name})
		})
		if header < 0 {
			i := max(0, slices.IndexFunc(all, func(e expression) bool { return e.below(at) }))
			return nil, failAt(data, all[i].at, "%q is not a table of its own: %w", at.Name, ErrByHand)
		}
		root, err := t.read(data)
		if err != nil {
			return nil, err
		}
		now := root.Get(at.Key).Get(at.Name).Get(f.Name)
		switch {
		case f.Value == nil && now != nil:
			data = cut(data, all, func(e expression) bool { return e.below(at) && len(e.key) > 2 && e.key[2] == f.Name })
		case f.Value == nil || f.Once || now != nil && equal(*now, valueOf(f.Value)):
		case now == nil:
			line := bare(f.Name) + " = " + tomlValue(valueOf(f.Value))
			last := header
			for last+1 < len(all) && !all[last+1].header {
				last++
			}
			end := all[last].end
			if data[end-1] == '\n' {
				line += newline(data)
			} else {
				line = newline(data) + line
			}
			data = apply(data, splice{end, end, line})
		default:
			i := slices.IndexFunc(all, func(e expression) bool {
				return !e.header && slices.Equal(e.key, []string{at.Key, at.Name, f.Name})
			})
			if i < 0 {
				return nil, failAt(data, all[header].at, "%q has %q as a table: %w", at.Name, f.Name, ErrByHand)
			}
			data = apply(data, splice{all[i].value, all[i].stop, tomlValue(valueOf(f.Value))})
		}
	}
	return data, nil
}

func (tomlEditor) drop(data []byte, at Path) ([]byte, error) {
	all, err := expressions(data)
	if err != nil {
		return nil, err
	}
	return cut(data, all, func(e expression) bool { return e.below(at) }), nil
}

// cut takes out runs of lines with the comments between them, and one empty line before each run
// that begins a table.
func cut(data []byte, all []expression, gone func(expression) bool) []byte {
	var splices []splice
	for i := 0; i < len(all); i++ {
		if !gone(all[i]) {
			continue
		}
		first := all[i]
		for i+1 < len(all) && gone(all[i+1]) {
			i++
		}
		s := splice{at: first.at, end: all[i].end}
		if before := beforeNewline(data, s.at); first.header && before < s.at && lineStart(data, before) == before {
			s.at = before
		}
		if s.end == len(data) && data[s.end-1] != '\n' {
			s.at = beforeNewline(data, s.at)
		}
		splices = append(splices, s)
	}
	return apply(data, splices...)
}

// beforeNewline is the offset before the newline that ends at at, or at when none does.
func beforeNewline(data []byte, at int) int {
	head := bytes.TrimSuffix(data[:at], []byte("\n"))
	if len(head) < at {
		head = bytes.TrimSuffix(head, []byte("\r"))
	}
	return len(head)
}

// bare is a key without quotation marks where TOML allows it.
func bare(key string) string {
	for _, c := range []byte(key) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-') {
			return quote(key)
		}
	}
	if key == "" {
		return quote(key)
	}
	return key
}

// tomlValue writes a value on one line.
func tomlValue(v Value) string {
	if v.Kind != Table {
		return flow(v, ": ", ", ")
	}
	text := ""
	for i, m := range v.Members {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %s = %s", bare(m.Name), tomlValue(m.Value))
	}
	return "{" + text + " }"
}
