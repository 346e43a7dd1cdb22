package strictjson

import (
	"bytes"
	"strconv"
)

// Object writes a JSON object, member by member, as Encode writes a struct. It is for what is written in
// every call, and for plain values: see Bytes.
type Object struct {
	out []byte
	odd bool
}

// NewObject begins an object behind prefix, to which its bytes are appended.
func NewObject(prefix []byte) *Object { return &Object{out: append(prefix, '{')} }

// name begins a member. Names are the program's own: nothing in them has to be escaped.
func (o *Object) name(name string) {
	if o.out[len(o.out)-1] != '{' {
		o.out = append(o.out, ',')
	}
	o.out = append(append(append(o.out, '"'), name...), '"', ':')
}

// Text adds a string.
func (o *Object) Text(name, value string) {
	o.name(name)
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			o.odd = true
			return
		}
	}
	o.out = append(append(append(o.out, '"'), value...), '"')
}

// Int adds a number.
func (o *Object) Int(name string, n int64) {
	o.name(name)
	o.out = strconv.AppendInt(o.out, n, 10)
}

// Uint adds a number.
func (o *Object) Uint(name string, n uint64) {
	o.name(name)
	o.out = strconv.AppendUint(o.out, n, 10)
}

// Raw adds a value that Compact or Encode has written.
func (o *Object) Raw(name string, value []byte) {
	o.name(name)
	o.odd = o.odd || len(value) == 0 || bytes.IndexByte(value, '\\') >= 0
	o.out = append(o.out, value...)
}

// Bytes ends the object. It is false when a value was not plain, as one with a quotation mark, a control
// character, an escape or a character that is not ASCII: then only Encode knows how it is written.
func (o *Object) Bytes() ([]byte, bool) {
	return append(o.out, '}'), !o.odd
}
