package config

import (
	"slices"
	"strconv"
	"strings"
)

// Kind sorts values.
type Kind int

// The kinds of values. Other is a number, a truth value, a date or nothing.
const (
	Other Kind = iota
	String
	List
	Table
)

// Value is a value of a file.
type Value struct {
	Kind    Kind
	Text    string   // of a String; for Other as it is written
	Items   []Value  // of a List
	Members []Member // of a Table, in the order of the file
}

// Member is a named value of a table.
type Member struct {
	Name  string
	Value Value
}

// Get returns a member of a table, the last one when there are several; nil when there is none or v
// is no table.
func (v *Value) Get(name string) *Value {
	if v == nil || v.Kind != Table {
		return nil
	}
	for i := len(v.Members) - 1; i >= 0; i-- {
		if v.Members[i].Name == name {
			return &v.Members[i].Value
		}
	}
	return nil
}

// Str is the text of a string, "" for everything else.
func (v *Value) Str() string {
	if v == nil || v.Kind != String {
		return ""
	}
	return v.Text
}

// Strings are the strings of a list.
func (v *Value) Strings() []string {
	if v == nil || v.Kind != List {
		return nil
	}
	var out []string
	for _, item := range v.Items {
		if item.Kind == String {
			out = append(out, item.Text)
		}
	}
	return out
}

// valueOf is the Value of what a Field can hold.
func valueOf(x any) Value {
	switch x := x.(type) {
	case string:
		return Value{Kind: String, Text: x}
	case bool:
		return Value{Text: strconv.FormatBool(x)}
	case int:
		return Value{Text: strconv.Itoa(x)}
	case []string:
		v := Value{Kind: List}
		for _, s := range x {
			v.Items = append(v.Items, valueOf(s))
		}
		return v
	case map[string]string:
		v := Value{Kind: Table}
		for _, k := range sortedKeys(x) {
			v.Members = append(v.Members, Member{k, valueOf(x[k])})
		}
		return v
	}
	panic("BUG: a field of a kind that no entry has")
}

// merged is the entry that before becomes with the fields; nil before is no entry.
func merged(before *Value, fields []Field) *Value {
	out := Value{Kind: Table}
	if before != nil {
		out.Members = slices.Clone(before.Members)
	}
	for _, f := range fields {
		i := slices.IndexFunc(out.Members, func(m Member) bool { return m.Name == f.Name })
		switch {
		case f.Value == nil && i >= 0:
			out.Members = slices.Delete(out.Members, i, i+1)
		case f.Value == nil, before != nil && f.Once:
		case i >= 0:
			out.Members[i].Value = valueOf(f.Value)
		default:
			out.Members = append(out.Members, Member{f.Name, valueOf(f.Value)})
		}
	}
	return &out
}

// with is root with the entry at a place replaced, or taken out when entry is nil.
func with(root Value, at Path, entry *Value) Value {
	set := func(table *Value, name string, v *Value) Value {
		out := Value{Kind: Table}
		if table != nil {
			out.Members = slices.DeleteFunc(slices.Clone(table.Members), func(m Member) bool { return m.Name == name })
		}
		if v != nil {
			out.Members = append(out.Members, Member{name, *v})
		}
		return out
	}
	container := set(root.Get(at.Key), at.Name, entry)
	return set(&root, at.Key, &container)
}

// equal compares values; the order of members and tables without members do not count.
func equal(a, b Value) bool {
	if a.Kind != b.Kind || a.Text != b.Text || len(a.Items) != len(b.Items) {
		return false
	}
	for i := range a.Items {
		if !equal(a.Items[i], b.Items[i]) {
			return false
		}
	}
	x, y := solid(a), solid(b)
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i].Name != y[i].Name || !equal(x[i].Value, y[i].Value) {
			return false
		}
	}
	return true
}

// solid are the members of a table by name, without tables that are empty at the first level: taking
// out the only entry takes its table along.
func solid(v Value) []Member {
	out := slices.DeleteFunc(slices.Clone(v.Members), func(m Member) bool {
		return m.Value.Kind == Table && len(m.Value.Members) == 0
	})
	slices.SortStableFunc(out, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Is says that a value that is no string is written as text.
func (v *Value) Is(text string) bool { return v != nil && v.Kind == Other && v.Text == text }
