package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/tailscale/hujson"
)

// How an entry goes in, so that the way back is read off the text alone:
//
//	{ "a": 1 }       after the last member, in its manner: own line or same line, trailing comma or none
//	{}               right after the brace, with no space between: the object was there before
//	no such object   as a new object, with white space after its brace: it goes when its entry goes
//	an empty file    as a whole new file, with white space after the first brace: it goes as well

// object is an object with the places of its members.
type object struct {
	start, end int // of the braces: '{' is at start, '}' at end-1
	members    []place
}

// place is a member: its name begins at nameAt, its value at at, and sep is the offset of the comma
// after it, or -1.
type place struct {
	name                 string
	nameAt, at, end, sep int
	value                hujson.Value
}

// object returns the places of v, which must be an object.
func (d document) object(v hujson.Value, what string) (object, error) {
	o, ok := v.Value.(*hujson.Object)
	if !ok {
		return object{}, failAt(d.data, v.StartOffset, "%s is no object", what)
	}
	out := object{start: v.StartOffset, end: v.EndOffset}
	for _, m := range o.Members {
		p := place{nameOf(m), m.Name.StartOffset, m.Value.StartOffset, m.Value.EndOffset, -1, m.Value}
		if at := d.skip(p.end); d.data[at] == ',' {
			p.sep = at
		}
		out.members = append(out.members, p)
	}
	return out, nil
}

// find returns the index of the member of a name, or -1. Two of a name are refused: which of them
// counts is decided by each reader on its own.
func (d document) find(o object, name string) (int, error) {
	found := -1
	for i, m := range o.members {
		if m.name != name {
			continue
		}
		if found >= 0 {
			return -1, failAt(d.data, m.nameAt, "%q is there twice", name)
		}
		found = i
	}
	return found, nil
}

// skip is the offset of what follows i after white space and comments.
func (d document) skip(i int) int {
	for i < len(d.data) {
		switch end := commentEnd(d.data, i); {
		case strings.IndexByte(" \t\r\n", d.data[i]) >= 0:
			i++
		case end > i:
			i = end
		default:
			return i
		}
	}
	return i
}

// solidEnd is the offset after the last byte from from to to that is no white space.
func (d document) solidEnd(from, to int) int {
	return from + len(bytes.TrimRight(d.data[from:to], " \t\r\n"))
}

// inLineComment says that the white space and comments from from to to end in a line comment.
func (d document) inLineComment(from, to int) bool {
	for i := from; i < to; i++ {
		if end := commentEnd(d.data, i); end > i {
			if end >= to && d.data[i+1] == '/' {
				return true
			}
			i = end - 1
		}
	}
	return false
}

func (jsoncEditor) put(data []byte, at Path, fields []Field) ([]byte, error) {
	entry := *merged(nil, fields)
	if blank(data) {
		// A file that holds nothing but white space keeps it, before the new text.
		l := layout{nl: newline(data), unit: "  ", multi: true}
		text := l.object(at.Key, l.deeper().object(at.Name, l.deeper().deeper().table(entry)))
		if len(data) == 0 {
			text += "\n"
		}
		return append(data, text...), nil
	}
	d, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	root, err := d.object(d.root, "the file")
	if err != nil {
		return nil, err
	}
	i, err := d.find(root, at.Key)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return d.insert(root, at.Key, func(l layout) string {
			if !l.multi {
				return "{ " + quote(at.Name) + l.colon() + flow(entry, l.colon(), l.comma()) + " }"
			}
			return l.object(at.Name, l.deeper().table(entry))
		}), nil
	}
	container, err := d.object(root.members[i].value, fmt.Sprintf("%q", at.Key))
	if err != nil {
		return nil, err
	}
	j, err := d.find(container, at.Name)
	switch {
	case err != nil:
		return nil, err
	case j < 0 && len(container.members) == 0:
		return apply(data, splice{container.start + 1, container.start + 1, quote(at.Name) + ": " + flow(entry, ": ", ", ")}), nil
	case j < 0:
		return d.insert(container, at.Name, func(l layout) string { return l.table(entry) }), nil
	}
	return d.update(at, fields)
}

// update changes the members of an entry one after the other.
func (d document) update(at Path, fields []Field) ([]byte, error) {
	for _, f := range fields {
		root, err := d.object(d.root, "the file")
		if err != nil {
			return nil, err
		}
		i, _ := d.find(root, at.Key)
		container, err := d.object(root.members[i].value, at.Key)
		if err != nil {
			return nil, err
		}
		j, _ := d.find(container, at.Name)
		entry, err := d.object(container.members[j].value, fmt.Sprintf("%q", at.Name))
		if err != nil {
			return nil, err
		}
		k, err := d.find(entry, f.Name)
		if err != nil {
			return nil, err
		}
		var data []byte
		switch {
		case k >= 0 && f.Value == nil:
			data = d.remove(entry, k)
		case f.Value == nil || f.Once || k >= 0 && equal(fromJSON(entry.members[k].value), valueOf(f.Value)):
			continue
		case k >= 0:
			m := entry.members[k]
			data = apply(d.data, splice{m.at, m.end, flow(valueOf(f.Value), ": ", ", ")})
		default:
			data = d.insert(entry, f.Name, func(l layout) string { return flow(valueOf(f.Value), l.colon(), l.comma()) })
		}
		if d, err = parseJSON(data); err != nil {
			return nil, err
		}
	}
	return d.data, nil
}

// insert puts a member at the end of an object, in the manner of the last one.
func (d document) insert(o object, name string, text func(layout) string) []byte {
	if len(o.members) == 0 {
		l := layout{nl: d.nl, indent: indentOf(d.data, o.start), unit: d.unit(), multi: true, spaced: true}
		return apply(d.data, splice{o.start + 1, o.start + 1, quote(name) + ": " + text(l)})
	}
	last := o.members[len(o.members)-1]
	indent, own := string(d.data[lineStart(d.data, last.nameAt):last.nameAt]), false
	if strings.Trim(indent, " \t") == "" && lineStart(d.data, last.nameAt) > o.start {
		own = true
	} else {
		indent = indentOf(d.data, o.start) + d.unit()
	}
	l := layout{nl: d.nl, indent: indent, unit: d.unit(), multi: own, spaced: d.data[last.at-1] != ':'}
	from := last.end
	if last.sep >= 0 {
		from = last.sep + 1
	}
	at := d.solidEnd(from, o.end-1)
	between := ""
	switch {
	case own || d.inLineComment(from, at):
		between = d.nl + indent
	case l.spaced:
		between = " "
	}
	member := between + quote(name) + l.colon() + text(l)
	if last.sep >= 0 {
		return apply(d.data, splice{at, at, member + ","})
	}
	return apply(d.data, splice{last.end, last.end, ","}, splice{at, at, member})
}

// unit is one step of indentation: that of the file's first member on a line of its own.
func (d document) unit() string {
	root, err := d.object(d.root, "")
	if err == nil && len(root.members) > 0 {
		at := root.members[0].nameAt
		step := string(d.data[lineStart(d.data, at):at])
		if step != "" && strings.Trim(step, " \t") == "" && len(step) <= 8 {
			return step
		}
	}
	return "  "
}

func (jsoncEditor) drop(data []byte, at Path) ([]byte, error) {
	d, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	root, err := d.object(d.root, "the file")
	if err != nil {
		return nil, err
	}
	i, err := d.find(root, at.Key)
	if err != nil {
		return nil, err
	}
	container, err := d.object(root.members[i].value, fmt.Sprintf("%q", at.Key))
	if err != nil {
		return nil, err
	}
	j, err := d.find(container, at.Name)
	switch {
	case err != nil:
		return nil, err
	case !d.made(container):
		return d.remove(container, j), nil
	case !d.made(root):
		return d.remove(root, i), nil
	}
	before, after := d.data[:root.start], d.data[root.end:]
	switch {
	case !blank(before) || !blank(after): // comments stay, and what they are about
		return d.remove(root, i), nil
	case len(before) == 0 && string(after) == "\n":
		return nil, nil
	}
	return append(bytes.Clone(before), after...), nil
}

// made says that an object was put in with its only member: there is white space after its brace,
// and nothing else in it, comments included.
func (d document) made(o object) bool {
	if len(o.members) != 1 || strings.IndexByte(" \t\r\n", d.data[o.start+1]) < 0 {
		return false
	}
	m := o.members[0]
	rest := string(d.data[o.start+1:m.nameAt]) + string(d.data[m.end:o.end-1])
	return strings.Trim(rest, " \t\r\n,") == ""
}

// remove cuts a member out, with one comma and the white space before it.
func (d document) remove(o object, i int) []byte {
	m, from := o.members[i], o.start+1
	if i > 0 {
		from = o.members[i-1].end
	}
	cut := splice{at: d.solidEnd(from, m.nameAt), end: m.end}
	rest := d.data[m.end:]
	if m.sep >= 0 && blank(d.data[m.end:m.sep]) {
		rest = d.data[m.sep+1:]
	}
	if d.inLineComment(from, cut.at) && !endsLine(rest) {
		cut.at = lineEnd(d.data, cut.at) // what follows must not become part of the comment
	}
	switch {
	case m.sep >= 0:
		return apply(d.data, cut, splice{m.sep, m.sep + 1, ""})
	case i > 0:
		comma := o.members[i-1].sep
		return apply(d.data, splice{comma, comma + 1, ""}, cut)
	}
	return apply(d.data, cut)
}

// endsLine says that nothing but white space is left on the line that rest begins in.
func endsLine(rest []byte) bool {
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return len(bytes.TrimSpace(line)) == 0
}
