package servlet

import (
	"reflect"
	"strconv"
)

// scalarDecoders read what has no parts. null leaves a value as it is.
var scalarDecoders = map[reflect.Kind]decoder{
	reflect.Bool: func(r *reader, v reflect.Value) bool {
		yes := r.next() == 't' && r.has("true")
		v.SetBool(yes)
		return yes || r.has("false") || r.null()
	},
	reflect.String: func(r *reader, v reflect.Value) bool {
		if r.next() != '"' {
			return r.null()
		}
		s, ok := r.str()
		v.SetString(s)
		return ok
	},
	reflect.Int: readInt, reflect.Int8: readInt, reflect.Int16: readInt, reflect.Int32: readInt, reflect.Int64: readInt,
	reflect.Uint: readUint, reflect.Uint8: readUint, reflect.Uint16: readUint, reflect.Uint32: readUint, reflect.Uint64: readUint,
	reflect.Float32: readFloat, reflect.Float64: readFloat,
}

func readInt(r *reader, v reflect.Value) bool {
	n, ok := r.integer()
	if !ok {
		return r.null()
	}
	v.SetInt(n)
	return !v.OverflowInt(n)
}

func readUint(r *reader, v reflect.Value) bool {
	n, ok := r.integer()
	if !ok {
		return r.null()
	}
	v.SetUint(uint64(n))
	return n >= 0 && !v.OverflowUint(uint64(n))
}

func readFloat(r *reader, v reflect.Value) bool {
	raw, ok := r.number()
	if !ok {
		return r.null()
	}
	n, err := strconv.ParseFloat(string(raw), v.Type().Bits())
	v.SetFloat(n)
	return err == nil
}

// listDecoders read the commonest lists without package reflect.
var listDecoders = map[reflect.Type]decoder{
	reflect.TypeFor[[]string](): listDecoder((*reader).str),
	reflect.TypeFor[[]int](): listDecoder(func(r *reader) (int, bool) {
		n, ok := r.integer()
		return int(n), ok && int64(int(n)) == n
	}),
	reflect.TypeFor[[]float64](): listDecoder(func(r *reader) (float64, bool) {
		raw, ok := r.number()
		n, err := strconv.ParseFloat(string(raw), 64)
		return n, ok && err == nil
	}),
}

func listDecoder[T any](element func(r *reader) (T, bool)) decoder {
	return func(r *reader, v reflect.Value) bool {
		if !r.take('[') {
			return r.null()
		}
		list := make([]T, 0, 8)
		for {
			more, ok := r.more(']', len(list) == 0)
			if !more {
				*v.Addr().Interface().(*[]T) = list
				return ok
			}
			one, ok := element(r)
			if !ok {
				return false
			}
			list = append(list, one)
		}
	}
}

func pointerDecoder(t reflect.Type, inner decoder) decoder {
	if inner == nil {
		return nil
	}
	return func(r *reader, v reflect.Value) bool {
		if r.null() {
			return true
		}
		v.Set(reflect.New(t.Elem()))
		return inner(r, v.Elem())
	}
}

func sliceDecoder(t reflect.Type, element decoder) decoder {
	if element == nil {
		return nil
	}
	return func(r *reader, v reflect.Value) bool {
		if !r.take('[') {
			return r.null()
		}
		v.Set(reflect.MakeSlice(t, 0, 4))
		for i := 0; ; i++ {
			more, ok := r.more(']', i == 0)
			if !more {
				return ok
			}
			if i == v.Cap() {
				v.Grow(i)
			}
			v.SetLen(i + 1)
			if !element(r, v.Index(i)) {
				return false
			}
		}
	}
}

func mapDecoder(t reflect.Type, element decoder) decoder {
	if element == nil {
		return nil
	}
	return func(r *reader, v reflect.Value) bool {
		if !r.take('{') {
			return r.null()
		}
		v.Set(reflect.MakeMap(t))
		for first := true; ; first = false {
			more, ok := r.more('}', first)
			if !more {
				return ok
			}
			key, one := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			name, ok := r.str()
			if !ok || !r.take(':') || !element(r, one) {
				return false
			}
			key.SetString(name)
			v.SetMapIndex(key, one)
		}
	}
}
