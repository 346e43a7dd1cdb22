package mcpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
)

// meta makes a request one of 2026-07-28.
const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func call(id, tool string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,%s}}`, id, tool, meta)
}

const initialize = `{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"old","version":"1"}}}`

func listen(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},%s}}`, id, meta)
}

func cancel(id string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":%s}}`, id)
}

func mustContain(t *testing.T, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("got %.500s, want it to contain %s", got, want)
	}
}

func TestCallersAreLocalAndHaveNoRole(t *testing.T) {
	f := newFake()
	close(f.release)
	w := serveStdio(t, f)
	w.ask(call("1", "t_slow"))
	if who := await(t, f.started); who != "local@default" {
		t.Errorf("the caller was %s", who)
	}
}

func TestCancelledCallEndsAndIsNotAnswered(t *testing.T) {
	for era, request := range map[string]string{
		"2026-07-28": call("1", "t_slow"),
		"2025-11-25": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_slow"}}`,
	} {
		t.Run(era, func(t *testing.T) {
			f := newFake()
			w := serveStdio(t, f)
			w.ask(initialize)
			w.send(request)
			await(t, f.started)
			w.send(cancel("1"))
			if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
				t.Errorf("the call ended with %v", err)
			}
			// The next line is the answer to the next request: nothing came for the cancelled one.
			w.send(call("2", "t_echo"))
			mustContain(t, w.next(), `"id":2`)
		})
	}
}

func TestCancellingWhatIsNotThereDoesNothing(t *testing.T) {
	w := serveStdio(t, newFake())
	w.send(cancel(`"never"`))
	w.send(cancel(`{}`))
	mustContain(t, w.ask(call("1", "t_echo")), `"result"`)
}

func TestIDsInUseAreRefused(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	w.send(call("1", "t_slow"))
	await(t, f.started)
	w.send(call("1", "t_echo"))
	mustContain(t, w.next(), "its id is in use")
	close(f.release)
	mustContain(t, w.next(), `"done"`)
	mustContain(t, w.ask(call("1", "t_echo")), `"result"`) // free again
}

func TestEverySubscriptionHears(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	for _, id := range []string{`"a"`, `"b"`} {
		w.send(listen(id))
		mustContain(t, w.next(), "acknowledged")
	}
	f.set([]host.Tool{tool("t_new", `"inputSchema":{"type":"object"}`)})
	heard := w.next() + w.next()
	mustContain(t, heard, `"io.modelcontextprotocol/subscriptionId":"a"`)
	mustContain(t, heard, `"io.modelcontextprotocol/subscriptionId":"b"`)
	w.send(cancel(`"a"`))
	// The cancelled one is silent from now on; the other is not.
	for _, name := range []string{"t_newer", "t_newest"} {
		f.set([]host.Tool{tool(name, `"inputSchema":{"type":"object"}`)})
		for {
			if line := w.next(); strings.Contains(line, `"subscriptionId":"b"`) || strings.Contains(line, `subscriptionId":"b"`) {
				break
			}
		}
	}
	mustContain(t, w.ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%s}}`, meta)), `t_newest`)
}

func TestSessionsHearOfChangedTools(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	w.ask(initialize)
	w.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	f.set([]host.Tool{
		tool("t_echo", `"description":"other words","inputSchema":{"type":"object"}`),
		tool("t_new", `"inputSchema":{"type":"object"}`),
	})
	if line := w.next(); line != `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}` {
		t.Errorf("got %s", line)
	}
	list := w.ask(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	mustContain(t, list, "other words")
	mustContain(t, list, "t_new")
	if strings.Contains(list, "t_slow") {
		t.Errorf("a removed tool is listed: %s", list)
	}
	f.set(nil)
	mustContain(t, w.next(), "list_changed")
}

// A list is asked of the host each time: what was installed a moment ago is there.
func TestListsAreNeverStale(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	w.ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%s}}`, meta))
	f.mu.Lock()
	f.spaces["default"] = []host.Tool{tool("t_new", `"inputSchema":{"type":"object"}`)}
	f.mu.Unlock()
	mustContain(t, w.ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{%s}}`, meta)), `"tools":[{"name":"t_new"`)
}

// Each definition would make the SDK panic or make clients drop the whole list.
func TestBrokenDefinitionsHideNoOther(t *testing.T) {
	f := newFake()
	good := tool("t_good", `"inputSchema":{"type":"object"}`)
	f.spaces["default"] = []host.Tool{
		{Name: "t_nothing"},
		{Name: "t_text", Definition: json.RawMessage(`"t_text"`)},
		{Name: "t_twice", Definition: json.RawMessage(`{"name":"t_twice","name":"t_twice","inputSchema":{"type":"object"}}`)},
		{Name: "t_other", Definition: json.RawMessage(`{"name":"t_good","inputSchema":{"type":"object"}}`)},
		tool("t_noschema", `"description":"x"`),
		tool("t_null", `"inputSchema":null`),
		tool("t_array", `"inputSchema":{"type":"array"}`),
		tool("t_union", `"inputSchema":{"type":["object","null"]}`),
		tool("t_output", `"inputSchema":{"type":"object"},"outputSchema":7`),
		tool("t_header", `"inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"bad name"}}}`),
		tool("t_headers", `"inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"N"},"b":{"type":"string","x-mcp-header":"n"}}}`),
		tool("t_headertype", `"inputSchema":{"type":"object","properties":{"a":{"type":["string","null"],"x-mcp-header":"N"}}}`),
		good,
	}
	w := serveStdio(t, f)
	list := w.ask(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%s}}`, meta))
	mustContain(t, list, `"tools":[`+string(good.Definition)+`]`)
}

func TestPanicsOfTheHostFailOneRequest(t *testing.T) {
	f := newFake()
	f.listing = func() { panic("listing broke") }
	w := serveStdio(t, f)
	list := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{%s}}`, meta)
	mustContain(t, w.ask(list), `"code":-32603`)
	mustContain(t, w.ask(call("2", "t_panic")), `"code":-32603`)
	mustContain(t, w.ask(call("3", "t_echo")), `"result"`)
	f.mu.Lock()
	f.listing = nil
	f.mu.Unlock()
	mustContain(t, w.ask(list), `"t_echo"`) // it recovers by itself
	f.mu.Lock()
	f.listing = func() { panic("listing broke again") }
	f.mu.Unlock()
	f.announce()
	mustContain(t, w.ask(list), `"t_echo"`) // the last good list
}

// restless is a host whose Watch panics, then returns, then works.
type restless struct {
	*fake
	mu    sync.Mutex
	tries int
	third chan struct{}
}

func (r *restless) Watch(ctx context.Context, changed func()) {
	r.mu.Lock()
	r.tries++
	tries := r.tries
	r.mu.Unlock()
	switch tries {
	case 1:
		panic("watching broke")
	case 2:
		return
	case 3:
		close(r.third)
	}
	r.fake.Watch(ctx, changed)
}

func TestWatchIsStartedAgain(t *testing.T) {
	r := &restless{fake: newFake(), third: make(chan struct{})}
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- newServer(t, r).ServeStdio(t.Context(), "default", in, nopWriter{}) }()
	await(t, r.third)
	out.Close()
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nopWriter) Close() error                { return nil }

func TestParallelCalls(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	const calls = 100
	for i := range calls {
		w.send(call(fmt.Sprint(i), "t_slow"))
	}
	for range calls {
		await(t, f.started) // all run at once
	}
	close(f.release)
	seen := map[string]bool{}
	for range calls {
		line := w.next()
		mustContain(t, line, `"done"`)
		seen[idOf(line)] = true
	}
	if len(seen) != calls {
		t.Errorf("%d of %d calls were answered", len(seen), calls)
	}
}

func TestTooManyAtOnceAreRefused(t *testing.T) {
	f := newFake()
	w := serveStdio(t, f)
	for i := range 256 {
		w.send(call(fmt.Sprint(i), "t_slow"))
	}
	mustContain(t, w.ask(call("256", "t_echo")), "too many requests")
	close(f.release)
	for range 256 {
		mustContain(t, w.next(), `"done"`)
	}
	mustContain(t, w.ask(call("257", "t_echo")), `"result"`)
}

func TestProgressFloodsAreHeldBack(t *testing.T) {
	w := serveStdio(t, newFake())
	w.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_flood","_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`)
	if n := len(w.answer("1")); n < 2 || n > 1000 {
		t.Errorf("100000 reports made %d lines", n)
	}
}

func TestLongLines(t *testing.T) {
	w := serveStdio(t, newFake())
	request := func(id string, size int) string {
		text := fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"t_steps","arguments":{"text":""},%s}}`, id, meta)
		return strings.Replace(text, `"text":""`, `"text":"`+strings.Repeat("x", size-len(text))+`"`, 1)
	}
	const most = 16 << 20
	mustContain(t, w.ask(request("1", most)), `"walked"`)
	w.send(request("2", most+1))
	mustContain(t, w.next(), "at most 16 MiB")
	mustContain(t, w.ask(call("3", "t_echo")), `"result"`)
}

func TestDeepNestingIsRefused(t *testing.T) {
	w := serveStdio(t, newFake())
	for _, depth := range []int{100, 10_000, 1_000_000} {
		w.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}}`)
		mustContain(t, w.next(), `"code":-32700`)
	}
	mustContain(t, w.ask(call("2", "t_echo")), `"result"`)
}

func TestEndOfInput(t *testing.T) {
	t.Run("answers what is running", func(t *testing.T) {
		f := newFake()
		w := startStdio(t, newPatientServer(t, f, patience))
		w.send(listen(`"l"`))
		w.next()
		w.send(call("1", "t_slow"))
		await(t, f.started)
		w.in.Close()
		mustContain(t, w.next(), `"id":"l"`) // the subscription ends with its result
		close(f.release)
		mustContain(t, w.next(), `"done"`)
		<-w.done
		if w.err != nil {
			t.Error(w.err)
		}
	})
	t.Run("reads a last line without newline", func(t *testing.T) {
		w := serveStdio(t, newFake())
		go func() {
			io.WriteString(w.in, call("1", "t_echo"))
			w.in.Close()
		}()
		mustContain(t, w.next(), `"id":1`)
	})
	t.Run("cancels what does not end", func(t *testing.T) {
		f := newFake()
		w := serveStdio(t, f)
		w.send(call("1", "t_slow"))
		await(t, f.started)
		w.stop()
		if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
			t.Errorf("the call ended with %v", err)
		}
		<-w.done
		if w.err != nil {
			t.Error(w.err)
		}
	})
}

func TestClientThatStopsReadingIsAnError(t *testing.T) {
	in, out := io.Pipe()
	results, gone := io.Pipe()
	results.Close()
	done := make(chan error, 1)
	go func() { done <- newServer(t, newFake()).ServeStdio(t.Context(), "default", in, gone) }()
	io.WriteString(out, call("1", "t_echo")+"\n")
	if err := await(t, done); err == nil || !strings.Contains(err.Error(), "writing to the client") {
		t.Errorf("got %v", err)
	}
}

func TestSpaceNames(t *testing.T) {
	for _, name := range []string{"", "A", "../x", "a/b", strings.Repeat("a", 33)} {
		err := newServer(t, newFake()).ServeStdio(t.Context(), name, io.NopCloser(strings.NewReader("")), nopWriter{})
		if !errors.Is(err, mcpserver.ErrSpaceName) {
			t.Errorf("space %q: %v", name, err)
		}
	}
	// A client's configuration outlives the last servlet of its space.
	if err := newServer(t, newFake()).ServeStdio(t.Context(), "empty", io.NopCloser(strings.NewReader("")), nopWriter{}); err != nil {
		t.Errorf("an empty space: %v", err)
	}
}

func TestNewNeedsAHost(t *testing.T) {
	if _, err := mcpserver.New(mcpserver.Config{}); err == nil {
		t.Error("a server without a host was made")
	}
}
