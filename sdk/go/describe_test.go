package servlet

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// withTools runs the test with a registry of its own.
func withTools(t *testing.T, register func()) {
	t.Helper()
	before := registered
	t.Cleanup(func() { registered = before })
	registered = nil
	register()
}

type none struct{}

func nothing(context.Context, none) (string, error) { return "", nil }

func TestDescribe(t *testing.T) {
	withTools(t, func() {
		AddTool(Tool{Name: "zeta", Title: "Z", Description: "Reads <it>", ReadOnly: true, ClosedWorld: true}, nothing)
		AddTool(Tool{Name: "alpha", Description: "Adds", Additive: true, Idempotent: true, Meta: map[string]any{"test/x": 1}},
			func(context.Context, none) (struct {
				N int `json:"n"`
			}, error) {
				panic("not called")
			})
		AddTool(Tool{Name: "raw", Description: "Takes anything", InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(_ context.Context, in json.RawMessage) (Result, error) { return Text(string(in)), nil })
	})
	got, err := describe()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"tools":[` +
		`{"name":"zeta","title":"Z","description":"Reads <it>","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"annotations":{"readOnlyHint":true,"openWorldHint":false}},` +
		`{"name":"alpha","description":"Adds","inputSchema":{"type":"object","properties":{},"additionalProperties":false},"outputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]},"annotations":{"readOnlyHint":false,"destructiveHint":false,"idempotentHint":true,"openWorldHint":true},"_meta":{"test/x":1}},` +
		`{"name":"raw","description":"Takes anything","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":false,"destructiveHint":true,"idempotentHint":false,"openWorldHint":true}}` +
		`]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDescribeReportsEveryMistakeWithItsPlace(t *testing.T) {
	withTools(t, func() {
		AddTool(Tool{Name: "Read File", Description: "x"}, nothing)
		AddTool(Tool{Name: "silent"}, nothing)
		AddTool(Tool{Name: "twice", Description: "x"}, nothing)
		AddTool(Tool{Name: "twice", Description: "x"}, nothing)
		AddTool(Tool{Name: "number", Description: "x"}, func(context.Context, int) (string, error) { return "", nil })
		AddTool(Tool{Name: "list", Description: "x"}, func(context.Context, none) ([]string, error) { return nil, nil })
		AddTool(Tool{Name: "schema", Description: "x", InputSchema: json.RawMessage(`[]`)}, nothing)
	})
	_, err := describe()
	if err == nil {
		t.Fatal("described")
	}
	lines := strings.Split(err.Error(), "\n")
	want := []string{
		`tool "Read File": a name has 1 to 64 of`,
		`tool "silent": it has no Description`,
		`tool "twice": a tool of this name exists already`,
		`tool "number": argument: int is not a struct`,
		`tool "list": result: []string is no JSON object`,
		`tool "schema": argument: the schema is no JSON object`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%v", len(lines), len(want), err)
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, "describe_test.go:") || !strings.Contains(line, want[i]) {
			t.Errorf("line %d is %q, want the place and %q", i, line, want[i])
		}
	}
}

func TestDescribeOfNothing(t *testing.T) {
	withTools(t, func() {})
	if _, err := describe(); err == nil || !strings.Contains(err.Error(), "call servlet.AddTool") {
		t.Errorf("got %v", err)
	}
}

// Warming up must reach the code of decoding and encoding, and never a tool's function.
func TestWarm(t *testing.T) {
	decoded := false
	withTools(t, func() {
		AddTool(Tool{Name: "w", Description: "x"}, func(context.Context, struct{ V []*witness }) (map[string]int, error) {
			panic("called")
		})
	})
	witnessed = func() { decoded = true }
	warm()
	if !decoded {
		t.Error("the argument's inner type was not decoded")
	}
}

type witness struct{}

var witnessed = func() {}

func (*witness) UnmarshalJSON([]byte) error { witnessed(); return nil }
