package servlettest

import "testing"

func TestCheck(t *testing.T) {
	const schema = `{"type":"object","required":["n"],"additionalProperties":false,"properties":{
		"n":{"type":"integer","minimum":1,"maximum":3},
		"t":{"type":"string","minLength":2,"pattern":"^[a-z]+$"},
		"e":{"type":"string","enum":["a","b"]},
		"l":{"type":"array","maxItems":2,"items":{"type":"number"}},
		"o":{"type":"object"},
		"d":{"type":"object","additionalProperties":{"type":"boolean"}}}}`
	rows := []struct{ name, arguments, want string }{
		{"allow the least", `{"n":1}`, ""},
		{"allow everything", `{"n":3,"t":"ab","e":"a","l":[1,2.5],"o":{"x":1},"d":{"x":true}}`, ""},
		{"deny no object", `[]`, "arguments: expected object"},
		{"deny no JSON", `{"n"`, "arguments: unexpected EOF"},
		{"deny missing", `{}`, "arguments.n: missing"},
		{"deny unknown", `{"n":1,"x":1}`, "arguments.x: there is no such argument"},
		{"deny fraction", `{"n":1.5}`, "arguments.n: expected integer"},
		{"deny out of range", `{"n":4}`, "arguments.n: 4 is out of range"},
		{"deny short text", `{"n":1,"t":"a"}`, "arguments.t: the text is too short or too long"},
		{"deny other text", `{"n":1,"t":"A1"}`, "arguments.t: the text does not match ^[a-z]+$"},
		{"deny not listed", `{"n":1,"e":"c"}`, `arguments.e: expected one of "a", "b"`},
		{"deny long list", `{"n":1,"l":[1,2,3]}`, "arguments.l: a list of 3 items is too short or too long"},
		{"deny inside a list", `{"n":1,"l":[1,"x"]}`, "arguments.l[1]: expected number"},
		{"deny inside a map", `{"n":1,"d":{"x":1}}`, "arguments.d.x: expected boolean"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := ""
			if err := check([]byte(schema), []byte(row.arguments)); err != nil {
				got = err.Error()
			}
			if got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
