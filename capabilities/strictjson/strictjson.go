// Package strictjson reads and writes JSON in exactly one way: unknown, duplicate and case-folded
// names, trailing bytes, a byte order mark, invalid UTF-8 and lone surrogates are refused, so that
// what one reader shows is what every other reader enforces.
//
// It is the only room that imports a JSON library other than the standard one, whose first version
// accepts all of these (a duplicate name silently wins, "HTTP" is read as "http").
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is the deepest nesting of arrays and objects that Decode and Compact accept.
const MaxDepth = 64

// Decode reads data, which must be one JSON value and nothing else, into v, a pointer. Names match
// fields exactly. Errors are one line and quote nothing of data but a path, escaped and cut; after an
// error v is not to be used.
func Decode(data []byte, v any) error {
	if err := check(data); err != nil {
		return err
	}
	return explain(json.Unmarshal(data, v, json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false)))
}

// Encode writes v deterministically and without insignificant space: struct fields in their order,
// map names sorted, raw values compacted. Characters are not escaped unless JSON demands it. The tag
// omitempty leaves out what would be null, "", [] or {}; numbers and booleans need omitzero.
func Encode(v any) ([]byte, error) {
	out, err := json.Marshal(v, json.Deterministic(true))
	return out, explain(err)
}

// Compact returns data without insignificant space, or an error when data is not one strict JSON
// value. The order of names is kept: it carries meaning to the readers of a tool's schema.
func Compact(data []byte) ([]byte, error) {
	var names [maxQuickNames]span
	q := quick{data: data, copy: true, out: make([]byte, 0, len(data)), names: names[:0]}
	if q.passes() {
		return q.out, nil
	}
	if err := check(data); err != nil {
		return nil, err
	}
	return strip(data), nil
}

// strip copies data, which is strict JSON, without the space between its tokens.
func strip(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); {
		next := i + 1
		switch data[i] {
		case ' ', '\t', '\r', '\n':
			i++
			continue
		case '"':
			next = StringEnd(data, i)
		}
		out = append(out, data[i:next]...)
		i = next
	}
	return out
}

// StringEnd is the index after the string in double quotation marks that begins at i, or the end of data
// when it has none.
func StringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// check walks data: depth first, then syntax, UTF-8 and duplicate names, before anything is allocated
// for it.
func check(data []byte) error {
	// What is right, as nearly everything is, takes a fraction of the walk that finds out what is wrong.
	if shallow(data) && jsontext.Value(data).IsValid() {
		return nil
	}
	return judge(data)
}

// shallow tells whether data, if it is JSON, is nested within the limit.
func shallow(data []byte) bool {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			if depth++; depth > MaxDepth {
				return false
			}
		case ']', '}':
			depth--
		case '"':
			i = StringEnd(data, i) - 1
		}
	}
	return true
}

// judge is check, one token after the other: it says what is wrong and where.
func judge(data []byte) error {
	if len(data) == 0 {
		return errors.New("JSON: empty input")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data)) // a Buffer is read in place, a Reader is copied
	for {
		if _, err := dec.ReadToken(); err != nil {
			return explain(err)
		}
		if dec.StackDepth() > MaxDepth {
			return fmt.Errorf("JSON: nested deeper than %d at offset %d", MaxDepth, dec.InputOffset())
		}
		if dec.StackDepth() == 0 {
			break
		}
	}
	rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n")
	if len(rest) != 0 {
		return fmt.Errorf("JSON: %d bytes after the value at offset %d", len(rest), len(data)-len(rest))
	}
	return nil
}

// explain turns a library error into one line with the place, and never quotes the input: the
// input may be hostile and the line may reach a terminal.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Errorf("JSON: %s at offset %d", reason(syntax.Err), syntax.ByteOffset)
	}
	if errors.Is(err, io.EOF) {
		return errors.New("JSON: no value")
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		at := place(string(semantic.JSONPointer))
		if errors.Is(semantic.Err, json.ErrUnknownName) {
			return fmt.Errorf("JSON: unknown name%s", at)
		}
		if errors.Is(semantic.Err, strconv.ErrRange) {
			return fmt.Errorf("JSON: number out of range%s", at)
		}
		if semantic.JSONKind == 0 {
			return fmt.Errorf("JSON: no form for a value%s", at)
		}
		return fmt.Errorf("JSON: unexpected %s%s", kind(semantic.JSONKind), at)
	}
	return errors.New("JSON: no form for this value")
}

// place quotes a JSON pointer in ASCII; the whole value has none. It is made of names from the input,
// so it is cut.
func place(pointer string) string {
	const most = 120
	switch {
	case pointer == "":
		return ""
	case len(pointer) > most:
		return fmt.Sprintf(" at %+q...", pointer[:most])
	}
	return fmt.Sprintf(" at %+q", pointer)
}

// kind says what stood there in the words of JSON.
func kind(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 'f', 't':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "token"
}

func reason(err error) string {
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "duplicate name"
	case errors.Is(err, jsontext.ErrNonStringName):
		return "a name that is not a string"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "ends too early"
	}
	// The library quotes the offending bytes after its own words: only the words are kept.
	text := strings.TrimPrefix(err.Error(), "jsontext: ")
	if quote := strings.IndexAny(text, "`'\""); quote > 0 {
		text = strings.TrimSpace(text[:quote])
	}
	return text
}
