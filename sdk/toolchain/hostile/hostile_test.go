package hostile_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/schema"
	"github.com/writ-run/writ/sdk/toolchain/hostile"
)

var schemas = map[string]string{
	"a text":     `{"type":"object","properties":{"path":{"type":"string","minLength":2,"maxLength":40,"description":"A path"}},"required":["path"]}`,
	"numbers":    `{"type":"object","properties":{"n":{"type":"integer","minimum":3,"maximum":9},"x":{"type":"number","exclusiveMinimum":0}},"required":["n"]}`,
	"a choice":   `{"type":"object","properties":{"unit":{"enum":["c","f"]},"b":{"type":"boolean"}},"required":["unit","b"]}`,
	"a pattern":  `{"type":"object","properties":{"day":{"type":"string","pattern":"^[0-9]{4}-(0[1-9]|1[0-2])$"}},"required":["day"]}`,
	"lists":      `{"type":"object","properties":{"all":{"type":"array","minItems":1,"maxItems":3,"items":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}}},"required":["all"]}`,
	"references": `{"type":"object","properties":{"at":{"$ref":"#/$defs/p"}},"required":["at"],"$defs":{"p":{"type":"object","properties":{"x":{"type":"number"}},"required":["x"]}}}`,
	"a loop":     `{"type":"object","properties":{"t":{"$ref":"#/$defs/t"}},"$defs":{"t":{"type":"object","properties":{"c":{"type":"array","items":{"$ref":"#/$defs/t"}}}}}}`,
	"nothing":    `{"type":"object","properties":{}}`,
	"choices":    `{"type":"object","properties":{"v":{"oneOf":[{"type":"string"},{"type":"integer","minimum":5}]}},"required":["v"]}`,
	"closed":     `{"type":"object","properties":{"a":{"type":["string","null"]}},"additionalProperties":false}`,
}

// What is called forbidden is refused, something reaches the tool, and both are so at every edge.
func TestInputsMeetTheSchema(t *testing.T) {
	for name, raw := range schemas {
		t.Run(name, func(t *testing.T) {
			s, err := schema.CompileInput([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			passed, refused := 0, 0
			for _, in := range hostile.Inputs([]byte(raw), hostile.Hints{Folders: []string{"/docs"}, Files: []string{"a.txt"}}, 150, 1) {
				err := s.Check(in.Arguments)
				if err == nil {
					passed++
				} else {
					refused++
				}
				if in.Forbidden && err == nil {
					t.Errorf("%s: %.200s is forbidden, and passes", in.Why, in.Arguments)
				}
			}
			if passed == 0 || refused < 5 {
				t.Errorf("%d pass, %d are refused", passed, refused)
			}
		})
	}
}

// Each of these breaks some program, so that one of the inputs has to have it.
func TestInputsHaveTheEdges(t *testing.T) {
	all := func(name string) string {
		var b strings.Builder
		for _, in := range hostile.Inputs([]byte(schemas[name]), hostile.Hints{Folders: []string{"/docs"}}, 400, 1) {
			fmt.Fprintf(&b, "%s\n", in.Arguments)
		}
		return b.String()
	}
	for name, wants := range map[string][]string{
		"a text":   {`{}`, `"path":"a"}`, strings.Repeat("a", 40) + `"`, strings.Repeat("a", 41), `../../../../etc/passwd`, `/docs/..`, `\u0000`, "\xff", `\ud800`, `"path":null`, "👩"},
		"numbers":  {`"n":2`, `"n":3`, `"n":9`, `"n":10`, `"n":0.5`, `9223372036854775808`, `1e400`, `"x":0`},
		"a choice": {`"unit":"f"`, `"no such choice"`, `"b":false`},
		"lists":    {`"all":[]`, `[{"id":1},{"id":1},{"id":1},{"id":1}]`, `"id":-9223372036854775809`},
		"closed":   {`"no such name"`, `"a":null`},
	} {
		made := all(name)
		for _, want := range wants {
			if !strings.Contains(made, want) {
				t.Errorf("%s: no input has %.100s", name, want)
			}
		}
	}
}

func TestInputsAreTheSameAgain(t *testing.T) {
	for name, raw := range schemas {
		inputs := func(n int, seed uint64) (out [][]byte) {
			for _, in := range hostile.Inputs([]byte(raw), hostile.Hints{}, n, seed) {
				out = append(out, in.Arguments)
			}
			return out
		}
		first := inputs(50, 3)
		if !slices.EqualFunc(first, inputs(50, 3), bytes.Equal) {
			t.Errorf("%s: the same seed made others", name)
		}
		if len(first) > 50 || name == "a text" && slices.EqualFunc(first, inputs(50, 4), bytes.Equal) {
			t.Errorf("%s: %d inputs; another seed makes the same", name, len(first))
		}
	}
	if got := hostile.Inputs([]byte("no schema"), hostile.Hints{}, 5, 1); got != nil {
		t.Errorf("%v", got)
	}
}

func TestShrink(t *testing.T) {
	calls := 0
	small := hostile.Shrink([]byte(`{"a":"xxxxxxxxxxxxboomxxxxxxxx","b":17,"c":[1,2,3]}`), 100, func(raw []byte) bool {
		calls++
		return bytes.Contains(raw, []byte("boom"))
	})
	if string(small) != `{"a":"boom"}` && len(small) > 20 || calls > 100 {
		t.Errorf("%s after %d calls", small, calls)
	}
	if got := hostile.Shrink([]byte(`[1]`), 10, func([]byte) bool { return true }); string(got) != `[1]` {
		t.Errorf("%s", got)
	}
}

func FuzzInputs(f *testing.F) {
	for _, raw := range schemas {
		f.Add([]byte(raw), uint64(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, seed uint64) {
		s, err := schema.CompileInput(raw)
		if err != nil {
			return
		}
		for _, in := range hostile.Inputs(raw, hostile.Hints{}, 20, seed) {
			s.Check(in.Arguments)
		}
	})
}
