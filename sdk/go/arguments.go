package servlet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// argumentError is a mistake of the caller in the arguments, for the model to mend.
type argumentError struct{ text string }

func (e *argumentError) Error() string { return e.text }

// decodeOrdinary reads arguments into v, a pointer to the tool's argument type, the fast way; false: they
// are to be read the other way, and v is its zero.
func (e *entry) decodeOrdinary(raw []byte, v any) bool {
	if _, err := e.plan(); err != nil || e.decode == nil || string(raw) == "null" {
		return false
	}
	r, into := &reader{in: raw}, reflect.ValueOf(v).Elem()
	if e.decode(r, into) && r.at == len(raw) {
		return true
	}
	into.SetZero()
	return false
}

// decodeArguments reads the arguments of a call into v, a pointer to the tool's argument type.
func (e *entry) decodeArguments(raw json.RawMessage, v any) error {
	if len(raw) == 0 || string(raw) == "null" {
		raw = json.RawMessage("{}")
	}
	plan, err := e.plan()
	if err != nil {
		return err
	}
	if raw, err = plan.fill(raw); err != nil {
		return &argumentError{"arguments: " + err.Error()}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return &argumentError{explain(err)}
	}
	if _, err := d.Token(); err != io.EOF {
		return &argumentError{"arguments: more than one JSON value"}
	}
	return nil
}

// explain words a decoding error for somebody who does not see the Go type.
func explain(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Sprintf("argument %s: a JSON %s does not fit %s", wrong.Field, wrong.Value, wrong.Type)
	}
	return "arguments: " + err.Error()
}

// plan returns the defaults of the argument type, found once, as is its decoder.
func (e *entry) plan() (*defaults, error) {
	e.once.Do(func() {
		if e.defaults, e.mistake = defaultsOf(e.in, nil); e.mistake == nil {
			e.decode = decoderOf(e.in, e.defaults, nil)
		}
	})
	return e.defaults, e.mistake
}

// defaults is what must be filled into an argument of one type; nil is nothing.
type defaults struct {
	members []preset  // of a struct
	each    *defaults // of the elements of a list or the values of a map
}

type preset struct {
	name  string
	value json.RawMessage // for when the member is absent; nil leaves it absent
	inner *defaults
}

// defaultsOf collects the default tags of t, however deep. A struct that is absent, but no pointer, gets
// the defaults of its own members.
func defaultsOf(t reflect.Type, open []reflect.Type) (*defaults, error) {
	present := t.Kind() != reflect.Pointer
	t = deref(t)
	switch {
	case selfMade(t):
		return nil, nil
	case t.Kind() == reflect.Slice, t.Kind() == reflect.Array, t.Kind() == reflect.Map:
		inner, err := defaultsOf(t.Elem(), open)
		if inner == nil || err != nil {
			return nil, err
		}
		return &defaults{each: inner}, nil
	case t.Kind() != reflect.Struct:
		return nil, nil
	}
	for _, outer := range open {
		if outer == t {
			return nil, nil // a type that contains itself brings its own schema, defaults included
		}
	}
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	plan := &defaults{}
	for _, f := range fields {
		inner, err := defaultsOf(f.typ, append(open, t))
		if err != nil {
			return nil, err
		}
		one := preset{name: f.name, inner: inner}
		if text, given := f.tag.Lookup("default"); given {
			if one.value, err = literal(f.typ, text); err != nil {
				return nil, fmt.Errorf("%s: tag default: %w", f.name, err)
			}
		} else if inner != nil && inner.members != nil && f.typ.Kind() == reflect.Struct && present {
			one.value = json.RawMessage("{}")
		}
		if one.value != nil || inner != nil {
			plan.members = append(plan.members, one)
		}
	}
	if plan.members == nil {
		return nil, nil
	}
	return plan, nil
}

// fill returns raw with the absent members filled in.
func (d *defaults) fill(raw json.RawMessage) (json.RawMessage, error) {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	switch {
	case d == nil || len(trimmed) == 0:
		return raw, nil
	case d.each != nil && trimmed[0] == '[':
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		for i := range list {
			filled, err := d.each.fill(list[i])
			if err != nil {
				return nil, err
			}
			list[i] = filled
		}
		return encode(list)
	case trimmed[0] != '{':
		return raw, nil // the decoder says what is wrong with it
	}
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	if err := d.complete(object); err != nil {
		return nil, err
	}
	return encode(object)
}

func (d *defaults) complete(object map[string]json.RawMessage) (err error) {
	for name := range object {
		if d.each != nil {
			if object[name], err = d.each.fill(object[name]); err != nil {
				return err
			}
		}
	}
	for _, m := range d.members {
		value, given := object[m.name]
		if !given {
			value = m.value
		}
		if value == nil {
			continue
		}
		if object[m.name], err = m.inner.fill(value); err != nil {
			return err
		}
	}
	return nil
}
