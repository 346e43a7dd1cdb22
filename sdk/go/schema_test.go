package servlet

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSchemaOfArguments(t *testing.T) {
	type inner struct {
		Depth int `json:"depth" default:"2"`
	}
	type base struct {
		Path string `json:"path" description:"Where <it> is"`
	}
	rows := []struct {
		name string
		in   any
		want string
	}{
		{"no arguments", struct{}{}, `{"type":"object","properties":{},"additionalProperties":false}`},
		{"required in field order", struct {
			B string `json:"b"`
			A bool   `json:"a"`
		}{}, `{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"boolean"}},"required":["b","a"],"additionalProperties":false}`},
		{"four ways to be optional", struct {
			A int      `json:"a,omitempty"`
			B int      `json:"b,omitzero"`
			C *float64 `json:"c"`
			D string   `json:"d" default:"x"`
		}{}, `{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"},"c":{"type":"number"},"d":{"type":"string","default":"x"}},"additionalProperties":false}`},
		{"limits", struct {
			A uint     `json:"a"`
			B int      `json:"b" min:"1" max:"9"`
			C string   `json:"c" min:"1" pattern:"^[a-z]+$"`
			D []string `json:"d" max:"3"`
			E [2]bool  `json:"e"`
		}{}, `{"type":"object","properties":{"a":{"type":"integer","minimum":0},"b":{"type":"integer","minimum":1,"maximum":9},"c":{"type":"string","minLength":1,"pattern":"^[a-z]+$"},"d":{"type":"array","items":{"type":"string"},"maxItems":3},"e":{"type":"array","minItems":2,"maxItems":2,"items":{"type":"boolean"}}},"required":["a","b","c","d","e"],"additionalProperties":false}`},
		{"enum of texts and of numbers", struct {
			A string `json:"a" enum:"name, size"`
			B int    `json:"b" enum:"1,2"`
		}{}, `{"type":"object","properties":{"a":{"type":"string","enum":["name","size"]},"b":{"type":"integer","enum":[1,2]}},"required":["a","b"],"additionalProperties":false}`},
		{"embedded and unexported", struct {
			base
			hidden int
			Skip   int `json:"-"`
		}{}, `{"type":"object","properties":{"path":{"type":"string","description":"Where <it> is"}},"required":["path"],"additionalProperties":false}`},
		{"nested", struct {
			Each map[string][]inner `json:"each"`
		}{}, `{"type":"object","properties":{"each":{"type":"object","additionalProperties":{"type":"array","items":{"type":"object","properties":{"depth":{"type":"integer","default":2}},"additionalProperties":false}}}},"required":["each"],"additionalProperties":false}`},
		{"types with a JSON form of their own", struct {
			When  time.Time       `json:"when"`
			Bytes []byte          `json:"bytes"`
			Raw   json.RawMessage `json:"raw"`
			Any   any             `json:"any"`
		}{}, `{"type":"object","properties":{"when":{"type":"string","format":"date-time"},"bytes":{"type":"string","contentEncoding":"base64"},"raw":{},"any":{}},"required":["when","bytes","raw","any"],"additionalProperties":false}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got, err := schemaOf(reflect.TypeOf(row.in), input)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

// A nil slice, map or pointer is null in Go's JSON, so the schema of a result has to allow it.
func TestSchemaOfResults(t *testing.T) {
	type out struct {
		Names []string `json:"names"`
		Note  string   `json:"note,omitempty"`
	}
	got, err := schemaOf(reflect.TypeFor[out](), output)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"type":"object","properties":{"names":{"type":["array","null"],"items":{"type":"string"}},"note":{"type":"string"}},"required":["names"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

type embedded struct {
	A int `json:"x"`
}

type recursive struct {
	Children []recursive `json:"children"`
}

func TestSchemaRefusals(t *testing.T) {
	rows := []struct {
		name string
		in   any
		want string
	}{
		{"function", struct{ F func() }{}, "F: type func() has no JSON form"},
		{"type that contains itself", recursive{}, "contains itself: give the tool an InputSchema"},
		{"map with number keys", struct{ M map[int]string }{}, "only text can be the key"},
		{"twice the same name", struct {
			embedded
			B int `json:"x"`
		}{}, `two fields are called "x"`},
		{"default of another type", struct {
			N int `json:"n" default:"many"`
		}{}, `n: tag default: "many" is not JSON`},
		{"default that does not fit", struct {
			N int `json:"n" default:"true"`
		}{}, `n: tag default: "true" is not a value of type int`},
		{"minimum of a truth value", struct {
			B bool `json:"b" min:"1"`
		}{}, `b: tag min:"1" does not fit type bool`},
		{"pattern of a number", struct {
			N int `json:"n" pattern:"x"`
		}{}, `n: tag pattern:"x" does not fit type int`},
		{"number as text", struct {
			N int `json:"n,string"`
		}{}, `the json option "string" is not supported`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := schemaOf(reflect.TypeOf(row.in), input)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got error %v, want one with %q", err, row.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	type filter struct {
		Depth int    `json:"depth" default:"2"`
		Name  string `json:"name,omitempty"`
	}
	type arguments struct {
		Sort    string            `json:"sort" default:"name"`
		Limit   int               `json:"limit" default:"10"`
		Tags    []string          `json:"tags" default:"[\"a\",\"b\"]"`
		Direct  filter            `json:"direct,omitempty"`
		Pointer *filter           `json:"pointer"`
		List    []filter          `json:"list,omitempty"`
		Dict    map[string]filter `json:"dict,omitempty"`
	}
	rows := []struct{ name, in, want string }{
		{"absent members are filled in", `{}`,
			`{"sort":"name","limit":10,"tags":["a","b"],"direct":{"depth":2},"pointer":null}`},
		{"present members stay, zero values too", `{"sort":"","limit":0,"tags":[],"direct":{"depth":0}}`,
			`{"sort":"","limit":0,"tags":[],"direct":{"depth":0},"pointer":null}`},
		{"an absent pointer stays nil, a present one is filled", `{"pointer":{"name":"x"}}`,
			`{"sort":"name","limit":10,"tags":["a","b"],"direct":{"depth":2},"pointer":{"depth":2,"name":"x"}}`},
		{"lists and maps are filled inside", `{"list":[{},{"depth":5}],"dict":{"k":{}}}`,
			`{"sort":"name","limit":10,"tags":["a","b"],"direct":{"depth":2},"pointer":null,"list":[{"depth":2},{"depth":5}],"dict":{"k":{"depth":2}}}`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := &entry{in: reflect.TypeFor[arguments]()}
			var in arguments
			if err := e.decodeArguments(json.RawMessage(row.in), &in); err != nil {
				t.Fatal(err)
			}
			got, err := encode(in)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
		})
	}
}

func TestArgumentsAreExplained(t *testing.T) {
	type arguments struct {
		Head int `json:"head"`
	}
	rows := []struct{ name, in, want string }{
		{"wrong type", `{"head":"ten"}`, "argument head: a JSON string does not fit int"},
		{"unknown name", `{"haed":1}`, `arguments: json: unknown field "haed"`},
		{"two values", `{"head":1} {}`, "arguments: more than one JSON value"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := &entry{in: reflect.TypeFor[arguments]()}
			err := e.decodeArguments(json.RawMessage(row.in), new(arguments))
			if err == nil || err.Error() != row.want {
				t.Errorf("got %v, want %s", err, row.want)
			}
		})
	}
}
