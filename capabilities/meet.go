package capabilities

import (
	"net/netip"
	"reflect"
	"slices"
)

// meet returns what both asked and granted allow. asked comes from a manifest (an empty directory path
// and the origin "user" mean any), granted from an operator. Where the two do not fit together the
// right is left out, so that a damaged or foreign grant gives less, never more.
func meet(asked, granted Rights) Rights {
	out := Rights{Tools: both(asked.Tools, granted.Tools), Config: both(asked.Config, granted.Config)}
	for id, a := range asked.HTTP {
		if h, ok := meetHTTP(a, granted.HTTP[id]); ok {
			put(&out.HTTP, id, h)
		}
	}
	if asked.Web != nil && granted.Web != nil {
		if methods := both(asked.Web.Methods, granted.Web.Methods); len(methods) > 0 {
			out.Web = &WebRight{Methods: methods}
		}
	}
	for id, a := range asked.FS {
		if g, ok := granted.FS[id]; ok && g.Guest == a.Guest && g.Path != "" && g.Mode.valid() && a.Mode.valid() {
			put(&out.FS, id, FSRight{Guest: a.Guest, Path: g.Path, Mode: min(a.Mode, g.Mode)})
		}
	}
	for key, kind := range asked.Secret {
		if granted.Secret[key] == kind && kind != "" {
			put(&out.Secret, key, kind)
		}
	}
	if a, g := asked.KV, granted.KV; a != nil && g != nil && a.Scope == g.Scope && a.QuotaKB > 0 && g.QuotaKB > 0 {
		out.KV = &KVRight{QuotaKB: min(a.QuotaKB, g.QuotaKB), Scope: a.Scope, ReadOnly: a.ReadOnly || g.ReadOnly}
	}
	return out
}

func meetHTTP(a, g HTTPRight) (HTTPRight, bool) {
	if a.Origin != g.Origin && a.Origin != UserOrigin {
		return HTTPRight{}, false
	}
	// "user" in a grant is an origin that nobody chose.
	if _, err := ParseOrigin(g.Origin); err != nil {
		return HTTPRight{}, false
	}
	h := HTTPRight{Origin: g.Origin, Methods: both(a.Methods, g.Methods), Private: g.Private}
	for _, p := range a.Paths {
		for _, q := range g.Paths {
			switch {
			case PathCovers(p, q):
				h.Paths = append(h.Paths, q)
			case PathCovers(q, p):
				h.Paths = append(h.Paths, p)
			}
		}
	}
	slices.Sort(h.Paths)
	h.Paths = slices.Compact(h.Paths)
	if reflect.DeepEqual(a.Auth, g.Auth) {
		h.Auth = a.Auth
	}
	h.Params = slices.Concat(a.Params, g.Params) // limits add up: each one holds
	return h, len(h.Methods) > 0 && len(h.Paths) > 0
}

// both returns the elements of a that b has.
func both(a, b []string) []string {
	var out []string
	for _, s := range a {
		if slices.Contains(b, s) && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// valid says that m opens a directory in a way that is known.
func (m Mode) valid() bool { return m == ModeRead || m == ModeFull }

// within says that prefix a lies inside b.
func within(a, b netip.Prefix) bool {
	return a.IsValid() && b.IsValid() && b.Bits() <= a.Bits() && b.Contains(a.Addr())
}
