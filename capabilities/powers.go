package capabilities

import (
	"fmt"
	"slices"
	"strings"
)

// Power is one line of what a servlet can do, so that what is impossible, what was refused and what
// was given can be told apart.
type Power struct {
	Kind   Kind   `json:"kind"`
	ID     string `json:"id,omitempty"`
	Status Status `json:"status"`
	Text   string `json:"text"` // "read one folder", "GET https://api.acme.test/v1/"
}

// Status tells a power's standing.
type Status string

// The standings of a power.
const (
	Impossible Status = "impossible"  // no import of that kind and none requested
	NotGranted Status = "not granted" // asked or importable, refused by you
	Granted    Status = "granted"
	Asked      Status = "asked" // in inspect, before any grant
)

// kinds are all kinds in the order in which they are listed, with what one that nobody asked for
// would allow.
var kinds = []struct {
	kind Kind
	text string
}{
	{KindFS, "open files or folders"},
	{KindHTTP, "call a web service"},
	{KindWeb, "fetch any public web page"},
	{KindConfig, "read settings"},
	{KindSecret, "use secrets"},
	{KindKV, "keep data between calls"},
}

// Powers lists every power of m, at least one line per kind. importable has the kinds of which the
// module has an import; granted is nil before approval. The text of a granted power is what was
// granted, of any other what was asked, and is safe to print. Environment variables are not listed:
// there is no such kind, for any servlet.
func Powers(m Manifest, importable []Kind, granted *Rights) []Power {
	asked := Requested(m)
	var all []Power
	for _, k := range kinds {
		ids := asked.ids(m, k.kind)
		if len(ids) == 0 {
			status := Impossible
			if slices.Contains(importable, k.kind) {
				status = NotGranted
			}
			all = append(all, Power{Kind: k.kind, Status: status, Text: k.text})
		}
		for _, id := range ids {
			all = append(all, power(asked, granted, k.kind, id))
		}
	}
	return all
}

func power(asked Rights, granted *Rights, kind Kind, id string) Power {
	p := Power{Kind: kind, ID: id, Status: Asked, Text: asked.describe(kind, id)}
	if granted == nil {
		return p
	}
	p.Status = NotGranted
	if text := meet(asked, *granted).describe(kind, id); text != "" {
		p.Status, p.Text = Granted, text
	}
	return p
}

// ids returns the ids of the capabilities of a kind in the manifest's order.
func (r Rights) ids(m Manifest, kind Kind) []string {
	var ids []string
	switch kind {
	case KindHTTP:
		for _, h := range m.Capabilities.HTTP {
			ids = append(ids, h.ID)
		}
	case KindFS:
		for _, f := range m.Capabilities.FS {
			ids = append(ids, f.ID)
		}
	case KindConfig:
		for _, c := range m.Capabilities.Config {
			ids = append(ids, c.Key)
		}
	case KindSecret:
		for _, s := range m.Capabilities.Secrets {
			ids = append(ids, s.Key)
		}
	case KindWeb:
		ids = append(ids, when(r.Web != nil, string(KindWeb))...)
	case KindKV:
		ids = append(ids, when(r.KV != nil, string(KindKV))...)
	}
	return ids
}

// describe says what r allows under one id, or "" when nothing.
func (r Rights) describe(kind Kind, id string) string {
	switch kind {
	case KindHTTP:
		if h, ok := r.HTTP[id]; ok {
			return h.describe()
		}
	case KindFS:
		if f, ok := r.FS[id]; ok && f.Mode.valid() {
			return f.describe()
		}
	case KindWeb:
		if r.Web != nil {
			return strings.Join(r.Web.Methods, " ") + " any public web page"
		}
	case KindConfig:
		if slices.Contains(r.Config, id) {
			return "read setting " + id
		}
	case KindSecret:
		switch r.Secret[id] {
		case SecretEgress:
			return "send secret " + id + " to the service it belongs to, without seeing it"
		case SecretGuest:
			return "read secret " + id
		}
	case KindKV:
		if r.KV != nil {
			return r.KV.describe()
		}
	}
	return ""
}

func (h HTTPRight) describe() string {
	origin := h.Origin
	if origin == UserOrigin {
		origin = "one site that you choose: "
	}
	text := strings.Join(h.Methods, " ") + " " + origin + strings.Join(h.Paths, " ")
	if len(h.Private) > 0 {
		text += ", also in private networks " + strings.Trim(fmt.Sprint(h.Private), "[]")
	}
	return Printable(text, 1000)
}

func (f FSRight) describe() string {
	verb := "read"
	if f.Mode == ModeFull {
		verb = "read and change"
	}
	if f.Path == "" {
		return verb + " one folder"
	}
	return Printable(verb+" "+f.Path, 1000)
}

func (k KVRight) describe() string {
	owner := "shared by everyone in the space"
	if k.Scope == "caller" {
		owner = "apart for each caller"
	}
	verb := "keep"
	if k.ReadOnly {
		verb = "read"
	}
	return fmt.Sprintf("%s up to %d KB of its own data, %s", verb, k.QuotaKB, owner)
}
