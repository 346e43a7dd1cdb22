// Package client is a real MCP client for tests, the demo and benchmarks: the official Go SDK's,
// reduced to what they ask of a server. It shows no type of the SDK.
package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Era is how a client and a server begin.
type Era string

// The eras.
const (
	Modern   Era = "2026-07-28" // server/discover; every request stands alone. The zero Era means this.
	Sessions Era = "2025-11-25" // initialize, then a session
)

// Config chooses how to connect. The zero Config is a client of the Modern era.
type Config struct {
	Era          Era
	ToolsChanged func() // called, on another goroutine, when the server says that its tools changed; nil: not asked for
	Header       http.Header
}

// Client is one connection to one server.
type Client struct {
	session  *mcp.ClientSession
	progress *progress
}

// Stdio starts cmd and speaks to it over its standard streams. cmd.Stderr is the caller's to set.
// Close ends the process.
func Stdio(ctx context.Context, cmd *exec.Cmd) (*Client, error) { return Config{}.Stdio(ctx, cmd) }

// Pipe speaks to a server that reads out and writes in, within this process.
func Pipe(ctx context.Context, in io.ReadCloser, out io.WriteCloser) (*Client, error) {
	return Config{}.connect(ctx, &mcp.IOTransport{Reader: in, Writer: out})
}

// HTTP connects to a Streamable HTTP endpoint.
func HTTP(ctx context.Context, url string) (*Client, error) { return Config{}.HTTP(ctx, url) }

// Stdio is [Stdio] with a Config. Header has no meaning here.
func (c Config) Stdio(ctx context.Context, cmd *exec.Cmd) (*Client, error) {
	return c.connect(ctx, &mcp.CommandTransport{Command: cmd, TerminateDuration: 10 * time.Second})
}

// HTTP is [HTTP] with a Config.
func (c Config) HTTP(ctx context.Context, url string) (*Client, error) {
	return c.connect(ctx, &mcp.StreamableClientTransport{
		Endpoint:             url,
		HTTPClient:           &http.Client{Transport: addHeader{c.Header, http.DefaultTransport}},
		MaxRetries:           -1,
		DisableStandaloneSSE: c.ToolsChanged == nil,
	})
}

func (c Config) connect(ctx context.Context, transport mcp.Transport) (*Client, error) {
	if c.Era == "" {
		c.Era = Modern
	}
	made := &Client{progress: newProgress()}
	opts := &mcp.ClientOptions{
		Capabilities: &mcp.ClientCapabilities{},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			made.progress.deliver(req.Params.ProgressToken, Progress{Done: req.Params.Progress, Total: req.Params.Total, Text: req.Params.Message})
		},
	}
	if c.ToolsChanged != nil {
		opts.ToolListChangedHandler = func(context.Context, *mcp.ToolListChangedRequest) { c.ToolsChanged() }
	}
	sdk := mcp.NewClient(&mcp.Implementation{Name: "writ-testclient", Version: "1"}, opts)
	session, err := sdk.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: string(c.Era)})
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	made.session = session
	if got := session.InitializeResult().ProtocolVersion; got != string(c.Era) {
		session.Close()
		return nil, fmt.Errorf("connecting: asked for %s, the server speaks %s", c.Era, got)
	}
	return made, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.session.Close() }

// Server is what a server says of itself.
type Server struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Protocol     string `json:"protocol"`
	Instructions string `json:"instructions,omitempty"`
}

// Discover returns what the server said when the connection began.
func (c *Client) Discover() Server {
	result := c.session.InitializeResult()
	server := Server{Protocol: result.ProtocolVersion, Instructions: result.Instructions}
	if result.ServerInfo != nil {
		server.Name, server.Version = result.ServerInfo.Name, result.ServerInfo.Version
	}
	return server
}

// Tool is a tool as this client's SDK understood it.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Definition  json.RawMessage `json:"definition"`
}

// ListTools returns all tools, all pages of them.
func (c *Client) ListTools(ctx context.Context) ([]Tool, error) {
	var tools []Tool
	for tool, err := range c.session.Tools(ctx, nil) {
		if err != nil {
			return nil, fmt.Errorf("listing tools: %w", err)
		}
		definition, err := json.Marshal(tool)
		if err != nil {
			return nil, fmt.Errorf("listing tools: %w", err)
		}
		tools = append(tools, Tool{Name: tool.Name, Description: tool.Description, Definition: definition})
	}
	return tools, nil
}

// Result is the answer to a call.
type Result struct {
	Text       string          `json:"text"` // of all text blocks, a line each
	IsError    bool            `json:"isError"`
	Structured json.RawMessage `json:"structured,omitempty"`
	Raw        json.RawMessage `json:"raw"` // the whole result, as this client's SDK understood it
}

// Call calls a tool. args is anything that encodes to a JSON object; nil is {}. A tool's own failure
// is a Result with IsError; an error is a refusal by the server, of which [Code] is the number.
func (c *Client) Call(ctx context.Context, tool string, args any) (Result, error) {
	return c.CallWithProgress(ctx, tool, args, nil)
}

// CallWithProgress is Call that passes on progress notifications; nil asks for none. One that the SDK
// hands over after the answer is lost.
func (c *Client) CallWithProgress(ctx context.Context, tool string, args any, each func(Progress)) (Result, error) {
	if args == nil {
		args = map[string]any{}
	}
	params := &mcp.CallToolParams{Name: tool, Arguments: args}
	if each != nil {
		token, forget := c.progress.expect(each)
		defer forget()
		params.SetProgressToken(token)
	}
	answer, err := c.session.CallTool(ctx, params)
	if err != nil {
		return Result{}, fmt.Errorf("calling %s: %w", tool, err)
	}
	result := Result{IsError: answer.IsError}
	var text []string
	for _, block := range answer.Content {
		if block, ok := block.(*mcp.TextContent); ok {
			text = append(text, block.Text)
		}
	}
	result.Text = strings.Join(text, "\n")
	if answer.StructuredContent != nil {
		if result.Structured, err = json.Marshal(answer.StructuredContent); err != nil {
			return Result{}, fmt.Errorf("calling %s: %w", tool, err)
		}
	}
	if result.Raw, err = json.Marshal(answer); err != nil {
		return Result{}, fmt.Errorf("calling %s: %w", tool, err)
	}
	return result, nil
}

// addHeader sends extra headers with every request.
type addHeader struct {
	header http.Header
	next   http.RoundTripper
}

func (a addHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(a.header) > 0 {
		r = r.Clone(r.Context())
		for name, values := range a.header {
			r.Header[name] = values
		}
	}
	return a.next.RoundTrip(r)
}
