package capabilities_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// How many random cases a property is tried on: those that only compare, those that spell out what
// rights mean, and those that make a manifest and a call.
const (
	cases      = 50_000
	modelCases = 4_000
	callCases  = 2_000
)

// source is random but the same in every run; a failing case prints its rights.
func source() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func show(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(out)
}

func TestSubsetIsReflexive(t *testing.T) {
	t.Parallel()
	r := source()
	for range cases {
		a := randomRights(r, r.IntN(2) == 0)
		if err := capabilities.Subset(a, a); err != nil {
			t.Fatalf("%s: %v", show(a), err)
		}
	}
}

func TestZeroRightsAreTheBottom(t *testing.T) {
	t.Parallel()
	r := source()
	for range modelCases {
		a := randomRights(r, r.IntN(2) == 0)
		if err := capabilities.Subset(capabilities.Rights{}, a); err != nil {
			t.Fatalf("%s: %v", show(a), err)
		}
		if err := capabilities.Subset(a, capabilities.Rights{}); (err == nil) != (len(meaning(a)) == 0) {
			t.Fatalf("%s allows %d acts, below zero rights: %v", show(a), len(meaning(a)), err)
		}
	}
}

func TestSubsetIsTransitive(t *testing.T) {
	t.Parallel()
	r, chains := source(), 0
	for range cases {
		c := randomRights(r, r.IntN(2) == 0)
		b := narrowed(r, c)
		a := narrowed(r, b)
		if r.IntN(4) == 0 {
			a = randomRights(r, false)
		}
		if capabilities.Subset(a, b) != nil || capabilities.Subset(b, c) != nil {
			continue
		}
		chains++
		if err := capabilities.Subset(a, c); err != nil {
			t.Fatalf("a ⊆ b ⊆ c but not a ⊆ c: %v\na %s\nb %s\nc %s", err, show(a), show(b), show(c))
		}
	}
	if chains < cases/4 {
		t.Errorf("only %d chains in %d cases: the property was hardly tried", chains, cases)
	}
}

// What Subset accepts allows no act that the other does not; and it refuses nothing that the model
// shows to be within, apart from limits on parameters, which it compares one by one.
func TestSubsetMeansNoMoreActs(t *testing.T) {
	t.Parallel()
	r, within, without := source(), 0, 0
	for range modelCases {
		b := randomRights(r, r.IntN(2) == 0)
		a := narrowed(r, b)
		if r.IntN(2) == 0 {
			a = narrowed(r, randomRights(r, r.IntN(2) == 0))
		}
		err := capabilities.Subset(a, b)
		model := meaning(a).within(meaning(b))
		if err == nil && !model {
			t.Fatalf("accepted, but a allows more\na %s\nb %s", show(a), show(b))
		}
		if err != nil && model && plain(a) && plain(b) {
			t.Fatalf("refused (%v), but a allows no more\na %s\nb %s", err, show(a), show(b))
		}
		if err == nil {
			within++
		} else {
			without++
		}
	}
	if within < modelCases/8 || without < modelCases/8 {
		t.Errorf("%d within, %d without: one side was hardly tried", within, without)
	}
}

// plain says that the world shows all that r allows: it lists a few origins, directories and networks
// out of many, and a network or "user" allows more than those.
func plain(r capabilities.Rights) bool {
	for _, h := range r.HTTP {
		if len(h.Params) > 0 || len(h.Private) > 0 || h.Origin == "user" || len(h.Paths) > 1 {
			return false
		}
	}
	for _, f := range r.FS {
		if f.Path == "" {
			return false
		}
	}
	return true
}

func TestSubsetNamesWhatIsMissing(t *testing.T) {
	full := capabilities.Rights{
		Tools:  []string{"read"},
		HTTP:   map[string]capabilities.HTTPRight{"api": {Origin: "https://a.test", Methods: []string{"GET"}, Paths: []string{"/v1/"}, Params: []capabilities.Param{{Name: "q", Max: 3}}}},
		FS:     map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: "/srv", Mode: capabilities.ModeRead}},
		Config: []string{"UNITS"},
		Secret: map[string]string{"KEY": "egress"},
		KV:     &capabilities.KVRight{QuotaKB: 1, Scope: "space", ReadOnly: true},
	}
	http := func(change func(*capabilities.HTTPRight)) capabilities.Rights {
		h := full.HTTP["api"]
		change(&h)
		return capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"api": h}}
	}
	for _, c := range []struct {
		name string
		a    capabilities.Rights
		want string
	}{
		{"tool", capabilities.Rights{Tools: []string{"read", "wr\x1bite"}}, `tool "wr\u001bite" is not allowed`},
		{"http id", capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"z": full.HTTP["api"]}}, `http "z": origin "https://a.test" is not allowed`},
		{"origin", http(func(h *capabilities.HTTPRight) { h.Origin = "https://a.test:8443" }), `http "api": origin "https://a.test:8443" is not allowed`},
		{"origin left open", http(func(h *capabilities.HTTPRight) { h.Origin = "user" }), `http "api": origin "user" is not allowed`},
		{"method", http(func(h *capabilities.HTTPRight) { h.Methods = []string{"POST"} }), `http "api": method "POST" is not allowed`},
		{"path", http(func(h *capabilities.HTTPRight) { h.Paths = []string{"/v10/"} }), `http "api": path "/v10/" is not allowed`},
		{"auth", http(func(h *capabilities.HTTPRight) { h.Auth = &capabilities.Auth{Type: "basic"} }), `http "api": authentication is not allowed, or not the same`},
		{"parameter", http(func(h *capabilities.HTTPRight) { h.Params = nil }), `http "api": parameter "q" has to keep its limit`},
		{"parameter limit that is none", http(func(h *capabilities.HTTPRight) { h.Params = []capabilities.Param{{Name: "q", Max: -1}} }), `http "api": parameter "q" has to keep its limit`},
		{"network", http(func(h *capabilities.HTTPRight) { h.Private = worldNets[:1] }), `http "api": private network 10.0.0.0/8 is not allowed`},
		{"web", capabilities.Rights{Web: &capabilities.WebRight{Methods: []string{"GET"}}}, `web is not allowed`},
		{"mode", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: "/srv", Mode: capabilities.ModeFull}}}, `fs "docs": mode "rw" is not allowed`},
		{"unknown mode", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: "/srv", Mode: "a"}}}, `fs "docs": mode "a" is not allowed`},
		{"guest path", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/etc", Path: "/srv", Mode: capabilities.ModeRead}}}, `fs "docs": guest path "/etc" is not allowed`},
		{"directory", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/docs", Path: "/", Mode: capabilities.ModeRead}}}, `fs "docs": another directory is not allowed`},
		{"directory left open", capabilities.Rights{FS: map[string]capabilities.FSRight{"docs": {Guest: "/docs", Mode: capabilities.ModeRead}}}, `fs "docs": another directory is not allowed`},
		{"config", capabilities.Rights{Config: []string{"PLACE"}}, `config "PLACE" is not allowed`},
		{"secret", capabilities.Rights{Secret: map[string]string{"KEY": "guest"}}, `secret "KEY" for "guest" is not allowed`},
		{"kv quota", capabilities.Rights{KV: &capabilities.KVRight{QuotaKB: 2, Scope: "space", ReadOnly: true}}, `kv: a quota of 2 KB is not allowed`},
		{"kv scope", capabilities.Rights{KV: &capabilities.KVRight{QuotaKB: 1, Scope: "caller", ReadOnly: true}}, `kv: scope "caller" is not allowed`},
		{"kv write", capabilities.Rights{KV: &capabilities.KVRight{QuotaKB: 1, Scope: "space"}}, `kv: writing is not allowed`},
	} {
		if err := capabilities.Subset(c.a, full); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

func TestRequestIsNotACeilingForPrivateNetworks(t *testing.T) {
	m := sample()
	private := capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"own": {Origin: "https://git.acme.test", Methods: []string{"GET"}, Paths: []string{"/"}, Private: worldNets}}}
	if err := capabilities.Subset(private, capabilities.Requested(m)); err == nil {
		t.Error("a publisher's request covers private networks")
	}
	if err := capabilities.Subset(private, capabilities.Ceiling(m)); err != nil {
		t.Errorf("an operator cannot open a private network: %v", err)
	}
	if err := capabilities.Subset(capabilities.Requested(m), capabilities.Ceiling(m)); err != nil {
		t.Error(err)
	}
}
