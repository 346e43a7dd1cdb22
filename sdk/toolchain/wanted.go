package toolchain

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// foundWords says in an author's words what a strict reader found.
var foundWords = map[string]string{
	"string": "a text", "number": "a number", "boolean": "true or false", "object": "a table", "array": "a list",
}

// mismatch says what belongs at a path of servlet.toml, where a reader found a value of another kind;
// "" when it cannot tell.
func mismatch(at []string, found string) string {
	want := wanted(reflect.TypeFor[declaration](), at)
	if want == "" || len(at) == 0 {
		return ""
	}
	var path strings.Builder
	for i, step := range at {
		if _, err := strconv.Atoi(step); err == nil {
			fmt.Fprintf(&path, "[%s]", step)
			continue
		}
		if i > 0 {
			path.WriteByte('.')
		}
		path.WriteString(capabilities.Printable(step, 64))
	}
	text := path.String() + ": want " + want
	if word := foundWords[found]; word != "" && !strings.HasSuffix(want, strings.TrimPrefix(word, "a ")) {
		text += ", not " + word
	}
	return text
}

// wanted names the kind of value that t, or what a path leads to inside it, is written as.
func wanted(t reflect.Type, at []string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if len(at) > 0 {
		switch t.Kind() {
		case reflect.Struct:
			for field := range t.Fields() {
				if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name == at[0] {
					return wanted(field.Type, at[1:])
				}
			}
		case reflect.Map, reflect.Slice:
			return wanted(t.Elem(), at[1:])
		}
		return ""
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "a list of tables, as in [[name]]"
		}
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return ""
}
