package config

import "strings"

// layout is the manner of the text around an entry.
type layout struct {
	nl, indent, unit string
	multi            bool // members are on lines of their own
	spaced           bool // there is a space after a colon
}

func (l layout) colon() string {
	if l.spaced || l.multi {
		return ": "
	}
	return ":"
}

func (l layout) comma() string {
	if l.spaced || l.multi {
		return ", "
	}
	return ","
}

func (l layout) deeper() layout {
	l.indent += l.unit
	return l
}

// object is an object with one member, on lines of its own.
func (l layout) object(name, value string) string {
	return "{" + l.nl + l.indent + l.unit + quote(name) + ": " + value + l.nl + l.indent + "}"
}

// table writes a table in the manner of l, its members each on one line.
func (l layout) table(v Value) string {
	if !l.multi {
		return flow(v, l.colon(), l.comma())
	}
	var lines []string
	for _, m := range v.Members {
		lines = append(lines, l.indent+l.unit+quote(m.Name)+": "+flow(m.Value, ": ", ", "))
	}
	return "{" + l.nl + strings.Join(lines, ","+l.nl) + l.nl + l.indent + "}"
}
