package mcpserver_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/testdata/client"
	"github.com/writ-run/writ/testdata/tsclient"
)

// itself is this test binary as a server on its own streams.
func itself(t *testing.T) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	cmd.Env = append(os.Environ(), stdioServer+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

func TestGoClient(t *testing.T) {
	for _, era := range []client.Era{client.Modern, client.Sessions} {
		for _, transport := range []string{"stdio", "HTTP"} {
			t.Run(string(era)+" over "+transport, func(t *testing.T) {
				config := client.Config{Era: era}
				connect := func() (*client.Client, error) { return config.Stdio(t.Context(), itself(t)) }
				if transport == "HTTP" {
					url := "http://" + serveHTTP(t, newFake()) + "/mcp"
					connect = func() (*client.Client, error) { return config.HTTP(t.Context(), url) }
				}
				c, err := connect()
				if err != nil {
					t.Fatal(err)
				}
				tryClient(t, c, era)
				if err := c.Close(); err != nil {
					t.Errorf("closing: %v", err)
				}
			})
		}
	}
}

func tryClient(t *testing.T, c *client.Client, era client.Era) {
	t.Helper()
	if server := c.Discover(); server.Name != "writ" || server.Version != "test" || server.Protocol != string(era) {
		t.Errorf("the server says it is %+v", server)
	}
	tools, err := c.ListTools(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, tool := range tools {
		names = append(names, tool.Name)
	}
	if want := []string{"t_bad", "t_echo", "t_list", "t_panic", "t_region", "t_slow", "t_steps", "t_zone"}; !slices.Equal(names, want) {
		t.Errorf("tools: %v, want %v", names, want)
	}
	result, err := c.Call(t.Context(), "t_echo", map[string]string{"text": "hi"})
	if err != nil || result.Text != `{"text":"hi"}` || string(result.Structured) != `{"space":"default"}` {
		t.Errorf("t_echo: %+v, %v", result, err)
	}
	result, err = c.CallWithProgress(t.Context(), "t_steps", nil, func(client.Progress) {})
	if err != nil || result.Text != "walked" {
		t.Errorf("t_steps: %+v, %v", result, err)
	}
	if _, err := c.Call(t.Context(), "nothing", nil); client.Code(err) != -32602 {
		t.Errorf("an unknown tool: %v", err)
	}
	if _, err := c.Call(t.Context(), "t_panic", nil); client.Code(err) != -32603 {
		t.Errorf("a panic: %v", err)
	}
	if _, err := c.Call(t.Context(), "t_region", map[string]string{"region": "Zürich"}); err != nil {
		t.Errorf("an argument in a header: %v", err)
	}
}

func TestGoClientHearsOfChangedTools(t *testing.T) {
	for _, era := range []client.Era{client.Modern, client.Sessions} {
		t.Run(string(era), func(t *testing.T) {
			f := newFake()
			heard := make(chan struct{}, 100)
			config := client.Config{Era: era, ToolsChanged: func() { heard <- struct{}{} }}
			c, err := config.HTTP(t.Context(), "http://"+serveHTTP(t, f)+"/mcp")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			// The client's stream opens on its own time: tell it until it hears.
			for {
				f.set([]host.Tool{tool("t_one", `"inputSchema":{"type":"object"}`)})
				f.set([]host.Tool{tool("t_two", `"inputSchema":{"type":"object"}`)})
				if came(heard) {
					break
				}
			}
			tools, err := c.ListTools(t.Context())
			if err != nil || len(tools) != 1 || tools[0].Name != "t_two" {
				t.Errorf("tools: %v, %v", tools, err)
			}
		})
	}
}

// The old client is the strictest reader of lists there is: it parses all of one with a schema, and
// compiles every output schema.
func TestTypeScriptClient(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]tsclient.Target{
		"stdio": {Command: path, Env: map[string]string{stdioServer: "1"}},
		"HTTP":  {URL: "http://" + serveHTTP(t, newFake()) + "/mcp"},
	} {
		t.Run(name, func(t *testing.T) {
			walk := tsclient.Call("t_steps", nil)
			walk.Progress = true
			out := tsclient.Run(t, target,
				tsclient.List(),
				tsclient.Call("t_echo", map[string]string{"text": "hi"}),
				tsclient.Call("t_list", nil),
				walk,
				tsclient.Call("t_panic", nil),
				tsclient.Call("nothing", nil),
				tsclient.Call("t_echo", nil),
			)
			if out.Server.Name != "writ" {
				t.Errorf("the server is %+v", out.Server)
			}
			for _, fault := range out.Faults {
				// It forgets a call before it looks at notifications that came with the answer.
				if !strings.Contains(fault, "progress notification for an unknown token") {
					t.Errorf("the client complains: %s", fault)
				}
			}
			var list struct{ Tools []struct{ Name string } }
			if err := json.Unmarshal(out.Steps[0].Result, &list); err != nil || len(list.Tools) != len(standardTools()) {
				t.Errorf("list: %s, %v", out.Steps[0].Result, out.Steps[0].Error)
			}
			mustContain(t, string(out.Steps[1].Result), `{\"text\":\"hi\"}`)
			mustContain(t, string(out.Steps[2].Result), `[1,2,3]`)
			mustContain(t, string(out.Steps[3].Result), `walked`)
			for step, code := range map[int]int{4: -32603, 5: -32602} {
				if e := out.Steps[step].Error; e == nil || e.Code != code {
					t.Errorf("step %d: %+v, want error %d", step, out.Steps[step], code)
				}
			}
			mustContain(t, string(out.Steps[6].Result), `"text":"{}"`)
		})
	}
}

// What the old client does refuse, so that the test above means something.
func TestTypeScriptClientRefusesWhatIsDowngraded(t *testing.T) {
	const server = `
let line = "";
process.stdin.on("data", (chunk) => {
  line += chunk;
  for (let end; (end = line.indexOf("\n")) >= 0; line = line.slice(end + 1)) {
    const m = JSON.parse(line.slice(0, end));
    const say = (result) => console.log(JSON.stringify({ jsonrpc: "2.0", id: m.id, result }));
    if (m.method === "initialize") say({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "x", version: "1" } });
    if (m.method === "tools/list") say({ tools: [JSON.parse(process.env.TOOL)] });
  }
});`
	for name, definition := range map[string]string{
		"array output":     `{"name":"a","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}`,
		"boolean property": `{"name":"a","inputSchema":{"type":"object","properties":{"x":true}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			out := tsclient.Run(t, tsclient.Target{Command: "node", Args: []string{"-e", server}, Env: map[string]string{"TOOL": definition}}, tsclient.List())
			if e := out.Steps[0].Error; e == nil || !strings.Contains(e.Message, `"tools"`) {
				t.Errorf("the client takes it now, the downgrade can go: %+v", out.Steps[0])
			}
		})
	}
}
