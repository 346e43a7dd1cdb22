package servlet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// direction tells arguments from results: what a model must send is not what a servlet must answer.
type direction int

const (
	input direction = iota
	output
)

// schemaOf makes the JSON Schema of an argument or result type. Members keep the order of the fields:
// models read the first ones first.
func schemaOf(t reflect.Type, way direction) (json.RawMessage, error) {
	w := schemaWriter{way: way}
	if err := w.write(t, ""); err != nil {
		return nil, err
	}
	return w.buf.Bytes(), nil
}

type schemaWriter struct {
	way  direction
	buf  bytes.Buffer
	open []reflect.Type // structs around the current one
}

// write writes the schema of t; tag has the limits and the description of the field that holds it.
func (w *schemaWriter) write(t reflect.Type, tag reflect.StructTag) error {
	object := &members{buf: &w.buf}
	object.begin()
	nullable := w.way == output && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map)
	t = deref(t)
	name, limits, err := w.shape(object, t, nullable)
	if err != nil {
		return err
	}
	if err := annotate(object, t, tag, name, limits); err != nil {
		return err
	}
	object.end()
	return nil
}

// bounds name the schema keywords that the tags min and max stand for.
type bounds struct{ min, max string }

// shape writes the keywords that the type itself gives, and returns the JSON type, if there is one,
// and what min and max mean for it.
func (w *schemaWriter) shape(object *members, t reflect.Type, nullable bool) (string, bounds, error) {
	typed := func(name string) {
		if nullable {
			object.add("type", []string{name, "null"})
		} else {
			object.add("type", name)
		}
	}
	switch {
	case t == timeType:
		typed("string")
		object.add("format", "date-time")
		return "string", bounds{}, nil
	case t == numberType:
		typed("number")
		return "number", bounds{"minimum", "maximum"}, nil
	case t == rawType || t == emptyInterface || ownJSON(t):
		return "", bounds{}, nil
	case ownText(t):
		typed("string")
		return "string", bounds{"minLength", "maxLength"}, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		typed("boolean")
		return "boolean", bounds{}, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		typed("integer")
		return "integer", bounds{"minimum", "maximum"}, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		typed("integer")
		return "unsigned", bounds{"minimum", "maximum"}, nil
	case reflect.Float32, reflect.Float64:
		typed("number")
		return "number", bounds{"minimum", "maximum"}, nil
	case reflect.String:
		typed("string")
		return "string", bounds{"minLength", "maxLength"}, nil
	case reflect.Slice, reflect.Array:
		return "array", bounds{"minItems", "maxItems"}, w.list(object, t, typed)
	case reflect.Map:
		return "object", bounds{"minProperties", "maxProperties"}, w.dictionary(object, t, typed)
	case reflect.Struct:
		typed("object")
		return "object", bounds{}, w.members(object, t)
	}
	return "", bounds{}, fmt.Errorf("type %s has no JSON form", t)
}

func (w *schemaWriter) list(object *members, t reflect.Type, typed func(string)) error {
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		typed("string") // as encoding/json does
		object.add("contentEncoding", "base64")
		return nil
	}
	typed("array")
	if t.Kind() == reflect.Array {
		object.add("minItems", t.Len())
		object.add("maxItems", t.Len())
	}
	object.key("items")
	return w.write(t.Elem(), "")
}

func (w *schemaWriter) dictionary(object *members, t reflect.Type, typed func(string)) error {
	if t.Key().Kind() != reflect.String {
		return fmt.Errorf("type %s: only text can be the key of a JSON object", t)
	}
	typed("object")
	object.key("additionalProperties")
	return w.write(t.Elem(), "")
}

// members writes what a struct's fields say.
func (w *schemaWriter) members(object *members, t reflect.Type) error {
	for _, outer := range w.open {
		if outer == t {
			return fmt.Errorf("type %s contains itself: give the tool an InputSchema", t)
		}
	}
	w.open = append(w.open, t)
	defer func() { w.open = w.open[:len(w.open)-1] }()
	fields, err := fieldsOf(t)
	if err != nil {
		return err
	}
	object.key("properties")
	properties := &members{buf: &w.buf}
	properties.begin()
	required := []string{}
	for _, f := range fields {
		properties.key(f.name)
		if err := w.write(f.typ, f.tag); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if w.way == input && !f.optional || w.way == output && !f.omits {
			required = append(required, f.name)
		}
	}
	properties.end()
	if len(required) > 0 {
		object.add("required", required)
	}
	if w.way == input {
		object.add("additionalProperties", false) // a misspelt argument is told to the model, not ignored
	}
	return nil
}

// annotate writes what the tags of a field say.
func annotate(object *members, t reflect.Type, tag reflect.StructTag, name string, limits bounds) error {
	for _, limit := range []struct{ tag, keyword string }{{"min", limits.min}, {"max", limits.max}} {
		text, given := tag.Lookup(limit.tag)
		if !given {
			if limit.tag == "min" && name == "unsigned" {
				object.add("minimum", 0)
			}
			continue
		}
		if _, err := strconv.ParseFloat(text, 64); err != nil || limit.keyword == "" {
			return fmt.Errorf("tag %s:%q does not fit type %s", limit.tag, text, t)
		}
		object.add(limit.keyword, json.RawMessage(text))
	}
	for _, keyword := range []string{"pattern", "format"} {
		text, given := tag.Lookup(keyword)
		if given && name != "string" {
			return fmt.Errorf("tag %s:%q does not fit type %s", keyword, text, t)
		}
		if given {
			object.add(keyword, text)
		}
	}
	if text, given := tag.Lookup("enum"); given {
		var values []json.RawMessage
		for one := range strings.SplitSeq(text, ",") {
			raw, err := literal(t, strings.TrimSpace(one))
			if err != nil {
				return fmt.Errorf("tag enum: %w", err)
			}
			values = append(values, raw)
		}
		object.add("enum", values)
	}
	if text, given := tag.Lookup("default"); given {
		raw, err := literal(t, text)
		if err != nil {
			return fmt.Errorf("tag default: %w", err)
		}
		object.add("default", raw)
	}
	if text := tag.Get("description"); text != "" {
		object.add("description", text)
	}
	return nil
}

// members writes a JSON object member by member, in the order of the calls.
type members struct {
	buf  *bytes.Buffer
	more bool
}

func (m *members) begin() { m.buf.WriteByte('{') }
func (m *members) end()   { m.buf.WriteByte('}') }

func (m *members) key(name string) {
	if m.more {
		m.buf.WriteByte(',')
	}
	m.more = true
	quoted, _ := encode(name) // a string always has a JSON form
	m.buf.Write(quoted)
	m.buf.WriteByte(':')
}

func (m *members) add(name string, value any) {
	m.key(name)
	raw, err := encode(value)
	if err != nil {
		panic("BUG: schema keyword " + name + ": " + err.Error())
	}
	m.buf.Write(raw)
}
