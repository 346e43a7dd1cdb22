package host_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/metrics"
	"github.com/writ-run/writ/host/metrics/metricstest"
	"github.com/writ-run/writ/host/trace"
	"github.com/writ-run/writ/registry"
)

const traceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// A trace context identifies whoever sends it. It reaches the granted origin when the operator wants that, and
// else nobody; in the log and the audit it always stands.
func TestTraceContextOfACall(t *testing.T) {
	for _, pass := range []bool{false, true} {
		s := newSite(t)
		got := make(chan http.Header, 1)
		s.handle("GET /v1/trace", func(w http.ResponseWriter, r *http.Request) { got <- r.Header; w.Write([]byte("ok")) })
		base := newFixture(t, guard.Network{})
		base.install("w", manifest())
		base.regrant("w", false, func(g *capabilities.Grant) {
			api := g.Rights.HTTP["api"]
			api.Origin, api.Methods = s.origin, []string{"GET"}
			g.Rights.HTTP["api"] = api
		})
		var log bytes.Buffer
		h := &fixture{t: t, reg: base.reg, docs: base.docs}
		h.adopt(host.NewOver(host.Config{Engine: engine, Network: s.net, PassTrace: pass, CallLog: slog.New(slog.NewJSONHandler(&log, nil))}, base.reg))
		c, ok := trace.Parse(traceParent, "vendor=1")
		if !ok {
			t.Fatal("not a trace")
		}
		a, err := h.host.CallTool(trace.With(t.Context(), c), me, host.Request{Tool: "w_fetch", Arguments: json.RawMessage(`{"method":"GET","path":"/v1/trace","text":""}`)})
		if err != nil || a.Status != host.StatusOK {
			t.Fatalf("%+v, %v", a, err)
		}
		header := <-got
		parent, state := header.Get("Traceparent"), header.Get("Tracestate")
		if pass && (parent != "00-"+c.Trace+"-"+a.Call+"-01" || state != "vendor=1") || !pass && parent+state != "" {
			t.Errorf("passed on (%v): %q, %q", pass, parent, state)
		}
		entries, err := h.reg.Audit(t.Context(), me, registry.Filter{Call: a.Call, Event: "call"})
		if err != nil || len(entries) != 1 || !strings.Contains(string(entries[0].Detail), `"trace":"`+c.Trace+`","parent":"`+c.Parent+`"`) {
			t.Errorf("audit %+v, %v", entries, err)
		}
		if !strings.Contains(log.String(), `"trace":"`+c.Trace+`"`) || !strings.Contains(log.String(), `"call":"`+a.Call+`"`) {
			t.Errorf("log %s", &log)
		}
	}
}

func TestWhatIsCountedAndLogged(t *testing.T) {
	base := newFixture(t, guard.Network{})
	base.install("docs", manifest())
	set := metrics.New(host.Statuses()...)
	var log bytes.Buffer
	h := &fixture{t: t, reg: base.reg, docs: base.docs}
	h.adopt(host.NewOver(host.Config{Engine: engine, Metrics: set, CallLog: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, base.reg))
	want(t, h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"}), host.StatusOK, "written")
	h.call("docs_read", args{"path": "/etc/passwd"})
	h.call("docs_read", map[string]any{"path": 7})
	for range 100 { // names that nobody has installed become no label, and no line
		h.host.CallTool(t.Context(), me, host.Request{Tool: "docs_invented-canary"})
	}
	var page bytes.Buffer
	set.WriteTo(&page)
	if strings.Contains(page.String(), "canary") || strings.Contains(log.String(), "canary") {
		t.Error("a caller's own word became a label or a line")
	}
	p, err := metricstest.Parse(&page)
	if err != nil {
		t.Fatal(err)
	}
	of := func(tool string) string { return `space="default",servlet="docs",tool="` + tool + `"` }
	for sample, least := range map[string]float64{
		"writ_calls_total{" + of("write") + `,status="ok"}`:        1,
		"writ_calls_total{" + of("read") + `,status="tool error"}`: 2,
		`writ_calls_of_no_tool_total{status="host failure"}`:       100,
		"writ_call_duration_seconds_count{" + of("write") + "}":    1,
		"writ_fuel_total{" + of("write") + "}":                     1,
		"writ_effects_allowed_total{" + of("write") + "}":          1,
		"writ_argument_bytes_total{" + of("write") + "}":           10,
		"writ_result_bytes_total{" + of("write") + "}":             10,
		`guardrail_violations_by_type{type="arguments"}`:           1,
		"guardrail_blocks_total":                                   1,
		"guardrail_latency_ms_count":                               2,
		"destructive_tools_executed":                               1,
		"writ_live_instances":                                      1,
		"writ_guest_memory_bytes":                                  1,
	} {
		if got, ok := p.Samples[sample]; !ok || got < least {
			t.Errorf("%s is %v (%v), want %v at least", sample, got, ok, least)
		}
	}
	if got := p.Samples["destructive_tools_executed"]; got != 1 {
		t.Errorf("%v destructive tools, want 1: reading is none", got)
	}
	if !strings.Contains(log.String(), `"msg":"call","space":"default","alias":"docs","tool":"write"`) {
		t.Errorf("log %s", &log)
	}
}
