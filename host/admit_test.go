package host_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// tooOften makes a host that lets one call a minute through, and returns the answer to the second.
func tooOften(t *testing.T, h *fixture) host.Answer {
	t.Helper()
	other := h.limited(host.Rate{PerMinute: 1, Burst: 1})
	other.call("t_units", nil)
	return other.call("t_units", nil)
}

// limited is another host over the fixture's home.
func (h *fixture) limited(r host.Rate) *fixture {
	h.t.Helper()
	made, err := host.New(host.Config{Registry: h.reg, Engine: engine, Rate: r})
	if err != nil {
		h.t.Fatal(err)
	}
	other := &fixture{t: h.t, reg: h.reg, docs: h.docs}
	other.adopt(made)
	return other
}

func TestRateIsOfEachCaller(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	l := h.limited(host.Rate{}) // the default
	for range host.DefaultRate.Burst {
		want(t, l.call("t_units", nil), host.StatusOK, "metric")
	}
	var refused host.Answer
	for range 3 * host.DefaultRate.Burst { // a token or two may come back meanwhile
		if a := l.call("t_units", nil); a.Limit != "" {
			refused = a
			break
		}
	}
	want(t, refused, host.StatusHost, "You call too often: a caller may make 100 calls a minute, and 20 at once. Try again in ")
	var meta struct {
		Meta struct {
			Limit host.Limit `json:"run.writ/limit"`
			Retry int        `json:"run.writ/retry_after_ms"`
		} `json:"_meta"`
	}
	if err := json.Unmarshal(refused.Result, &meta); err != nil || meta.Meta.Limit != host.LimitRate || meta.Meta.Retry < 1 || meta.Meta.Retry > 600 {
		t.Errorf("%s, %v", refused.Result, err)
	}
	// Neither another principal of the space nor the same one in another space has had a call yet.
	other := capabilities.Caller{Principal: "another", Space: me.Space}
	want(t, l.callAs(other, "t_units", nil), host.StatusOK, "metric")
	work := capabilities.Local("work")
	l.installAs(work, "t", manifest())
	want(t, l.callAs(work, "t_units", nil), host.StatusOK, "metric")
}

// Names of no tool count: asking for them costs the store a look each. And a flood of refusals is one entry
// of the audit, not one each: else it would fill the audit, and with a full audit nothing runs.
func TestRateCountsUnknownNamesAndRecordsOneRefusal(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	l := h.limited(host.Rate{PerMinute: 1, Burst: 3})
	for i := range 3 {
		if _, err := l.host.CallTool(t.Context(), me, host.Request{Tool: fmt.Sprintf("t_unknown%d", i)}); err == nil {
			t.Fatal("an unknown tool was called")
		}
	}
	before := len(entries(t, h))
	for range 500 {
		if a := l.call("t_units", nil); a.Limit != host.LimitRate {
			t.Fatalf("%+v", a)
		}
	}
	if n := len(entries(t, h)) - before; n != 2 { // asked and answered
		t.Errorf("%d entries of 500 refusals, want the two of one", n)
	}
}

func entries(t *testing.T, h *fixture) []registry.Entry {
	t.Helper()
	all, err := h.reg.Audit(t.Context(), me, registry.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnusableRate(t *testing.T) {
	reg := newFixture(t, guard.Network{}).reg
	for _, r := range []host.Rate{{PerMinute: 1}, {Burst: 1}, {PerMinute: -1, Burst: 1}, {PerMinute: 5, Burst: 5, Off: true}} {
		h, err := host.New(host.Config{Registry: reg, Engine: engine, Rate: r})
		if r.Off != (err == nil) && err == nil {
			t.Errorf("%+v makes a host", r)
		}
		if h != nil {
			h.Close(t.Context())
		}
	}
}
