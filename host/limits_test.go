package host_test

import (
	"context"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// documented reads the table of limits in sdk/ABI.md: code to text.
func documented(t *testing.T) map[host.Limit]string {
	t.Helper()
	page, err := os.ReadFile("../sdk/ABI.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## 6. Limits\n")
	section, _, _ = strings.Cut(section, "\n## ")
	texts := map[host.Limit]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| .* \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		texts[host.Limit(row[1])] = row[2]
	}
	return texts
}

var numbers = regexp.MustCompile(`(\d+(\.\d+)?(ms|m|s))+|\d+(\.\d+)?`)

// general replaces what differs from call to call.
func general(text, alias, call string) string {
	text = strings.ReplaceAll(text, " See `writ audit --call "+call+"`.", "")
	text = strings.ReplaceAll(text, alias+" is busy", "NAME is busy")
	return numbers.ReplaceAllString(text, "N")
}

// Each limit has a code of its own, a documented text, and both in every place where a call's end is told.
func TestEveryLimitHasItsCodeAndItsText(t *testing.T) {
	texts := documented(t)
	codes := host.Limits()
	for code := range texts {
		if !slices.Contains(codes, code) {
			t.Errorf("sdk/ABI.md has the limit %q, which the host does not", code)
		}
	}
	output := func(raw string) sandbox.Outcome { return sandbox.Outcome{Output: []byte(raw)} }
	over := func(limit host.Limit, text string) sandbox.Outcome {
		return sandbox.Outcome{Fault: &sandbox.Fault{Kind: sandbox.FaultLimit, Limit: limit, Text: text}}
	}
	outcomes := map[host.Limit]sandbox.Outcome{
		host.LimitTime:         {Fault: &sandbox.Fault{Kind: sandbox.FaultDeadline, Text: "the servlet did not answer"}},
		host.LimitDepth:        output(`{"content":` + strings.Repeat("[", 41) + strings.Repeat("]", 41) + `}`),
		host.LimitValues:       output(`{"content":[` + strings.Repeat("{},", 100_000) + `{}]}`),
		host.LimitBlocks:       output(`{"content":[` + strings.Repeat(`{"type":"text","text":""},`, 1000) + `{"type":"text","text":""}]}`),
		sandbox.LimitMemory:    over(sandbox.LimitMemory, "the servlet ended after it wanted more than the 64 MiB of memory that are granted"),
		sandbox.LimitDepth:     over(sandbox.LimitDepth, "the servlet ended because its nested calls wanted more than the 4 MiB of stack that a call has"),
		sandbox.LimitHostCalls: over(sandbox.LimitHostCalls, "the servlet made more than 100000 host calls"),
		sandbox.LimitOutput:    over(sandbox.LimitOutput, "the result is larger than the 256 KiB that are granted"),
		sandbox.LimitInput:     over(sandbox.LimitInput, "the input is larger than 1024 MiB"),
		sandbox.LimitFuel:      over(sandbox.LimitFuel, "the servlet used up the 1000 units of fuel that are granted"),
	}
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	var outcome sandbox.Outcome
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome { return outcome })
	for _, code := range codes {
		t.Run(string(code), func(t *testing.T) {
			text, ok := texts[code]
			if !ok {
				t.Fatal("sdk/ABI.md does not have it")
			}
			var a host.Answer
			of := h
			switch out, simple := outcomes[code]; {
			case simple:
				outcome = out
				a = h.call("t_act", args{})
			case code == sandbox.LimitLog:
				outcome = output(`{"content":[]}`)
				outcome.Logs, outcome.Dropped = []effect.LogLine{{Level: effect.Info, Text: "kept"}}, 5
				a = h.call("t_act", args{})
				last := a.Logs[len(a.Logs)-1].Text
				if _, want, _ := strings.Cut(text, "kept is "); numbers.ReplaceAllString(last, "N") != want || len(a.Logs) != 2 || a.Limit != "" {
					t.Errorf("logs end in %q, limit %q", last, a.Limit)
				}
				return
			case code == host.LimitRate:
				a = tooOften(t, h)
			case code == host.LimitHostTime, code == host.LimitLeftBehind:
				a = stuckAt(t, h, code)
			case code == host.LimitKVQuota:
				of, a = filled(t)
			case code == host.LimitKVConflict:
				of, a = overtaken(t, capabilities.ModeFull, "")
			default:
				a = busyAt(t, h, code)
			}
			if a.Limit != code {
				t.Fatalf("limit %q", a.Limit)
			}
			if got := general(answerText(t, a), "t", a.Call); got != strings.ReplaceAll(text, "1,024", "N") {
				t.Errorf("text %q\n want %q", got, text)
			}
			told(t, of, a)
		})
	}
}

// answerText is the text of a failed call, which has the limit in its _meta.
func answerText(t *testing.T, a host.Answer) string {
	t.Helper()
	var r struct {
		Meta map[string]any `json:"_meta"`
	}
	if err := json.Unmarshal(a.Result, &r); err != nil || r.Meta["run.writ/limit"] != string(a.Limit) {
		t.Errorf("result %s: %v", a.Result, err)
	}
	return text(t, a)
}

// told checks the audit.
func told(t *testing.T, h *fixture, a host.Answer) {
	t.Helper()
	entries, err := h.reg.Audit(t.Context(), me, registry.Filter{Call: a.Call})
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	var end struct{ Limit host.Limit }
	if err := json.Unmarshal(entries[len(entries)-1].Detail, &end); err != nil || end.Limit != a.Limit {
		t.Errorf("the audit has the limit %q, %v", end.Limit, err)
	}
}

// busyAt makes a host that is full in one way, and returns the answer to one call more.
func busyAt(t *testing.T, h *fixture, code host.Limit) host.Answer {
	t.Helper()
	const most = 2
	each := int64(65 << 20) // 64 MB and the result
	cfg, known := map[host.Limit]host.Config{
		host.LimitServletCalls:   {Running: most},
		host.LimitCallerCalls:    {CallerRunning: most},
		host.LimitTotalCalls:     {MaxRunning: most},
		host.LimitCallerMemory:   {Memory: 2 * most * each},
		sandbox.LimitMemoryTotal: {Memory: 3 * each},
		host.LimitWaiting:        {Running: most, Waiting: 2},
	}[code]
	if !known {
		t.Fatalf("no test reaches the limit %q", code)
	}
	cfg.Engine = engine
	other := &fixture{t: t, reg: h.reg, docs: h.docs}
	other.adopt(host.NewOver(cfg, h.reg))
	inside, leave := make(chan struct{}, 8), make(chan struct{})
	other.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		inside <- struct{}{}
		<-leave
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	m := manifest()
	m.Name, m.Limits.WallMS = "acme/"+strings.ReplaceAll(string(code), "_", "-"), 500
	alias := strings.ReplaceAll(string(code), "_", "-")
	other.install(alias, m)
	before, running := me, most
	if code == sandbox.LimitMemoryTotal { // of which one caller never has all
		before, running = capabilities.Local("another"), 1
		m.Limits.MemoryMB = 100
		other.installAs(before, alias, m)
	}
	done := make(chan struct{})
	for range running {
		go func() { other.callAs(before, alias+"_act", args{}); done <- struct{}{} }()
		<-inside
	}
	if code == host.LimitWaiting {
		go func() { other.call(alias+"_act", args{}); done <- struct{}{} }()
		until(t, "one waits", func() bool { return other.host.WaitingForTurn() == 1 })
		running++
	}
	a := other.call(alias+"_act", args{})
	close(leave)
	for range running {
		<-done
	}
	a.Result = []byte(strings.ReplaceAll(string(a.Result), alias+" is busy", "t is busy"))
	if a.Status != host.StatusHost {
		t.Errorf("status %q", a.Status)
	}
	return a
}
