package metrics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/metrics/metricstest"
)

func page(t testing.TB, s *metrics.Set) metricstest.Page {
	t.Helper()
	var b bytes.Buffer
	n, err := s.WriteTo(&b)
	if err != nil || n != int64(b.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, b.Len(), err)
	}
	p, err := metricstest.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// names are the contract: dashboards and alerts are made of them.
var names = map[string]string{
	"guardrail_blocks_total": "counter", "guardrail_violations_by_type": "counter", "guardrail_latency_ms": "histogram",
	"pii_redactions_total": "counter", "auth_failures_total": "counter", "auth_latency_ms": "histogram",
	"tool_registrations_blocked": "counter", "server_registrations_blocked": "counter", "destructive_tools_executed": "counter", "kv_conflicts_total": "counter",
	"mcp_server_operation_duration_seconds": "histogram", "writ_calls_total": "counter", "writ_call_duration_seconds": "histogram",
	"writ_fuel_total": "counter", "writ_effects_allowed_total": "counter", "writ_effects_denied_total": "counter",
	"writ_argument_bytes_total": "counter", "writ_result_bytes_total": "counter", "writ_limits_total": "counter", "writ_timeouts_total": "counter",
}

func TestNamesOfMetrics(t *testing.T) {
	p := page(t, metrics.New("ok"))
	for name, kind := range names {
		if p.Kinds[name] != kind {
			t.Errorf("%s is a %q, want %q", name, p.Kinds[name], kind)
		}
	}
}

func TestCountsOfCalls(t *testing.T) {
	s := metrics.New("ok", "denied")
	tool := metrics.Tool{Space: "default", Servlet: "docs", Name: "write"}
	s.Call(metrics.Call{Tool: tool, Status: "ok", Wall: 3 * time.Millisecond, Checks: 20 * time.Microsecond, Fuel: 7, Arguments: 10, Result: 20, Allowed: 2, Denied: 1, Destructive: true})
	s.Call(metrics.Call{Tool: tool, Status: "ok", Wall: 2 * time.Minute})
	s.Call(metrics.Call{Tool: tool, Status: "denied", Violation: "grant"})
	s.Call(metrics.Call{Status: "host failure", Limit: "rate", Violation: "limit"})
	s.Timeout("tool", 120)
	s.Redacted(3)
	s.Authenticated(true, time.Millisecond)
	s.Authenticated(false, time.Millisecond)
	s.ToolBlocked()
	s.ServletBlocked()
	s.Operation("tools/call", time.Millisecond)
	s.Operation("evil/method\n", time.Millisecond)
	s.Gauge("writ_live_instances", "Some.", func() float64 { return 4 })
	p := page(t, s)
	of := `space="default",servlet="docs",tool="write"`
	for sample, want := range map[string]float64{
		"writ_calls_total{" + of + `,status="ok"}`:                                  2,
		"writ_calls_total{" + of + `,status="denied"}`:                              1,
		`writ_calls_of_no_tool_total{status="host failure"}`:                        1,
		"writ_call_duration_seconds_bucket{" + of + `,le="0.0025"}`:                 1,
		"writ_call_duration_seconds_bucket{" + of + `,le="0.005"}`:                  2,
		"writ_call_duration_seconds_bucket{" + of + `,le="60"}`:                     2,
		"writ_call_duration_seconds_bucket{" + of + `,le="+Inf"}`:                   3,
		"writ_call_duration_seconds_count{" + of + "}":                              3,
		"writ_call_duration_seconds_sum{" + of + "}":                                120.003,
		"writ_fuel_total{" + of + "}":                                               7,
		"writ_argument_bytes_total{" + of + "}":                                     10,
		"writ_result_bytes_total{" + of + "}":                                       20,
		"writ_effects_allowed_total{" + of + "}":                                    2,
		"writ_effects_denied_total{" + of + "}":                                     1,
		`writ_limits_total{limit="rate"}`:                                           1,
		`writ_timeouts_total{phase="tool",step="left"}`:                             1,
		"guardrail_blocks_total":                                                    2,
		`guardrail_violations_by_type{type="grant"}`:                                1,
		`guardrail_violations_by_type{type="limit"}`:                                1,
		`guardrail_violations_by_type{type="effect"}`:                               1,
		"guardrail_latency_ms_count":                                                1,
		`guardrail_latency_ms_bucket{le="0.025"}`:                                   1,
		"pii_redactions_total":                                                      3,
		"auth_failures_total":                                                       1,
		"auth_latency_ms_count":                                                     2,
		"tool_registrations_blocked":                                                1,
		"server_registrations_blocked":                                              1,
		"destructive_tools_executed":                                                1,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="tools/call"}`: 1,
		`mcp_server_operation_duration_seconds_count{mcp_method_name="other"}`:      1,
		"writ_live_instances":                                                       4,
	} {
		if got, ok := p.Samples[sample]; !ok || got != want {
			t.Errorf("%s is %v (%v), want %v", sample, got, ok, want)
		}
	}
}

// What comes from outside cannot make the page grow for ever, nor break it.
func TestLabelsAreBounded(t *testing.T) {
	s := metrics.New("ok")
	for i := range 5000 {
		s.Call(metrics.Call{Tool: metrics.Tool{Space: "default", Servlet: "s", Name: fmt.Sprint("tool", i)}, Status: "ok", Limit: fmt.Sprint("limit", i)})
		s.Operation(fmt.Sprint("method", i), time.Millisecond)
	}
	s.Call(metrics.Call{Tool: metrics.Tool{Servlet: "a\"\\\n}", Name: "\xff"}, Status: "ok"})
	p := page(t, s)
	tools, limits := 0, 0
	for sample := range p.Samples {
		if strings.HasPrefix(sample, "writ_calls_total{") {
			tools++
		}
		if strings.HasPrefix(sample, "writ_limits_total{") {
			limits++
		}
	}
	if tools > 2001 || limits > 101 {
		t.Errorf("%d tools, %d limits", tools, limits)
	}
	if got := p.Samples[`writ_calls_total{space="other",servlet="other",tool="other",status="ok"}`]; got != 3001 {
		t.Errorf("%v calls of others", got)
	}
}

func TestNilCountsNothing(t *testing.T) {
	var s *metrics.Set
	s.Call(metrics.Call{})
	s.Timeout("tool", 80)
	s.Redacted(1)
	s.Authenticated(true, 0)
	s.ToolBlocked()
	s.ServletBlocked()
	s.Operation("ping", 0)
	s.Gauge("a", "b", nil)
}

func TestConcurrentCounting(t *testing.T) {
	s := metrics.New("ok")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				s.Call(metrics.Call{Tool: metrics.Tool{Name: fmt.Sprint(i % 7)}, Status: "ok", Wall: time.Millisecond})
				if i%100 == 0 {
					s.WriteTo(io.Discard)
				}
			}
		})
	}
	all.Wait()
	total := 0.0
	for sample, n := range page(t, s).Samples {
		if strings.HasPrefix(sample, "writ_call_duration_seconds_count") {
			total += n
		}
	}
	if total != 4000 {
		t.Errorf("%v calls, want 4000", total)
	}
}

func TestServe(t *testing.T) {
	var log bytes.Buffer
	var ready error
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := metrics.Page{Set: metrics.New("ok"), Ready: func(context.Context) error { return ready }, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	go func() { done <- p.Serve(ctx, l) }()
	at := "http://" + l.Addr().String()
	get := func(method, path, host string) (int, string) {
		req, _ := http.NewRequest(method, at+path, nil)
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	for _, row := range []struct {
		method, path, host string
		status             int
		body               string
	}{
		{"GET", "/healthz", "", 200, "ok"},
		{"GET", "/readyz", "localhost", 200, "ready"},
		{"GET", "/metrics", "", 200, "# TYPE writ_calls_total counter"},
		{"POST", "/metrics", "", 405, ""},
		{"GET", "/", "", 404, ""},
		{"GET", "/metrics", "evil.test", 421, "not a host"},
		{"GET", "/metrics", "127.0.0.1.evil.test:80", 421, "not a host"},
	} {
		if status, body := get(row.method, row.path, row.host); status != row.status || !strings.Contains(body, row.body) {
			t.Errorf("%+v: %d %.80q", row, status, body)
		}
	}
	ready = errors.New("opening /home/ana/.writ: locked")
	if status, body := get("GET", "/readyz", ""); status != 503 || strings.Contains(body, "ana") {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := get("GET", "/healthz", ""); status != 200 {
		t.Errorf("%d: a store that is locked is no reason to start the process again", status)
	}
	get("GET", "/readyz", "")
	ready = nil
	for range 2 {
		if status, _ := get("GET", "/readyz", ""); status != 200 {
			t.Errorf("%d", status)
		}
	}
	ready = errors.New("full")
	get("GET", "/readyz", "")
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "locked") {
		t.Errorf("the log has no reason: %q", &log)
	}
	// What asks every second does not fill the log.
	if text := log.String(); strings.Count(text, "not ready") != 2 || strings.Count(text, "ready again") != 1 {
		t.Errorf("want a line for each change: %s", text)
	}
	if _, err := net.DialTimeout("tcp", l.Addr().String(), time.Second); err == nil {
		t.Error("still listening")
	}
}

func BenchmarkCall(b *testing.B) {
	s := metrics.New("ok")
	c := metrics.Call{Tool: metrics.Tool{Space: "default", Servlet: "docs", Name: "write"}, Status: "ok", Wall: time.Millisecond, Checks: time.Microsecond, Fuel: 7, Allowed: 1}
	b.ReportAllocs()
	for b.Loop() {
		s.Call(c)
	}
}
