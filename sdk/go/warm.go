package servlet

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unsafe"
)

// warm takes one made-up call of each tool down the path of a real one, so that what is built for a type
// at its first use is in the captured instance and not built anew in every call. It runs no tool's function.
func warm() {
	_ = fmt.Sprintf("%d %s %v", 1, "x", errWarm) // most tools print; fmt keeps what it prints with
	stock()
	for _, e := range registered {
		e.warm()
	}
}

// Go's allocator gives each size of block pages of their own. largestStocked is the largest that stock
// sees to, spanSize how much of memory one size gets at a time.
const (
	largestStocked = 1 << 10
	spanSize       = 8 << 10
)

// stock begins new pages for every small size, with pointers and without. A call then finds room in them:
// where it has to find a page, that takes longer than the rest of a small call.
func stock() {
	for size := 8; size <= largestStocked; size++ {
		size = cap(append([]byte(nil), make([]byte, size)...)) // rounded up to one that the allocator has
		begin(func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]byte, size))) })
		begin(func() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(make([]*byte, max(size/8-1, 1)))) })
	}
}

// begin makes blocks until one is in the second half of what its size has: there is room beside it, and
// what the allocator notes about the blocks is at the end. A call then changes one page of the system's,
// not two, and each one that it changes has to be made as it was.
func begin(block func() unsafe.Pointer) {
	for range spanSize / 8 {
		if at := uintptr(block()) % spanSize; at >= spanSize/2 && at < spanSize*3/4 {
			return
		}
	}
}

var errWarm = errors.New("warming up")

func (e *entry) warm() {
	// A type's own MarshalJSON may panic on a made-up value; then its first call is slower, nothing else.
	defer func() { _ = recover() }()
	arguments, err := encode(sample(e.in, 0).Interface())
	if err != nil {
		return
	}
	if found, raw := ordinary(slices.Concat(e.start, arguments, []byte(atEnd))); found == e {
		_, _ = e.call(context.Background(), func(v any) error {
			if !e.decodeOrdinary(raw, v) {
				_ = e.decodeArguments(arguments, v)
			}
			return errWarm
		})
	}
	if result, err := e.result(sample(e.out, 0).Interface()); err == nil {
		_, _ = appendResult(nil, result)
	}
	appendText(nil, "x")
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
