// Package servlettest runs a servlet's tools in an ordinary Go test, without Wasm and without a sandbox:
// the test gives the configuration, answers the HTTP requests and holds what the servlet keeps.
//
//	func TestForecast(t *testing.T) {
//		s := servlettest.New(t, servlettest.Host{
//			Config: map[string]string{"UNITS": "metric"},
//			HTTP:   map[string]http.Handler{"api": fakeAPI},
//		})
//		r := s.Call("forecast", `{"city":"Oslo"}`)
//		if r.IsError || r.Text() != "4 °C" {
//			t.Error(r.Text())
//		}
//	}
//
// Arguments are checked against the tool's schema as Writ does it, as far as schemas made from Go types go.
// Files are those of this machine: let your code take its root directory from a variable.
package servlettest

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"

	servlet "github.com/writ-run/writ/sdk/go"
	"github.com/writ-run/writ/sdk/go/internal/abi"
)

// Host is the other side of a servlet under test. The zero Host grants nothing.
type Host struct {
	Config   map[string]string                      // values of configuration keys
	HTTP     map[string]http.Handler                // the site behind each http capability, by its id
	Web      http.Handler                           // every public page; nil: the web is not granted
	KV       map[string][]byte                      // what is kept, changed by calls that succeed; nil: kv is not granted
	KVQuota  int                                    // bytes of keys and values that may be kept; 0: 256 KB
	Log      func(level servlet.Level, text string) // nil: the test's log
	Progress func(done, total float64, text string) // nil: dropped
}

// Servlet is the servlet of the package under test.
type Servlet struct {
	t     testing.TB
	host  Host
	tools []Tool
}

// Tool is a tool as the model would see it.
type Tool struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
	Annotations  map[string]bool `json:"annotations"`
	Meta         map[string]any  `json:"_meta"`
}

// New describes the servlet whose tools the package under test registers, and fails the test when that
// would fail a build.
func New(t testing.TB, host Host) *Servlet {
	t.Helper()
	s := &Servlet{t: t, host: host}
	raw, err := abi.Describe()
	if err != nil {
		t.Fatalf("describing the servlet: %v", err)
	}
	var list struct{ Tools []Tool }
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatalf("describing the servlet: %v", err)
	}
	s.tools = list.Tools
	return s
}

// Tools are the servlet's tools in the order of their registration.
func (s *Servlet) Tools() []Tool { return s.tools }

// Call calls a tool as Writ does. Arguments are JSON text, or any value that is encoded to JSON. Like a
// host it makes an answer out of every failure; a panic's stack is in the test's log.
func (s *Servlet) Call(tool string, arguments any) Result {
	s.t.Helper()
	return s.CallContext(s.t.Context(), tool, arguments)
}

// CallContext is Call with a context for the tool's function.
func (s *Servlet) CallContext(ctx context.Context, tool string, arguments any) Result {
	s.t.Helper()
	raw := s.encode(arguments)
	for _, one := range s.tools {
		if one.Name != tool {
			continue
		}
		if err := check(one.InputSchema, raw); err != nil {
			return failed(err.Error())
		}
	}
	in, err := json.Marshal(map[string]any{
		"method": "tools/call", "params": map[string]any{"name": tool, "arguments": raw},
	})
	if err != nil {
		s.t.Fatalf("arguments of %s: %v", tool, err)
	}
	var out []byte
	d := &double{t: s.t, host: s.host, kept: maps.Clone(s.host.KV)}
	abi.Under(ctx, d, func() { out, err = abi.Call(ctx, in) })
	if err != nil {
		return failed(err.Error())
	}
	var r Result
	if err := json.Unmarshal(out, &r); err != nil {
		s.t.Fatalf("%s answered no MCP result: %v", tool, err)
	}
	if !r.IsError {
		d.commit()
	}
	return r
}

func (s *Servlet) encode(arguments any) json.RawMessage {
	s.t.Helper()
	switch a := arguments.(type) {
	case nil:
		return json.RawMessage("{}")
	case string:
		return json.RawMessage(a)
	case []byte:
		return json.RawMessage(a)
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		s.t.Fatalf("arguments: %v", err)
	}
	return raw
}

// Result is what the client would get.
type Result struct {
	Content    []servlet.Content `json:"content"`
	Structured json.RawMessage   `json:"structuredContent"`
	IsError    bool              `json:"isError"`
	Meta       map[string]any    `json:"_meta"`
}

// Text is the text blocks of the content, one after the other.
func (r Result) Text() string {
	var texts []string
	for _, c := range r.Content {
		if c.Type == "text" {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "\n")
}

func failed(text string) Result {
	return Result{Content: []servlet.Content{servlet.TextBlock(text)}, IsError: true}
}
