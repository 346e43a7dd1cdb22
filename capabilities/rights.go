package capabilities

import (
	"net/netip"
	"slices"
)

// Requested is the manifest as rights: everything the publisher asks for. In it an empty directory
// path and the origin "user" stand for any that the operator will name, so it is a bound to compare
// with, never a grant.
func Requested(m Manifest) Rights {
	c := m.Capabilities
	r := Rights{Tools: slices.Clone(m.toolNames())}
	for _, h := range c.HTTP {
		put(&r.HTTP, h.ID, HTTPRight{Origin: h.Origin, Methods: h.Methods, Paths: h.Paths, Auth: h.Auth, Params: h.Params})
	}
	if c.Web != nil {
		r.Web = &WebRight{Methods: c.Web.Methods}
	}
	for _, f := range c.FS {
		put(&r.FS, f.ID, FSRight{Guest: f.Guest, Mode: f.Mode})
	}
	for _, k := range c.Config {
		r.Config = append(r.Config, k.Key)
	}
	for _, s := range c.Secrets {
		put(&r.Secret, s.Key, s.Use)
	}
	if c.KV != nil {
		r.KV = &KVRight{QuotaKB: c.KV.QuotaKB, Scope: c.KV.Scope}
	}
	return r
}

// Ceiling is the most that an operator can grant: Requested, and for each http capability any
// non-public network, which no publisher can ask for and only an operator can open. It is kept apart
// from Requested so that nothing that starts from a request opens a private network by accident.
func Ceiling(m Manifest) Rights {
	r := Requested(m)
	for id, h := range r.HTTP {
		h.Private = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		r.HTTP[id] = h
	}
	return r
}

// used narrows r to what the tool of m uses.
func (r Rights) used(m Manifest, tool string) Rights {
	out := Rights{Tools: []string{tool}}
	for _, u := range m.uses(tool) {
		switch u.kind {
		case KindHTTP:
			if h, ok := r.HTTP[u.id]; ok {
				if u.readOnly {
					h.Methods = readMethods(h.Methods)
				}
				put(&out.HTTP, u.id, h)
				// A secret that the host attaches to this request is used by using the request.
				for _, key := range h.Auth.Keys() {
					if r.Secret[key] == SecretEgress {
						put(&out.Secret, key, SecretEgress)
					}
				}
			}
		case KindWeb:
			out.Web = r.Web
		case KindFS:
			if f, ok := r.FS[u.id]; ok {
				if u.readOnly {
					f.Mode = min(f.Mode, ModeRead)
				}
				put(&out.FS, u.id, f)
			}
		case KindConfig:
			if slices.Contains(r.Config, u.id) {
				out.Config = append(out.Config, u.id)
			}
		case KindSecret:
			if kind, ok := r.Secret[u.id]; ok {
				put(&out.Secret, u.id, kind)
			}
		case KindKV:
			if r.KV != nil {
				kv := *r.KV
				kv.ReadOnly = kv.ReadOnly || u.readOnly
				out.KV = &kv
			}
		}
	}
	return out
}

func put[V any](m *map[string]V, key string, v V) {
	if *m == nil {
		*m = make(map[string]V)
	}
	(*m)[key] = v
}
