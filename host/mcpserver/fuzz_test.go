package mcpserver_test

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/host"
)

// recorder is a host that remembers which tools ran.
type recorder struct {
	mu  sync.Mutex
	ran []string
}

func (r *recorder) Tools(context.Context, capabilities.Caller) ([]host.Tool, error) {
	return []host.Tool{tool("t_a", `"inputSchema":{"type":"object"}`)}, nil
}

func (r *recorder) Watch(ctx context.Context, _ func()) { <-ctx.Done() }

func (r *recorder) CallTool(_ context.Context, _ capabilities.Caller, req host.Request) (host.Answer, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran = append(r.ran, req.Tool)
	return host.Answer{Result: json.RawMessage(`{"content":[]}`)}, nil
}

// FuzzStdioLine sends any bytes and then a request. The session must live, every line must be a
// message, and no tool may run that Go's own JSON reader, which takes the last of two members and
// members in any case, would not name.
func FuzzStdioLine(f *testing.F) {
	for _, seed := range []string{
		"", "{", "7", "[]", "null", "\xff", "{}", "\x00", "\r",
		call("1", "t_a"), initialize, listen("1"), cancel("1"), cancel(`"end"`), discover,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_a","Name":"t_b",` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_a","name":"t_b",` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","Params":{"name":"t_b"},"params":{"name":"t_a",` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":5,` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":null,` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"x"},` + meta + `}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd",` + meta + `}}`,
		initialize + "\n" + `{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"x"}}`,
		initialize + "\n" + `{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}` + "\n" + `{"jsonrpc":"2.0","id":7,"result":{}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r := &recorder{}
		in, client := io.Pipe()
		out := &collector{answered: make(chan struct{})}
		done := make(chan error, 1)
		go func() { done <- newServer(t, r).ServeStdio(t.Context(), "default", in, out) }()
		client.Write(append(slices.Clone(line), '\n'))
		client.Write([]byte(call(`"end"`, "t_a") + "\n"))
		<-out.answered
		client.Close()
		if err := <-done; err != nil {
			t.Errorf("the session ended with %v", err)
		}
		for _, message := range out.lines() {
			var m map[string]json.RawMessage
			if err := strictjson.Decode([]byte(message), &m); err != nil || string(m["jsonrpc"]) != `"2.0"` {
				t.Errorf("the server wrote %q", message)
			}
		}
		if !slices.Contains(r.ran, "t_a") && !strings.Contains(string(line), "end") {
			t.Error("the last request did not run")
		}
		named := loosely(line)
		for _, tool := range r.ran {
			if tool != "t_a" && !slices.Contains(named, tool) {
				t.Errorf("%q ran; another reader sees %q", tool, named)
			}
		}
	})
}

// loosely are the tools that Go's own JSON reader finds in lines.
func loosely(lines []byte) (tools []string) {
	for line := range strings.Lines(string(lines)) {
		var m struct {
			Params struct{ Name string }
		}
		if json.Unmarshal([]byte(line), &m) == nil {
			tools = append(tools, m.Params.Name)
		}
	}
	return tools
}

// collector keeps what is written and says when the request "end" is answered.
type collector struct {
	mu       sync.Mutex
	text     strings.Builder
	answered chan struct{}
}

func (c *collector) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.text.Write(p)
	if idOf(string(p)) == `"end"` {
		select {
		case <-c.answered:
		default:
			close(c.answered)
		}
	}
	return len(p), nil
}

func (c *collector) Close() error { return nil }

func (c *collector) lines() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Split(strings.TrimSuffix(c.text.String(), "\n"), "\n")
}
