package mcpserver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/metrics/metricstest"
	"github.com/writ-run/writ/host/trace"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

const (
	traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	otherParent = "00-11111111111111111111111111111111-2222222222222222-00"
)

// watchedHost tells the trace of each call, and fails to list when it is asked to.
type watchedHost struct {
	*fake
	traces chan trace.Context
	fails  atomic.Bool
}

func newWatched() *watchedHost {
	return &watchedHost{fake: newFake(), traces: make(chan trace.Context, 10)}
}

func (h *watchedHost) CallTool(ctx context.Context, by capabilities.Caller, req host.Request) (host.Answer, error) {
	h.traces <- trace.From(ctx)
	return h.fake.CallTool(ctx, by, req)
}

func (h *watchedHost) Tools(ctx context.Context, by capabilities.Caller) ([]host.Tool, error) {
	if h.fails.Load() {
		return nil, errors.New("discovery did not answer within 20s")
	}
	return h.fake.Tools(ctx, by)
}

func withTrace(line, parent, state string) string {
	return strings.Replace(line, `"_meta":{`, `"_meta":{"traceparent":"`+parent+`","tracestate":"`+state+`",`, 1)
}

func TestTraceContext(t *testing.T) {
	h := newWatched()
	address := serveHTTP(t, h)
	stdio := startStdio(t, newServer(t, h))
	body := call("1", "t_echo")
	for name, row := range map[string]struct {
		ask    func()
		parent string // "": none
		state  string
	}{
		"stdio":          {func() { stdio.ask(withTrace(call("9", "t_echo"), traceParent, "a=1")) }, traceParent, "a=1"},
		"stdio, broken":  {func() { stdio.ask(withTrace(call("8", "t_echo"), "00-x", "a=1")) }, "", ""},
		"stdio, no text": {func() { stdio.ask(strings.Replace(call("7", "t_echo"), `"_meta":{`, `"_meta":{"traceparent":7,`, 1)) }, "", ""},
		"none":           {func() { roundTrip(t, address, modernCall("t_echo", "")+body) }, "", ""},
		"a header": {func() {
			roundTrip(t, address, modernCall("t_echo", "Traceparent: "+traceParent+"\nTracestate: a=1\nTracestate: b=2\n")+body)
		}, traceParent, "a=1,b=2"},
		"two headers": {func() {
			roundTrip(t, address, modernCall("t_echo", "Traceparent: "+traceParent+"\nTraceparent: "+otherParent+"\n")+body)
		}, "", ""},
		"_meta comes before headers": {func() {
			roundTrip(t, address, modernCall("t_echo", "Traceparent: "+otherParent+"\n")+withTrace(body, traceParent, ""))
		}, traceParent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			row.ask()
			got := <-h.traces
			want, _ := trace.Parse(row.parent, row.state)
			if got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
}

// counted is a server on loopback that counts.
func counted(t *testing.T, cfg mcpserver.Config) (address string, stop func()) {
	t.Helper()
	cfg.Drain = 100 * time.Millisecond
	s, err := mcpserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.ServeHTTP(ctx, l) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

func pageOf(t *testing.T, s *metrics.Set) metricstest.Page {
	t.Helper()
	var b bytes.Buffer
	s.WriteTo(&b)
	p, err := metricstest.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatCannotBeShownIsBlockedAndCounted(t *testing.T) {
	h, set := newWatched(), metrics.New()
	h.spaces[capabilities.DefaultSpace] = append(standardTools(), tool("t_union", `"inputSchema":{"type":["object","null"]}`))
	address, _ := counted(t, mcpserver.Config{Host: h, Metrics: set})
	_, body := roundTrip(t, address, strings.Replace(modernHeadersAt, "METHOD", "tools/list", 1)+`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{`+meta+`}}`)
	if strings.Contains(body, "t_union") || !strings.Contains(body, "t_echo") {
		t.Errorf("listed: %s", body)
	}
	roundTrip(t, address, modernCall("t_echo", "")+call("1", "t_echo"))
	p := pageOf(t, set)
	if got := p.Samples["tool_registrations_blocked"]; got != 1 {
		t.Errorf("%v tools blocked, want 1", got)
	}
	for _, method := range []string{"tools/list", "tools/call"} {
		if got := p.Samples[`mcp_server_operation_duration_seconds_count{mcp_method_name="`+method+`"}`]; got != 1 {
			t.Errorf("%v of %s, want 1", got, method)
		}
	}
}

const modernHeadersAt = "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: METHOD\n"

func TestListStaysWhenNoneCanBeMade(t *testing.T) {
	h := newWatched()
	address := serveHTTP(t, h)
	list := strings.Replace(modernHeadersAt, "METHOD", "tools/list", 1) + `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}`
	_, before := roundTrip(t, address, list)
	h.fails.Store(true)
	_, after := roundTrip(t, address, list)
	if before != after || !strings.Contains(after, "t_echo") {
		t.Errorf("before %s\nafter %s", before, after)
	}
}

func TestAuthenticationIsCounted(t *testing.T) {
	r, set := registrytest.Open(t), metrics.New()
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	address, _ := counted(t, mcpserver.Config{Host: newFake(), Metrics: set, Access: mcpserver.Access{Keys: r}})
	for _, header := range []string{"Authorization: Bearer " + key, "Authorization: Bearer wrong", "X-None: 1"} {
		ask(t, address, "/mcp", header)
	}
	p := pageOf(t, set)
	if failed, all := p.Samples["auth_failures_total"], p.Samples["auth_latency_ms_count"]; failed != 2 || all != 3 {
		t.Errorf("%v of %v failed, want 2 of 3", failed, all)
	}
}

// Probes need no key and say one word; what keeps the server from being ready stands in its log.
func TestProbes(t *testing.T) {
	r := registrytest.Open(t)
	newKey(t, r, registry.KeySpec{Name: "ci"}) // so that everything else needs one
	var broken atomic.Bool
	var log bytes.Buffer
	address, stop := counted(t, mcpserver.Config{
		Host: newFake(), Logger: slog.New(slog.NewTextHandler(&log, nil)), Access: mcpserver.Access{Keys: r},
		StoreReady: func(context.Context) error {
			if broken.Load() {
				return errors.New("opening /home/ana/.writ: damaged")
			}
			return nil
		},
	})
	get := func(path, extra string) (int, string) {
		res, body := roundTrip(t, address, "GET "+path+"\n"+extra)
		return res.StatusCode, body
	}
	for _, row := range []struct {
		path, extra string
		status      int
		body        string
	}{
		{"/healthz", "", 200, "ok\n"},
		{"/readyz", "", 200, "ready\n"},
		{"/healthz", "Host: evil.test\n", 421, "not a host of this server\n"},
		{"/metrics", "", 421, ""},
	} {
		if status, body := get(row.path, row.extra); status != row.status || row.body != "" && body != row.body {
			t.Errorf("%+v: %d %q", row, status, body)
		}
	}
	if res, _ := roundTrip(t, address, "POST /readyz\n{}"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", res.StatusCode)
	}
	broken.Store(true)
	if status, body := get("/readyz", ""); status != 503 || body != "not ready\n" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := get("/healthz", ""); status != 200 {
		t.Errorf("%d: a process that answers is alive", status)
	}
	get("/readyz", "")
	stop()
	if text := log.String(); strings.Count(text, "not ready") != 1 {
		t.Errorf("want one line, however often it is asked: %s", text)
	}
}
