package schema_test

import (
	"testing"

	"github.com/writ-run/writ/host/schema"
)

// The quick look says yes to what plain schemas accept, so that the library is not asked, and never to
// anything that the library refuses.
func TestQuickLook(t *testing.T) {
	s, err := schema.CompileInput([]byte(`{"type":"object","required":["op"],"properties":{
		"op":{"type":"string","enum":["sum","max"]},"nums":{"type":"array","maxItems":3,"items":{"type":"integer","minimum":-2,"maximum":5}},
		"text":{"type":["string","null"],"minLength":1,"maxLength":2},"more":{"$ref":"#/$defs/any"},"when":{"anyOf":[{"type":"string"},{"type":"number"}]}},
		"$defs":{"any":{"type":"object","properties":{"deep":{"$ref":"#/$defs/any"}},"additionalProperties":{"type":["number","boolean"]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		instance    string
		quick, fits bool
	}{
		{`{"op":"sum"}`, true, true},
		{`{"op":"max","nums":[-2,0,5],"text":"\u00e9\u00e8"}`, true, true},
		{`{"op":"sum","text":null,"more":{"deep":{"deep":{"x":1.5e3,"y":true}}}}`, true, true},
		{`{"op":"sum","nums":[1.0]}`, false, true}, // a whole number that is not written as one
		{`{"op":"sum","when":"now"}`, false, true}, // not plain
		{`{}`, false, false},
		{`{"op":"min"}`, false, false},
		{`{"op":1}`, false, false},
		{`{"op":"sum","other":1}`, false, false},
		{`{"op":"sum","nums":[6]}`, false, false},
		{`{"op":"sum","nums":[1.5]}`, false, false},
		{`{"op":"sum","nums":[1,1,1,1]}`, false, false},
		{`{"op":"sum","nums":["1"]}`, false, false},
		{`{"op":"sum","text":""}`, false, false},
		{`{"op":"sum","text":"\u00e9\u00e8\u00ea"}`, false, false},
		{`{"op":"sum","more":{"deep":{"x":"1"}}}`, false, false},
		{`[]`, false, false},
	} {
		if quick, slow := s.Both([]byte(c.instance)); quick != c.quick || (slow == nil) != c.fits {
			t.Errorf("%s: quick look %t, want %t; library: %v", c.instance, quick, c.quick, slow)
		}
	}
}
