package capabilities_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// The model says what rights mean in the plainest way: the set of single acts that they allow, out of
// a small world that is listed here in full. The tests compare the product's lattice with it.
type acts map[string]bool

var (
	worldOrigins = []string{"https://a.test", "https://b.test:8443"}
	worldMethods = []string{"GET", "HEAD", "POST"}
	worldRights  = []string{"/", "/v1/", "/v1", "/v1/x", "/v10/"} // paths as rights
	worldPaths   = []string{"/", "/v1", "/v1/", "/v1/x", "/v1/x/y", "/v10/", "/v10/z"}
	worldAddrs   = []netip.Addr{netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("fd00::1")}
	worldNets    = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fd00::/64")}
	worldDirs    = []string{"/home/ana/notes", "/srv/data"}
	worldTools   = []string{"read", "write", "post"}
	worldKeys    = []string{"UNITS", "PLACE"}
)

func (a acts) within(b acts) bool {
	for act := range a {
		if !b[act] {
			return false
		}
	}
	return true
}

func meaning(r capabilities.Rights) acts {
	a := acts{}
	for _, t := range r.Tools {
		a["tool "+t] = true
	}
	for _, k := range r.Config {
		a["config "+k] = true
	}
	for key, use := range r.Secret {
		a["secret "+key+" "+use] = true
	}
	if r.Web != nil {
		for _, m := range r.Web.Methods {
			a["web "+m] = true
		}
	}
	for id, h := range r.HTTP {
		meaningHTTP(a, id, h)
	}
	for id, f := range r.FS {
		for _, dir := range worldDirs {
			if f.Path == "" || f.Path == dir {
				a[fmt.Sprintf("fs %s at %s read %s", id, f.Guest, dir)] = f.Mode != capabilities.ModeNone
				a[fmt.Sprintf("fs %s at %s write %s", id, f.Guest, dir)] = f.Mode == capabilities.ModeFull
			}
		}
	}
	if r.KV != nil {
		for kb := range r.KV.QuotaKB {
			a[fmt.Sprintf("kv %s read %d", r.KV.Scope, kb)] = true
			a[fmt.Sprintf("kv %s write %d", r.KV.Scope, kb)] = !r.KV.ReadOnly
		}
	}
	for act, allowed := range a {
		if !allowed {
			delete(a, act)
		}
	}
	return a
}

func meaningHTTP(a acts, id string, h capabilities.HTTPRight) {
	for _, origin := range worldOrigins {
		for _, method := range h.Methods {
			for _, path := range worldPaths {
				if h.Origin != "user" && h.Origin != origin || !modelPath(h.Paths, path) {
					continue
				}
				request := fmt.Sprintf("http %s %s %s%s", id, method, origin, path)
				a[request] = true
				a[request+" with auth"] = h.Auth != nil
				for _, v := range []string{"1", "22", "333"} {
					if modelParam(h.Params, v) {
						a[request+"?q="+v] = true
					}
				}
				for _, addr := range worldAddrs {
					for _, net := range h.Private {
						a[request+" on "+addr.String()] = a[request+" on "+addr.String()] || net.Contains(addr)
					}
				}
			}
		}
	}
}

func modelPath(rights []string, path string) bool {
	for _, r := range rights {
		if r == path || strings.HasSuffix(r, "/") && strings.HasPrefix(path, r) {
			return true
		}
	}
	return false
}

func modelParam(params []capabilities.Param, value string) bool {
	for _, p := range params {
		listed := len(p.Values) == 0
		for _, v := range p.Values {
			listed = listed || v == value
		}
		if p.Name == "q" && (!listed || p.Max > 0 && len(value) > p.Max) {
			return false
		}
	}
	return true
}

// pick returns a random subset of all, in order.
func pick[T any](r *rand.Rand, all []T) []T {
	var some []T
	for _, v := range all {
		if r.IntN(3) > 0 {
			some = append(some, v)
		}
	}
	return some
}

func one[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// randomRights draws rights from the world. Few choices, so that related rights are common.
func randomRights(r *rand.Rand, request bool) capabilities.Rights {
	out := capabilities.Rights{Tools: pick(r, worldTools), Config: pick(r, worldKeys)}
	for _, id := range pick(r, []string{"api", "own"}) {
		h := capabilities.HTTPRight{Origin: one(r, worldOrigins...), Methods: pick(r, worldMethods), Paths: pick(r, worldRights), Params: randomParams(r)}
		if r.IntN(4) == 0 {
			h.Auth = &capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:KEY}"}
		}
		if request {
			h.Origin = one(r, h.Origin, "user")
		} else {
			h.Private = pick(r, worldNets[:r.IntN(4)])
		}
		put(&out.HTTP, id, h)
	}
	for _, id := range pick(r, []string{"docs", "more"}) {
		f := capabilities.FSRight{Guest: "/" + id, Mode: one(r, capabilities.ModeNone, capabilities.ModeRead, capabilities.ModeFull), Path: one(r, worldDirs...)}
		if request {
			f.Path = ""
		}
		put(&out.FS, id, f)
	}
	for _, key := range pick(r, []string{"KEY", "TOKEN"}) {
		put(&out.Secret, key, one(r, "egress", "guest"))
	}
	if r.IntN(2) == 0 {
		out.Web = &capabilities.WebRight{Methods: pick(r, worldMethods[:2])}
	}
	if r.IntN(2) == 0 {
		out.KV = &capabilities.KVRight{QuotaKB: r.IntN(4), Scope: one(r, "space", "caller"), ReadOnly: r.IntN(2) == 0}
	}
	return out
}

func randomParams(r *rand.Rand) []capabilities.Param {
	var params []capabilities.Param
	for range r.IntN(3) {
		p := capabilities.Param{Name: "q", Max: r.IntN(5) - 1}
		if r.IntN(2) == 0 {
			p.Values = pick(r, []string{"1", "22", "333"})
		}
		params = append(params, p)
	}
	return params
}

// narrowed returns rights at or below r, by taking things away.
func narrowed(r *rand.Rand, in capabilities.Rights) capabilities.Rights {
	out := capabilities.Rights{Tools: pick(r, in.Tools), Config: pick(r, in.Config), Web: in.Web, KV: in.KV}
	for id, h := range in.HTTP {
		h.Methods, h.Private = pick(r, h.Methods), pick(r, h.Private)
		if h.Origin == "user" {
			h.Origin = one(r, append(worldOrigins, "user")...)
		}
		if r.IntN(3) == 0 {
			h.Paths = pick(r, h.Paths)
		}
		if r.IntN(3) == 0 {
			h.Auth = nil
		}
		h.Params = append(randomParams(r), h.Params...)
		if r.IntN(4) > 0 {
			put(&out.HTTP, id, h)
		}
	}
	for id, f := range in.FS {
		if f.Path == "" {
			f.Path = one(r, append(worldDirs, "")...)
		}
		f.Mode = min(f.Mode, one(r, capabilities.ModeNone, capabilities.ModeRead, capabilities.ModeFull))
		put(&out.FS, id, f)
	}
	for key, use := range in.Secret {
		if r.IntN(3) > 0 {
			put(&out.Secret, key, use)
		}
	}
	if in.KV != nil && r.IntN(2) == 0 {
		out.KV = &capabilities.KVRight{QuotaKB: r.IntN(in.KV.QuotaKB + 1), Scope: in.KV.Scope, ReadOnly: in.KV.ReadOnly || r.IntN(2) == 0}
	}
	return out
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[key] = v
}
