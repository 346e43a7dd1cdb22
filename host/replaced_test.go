package host_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// before changes an alias just before a call looks it up, once.
type before struct {
	*registry.Registry
	done bool
	do   func()
}

func (b *before) Configured(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, map[string]string, uint64, error) {
	if !b.done {
		b.done = true
		b.do()
	}
	return b.Registry.Configured(ctx, by, alias)
}

// The configuration of whoever has an alias now is not told to the code of whoever had it before.
func TestConfigurationGoesToTheServletThatItIsFor(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	if err := h.reg.SetConfig(t.Context(), me, "t", "UNITS", "of the first"); err != nil {
		t.Fatal(err)
	}
	h.adopt(host.NewOver(host.Config{Engine: engine}, &before{Registry: h.reg, do: func() { h.replace("t", "2.0.0", "of the second") }}))
	a := h.call("t_units", nil)
	want(t, a, host.StatusOK, "of the second")
	if got := h.servlet(a.Call); got != "acme/tools@2.0.0" {
		t.Errorf("it was told to %s", got)
	}
}

func TestAliasThatIsRemovedMeanwhileIsUnknown(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	h.adopt(host.NewOver(host.Config{Engine: engine}, &before{Registry: h.reg, do: func() { h.reg.Remove(t.Context(), me, "t", true) }}))
	if _, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "t_units"}); err == nil || !strings.Contains(err.Error(), "unknown tool") {
		t.Errorf("got %v", err)
	}
}

// replace installs another version under an alias, with configuration of its own.
func (h *fixture) replace(alias, version, units string) {
	h.t.Helper()
	if err := h.reg.Remove(h.t.Context(), me, alias, true); err != nil {
		h.t.Fatal(err)
	}
	m := manifest()
	m.Version = version
	h.install(alias, m)
	if err := h.reg.SetConfig(h.t.Context(), me, alias, "UNITS", units); err != nil {
		h.t.Fatal(err)
	}
}

// servlet is the name and version that the audit has for a call.
func (h *fixture) servlet(call string) string {
	h.t.Helper()
	entries, err := h.reg.Audit(h.t.Context(), me, registry.Filter{Call: call})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		var d struct{ Servlet string }
		if e.Event == "call" && json.Unmarshal(e.Detail, &d) == nil {
			return d.Servlet
		}
	}
	return ""
}

// swapped is a registry in which an alias turns into something else with the same name and rights.
type swapped struct {
	*registry.Registry
	armed atomic.Bool
	swap  func(*registry.Installation)
}

func (s *swapped) Lookup(ctx context.Context, by capabilities.Caller, alias string) (registry.Installation, error) {
	in, err := s.Registry.Lookup(ctx, by, alias)
	if s.armed.Load() {
		s.swap(&in)
	}
	return in, err
}

// Rights that an operator gave to one file are no word about another under its alias.
func TestCallEndsWhenItsServletIsReplaced(t *testing.T) {
	for name, swap := range map[string]func(*registry.Installation){
		"another file":      func(in *registry.Installation) { in.Digest = strings.Repeat("0", 64) },
		"another publisher": func(in *registry.Installation) { in.Publisher = "someone else" },
		"another manifest":  func(in *registry.Installation) { in.Grant.Manifest = strings.Repeat("0", 64) },
		"another name":      func(in *registry.Installation) { in.Name = "acme/others" },
	} {
		t.Run(name, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			m := manifest()
			m.Limits.WallMS = 5000
			h.install("t", m)
			s := &swapped{Registry: h.reg, swap: swap}
			h.adopt(host.NewOver(host.Config{Engine: engine}, s))
			a, err := h.host.CallTool(t.Context(), me, host.Request{
				Tool: "t_act", Arguments: json.RawMessage(`{"do":"sleep"}`),
				Progress: func(float64, float64, string) {
					s.armed.Store(true)
					if err := h.reg.SetConfig(context.Background(), me, "t", "UNITS", "x"); err != nil { // so that someone looks
						t.Error(err)
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			want(t, a, host.StatusDenied, "t_act was ended: another file was installed as t while it ran.")
		})
	}
}

// The same in the gap between the first look and the registration, which no one else sees.
func TestReplacedJustBeforeTheCallIsRegistered(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	h.adopt(host.NewOver(host.Config{Engine: engine}, &meanwhile{Registry: h.reg, do: func() { h.replace("t", "2.0.0", "x") }}))
	want(t, h.call("t_units", nil), host.StatusOK, "metric")
	want(t, h.call("t_units", nil), host.StatusDenied, "another file was installed as t while it ran")
}
