package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/schema"
)

// check compiles a schema and checks one instance with it.
func check(t *testing.T, compile func([]byte) (*schema.Schema, error), raw, instance string) error {
	t.Helper()
	s, err := compile([]byte(raw))
	if err != nil {
		t.Fatalf("schema refused: %v\n%s", err, raw)
	}
	return s.Check([]byte(instance))
}

func TestSchemasMeanWhatTheDraftSays(t *testing.T) {
	const draft7 = `"$schema":"http://json-schema.org/draft-07/schema#",`
	for _, row := range []struct{ name, schema, good, bad string }{
		{"type", `{"type":"string"}`, `"a"`, `1`},
		{"a list of types", `{"type":["string","null"]}`, `null`, `1`},
		{"a whole number may be written with a point", `{"type":"integer"}`, `1.0`, `1.5`},
		{"numbers are exact above 2^53", `{"const":9007199254740993}`, `9007199254740993`, `9007199254740992`},
		{"decimal fractions are exact", `{"multipleOf":0.01}`, `4.35`, `4.355`},
		{"enum", `{"enum":["a",1,null]}`, `null`, `"b"`},
		{"equal numbers written differently", `{"enum":[1]}`, `1e0`, `2`},
		{"length counts characters, not bytes", `{"maxLength":2}`, `"éé"`, `"abc"`},
		{"pattern is not anchored", `{"pattern":"b+"}`, `"abc"`, `"ac"`},
		{"properties and required", `{"properties":{"a":{"type":"string"}},"required":["a"]}`, `{"a":"x","z":1}`, `{}`},
		{"additionalProperties", `{"properties":{"a":true},"additionalProperties":false}`, `{"a":1}`, `{"b":1}`},
		{"patternProperties", `{"patternProperties":{"^x-":{"type":"string"}},"additionalProperties":false}`, `{"x-a":""}`, `{"x-a":1}`},
		{"propertyNames", `{"propertyNames":{"pattern":"^[a-z]+$"}}`, `{"a":1}`, `{"A":1}`},
		{"items", `{"items":{"type":"integer"}}`, `[1,2]`, `[1,"2"]`},
		{"prefixItems", `{"prefixItems":[{"type":"string"}],"items":false}`, `["a"]`, `["a",1]`},
		{"contains", `{"contains":{"const":1},"minContains":2}`, `[1,0,1]`, `[1,0]`},
		{"uniqueItems", `{"uniqueItems":true}`, `[1,"1"]`, `[{"a":1},{"a":1.0}]`},
		{"allOf", `{"allOf":[{"minimum":1},{"maximum":3}]}`, `2`, `4`},
		{"anyOf", `{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `1`, `true`},
		{"oneOf", `{"oneOf":[{"minimum":5},{"maximum":9}]}`, `1`, `7`},
		{"not", `{"not":{"type":"null"}}`, `1`, `null`},
		{"if then else", `{"if":{"type":"string"},"then":{"minLength":1},"else":{"minimum":0}}`, `"a"`, `-1`},
		{"dependentRequired", `{"dependentRequired":{"a":["b"]}}`, `{"b":1}`, `{"a":1}`},
		{"dependentSchemas", `{"dependentSchemas":{"a":{"required":["b"]}}}`, `{"a":1,"b":1}`, `{"a":1}`},
		{"unevaluatedProperties sees through allOf", `{"allOf":[{"properties":{"a":true}}],"unevaluatedProperties":false}`, `{"a":1}`, `{"b":1}`},
		{"unevaluatedItems", `{"prefixItems":[true],"unevaluatedItems":false}`, `[1]`, `[1,2]`},
		{"true and false", `{"properties":{"a":true,"b":false}}`, `{"a":1}`, `{"b":1}`},
		{"a reference by pointer", `{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`, `"x"`, `1`},
		{"a reference through definitions", `{"$ref":"#/definitions/a","definitions":{"a":{"type":"string"}}}`, `"x"`, `1`},
		{"a reference to an escaped name", `{"$ref":"#/$defs/a~1b%20c","$defs":{"a/b c":{"type":"string"}}}`, `"x"`, `1`},
		{"a reference by anchor", `{"$ref":"#name","$defs":{"a":{"$anchor":"name","type":"string"}}}`, `"x"`, `1`},
		{"a reference to a property", `{"properties":{"a":{"type":"string"},"b":{"$ref":"#/properties/a"}}}`, `{"b":""}`, `{"b":1}`},
		{"a reference that starts with the root's own id", `{"$id":"https://acme.test/s","$ref":"https://acme.test/s#/$defs/a","$defs":{"a":{"type":"string"}}}`, `"x"`, `1`},
		{"a reference beside other keywords", `{"$ref":"#/$defs/a","maxLength":1,"$defs":{"a":{"type":"string"}}}`, `"x"`, `"xx"`},
		{"recursion into the value", `{"properties":{"next":{"$ref":"#"}},"additionalProperties":false}`, `{"next":{"next":{}}}`, `{"next":{"nest":1}}`},
		{"format is an annotation", `{"anyOf":[{"format":"email","type":"string"},{"type":"null"}]}`, `"not mail"`, `1`},
		{"unknown keywords assert nothing", `{"type":"string","x-pattern":"a","default":5,"examples":[1]}`, `"b"`, `5`},
		{"a property called like a keyword", `{"properties":{"$ref":{"type":"string"},"type":{"const":1}}}`, `{"$ref":"#/none","type":1}`, `{"$ref":1}`},

		{"draft-07: a list of items", `{` + draft7 + `"items":[{"type":"string"}],"additionalItems":{"type":"null"}}`, `["a",null]`, `["a",1]`},
		{"draft-07: dependencies", `{` + draft7 + `"dependencies":{"a":["b"],"c":{"required":["d"]}}}`, `{"a":1,"b":1}`, `{"c":1}`},
		{"draft-07: a reference hides its neighbours", `{` + draft7 + `"$ref":"#/definitions/a","maxLength":1,"definitions":{"a":{"type":"string"}}}`, `"xx"`, `1`},
		{"draft-07: newer keywords assert nothing", `{` + draft7 + `"prefixItems":[{"type":"string"}],"type":"array"}`, `[1]`, `1`},
		{"draft-07: content is an annotation", `{` + draft7 + `"contentEncoding":"base64","type":"string"}`, `"!"`, `1`},
		{"2020-12: older keywords assert nothing", `{"dependencies":{"a":["b"]},"type":"object"}`, `{"a":1}`, `1`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := check(t, schema.Compile, row.schema, row.good); err != nil {
				t.Errorf("%s is refused: %v", row.good, err)
			}
			if err := check(t, schema.Compile, row.schema, row.bad); err == nil {
				t.Errorf("%s is accepted", row.bad)
			}
		})
	}
}

func TestSchemasThatAreRefused(t *testing.T) {
	for _, row := range []struct{ name, schema, want string }{
		{"not JSON", `{`, "JSON"},
		{"a name twice", `{"type":"string","type":"object"}`, "duplicate name"},
		{"too many bytes", `{"description":"` + strings.Repeat("x", schema.MaxSchema) + `"}`, "at most 65536"},
		{"not a schema", `[]`, "a schema must be an object"},
		{"an unknown dialect", `{"$schema":"https://json-schema.org/draft/2019-09/schema"}`, "is not known"},
		{"a dialect of one's own", `{"$schema":"https://acme.test/meta"}`, "is not known"},
		{"a remote reference", `{"$ref":"https://acme.test/s"}`, "leaves the document"},
		{"a file reference", `{"$ref":"file:///etc/passwd"}`, "leaves the document"},
		{"a relative reference", `{"$ref":"other.json"}`, "leaves the document"},
		{"a reference to nothing", `{"$ref":"#/$defs/a"}`, "does not point at a schema"},
		{"a reference to something that is no schema", `{"$ref":"#/x/y","x":{"y":{}}}`, "does not point at a schema"},
		{"a dynamic reference", `{"$dynamicRef":"#a"}`, "$dynamicRef is not supported"},
		{"a vocabulary", `{"$vocabulary":{}}`, "$vocabulary is not supported"},
		{"an embedded resource", `{"$defs":{"a":{"$id":"https://acme.test/a"}}}`, "only the root may have an $id"},
		{"a lookahead", `{"pattern":"^(?=a).*$"}`, "RE2"},
		{"a backreference", `{"pattern":"(a)\\1"}`, "is not RE2 syntax"},
		{"a long pattern", `{"pattern":"` + strings.Repeat("a", 513) + `"}`, "at most 512"},
		{"an unknown type", `{"properties":{"a":{"type":"text"}}}`, "/properties/a/type"},
		{"a negative length", `{"minLength":-1}`, "whole number"},
		{"a length that would wrap around", `{"maxLength":1e300}`, "whole number"},
		{"a division by zero", `{"multipleOf":0}`, "not a valid schema"},
		{"a number of a million digits", `{"minimum":1e999999}`, "exponent"},
		{"the same in an enum", `{"enum":[[{"a":1e999999}]]}`, "exponent"},
		{"an empty enum", `{"enum":[]}`, "not empty"},
		{"a reference to itself", `{"$ref":"#"}`, "refers to itself"},
		{"a loop of references", `{"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}}}`, "refers to itself"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := schema.Compile([]byte(row.schema))
			if !errors.Is(err, schema.ErrSchema) || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("got %v, want a refusal with %q", err, row.want)
			}
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 400 {
				t.Errorf("not one clear line: %q", err)
			}
		})
	}
}

func TestInputSchemaMustBeOfObjects(t *testing.T) {
	for _, raw := range []string{`true`, `{}`, `{"type":"string"}`, `{"type":["object","null"]}`} {
		if _, err := schema.CompileInput([]byte(raw)); !errors.Is(err, schema.ErrSchema) {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}

func TestSilenceMeansNoOtherNames(t *testing.T) {
	for _, row := range []struct{ name, schema, good, bad string }{
		{"at the root", `{"type":"object","properties":{"a":{}}}`, `{"a":1}`, `{"b":1}`},
		{"at a root that mentions no name", `{"type":"object"}`, `{}`, `{"b":1}`},
		{"at a root with a condition", `{"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]},{"properties":{"c":{}},"required":["c"]}]}`, `{"a":1,"c":1}`, `{"a":1,"b":1}`},
		{"at a root that is a reference", `{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"properties":{"a":{}}}}}`, `{"a":1}`, `{"b":1}`},
		{"inside", `{"type":"object","properties":{"o":{"type":"object","properties":{"a":{}}}}}`, `{"o":{"a":1}}`, `{"o":{"b":1}}`},
		{"inside an array", `{"type":"object","properties":{"o":{"items":{"properties":{"a":{}}}}}}`, `{"o":[{"a":1}]}`, `{"o":[{"b":1}]}`},
		{"behind one reference", `{"type":"object","properties":{"o":{"$ref":"#/$defs/a"}},"$defs":{"a":{"properties":{"a":{}}}}}`, `{"o":{"a":1}}`, `{"o":{"b":1}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := check(t, schema.CompileInput, row.schema, row.good); err != nil {
				t.Errorf("%s is refused: %v", row.good, err)
			}
			if err := check(t, schema.CompileInput, row.schema, row.bad); err == nil || !strings.Contains(err.Error(), "unknown name") {
				t.Errorf("%s: got %v", row.bad, err)
			}
			if err := check(t, schema.Compile, row.schema, row.bad); err != nil {
				t.Errorf("a result keeps the meaning of the draft, but %s is refused: %v", row.bad, err)
			}
		})
	}
}

func TestWhatIsSaidStaysOpen(t *testing.T) {
	for _, row := range []struct{ name, schema, good string }{
		{"the root says so", `{"type":"object","additionalProperties":true}`, `{"b":1}`},
		{"the root describes the rest", `{"type":"object","additionalProperties":{"type":"integer"}}`, `{"b":1}`},
		{"an object without properties is free", `{"type":"object","properties":{"o":{"type":"object"}}}`, `{"o":{"b":1}}`},
		{"inside it is said", `{"type":"object","properties":{"o":{"properties":{"a":{}},"additionalProperties":true}}}`, `{"o":{"b":1}}`},
		{"a combination is left alone", `{"type":"object","properties":{"o":{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}]}}}`, `{"o":{"a":1,"b":1}}`},
		{"two schemas describe one member", `{"type":"object","properties":{"r":{"allOf":[{"properties":{"o":{"properties":{"a":{}}}}},{"properties":{"o":{"properties":{"b":{}}}}}]}}}`, `{"r":{"o":{"a":1,"b":1}}}`},
		{"a shared definition that is combined elsewhere", `{"type":"object","properties":{"p":{"$ref":"#/$defs/a"},"q":{"allOf":[{"$ref":"#/$defs/a"},{"properties":{"b":{}}}]}},"$defs":{"a":{"properties":{"a":{}}}}}`, `{"p":{"a":1},"q":{"a":1,"b":1}}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			if err := check(t, schema.CompileInput, row.schema, row.good); err != nil {
				t.Errorf("%s is refused: %v", row.good, err)
			}
		})
	}
}

func TestErrorsTellTheModelWhatToMend(t *testing.T) {
	const tool = `{"type":"object","required":["path"],"properties":{
		"path":{"type":"string","minLength":1,"pattern":"^/"},
		"mode":{"enum":["head","tail"]},
		"lines":{"type":"integer","minimum":1,"maximum":100},
		"odd name":{"type":"array","maxItems":2,"items":{"type":["string","null"]}},
		"where":{"anyOf":[{"type":"null"},{"type":"object","required":["x"],"properties":{"x":{"type":"number"}}}]},
		"one":{"oneOf":[{"required":["a"]},{"required":["b"]}]}}}`
	for _, row := range []struct{ name, instance, want string }{
		{"missing", `{}`, `arguments: missing "path"`},
		{"a wrong type", `{"path":1}`, `arguments.path: must be a string, but is a number`},
		{"the whole is of a wrong type", `[]`, `arguments: must be an object, but is an array`},
		{"unknown", `{"path":"/a","liens":1}`, `arguments: unknown name "liens"; known are "lines", "mode", "odd name", "one", "path", "where"`},
		{"a choice", `{"path":"/a","mode":"mid"}`, `arguments.mode: must be one of "head", "tail"`},
		{"a bound", `{"path":"/a","lines":0}`, `arguments.lines: must be at least 1`},
		{"a pattern", `{"path":"a"}`, `arguments.path: does not match the pattern "^/"`},
		{"an item below a name that needs quotes", `{"path":"/a","odd name":["",1]}`, `arguments["odd name"][1]: must be a string or null, but is a number`},
		{"a list too long", `{"path":"/a","odd name":["","",""]}`, `arguments["odd name"]: must have at most this many items: 2`},
		{"the branch that fits the type", `{"path":"/a","where":{"x":"1"}}`, `arguments.where.x: must be a number, but is a string`},
		{"no branch", `{"path":"/a","where":"x"}`, `arguments.where: fits none of the 2 allowed forms`},
		{"two branches", `{"path":"/a","one":{"a":1,"b":1}}`, `arguments.one: fits more than one of the forms that exclude each other`},
		{"not JSON", `{"path":"/a"`, `arguments: JSON:`},
		{"a name twice", `{"path":"/a","path":"/b"}`, `arguments: JSON: duplicate name`},
	} {
		t.Run(row.name, func(t *testing.T) {
			// Maps are walked in random order below: the line must not depend on it.
			for range 5 {
				err := check(t, schema.CompileInput, tool, row.instance)
				if err == nil || !strings.HasPrefix(err.Error(), row.want) {
					t.Fatalf("got  %v\nwant %s", err, row.want)
				}
			}
		})
	}
}

func TestErrorsNeverQuoteMuchOfTheInput(t *testing.T) {
	secret := strings.Repeat("S", 100)
	for _, row := range []struct{ name, schema, instance string }{
		{"a value", `{"type":"object","properties":{"a":{"enum":["x"],"pattern":"^y","maxLength":3}}}`, `{"a":"` + secret + `"}`},
		{"a name", `{"type":"object"}`, `{"` + secret + `":1}`},
		{"a number", `{"type":"object","properties":{"a":{"maximum":1}}}`, `{"a":` + strings.Repeat("7", 60) + `}`},
		{"an escape sequence in a name", `{"type":"object"}`, `{"\u001b[31m":1}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := check(t, schema.CompileInput, row.schema, row.instance)
			if err == nil {
				t.Fatal("accepted")
			}
			if s := err.Error(); strings.Contains(s, secret[:65]) || strings.ContainsAny(s, "\x1b\n") {
				t.Errorf("quotes too much: %q", s)
			}
		})
	}
}

func TestHygieneOfArguments(t *testing.T) {
	nested := func(n int) string { return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}` }
	list := func(n int) string { return `{"a":[0` + strings.Repeat(",0", n-1) + `]}` }
	const free = `{"type":"object","properties":{"a":{}}}`
	for _, row := range []struct{ name, schema, instance, want string }{
		{"fifteen levels", free, nested(14), ""},
		{"sixteen levels", free, nested(15), "nested deeper than 15"},
		{"a thousand items", free, list(1000), ""},
		{"a thousand and one", free, list(1001), "1001 items"},
		{"more when the schema asks for more", `{"type":"object","properties":{"a":{"maxItems":2000}}}`, list(2000), ""},
		{"a whole file in one string", free, `{"a":"` + strings.Repeat("x", 900<<10) + `"}`, ""},
		{"more than a mebibyte", free, `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "bytes; at most"},
		{"more when the schema asks for more", `{"type":"object","properties":{"a":{"maxLength":3000000}}}`, `{"a":"` + strings.Repeat("x", 2<<20) + `"}`, ""},
		{"never above the largest instance", `{"type":"object","properties":{"a":{"maxLength":100000000}}}`, `{"a":"` + strings.Repeat("x", schema.MaxInstance) + `"}`, "bytes; at most"},
		{"a right-to-left override", free, `{"a":"x\u202ey"}`, "U+202E"},
		{"an isolate, not escaped", free, `{"a":"x` + "\u2066" + `"}`, "U+2066"},
		{"an Arabic letter mark in a name", free, `{"a` + "\u061c" + `":1}`, "U+061C"},
		{"Arabic itself is fine", free, `{"a":"مرحبا"}`, ""},
		{"a number of a million digits", free, `{"a":1e999999}`, "exponent"},
		{"a number of many digits", free, `{"a":` + strings.Repeat("9", 65) + `}`, "digits"},
		{"a long name", free, `{"a":{"` + strings.Repeat("n", 129) + `":1}}`, "a name of 129 bytes"},
		{"many values", free, `{"a":[` + strings.TrimSuffix(strings.Repeat("["+strings.TrimSuffix(strings.Repeat("0,", 999), ",")+"],", 101), ",") + `]}`, "values"},
		{"trailing bytes", free, `{"a":1} x`, "JSON"},
		{"nothing", free, ``, "JSON"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := check(t, schema.CompileInput, row.schema, row.instance)
			switch {
			case row.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestReadReturnsWhatWasChecked(t *testing.T) {
	s, err := schema.CompileInput([]byte(`{"type":"object","properties":{"n":{"type":"number"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read([]byte("\n{ \"n\" : 1.0 }")); err != nil || string(got) != `{"n":1.0}` {
		t.Errorf("got %s, %v", got, err)
	}
	for _, wrong := range []string{`{"n":"1"}`, `{"n":1,"n":1}`, `{"m":1}`} {
		if got, err := s.Read([]byte(wrong)); err == nil || got != nil {
			t.Errorf("%s: got %s, %v", wrong, got, err)
		}
	}
}
