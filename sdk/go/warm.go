package servlet

import (
	"encoding/json"
	"reflect"
)

// warm decodes and encodes one made-up value per tool, so that what package json builds for a type is in
// the captured instance and not built anew in every call. It runs no tool's function.
func warm() {
	for _, e := range registered {
		e.warm()
	}
	if raw, err := encode(Blocks(TextBlock("x"), ImageBlock("image/png", []byte{0}))); err == nil {
		var r request
		_ = json.Unmarshal(raw, &r)
	}
}

func (e *entry) warm() {
	// A type's own MarshalJSON may panic on a made-up value; then its first call is slower, nothing else.
	defer func() { _ = recover() }()
	if raw, err := encode(sample(e.in, 0).Interface()); err == nil {
		_ = e.decodeArguments(raw, reflect.New(e.in).Interface())
	}
	if result, err := e.result(sample(e.out, 0).Interface()); err == nil {
		_, _ = encode(result)
	}
}

// sample makes a value of t with one element in each list and map, so that inner types are met too.
func sample(t reflect.Type, depth int) reflect.Value {
	v := reflect.New(t).Elem()
	if depth > 8 {
		return v
	}
	switch t.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(sample(t.Elem(), depth+1))
	case reflect.Slice:
		if t != rawType {
			v.Set(reflect.Append(v, sample(t.Elem(), depth+1)))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		v.SetMapIndex(sample(t.Key(), depth+1), sample(t.Elem(), depth+1))
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				v.Field(i).Set(sample(f.Type, depth+1))
			}
		}
	}
	return v
}
