package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/writ-run/writ/host/mcpserver"
)

// Server is the product's MCP server over HTTP, on a loopback address of its own.
type Server struct {
	address string
	client  *http.Client
	stop    context.CancelFunc
	ended   chan error
}

// Serve starts one over a host, or over anything that a server can present. Stop ends it.
func Serve(h mcpserver.Tooler) (*Server, error) { return ServeAs(h, mcpserver.Access{}) }

// ServeAs starts one that lets in whom access says.
func ServeAs(h mcpserver.Tooler, access mcpserver.Access) (*Server, error) {
	made, err := mcpserver.New(mcpserver.Config{Host: h, Version: "attacked", Drain: time.Millisecond, Access: access})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{address: l.Addr().String(), stop: stop, ended: make(chan error, 1), client: &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}}
	go func() { s.ended <- made.ServeHTTP(ctx, l) }()
	return s, nil
}

// Stop ends the server. It must have lived until now.
func (s *Server) Stop() error {
	s.client.CloseIdleConnections()
	s.stop()
	return <-s.ended
}

// request is a message of the 2026-07-28 era.
const request = `{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
	`"io.modelcontextprotocol/clientInfo":{"name":%q,"version":"1"},"io.modelcontextprotocol/clientCapabilities":{}%s}}}`

// Ask is one request to a server, with what an attacker may write into it.
type Ask struct {
	Space     string // empty: the endpoint /mcp
	Method    string
	Name      string // of a tool; empty: none
	Arguments string // JSON; empty: {}
	Meta      string // more members of _meta, each after a comma
	Client    string // its name
	Header    http.Header
}

// Do sends it and returns the HTTP status and the whole answer.
func (s *Server) Do(a Ask) (status int, answer string, err error) {
	path, params := "/mcp", ""
	if a.Space != "" {
		path = "/s/" + a.Space + "/mcp"
	}
	if a.Name != "" {
		params = fmt.Sprintf(`"name":%q,"arguments":%s,`, a.Name, orEmpty(a.Arguments))
	}
	message := fmt.Sprintf(request, a.Method, params, orName(a.Client), a.Meta)
	header := http.Header{"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {a.Method}}
	if a.Name != "" {
		header.Set("Mcp-Name", a.Name)
	}
	for name, values := range a.Header {
		header[http.CanonicalHeaderKey(name)] = values
	}
	status, answer, _, err = s.post(path, message, header)
	return status, answer, err
}

func (s *Server) post(path, message string, header http.Header) (status int, answer string, got http.Header, err error) {
	req, err := http.NewRequest(http.MethodPost, "http://"+s.address+path, strings.NewReader(message))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	res, err := s.client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	return res.StatusCode, strings.TrimSpace(string(body)), res.Header, err
}

// Session opens a session of the 2025-11-25 era at the endpoint of a space.
func (s *Server) Session(space string) (id string, err error) {
	return s.SessionAs(space, http.Header{})
}

// SessionAs does so with headers.
func (s *Server) SessionAs(space string, with http.Header) (id string, err error) {
	path := "/s/" + space + "/mcp"
	status, answer, header, err := s.post(path, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25",`+
		`"capabilities":{},"clientInfo":{"name":"attacker","version":"1"}}}`, with.Clone())
	if err != nil {
		return "", err
	}
	if id = header.Get("Mcp-Session-Id"); id == "" {
		return "", fmt.Errorf("no session: status %d: %.200s", status, answer)
	}
	_, _, _, err = s.post(path, `{"jsonrpc":"2.0","method":"notifications/initialized"}`, ofSession(id, with))
	return id, err
}

// InSession calls a tool in a session, at the endpoint of a space.
func (s *Server) InSession(space, id, tool string) (status int, answer string, err error) {
	return s.InSessionAs(space, id, tool, http.Header{})
}

// InSessionAs does so with headers.
func (s *Server) InSessionAs(space, id, tool string, with http.Header) (status int, answer string, err error) {
	message := fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":%q,"arguments":{}}}`, tool)
	status, answer, _, err = s.post("/s/"+space+"/mcp", message, ofSession(id, with))
	return status, answer, err
}

func ofSession(id string, with http.Header) http.Header {
	header := with.Clone()
	header.Set("Mcp-Session-Id", id)
	header.Set("Mcp-Protocol-Version", "2025-11-25")
	return header
}

func orEmpty(arguments string) string {
	if arguments == "" {
		return "{}"
	}
	return arguments
}

func orName(client string) string {
	if client == "" {
		return "attacker"
	}
	return client
}

// Text does a tools/call and returns the text of its result, or an error with the one that it was answered.
func (s *Server) Text(a Ask) (string, error) {
	a.Method = "tools/call"
	status, answer, err := s.Do(a)
	if err != nil {
		return "", err
	}
	var r struct {
		Result struct{ Content []struct{ Text string } }
		Error  *struct{ Message string }
	}
	switch err := json.Unmarshal([]byte(answer), &r); {
	case err != nil:
		return "", fmt.Errorf("status %d: %.200s", status, answer)
	case r.Error != nil:
		return "", errors.New(r.Error.Message)
	case len(r.Result.Content) != 1:
		return "", fmt.Errorf("result %.200s", answer)
	}
	return r.Result.Content[0].Text, nil
}
