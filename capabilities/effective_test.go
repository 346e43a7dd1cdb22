package capabilities_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// granted gives everything that s asks for, with directories and origins chosen.
func granted(s capabilities.Servlet) capabilities.Grant {
	rights := capabilities.Requested(s.Manifest())
	rights.FS = map[string]capabilities.FSRight{
		"docs": {Guest: "/docs", Path: "/home/ana/notes", Mode: capabilities.ModeFull},
		"more": {Guest: "/more", Path: "/srv/more", Mode: capabilities.ModeRead},
	}
	own := rights.HTTP["own"]
	own.Origin = "https://git.ana.test"
	rights.HTTP["own"] = own
	return capabilities.Grant{Servlet: s.Manifest().Name, Publisher: s.KeyID(), Manifest: s.ManifestDigest(), Rights: rights}
}

var ana = capabilities.Local(capabilities.DefaultSpace)

func effective(t testing.TB, s capabilities.Servlet, g capabilities.Grant, tool string) capabilities.Policy {
	t.Helper()
	p, err := capabilities.Effective(s.Manifest(), s.ManifestDigest(), g, ana, "notes", tool, map[string]string{"PLACE": "Bern", "OTHER": "x"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestACallHasWhatItsToolUsesAndNoMore(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	for _, c := range []struct {
		tool   string
		rights string
	}{
		{"read", `{"tools":["read"],"fs":{"docs":{"guest":"/docs","path":"/home/ana/notes","mode":"ro"}},"config":["UNITS"]}`},
		{"write", `{"tools":["write"],"fs":{"docs":{"guest":"/docs","path":"/home/ana/notes","mode":"rw"}}}`},
		{"post", `{"tools":["post"],"http":{"api":{"origin":"https://api.acme.test","methods":["GET","POST"],"paths":["/v1/"]},"own":{"origin":"https://git.ana.test","methods":["GET"],"paths":["/"]}}}`},
	} {
		if got := show(effective(t, s, granted(s), c.tool).Rights); got != c.rights {
			t.Errorf("%s:\ngot  %s\nwant %s", c.tool, got, c.rights)
		}
	}
}

func TestPolicySaysWhoWhatAndHowMuch(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	p := effective(t, s, granted(s), "read")
	if p.Servlet != "acme/notes" || p.Alias != "notes" || p.Tool != "read" || p.Caller.Principal != "local" || p.Caller.Space != "default" {
		t.Errorf("got %+v", p)
	}
	if p.Limits != capabilities.DefaultLimits {
		t.Errorf("limits: %+v", p.Limits)
	}
	if got := capabilities.EffectiveLimits(capabilities.Limits{WallMS: 5}); got != (capabilities.Limits{MemoryMB: 64, WallMS: 5, HTTPCalls: 20, ResultKB: 256}) {
		t.Errorf("limits: %+v", got)
	}
}

// A guest counts its directories once, when it starts: a directory that was not granted, or that this
// tool does not use, keeps its place and opens nothing.
func TestPreopensKeepTheirPlaces(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	g := granted(s)
	for _, c := range []struct {
		tool string
		want string
	}{
		{"write", `[{"guest":"/docs","path":"/home/ana/notes","mode":"rw"},{"guest":"/more","mode":""}]`},
		{"post", `[{"guest":"/docs","mode":""},{"guest":"/more","mode":""}]`},
	} {
		if got := show(effective(t, s, g, c.tool).Preopens); got != c.want {
			t.Errorf("%s: got %s, want %s", c.tool, got, c.want)
		}
	}
	g.Rights.FS = nil
	if got, want := show(effective(t, s, g, "write").Preopens), `[{"guest":"/docs","mode":""},{"guest":"/more","mode":""}]`; got != want {
		t.Errorf("nothing granted: got %s, want %s", got, want)
	}
}

func TestConfigValues(t *testing.T) {
	m := sample()
	m.Uses["read"] = []string{"config:UNITS", "config:PLACE"}
	s := mustOpen(t, seal(t, m))
	for _, c := range []struct {
		name string
		keys []string
		set  map[string]string
		want map[string]string
	}{
		{"defaults; what is neither set nor has one is absent", []string{"UNITS", "PLACE"}, nil, map[string]string{"UNITS": "metric"}},
		{"set values win", []string{"UNITS", "PLACE"}, map[string]string{"UNITS": "", "PLACE": "Bern"}, map[string]string{"UNITS": "", "PLACE": "Bern"}},
		{"keys that were not granted are absent", []string{"PLACE"}, map[string]string{"UNITS": "x", "PLACE": "Bern"}, map[string]string{"PLACE": "Bern"}},
		{"keys that nobody declared are absent", []string{"UNITS", "HOME"}, map[string]string{"HOME": "/root"}, map[string]string{"UNITS": "metric"}},
	} {
		g := granted(s)
		g.Rights.Config = c.keys
		p, err := capabilities.Effective(s.Manifest(), s.ManifestDigest(), g, ana, "notes", "read", c.set)
		if err != nil || !maps.Equal(p.Values, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, p.Values, err, c.want)
		}
	}
}

func TestEffectiveRefuses(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	grant := func(change func(*capabilities.Grant)) capabilities.Grant {
		g := granted(s)
		change(&g)
		return g
	}
	for _, c := range []struct {
		name   string
		g      capabilities.Grant
		digest string
		caller capabilities.Caller
		tool   string
		want   error
	}{
		{"the zero grant", capabilities.Grant{}, s.ManifestDigest(), ana, "read", capabilities.ErrNotGranted},
		{"rights without a name on them", capabilities.Grant{Rights: granted(s).Rights}, s.ManifestDigest(), ana, "read", capabilities.ErrNotGranted},
		{"a tool left out", grant(func(g *capabilities.Grant) { g.Rights.Tools = []string{"write"} }), s.ManifestDigest(), ana, "read", capabilities.ErrNotGranted},
		{"no caller", granted(s), s.ManifestDigest(), capabilities.Caller{}, "read", capabilities.ErrNotGranted},
		{"a caller without a space", granted(s), s.ManifestDigest(), capabilities.Caller{Principal: "local"}, "read", capabilities.ErrNotGranted},
		{"another servlet's grant", grant(func(g *capabilities.Grant) { g.Servlet = "acme/other" }), s.ManifestDigest(), ana, "read", capabilities.ErrGrantMismatch},
		{"another publisher's grant", grant(func(g *capabilities.Grant) { g.Publisher = capabilities.KeyID(other) }), s.ManifestDigest(), ana, "read", capabilities.ErrGrantMismatch},
		{"a grant of another version", grant(func(g *capabilities.Grant) { g.Manifest = digest([]byte("old")) }), s.ManifestDigest(), ana, "read", capabilities.ErrGrantMismatch},
		{"no manifest digest on either side", grant(func(g *capabilities.Grant) { g.Manifest = "" }), "", ana, "read", capabilities.ErrGrantMismatch},
		{"a tool that does not exist, though granted", grant(func(g *capabilities.Grant) { g.Rights.Tools = []string{"admin"} }), s.ManifestDigest(), ana, "admin", capabilities.ErrUnknownTool},
	} {
		p, err := capabilities.Effective(s.Manifest(), c.digest, c.g, c.caller, "notes", c.tool, nil)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if len(meaning(p.Rights)) > 0 || p.Preopens != nil || p.Limits != (capabilities.Limits{}) {
			t.Errorf("%s: refused, but gave %s", c.name, show(p))
		}
	}
}

// A grant that is damaged, or was written by something other than approval, gives less and never more.
func TestCrookedGrantsGiveLess(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	for _, c := range []struct {
		name  string
		tool  string
		crook func(r *capabilities.Rights)
	}{
		{"directory without a path", "write", func(r *capabilities.Rights) {
			r.FS["docs"] = capabilities.FSRight{Guest: "/docs", Mode: capabilities.ModeFull}
		}},
		{"directory at another guest path", "write", func(r *capabilities.Rights) {
			r.FS["docs"] = capabilities.FSRight{Guest: "/etc", Path: "/etc", Mode: capabilities.ModeFull}
		}},
		{"directory of an unknown mode", "write", func(r *capabilities.Rights) {
			r.FS["docs"] = capabilities.FSRight{Guest: "/docs", Path: "/etc", Mode: "zz"}
		}},
		{"directory under another id", "write", func(r *capabilities.Rights) { r.FS["other"] = r.FS["docs"]; delete(r.FS, "docs") }},
		{"another origin", "post", func(r *capabilities.Rights) {
			r.HTTP = map[string]capabilities.HTTPRight{"api": {Origin: "https://evil.test", Methods: []string{"GET"}, Paths: []string{"/v1/"}}}
		}},
		{"an origin that nobody chose", "post", func(r *capabilities.Rights) {
			r.HTTP = map[string]capabilities.HTTPRight{"own": {Origin: "user", Methods: []string{"GET"}, Paths: []string{"/"}}}
		}},
		{"a chosen address of this machine", "post", func(r *capabilities.Rights) {
			r.HTTP = map[string]capabilities.HTTPRight{"own": {Origin: "https://127.0.0.1", Methods: []string{"GET"}, Paths: []string{"/"}}}
		}},
		{"paths outside the request", "post", func(r *capabilities.Rights) {
			r.HTTP = map[string]capabilities.HTTPRight{"api": {Origin: "https://api.acme.test", Methods: []string{"GET"}, Paths: []string{"/v10/", "/v1/../admin"}}}
		}},
		{"methods outside the request", "post", func(r *capabilities.Rights) {
			r.HTTP = map[string]capabilities.HTTPRight{"api": {Origin: "https://api.acme.test", Methods: []string{"DELETE"}, Paths: []string{"/v1/"}}}
		}},
	} {
		g := granted(s)
		c.crook(&g.Rights)
		p := effective(t, s, g, c.tool)
		p.Rights.Tools = nil
		if a := meaning(p.Rights); len(a) > 0 {
			t.Errorf("%s: the call can %s", c.name, slices.Sorted(maps.Keys(a))[0])
		}
	}
}

func TestWiderGrantIsCutToTheRequest(t *testing.T) {
	s := mustOpen(t, seal(t, sample()))
	g := granted(s)
	g.Rights.HTTP["api"] = capabilities.HTTPRight{Origin: "https://api.acme.test", Methods: []string{"GET", "DELETE"}, Paths: []string{"/"}, Private: worldNets[:1]}
	g.Rights.FS["more"] = capabilities.FSRight{Guest: "/more", Path: "/srv", Mode: capabilities.ModeFull}
	want := `{"origin":"https://api.acme.test","methods":["GET"],"paths":["/v1/"],"private":["10.0.0.0/8"]}`
	if got := show(effective(t, s, g, "post").Rights.HTTP["api"]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// randomManifest asks for what randomRights drew, for tools that use it at random.
func randomManifest(r *rand.Rand) capabilities.Manifest {
	rights := randomRights(r, true)
	m := capabilities.Manifest{Name: "acme/x", Publisher: capabilities.FormatPublisher(testKey.Public().(ed25519.PublicKey)), Uses: map[string][]string{}}
	var all []string
	for _, id := range slices.Sorted(maps.Keys(rights.HTTP)) {
		h := rights.HTTP[id]
		m.Capabilities.HTTP = append(m.Capabilities.HTTP, capabilities.HTTP{ID: id, Origin: h.Origin, Methods: h.Methods, Paths: h.Paths, Auth: h.Auth, Params: h.Params})
		all = append(all, "http:"+id+one(r, "", ":ro"))
	}
	for _, id := range slices.Sorted(maps.Keys(rights.FS)) {
		f := rights.FS[id]
		m.Capabilities.FS = append(m.Capabilities.FS, capabilities.FS{ID: id, Guest: f.Guest, Mode: f.Mode})
		all = append(all, "fs:"+id+one(r, "", ":ro"))
	}
	for _, key := range rights.Config {
		m.Capabilities.Config = append(m.Capabilities.Config, capabilities.Config{Key: key})
		all = append(all, "config:"+key)
	}
	for _, key := range slices.Sorted(maps.Keys(rights.Secret)) {
		m.Capabilities.Secrets = append(m.Capabilities.Secrets, capabilities.Secret{Key: key, Use: rights.Secret[key]})
		all = append(all, "secret:"+key)
	}
	if rights.Web != nil {
		m.Capabilities.Web = &capabilities.Web{Methods: rights.Web.Methods}
		all = append(all, "web")
	}
	if rights.KV != nil {
		m.Capabilities.KV = &capabilities.KV{QuotaKB: rights.KV.QuotaKB, Scope: rights.KV.Scope}
		all = append(all, one(r, "kv", "kv:ro"))
	}
	for _, tool := range pick(r, worldTools) {
		m.Tools = append(m.Tools, json.RawMessage(fmt.Sprintf(`{"name":%q,"inputSchema":{"type":"object"}}`, tool)))
		m.Uses[tool] = pick(r, all)
	}
	return m
}

// usedActs says which act of the world an entry of uses can reach.
func usedActs(a acts, m capabilities.Manifest, tool string) acts {
	out := acts{}
	for act := range a {
		kind, rest, _ := strings.Cut(act, " ")
		subject, rest, _ := strings.Cut(rest, " ")
		reads := !strings.Contains(rest, "write") && !strings.HasPrefix(rest, "POST")
		for _, u := range m.Uses[tool] {
			base, ro := strings.CutSuffix(u, ":ro")
			matches := base == kind+":"+subject || base == kind && (kind == "web" || kind == "kv")
			out[act] = out[act] || matches && (reads || !ro)
		}
		// A secret that the host attaches goes with the request that carries it.
		if kind == "secret" && rest == "egress" && subject == "KEY" {
			for _, h := range m.Capabilities.HTTP {
				carries := slices.Contains(m.Uses[tool], "http:"+h.ID) || slices.Contains(m.Uses[tool], "http:"+h.ID+":ro")
				out[act] = out[act] || h.Auth != nil && carries
			}
		}
		out[act] = out[act] || act == "tool "+tool
	}
	maps.DeleteFunc(out, func(_ string, allowed bool) bool { return !allowed })
	return out
}

// The one property that everything rests on: a call can do exactly what the manifest asks, the
// operator granted and its tool uses, never more than any of the three.
func TestEffectiveIsTheIntersection(t *testing.T) {
	t.Parallel()
	r, calls := source(), 0
	sum := digest([]byte("manifest"))
	for range callCases {
		m := randomManifest(r)
		g := capabilities.Grant{Servlet: m.Name, Publisher: capabilities.KeyID(testKey.Public().(ed25519.PublicKey)), Manifest: sum}
		if r.IntN(2) == 0 {
			g.Rights = narrowed(r, capabilities.Requested(m))
		} else {
			g.Rights = randomRights(r, r.IntN(4) == 0)
		}
		tool := one(r, worldTools...)
		p, err := capabilities.Effective(m, sum, g, ana, "x", tool, nil)
		if err != nil {
			if slices.Contains(g.Rights.Tools, tool) && m.Writes(tool) && errors.Is(err, capabilities.ErrNotGranted) {
				t.Fatalf("refused: %v\nmanifest %s\ngrant %s", err, show(m), show(g.Rights))
			}
			continue
		}
		calls++
		if err := capabilities.Subset(p.Rights, g.Rights); err != nil {
			t.Fatalf("above the grant: %v\n%s\n%s", err, show(p.Rights), show(g.Rights))
		}
		if err := capabilities.Subset(p.Rights, capabilities.Ceiling(m)); err != nil {
			t.Fatalf("above the manifest: %v\n%s\n%s", err, show(p.Rights), show(m))
		}
		got := meaning(p.Rights)
		want := usedActs(meaning(capabilities.Ceiling(m)), m, tool)
		allowed := meaning(chosen(g.Rights))
		maps.DeleteFunc(want, func(act string, _ bool) bool { return !allowed[act] })
		if !maps.Equal(got, want) {
			t.Fatalf("%s\nmanifest %s\ngrant %s\ngot  %s", difference(got, want), show(m), show(g.Rights), show(p.Rights))
		}
	}
	if calls < callCases/10 {
		t.Errorf("only %d calls in %d cases", calls, callCases)
	}
}

// chosen drops from a grant what nobody chose: it stands for nothing there.
func chosen(r capabilities.Rights) capabilities.Rights {
	r.HTTP, r.FS = maps.Clone(r.HTTP), maps.Clone(r.FS)
	maps.DeleteFunc(r.HTTP, func(_ string, h capabilities.HTTPRight) bool { return h.Origin == "user" })
	maps.DeleteFunc(r.FS, func(_ string, f capabilities.FSRight) bool { return f.Path == "" })
	return r
}

func difference(got, want acts) string {
	for act := range got {
		if !want[act] {
			return "the call can, and should not: " + act
		}
	}
	for act := range want {
		if !got[act] {
			return "the call cannot, and should: " + act
		}
	}
	return ""
}

func TestWritesIsDerivedFromUses(t *testing.T) {
	m := sample()
	m.Uses["read"] = []string{"fs:docs:ro", "fs:more", "http:own", "http:api:ro", "config:UNITS"}
	for tool, want := range map[string]bool{"read": false, "write": true, "post": true, "none": false} {
		if got := m.Writes(tool); got != want {
			t.Errorf("%s: %v", tool, got)
		}
	}
}

func BenchmarkEffective(b *testing.B) {
	s := mustOpen(b, seal(b, sample()))
	g := granted(s)
	for b.Loop() {
		effective(b, s, g, "post")
	}
}
