package servlet

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one member of a struct as encoding/json sees it.
type field struct {
	name     string
	typ      reflect.Type
	tag      reflect.StructTag
	omits    bool // omitempty or omitzero
	optional bool // as an argument
}

// fieldsOf lists the members of a struct in their order, embedded structs unfolded.
func fieldsOf(t reflect.Type) ([]field, error) {
	var out []field
	seen := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
			continue
		}
		found := []field{{name: name, typ: f.Type, tag: f.Tag}}
		if f.Anonymous && name == "" && deref(f.Type).Kind() == reflect.Struct && !selfMade(f.Type) {
			inner, err := fieldsOf(deref(f.Type))
			if err != nil {
				return nil, err
			}
			found = inner
		} else if !f.IsExported() {
			continue
		} else {
			if name == "" {
				found[0].name = f.Name
			}
			for option := range strings.SplitSeq(options, ",") {
				switch option {
				case "omitempty", "omitzero":
					found[0].omits = true
				case "string":
					return nil, fmt.Errorf("field %s: the json option \"string\" is not supported", f.Name)
				}
			}
			_, preset := f.Tag.Lookup("default")
			found[0].optional = found[0].omits || preset || f.Type.Kind() == reflect.Pointer
		}
		for _, one := range found {
			if seen[one.name] {
				return nil, fmt.Errorf("two fields are called %q in JSON", one.name)
			}
			seen[one.name] = true
			out = append(out, one)
		}
	}
	return out, nil
}

func deref(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

var (
	timeType       = reflect.TypeFor[time.Time]()
	rawType        = reflect.TypeFor[json.RawMessage]()
	jsonReading    = reflect.TypeFor[json.Unmarshaler]()
	jsonWriting    = reflect.TypeFor[json.Marshaler]()
	textReading    = reflect.TypeFor[encoding.TextUnmarshaler]()
	textWriting    = reflect.TypeFor[encoding.TextMarshaler]()
	numberType     = reflect.TypeFor[json.Number]()
	emptyInterface = reflect.TypeFor[any]()
)

// selfMade tells whether t writes or reads its own JSON, so that its fields say nothing about it.
func selfMade(t reflect.Type) bool { return ownJSON(t) || ownText(t) }

func ownJSON(t reflect.Type) bool {
	p := reflect.PointerTo(deref(t))
	return p.Implements(jsonReading) || p.Implements(jsonWriting)
}

func ownText(t reflect.Type) bool {
	p := reflect.PointerTo(deref(t))
	return p.Implements(textReading) || p.Implements(textWriting)
}

// literal turns the text of a default or enum tag into JSON of type t.
func literal(t reflect.Type, text string) (json.RawMessage, error) {
	t = deref(t)
	if t.Kind() == reflect.String || ownText(t) && !ownJSON(t) || t == timeType {
		return encode(text)
	}
	raw := json.RawMessage(text)
	if !json.Valid(raw) {
		return nil, fmt.Errorf("%s is not JSON", strconv.Quote(text))
	}
	if err := json.Unmarshal(raw, reflect.New(t).Interface()); err != nil {
		return nil, fmt.Errorf("%s is not a value of type %s", strconv.Quote(text), t)
	}
	return raw, nil
}
