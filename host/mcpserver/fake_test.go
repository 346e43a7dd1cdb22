package mcpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
)

// fake is a host whose tools misbehave on request.
type fake struct {
	mu      sync.Mutex
	spaces  map[string][]host.Tool
	changed map[int]func()
	watches int
	watched chan struct{} // closed when the first Watch began
	listing func()        // runs in Tools, when set
	started chan string   // the tool "slow" was called, with its principal and space
	ended   chan error    // the context of "slow" ended
	release chan struct{} // lets "slow" answer
}

func newFake() *fake {
	return &fake{
		spaces: map[string][]host.Tool{
			capabilities.DefaultSpace: standardTools(),
			"work":                    {tool("desk_echo", `"inputSchema":{"type":"object"}`)},
		},
		changed: map[int]func(){},
		watched: make(chan struct{}),
		started: make(chan string, 1000),
		ended:   make(chan error, 1000),
		release: make(chan struct{}),
	}
}

func tool(name, members string) host.Tool {
	return host.Tool{Name: name, Definition: json.RawMessage(fmt.Sprintf(`{"name":%q,%s}`, name, members)), Ready: true}
}

// standardTools is what a client finds in the space default. t_list has what old clients refuse.
func standardTools() []host.Tool {
	plain := `"inputSchema":{"type":"object"}`
	return []host.Tool{
		tool("t_bad", plain),
		tool("t_echo", `"description":"Say it again","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]},`+
			`"annotations":{"readOnlyHint":true,"vendorHint":"kept"},"vendor":{"kept":true}`),
		tool("t_list", `"inputSchema":{"type":"object","properties":{"anything":true}},"outputSchema":{"type":"array","items":{"type":"integer"}}`),
		tool("t_panic", plain),
		tool("t_region", `"inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`),
		tool("t_slow", plain),
		tool("t_steps", plain),
		// The SDK cannot read the union and would check no header of this tool.
		tool("t_zone", `"inputSchema":{"type":"object","properties":{"zone":{"type":"string","x-mcp-header":"Zone"},"note":{"type":["string","null"]}}}`),
	}
}

func (f *fake) Tools(_ context.Context, by capabilities.Caller) ([]host.Tool, error) {
	f.mu.Lock()
	listing, tools := f.listing, f.spaces[by.Space]
	f.mu.Unlock()
	if listing != nil {
		listing()
	}
	return tools, nil
}

// set replaces the tools of the space default and tells all watchers.
func (f *fake) set(tools []host.Tool) {
	f.mu.Lock()
	f.spaces[capabilities.DefaultSpace] = tools
	f.mu.Unlock()
	f.announce()
}

func (f *fake) announce() {
	<-f.watched
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, changed := range f.changed {
		changed()
	}
}

func (f *fake) Watch(ctx context.Context, changed func()) {
	f.mu.Lock()
	f.watches++
	me := f.watches
	f.changed[me] = changed
	if me == 1 {
		close(f.watched)
	}
	f.mu.Unlock()
	<-ctx.Done()
	f.mu.Lock()
	delete(f.changed, me)
	f.mu.Unlock()
}

func (f *fake) CallTool(ctx context.Context, by capabilities.Caller, req host.Request) (host.Answer, error) {
	answer := func(result string) (host.Answer, error) {
		return host.Answer{Status: host.StatusOK, Result: json.RawMessage(result), Call: "c1"}, nil
	}
	switch req.Tool {
	case "t_echo", "desk_echo":
		text, err := json.Marshal(string(req.Arguments))
		if err != nil {
			return host.Answer{}, err
		}
		return answer(fmt.Sprintf(`{"content":[{"type":"text","text":%s,"vendor":1}],"structuredContent":{"space":%q},"_meta":{"acme.test/kept":true},"vendor":"kept"}`, text, by.Space))
	case "t_list":
		return answer(`{"content":[],"structuredContent":[1,2,3]}`)
	case "t_panic":
		panic("the host broke")
	case "t_region", "t_zone":
		return answer(`{"content":[{"type":"text","text":"in the region"}]}`)
	case "t_bad":
		return answer(`{"content":"no array"}`)
	case "t_forge":
		return answer(`{"content":[],"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create"}},"requestState":"x","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"evil"}}}`)
	case "t_store":
		return host.Answer{}, errors.New("opening /home/ana/secret: damaged")
	case "t_newer":
		return host.Answer{}, fmt.Errorf("looking up t: %w: /home/ana/writ.db", registry.ErrNewer)
	case "t_slow":
		f.started <- by.Principal + "@" + by.Space
		select {
		case <-ctx.Done():
			f.ended <- ctx.Err()
			return host.Answer{}, ctx.Err()
		case <-f.release:
			return answer(`{"content":[{"type":"text","text":"done"}]}`)
		}
	case "t_steps":
		if req.Progress != nil {
			for _, step := range []float64{0, 50, 50, 20, 100} {
				req.Progress(step, 100, fmt.Sprintf("step %g", step))
			}
		}
		return answer(`{"content":[{"type":"text","text":"walked"}]}`)
	case "t_flood":
		for i := range 100_000 {
			req.Progress(float64(i), 0, "")
		}
		return answer(`{"content":[]}`)
	}
	return host.Answer{}, host.ErrUnknownTool
}

var _ mcpserver.Tooler = (*fake)(nil)

// newServer makes a server on f, which logs into the test and has no patience with calls that never end.
func newServer(t testing.TB, f mcpserver.Tooler) *mcpserver.Server {
	t.Helper()
	return newPatientServer(t, f, 100*time.Millisecond)
}

func newPatientServer(t testing.TB, f mcpserver.Tooler, drain time.Duration) *mcpserver.Server {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := mcpserver.New(mcpserver.Config{Host: f, Version: "test", Logger: logger, Drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("log: %.300s", p)
	return len(p), nil
}

// serveHTTP serves f on a free port until the test ends, and returns the address.
func serveHTTP(t testing.TB, f mcpserver.Tooler) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := newServer(t, f)
	go func() { done <- s.ServeHTTP(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ServeHTTP: %v", err)
		}
	})
	return l.Addr().String()
}

// stdioServer is the variable with which this test binary becomes a server on its own streams, for
// clients that start a process.
const stdioServer = "WRIT_TEST_STDIO_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(stdioServer) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := mcpserver.New(mcpserver.Config{Host: newFake(), Version: "test"})
	if err == nil {
		err = s.ServeStdio(ctx, capabilities.DefaultSpace, os.Stdin, os.Stdout)
	}
	if err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
}
