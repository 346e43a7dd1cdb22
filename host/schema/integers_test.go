package schema_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/host/schema"
)

// A guest that reads an integer of 32 or 64 bits is given digits alone, however the model wrote them.
func TestIntegersAreWrittenAsIntegers(t *testing.T) {
	const plain = `{"type":"object","properties":{"n":{"type":"integer"},"some":{"type":["integer","null"]},
		"x":{"type":"number"},"either":{"type":["integer","number"]},"any":{},"list":{"type":"array","items":{"type":"integer"}},
		"more":{"type":"object","properties":{"é":{"type":"integer"}},"additionalProperties":{"type":"integer"}}}}`
	const combined = `{"type":"object","properties":{"n":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/count"}]},
		"pair":{"type":"array","prefixItems":[{"type":"number"},{"type":"integer"}],"items":{"allOf":[{"type":"integer"}]}},
		"next":{"$ref":"#"},"no":{"not":{"type":"integer"}}},"patternProperties":{"^c_":{"type":"integer"}},
		"$defs":{"count":{"type":"integer","minimum":0}}}`
	for _, row := range []struct{ schema, in, want string }{
		{plain, `{"n": 2.0}`, `{"n":2}`},
		{plain, `{"n":1e2}`, `{"n":100}`},
		{plain, `{"n":-1.50E+1,"x":1}`, `{"n":-15,"x":1}`},
		{plain, `{"n":1200e-2}`, `{"n":12}`},
		{plain, `{"n":-0}`, `{"n":0}`},
		{plain, `{"n":-0.0e5}`, `{"n":0}`},
		{plain, `{"n":9007199254740993.0}`, `{"n":9007199254740993}`},
		{plain, `{"n":1.8446744073709551615e19}`, `{"n":18446744073709551615}`},
		{plain, `{"n":1e300}`, `{"n":1e300}`},
		{plain, `{"n":123456789012345678901234567890}`, `{"n":123456789012345678901234567890}`},
		{plain, `{"some":3.0,"n":1}`, `{"some":3,"n":1}`},
		{plain, `{"some":null,"x":2.0,"either":2.0,"any":[2.0,{"n":2.0}]}`, `{"some":null,"x":2.0,"either":2.0,"any":[2.0,{"n":2.0}]}`},
		{plain, `{"list":[],"more":{},"n":1.0}`, `{"list":[],"more":{},"n":1}`},
		{plain, `{"list":[1.0,2,3e0],"more":{"\u00e9":4.0,"\"}":5.0},"n":6.0}`, `{"list":[1,2,3],"more":{"\u00e9":4,"\"}":5},"n":6}`},
		{combined, `{"n":2.0}`, `{"n":2}`},
		{combined, `{"n":"2.0"}`, `{"n":"2.0"}`},
		{combined, `{"pair":[1.0,2.0,3.0]}`, `{"pair":[1.0,2,3]}`},
		{combined, `{"next":{"next":{"n":1e1}},"c_a":1.0,"no":1.5}`, `{"next":{"next":{"n":10}},"c_a":1,"no":1.5}`},
	} {
		s, err := schema.CompileInput([]byte(row.schema))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Read([]byte(row.in)); err != nil || string(got) != row.want {
			t.Errorf("%s: got %s (%v), want %s", row.in, got, err, row.want)
		}
	}
}

func TestFractionsAreNoIntegers(t *testing.T) {
	for _, in := range []string{`{"n":1.5}`, `{"n":1e-1}`, `{"n":10.01}`} {
		if err := check(t, schema.CompileInput, `{"type":"object","properties":{"n":{"type":"integer"}}}`, in); err == nil {
			t.Errorf("%s is accepted", in)
		}
	}
}

// Written out, arguments do not get past the limit of their size.
func TestIntegersWrittenOutAreCounted(t *testing.T) {
	s, err := schema.CompileInput([]byte(`{"type":"object","properties":{"text":{"type":"string"},"n":{"type":"array","items":{"type":"integer"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	numbers := strings.Repeat(`1e19,`, 500) + "1"
	in := `{"n":[` + numbers + `],"text":"` + strings.Repeat("x", schema.MaxArguments-5_000) + `"}`
	if _, err := s.Read([]byte(in)); err == nil || !strings.Contains(err.Error(), "with integers written out") {
		t.Errorf("got %.200v", err)
	}
	if got, err := s.Read([]byte(strings.Replace(in, "1e19", "1", 500))); err != nil || len(got) > schema.MaxArguments {
		t.Errorf("without exponents: %v", err)
	}
}

// What is written means the same, and is accepted again.
func FuzzIntegers(f *testing.F) {
	s, err := schema.CompileInput([]byte(`{"type":"object","additionalProperties":{"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"integer"}},true]}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`{"a":[1.0,{"b":2e3}],"c":-0.0,"d":"1.0"}`)
	f.Add(`{"":{},"a":[],"b":12.50e1}`)
	f.Fuzz(func(t *testing.T, in string) {
		out, err := s.Read([]byte(in))
		if err != nil {
			return
		}
		again, err := s.Read(out)
		if err != nil || string(again) != string(out) {
			t.Errorf("%s became %s, which became %s (%v)", in, out, again, err)
		}
	})
}
