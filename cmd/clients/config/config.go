// Package config puts one entry into a configuration file of somebody else, changes it and takes it
// out again, in JSON with comments, TOML and YAML.
//
// An edit is a splice: the bytes of the entry are put in, changed or cut out, and every other byte
// stays as it is, comments, order, indentation and line ends included. Taking out what Put put in
// gives back the bytes from before. Every result is read again before it is returned: when anything
// but the entry reads differently, the edit is refused with ErrByHand.
//
// Nothing here opens a file; see the room above.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrByHand is an entry that cannot be edited without touching anything else, or that is written in
// a way that only a person should change. The text around it says where.
var ErrByHand = errors.New("edit it by hand")

// SyntaxError is a file that is not in its language, or that keeps something else where entries go.
// Err never quotes a value of the file: it may be a password.
type SyntaxError struct {
	Line, Column int // from 1; columns count characters
	Err          error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// Syntax is a language of configuration files.
type Syntax int

// The languages. The zero value reads nothing.
const (
	JSONC Syntax = iota + 1 // JSON; comments and trailing commas are allowed
	TOML
	YAML
)

// Path is the place of an entry: the member Name of the table Key at the root of the file.
type Path struct{ Key, Name string }

// Field is one member of an entry.
type Field struct {
	Name string
	// Value is a string, []string, map[string]string, bool or int; nil takes the member out of an
	// entry that has it.
	Value any
	// Once fields are written with a new entry only: whoever changed one later meant it.
	Once bool
}

// limits bound what is parsed: the parsers recurse, and a stack that overflows ends the process.
const (
	maxJSON  = 64 << 20 // bytes; Claude Code keeps whole histories in its file
	maxOther = 1 << 20  // bytes of TOML or YAML
	maxDepth = 1000     // nested brackets in JSON
)

// MaxSize is the size above which no file of the language is read, bytes.
func (s Syntax) MaxSize() int64 {
	if s == JSONC {
		return maxJSON
	}
	return maxOther
}

// editor is one language.
type editor interface {
	read(data []byte) (Value, error)
	// put and drop change nothing but the entry; the entry that put is given is there or not, the
	// one that drop is given is there.
	put(data []byte, at Path, fields []Field) ([]byte, error)
	drop(data []byte, at Path) ([]byte, error)
}

func (s Syntax) editor() editor {
	return map[Syntax]editor{JSONC: jsoncEditor{}, TOML: tomlEditor{}, YAML: yamlEditor{}}[s]
}

// Read returns what a file says. A file without content is an empty table.
func (s Syntax) Read(data []byte) (Value, error) {
	_, text, err := s.open(data)
	if err != nil {
		return Value{}, err
	}
	return s.editor().read(text)
}

// Put returns data with the entry at a place holding the fields. Members of an entry that the fields
// do not name stay.
func (s Syntax) Put(data []byte, at Path, fields []Field) ([]byte, error) {
	return s.edit(data, at, func(before *Value) *Value { return merged(before, fields) }, func(text []byte) ([]byte, error) {
		return s.editor().put(text, at, fields)
	})
}

// Drop returns data without the entry at a place; data itself when there is none.
func (s Syntax) Drop(data []byte, at Path) ([]byte, error) {
	root, err := s.Read(data)
	if err != nil {
		return nil, err
	}
	if root.Get(at.Key).Get(at.Name) == nil {
		return data, nil
	}
	return s.edit(data, at, func(*Value) *Value { return nil }, func(text []byte) ([]byte, error) {
		return s.editor().drop(text, at)
	})
}

// edit runs change, and lets its result pass only if it reads as the file from before with the one
// entry made what want says (nil: gone).
func (s Syntax) edit(data []byte, at Path, want func(before *Value) *Value, change func([]byte) ([]byte, error)) ([]byte, error) {
	mark, text, err := s.open(data)
	if err != nil {
		return nil, err
	}
	before, err := s.editor().read(text)
	if err != nil {
		return nil, err
	}
	after, err := change(slices.Clone(text))
	if err != nil {
		return nil, err
	}
	result, err := s.editor().read(after)
	if err != nil || !equal(result, with(before, at, want(before.Get(at.Key).Get(at.Name)))) {
		return nil, fmt.Errorf("%q of %q cannot be changed without changing something else: %w", at.Name, at.Key, ErrByHand)
	}
	return append(slices.Clone(mark), after...), nil
}

// open splits off a byte order mark and refuses what no parser should see.
func (s Syntax) open(data []byte) (mark, text []byte, err error) {
	switch {
	case s.editor() == nil:
		return nil, nil, errors.New("BUG: a syntax of its own")
	case int64(len(data)) > s.MaxSize():
		return nil, nil, &SyntaxError{1, 1, fmt.Errorf("it has %d bytes, and at most %d are read", len(data), s.MaxSize())}
	case bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")):
		return nil, nil, &SyntaxError{1, 1, errors.New("it is UTF-16: save it as UTF-8")}
	}
	if text, found := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); found {
		return data[:3], text, nil
	}
	return nil, data, nil
}

// blank says that a file has no content.
func blank(data []byte) bool { return len(strings.Trim(string(data), " \t\r\n")) == 0 }
