package metrics

import (
	"bufio"
	"cmp"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ContentType is that of the text format.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// page writes families of metrics.
// Source: Prometheus, "Exposition formats", text format 0.0.4.
type page struct{ w *bufio.Writer }

func (p page) family(name, kind, help string) {
	for _, s := range []string{"# HELP ", name, " ", strings.NewReplacer("\\", `\\`, "\n", `\n`).Replace(help), "\n# TYPE ", name, " ", kind, "\n"} {
		p.w.WriteString(s)
	}
}

// sample writes one line. labels are names and values in turn.
func (p page) sample(name string, value float64, labels ...string) {
	p.w.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		p.w.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		p.w.WriteString(labels[i])
		p.w.WriteString(`="`)
		p.w.WriteString(labelValue.Replace(strings.ToValidUTF8(labels[i+1], "?")))
		p.w.WriteByte('"')
	}
	if len(labels) > 0 {
		p.w.WriteByte('}')
	}
	p.w.WriteByte(' ')
	p.w.WriteString(number(value))
	p.w.WriteByte('\n')
}

var labelValue = strings.NewReplacer("\\", `\\`, "\n", `\n`, `"`, `\"`)

func number(v float64) string {
	if math.IsInf(v, 1) {
		return "+Inf"
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func (p page) counter(name, help string, c *counter) {
	p.family(name, "counter", help)
	p.sample(name, float64(c.n.Load()))
}

func (p page) labelled(name, help, label string, l *labelled) {
	p.family(name, "counter", help)
	names, counts := l.all()
	for _, value := range names {
		p.sample(name, float64(counts[value]), label, value)
	}
}

func (p page) histogram(name string, h *histogram, labels ...string) {
	total := uint64(0)
	for i, bound := range append(slices.Clone(h.bounds), math.Inf(1)) {
		total += h.counts[i].Load()
		p.sample(name+"_bucket", float64(total), append(slices.Clone(labels), "le", number(bound))...)
	}
	p.sample(name+"_sum", math.Float64frombits(h.sum.Load()), labels...)
	p.sample(name+"_count", float64(total), labels...)
}

// WriteTo writes all that is counted.
func (s *Set) WriteTo(w io.Writer) (int64, error) {
	counted := &counting{w: w}
	p := page{bufio.NewWriter(counted)}
	s.writeCalls(p)
	s.writeGuardrails(p)
	p.family("mcp_server_operation_duration_seconds", "histogram", "Time to answer a request of a client, by its method.")
	s.operations.mu.RLock()
	operations := maps.Clone(s.operations.byMethod)
	s.operations.mu.RUnlock()
	for _, method := range slices.Sorted(maps.Keys(operations)) {
		p.histogram("mcp_server_operation_duration_seconds", operations[method], "mcp_method_name", method)
	}
	var gauges []gauge
	s.gauges.Range(func(_, g any) bool { gauges = append(gauges, g.(gauge)); return true })
	slices.SortFunc(gauges, func(a, b gauge) int { return cmp.Compare(a.name, b.name) })
	for _, g := range gauges {
		p.family(g.name, "gauge", g.help)
		p.sample(g.name, g.value())
	}
	err := p.w.Flush()
	return counted.n, err
}

// writeCalls writes what is counted of each tool.
func (s *Set) writeCalls(p page) {
	s.mu.RLock()
	tools := slices.Collect(maps.Values(s.tools))
	s.mu.RUnlock()
	slices.SortFunc(tools, func(a, b *toolSeries) int {
		return cmp.Or(cmp.Compare(a.tool.Space, b.tool.Space), cmp.Compare(a.tool.Servlet, b.tool.Servlet), cmp.Compare(a.tool.Name, b.tool.Name))
	})
	labels := func(t *toolSeries, more ...string) []string {
		return append([]string{"space", t.tool.Space, "servlet", t.tool.Servlet, "tool", t.tool.Name}, more...)
	}
	p.family("writ_calls_total", "counter", "Calls that ended, by how.")
	for _, t := range tools {
		names, counts := t.byStatus.all()
		for _, status := range names {
			p.sample("writ_calls_total", float64(counts[status]), labels(t, "status", status)...)
		}
	}
	p.labelled("writ_calls_of_no_tool_total", "Calls that ended before a tool was found, by how.", "status", s.unknown)
	p.family("writ_call_duration_seconds", "histogram", "Time of calls, waiting and checks included.")
	for _, t := range tools {
		p.histogram("writ_call_duration_seconds", t.duration, labels(t)...)
	}
	for _, f := range []struct {
		name, help string
		of         func(*toolSeries) *counter
	}{
		{"writ_fuel_total", "Units of work that guests did.", func(t *toolSeries) *counter { return &t.fuel }},
		{"writ_argument_bytes_total", "Bytes of arguments.", func(t *toolSeries) *counter { return &t.arguments }},
		{"writ_result_bytes_total", "Bytes of results.", func(t *toolSeries) *counter { return &t.results }},
		{"writ_effects_allowed_total", "Files, requests and settings that guests asked for and were given.", func(t *toolSeries) *counter { return &t.allowed }},
		{"writ_effects_denied_total", "Those that were refused.", func(t *toolSeries) *counter { return &t.denied }},
	} {
		p.family(f.name, "counter", f.help)
		for _, t := range tools {
			p.sample(f.name, float64(f.of(t).n.Load()), labels(t)...)
		}
	}
	p.labelled("writ_limits_total", "Calls that ended at a limit, by its code.", "limit", s.limits)
	p.family("writ_timeouts_total", "counter", "Parts of calls at 80, 100 and 120 percent of their time.")
	names, counts := s.timeouts.all()
	for _, name := range names {
		phase, step, _ := strings.Cut(name, "\x00")
		p.sample("writ_timeouts_total", float64(counts[name]), "phase", phase, "step", step)
	}
}

// writeGuardrails writes what was checked and refused.
func (s *Set) writeGuardrails(p page) {
	p.counter("guardrail_blocks_total", "Calls that a check of the host ended.", &s.blocks)
	p.labelled("guardrail_violations_by_type", "What checks found, by their kind; effect: a request of a guest that was refused.", "type", s.violations)
	p.family("guardrail_latency_ms", "histogram", "Time to check a call's arguments and result, in milliseconds.")
	p.histogram("guardrail_latency_ms", s.guardrail)
	p.counter("pii_redactions_total", "Secrets and card numbers that were taken out of logs.", &s.redactions)
	p.counter("auth_failures_total", "Requests that were refused because nobody known sent them.", &s.authFailures)
	p.family("auth_latency_ms", "histogram", "Time to find out who asks, in milliseconds.")
	p.histogram("auth_latency_ms", s.auth)
	p.counter("tool_registrations_blocked", "Tools that are not presented, as their definition cannot be shown.", &s.blockedTools)
	p.counter("server_registrations_blocked", "Servlets that were not loaded: file, signature or code refused.", &s.blockedServers)
	p.counter("kv_conflicts_total", "Calls that ran again because other calls changed what they had read.", &s.kvConflicts)
	p.counter("destructive_tools_executed", "Calls that ran a tool which may destroy, by its signed hints.", &s.destructive)
}

// counting counts what goes through.
type counting struct {
	w io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
