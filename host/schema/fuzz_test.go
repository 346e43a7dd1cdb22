package schema_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host/schema"
)

var seeds = []string{
	`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`,
	`{"type":"object","anyOf":[{"required":["a"]},{"$ref":"#/$defs/b"}],"$defs":{"b":{"properties":{"b":{"enum":[1,null]}}}}}`,
	`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","items":[{}],"additionalItems":false,"dependencies":{"a":["b"],"c":{}}}`,
	`{"type":"object","patternProperties":{"^a(b|c)*$":{"multipleOf":0.01}},"propertyNames":{"maxLength":3}}`,
	`{"type":"object","properties":{"n":{"$ref":"#"}},"unevaluatedProperties":false}`,
	`{"type":"object","properties":{"n":{"type":["integer","null"],"minimum":-3,"maximum":9},"s":{"minLength":1,"maxLength":2,"enum":["a","é"]},"l":{"items":{"$ref":"#"},"maxItems":2}},"additionalProperties":{"type":"number"}}`,
	`{"$ref":"#/$defs/%7E0","$defs":{"~":{"$anchor":"x","uniqueItems":true,"contains":{"const":{}}}}}`,
}

// FuzzCompile: no schema makes either compiler panic or answer with more than one line.
func FuzzCompile(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, compile := range []func([]byte) (*schema.Schema, error){schema.Compile, schema.CompileInput} {
			s, err := compile(raw)
			if (s == nil) == (err == nil) {
				t.Fatalf("schema %v, error %v", s, err)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("not one line: %q", err)
			}
		}
	})
}

// FuzzCheck: no instance makes a check panic, and the answer is one line that is the same every time.
func FuzzCheck(f *testing.F) {
	for _, s := range seeds {
		for _, v := range []string{`{"a":"x"}`, `{"b":1,"n":{"n":[]}}`, `[1e3,{"":-0.0}]`, `{"a":"\u202e"}`, `{"n":9,"s":"\u00e9","l":[{},{"n":null,"x":1.5}]}`} {
			f.Add([]byte(s), []byte(v))
		}
	}
	f.Fuzz(func(t *testing.T, raw, instance []byte) {
		for _, compile := range []func([]byte) (*schema.Schema, error){schema.Compile, schema.CompileInput} {
			s, err := compile(raw)
			if err != nil {
				continue
			}
			first, second := s.Check(instance), s.Check(instance)
			if first == nil || len(instance) < 1<<10 {
				if quick, slow := s.Both(instance); quick && slow != nil {
					t.Fatalf("the quick look says yes, the library %v", slow)
				}
			}
			if first == nil != (second == nil) || first != nil && first.Error() != second.Error() {
				t.Fatalf("two answers:\n%v\n%v", first, second)
			}
			if first != nil && strings.ContainsAny(first.Error(), "\n\r\x1b") {
				t.Fatalf("not one line: %q", first)
			}
		}
	})
}

// FuzzDecode: what is strict is read as the standard library reads it.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5e+3,"\u00e9\n",null,true,false,{}],"\"":[[]]}`, `""`, `-0`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		compact, err := strictjson.Compact(data)
		if err != nil {
			return
		}
		got, err := schema.Decode(compact)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(compact))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %#v, want %#v, %v", compact, got, want, err)
		}
	})
}
