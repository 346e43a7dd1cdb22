package toolchain

import (
	"cmp"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
)

// maxNeeds bounds what a Session remembers: a loop of calls must not fill memory.
const maxNeeds = 10_000

// Session is what the calls of a servlet used, and what they were refused, as far as a manifest can change
// that. The zero Session has none. It is not safe for concurrent use.
type Session struct {
	called map[string]bool // tools
	needs  map[need]bool   // true: refused at least once
	full   bool            // more was needed than is remembered
}

// need is one thing that a tool asked for: what a guard records of it, without the moment.
type need struct {
	tool, kind, action, target string
}

// Add remembers a call of a tool. tool is its name in the manifest.
func (s *Session) Add(tool string, events []guard.Event) {
	if s.called == nil {
		s.called, s.needs = map[string]bool{}, map[need]bool{}
	}
	s.called[tool] = true
	for _, e := range events {
		n := need{tool, e.Kind, e.Action, e.Target}
		if _, known := s.needs[n]; !known && len(s.needs) >= maxNeeds {
			s.full = true
			continue
		}
		s.needs[n] = s.needs[n] || e.Decision == "deny"
	}
}

// gathered is what a session needs, by capability.
type gathered struct {
	http    map[string]*httpNeed // by id
	fs      map[string]*fsNeed   // by id
	web     *cause
	kv      *kvNeed
	config  map[string]*cause
	uses    map[string]map[string]bool // tool -> use without ":ro" -> whether it changes something
	strange []string                   // what no manifest can request
}

// cause is what called for a capability: texts for comments, sorted when they are written.
type cause struct {
	texts   map[string]bool
	methods map[string]bool // of http and web
}

type httpNeed struct {
	cause
	origin string
	paths  map[string]bool
}

type fsNeed struct {
	cause
	guest  string
	writes bool
}

type kvNeed struct{ cause }

func (c *cause) add(text string) {
	if c.texts == nil {
		c.texts, c.methods = map[string]bool{}, map[string]bool{}
	}
	c.texts[text] = true
}

// gather sorts what was needed by the capabilities of m that it belongs to, or would. byURL says that the
// code names sites by URL and the SDK finds the capability, as it is in TypeScript: what came before the guard
// as a page, because there was no capability for its site, is then a request to that site.
func (s *Session) gather(m capabilities.Manifest, byURL bool) gathered {
	g := gathered{
		http: map[string]*httpNeed{}, fs: map[string]*fsNeed{}, config: map[string]*cause{},
		uses: map[string]map[string]bool{},
	}
	order := slices.SortedFunc(maps.Keys(s.needs), func(a, b need) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.target, b.target), cmp.Compare(a.action, b.action), cmp.Compare(a.tool, b.tool))
	})
	for _, n := range order {
		text := n.tool + ": " + n.action + " " + n.target
		if s.needs[n] {
			text += " (was refused)"
		}
		if !g.take(m, n, text, byURL) {
			g.strange = append(g.strange, text)
		}
	}
	return g
}

// take finds the capability of one need; false: no manifest can request it.
func (g *gathered) take(m capabilities.Manifest, n need, text string, byURL bool) bool {
	switch capabilities.Kind(n.kind) {
	case capabilities.KindHTTP:
		if id, at, ok := strings.Cut(n.target, ":/"); ok && !strings.HasPrefix(at, "/") {
			return g.takeHTTP(m, n, text, id, capabilities.UserOrigin, "/"+at)
		}
		return g.takeURL(m, n, text)
	case capabilities.KindWeb:
		if byURL && m.Capabilities.Web == nil {
			return g.takeURL(m, n, text)
		}
		if n.action != "GET" && n.action != "HEAD" {
			return false
		}
		if g.web == nil {
			g.web = &cause{}
		}
		g.web.add(text)
		g.web.methods[n.action] = true
		g.use(n.tool, string(capabilities.KindWeb), false)
	case capabilities.KindFS:
		return g.takeFS(m, n, text)
	case capabilities.KindConfig:
		if !keyName.MatchString(n.target) {
			return false
		}
		if g.config[n.target] == nil {
			g.config[n.target] = &cause{}
		}
		g.config[n.target].add(text)
		g.use(n.tool, "config:"+n.target, false)
	case capabilities.KindKV:
		if g.kv == nil {
			g.kv = &kvNeed{}
		}
		g.kv.add(text)
		g.use(n.tool, string(capabilities.KindKV), n.action != "get" && n.action != "list" && n.action != "read")
	}
	return true
}

func (g *gathered) use(tool, what string, changes bool) {
	if g.uses[tool] == nil {
		g.uses[tool] = map[string]bool{}
	}
	g.uses[tool][what] = g.uses[tool][what] || changes
}

// takeURL is a request that named no capability: its site gets one.
func (g *gathered) takeURL(m capabilities.Manifest, n need, text string) bool {
	rest, ok := strings.CutPrefix(n.target, "https://")
	authority, at, _ := strings.Cut(rest, "/")
	name, _, _ := strings.Cut(authority, ":")
	origin, err := capabilities.ParseOrigin("https://" + authority)
	if !ok || err != nil || capabilities.InnerDomain(name) != "" {
		return false
	}
	id := g.idFor(m, origin)
	for _, h := range m.Capabilities.HTTP {
		if h.Origin == origin {
			id = h.ID
		}
	}
	return g.takeHTTP(m, n, text, id, origin, "/"+at)
}

func (g *gathered) takeHTTP(m capabilities.Manifest, n need, text, id, origin, at string) bool {
	if !capabilities.ValidMethod(n.action) || !capabilities.PathCovers("/", at) || !idName.MatchString(id) {
		return false
	}
	h := g.http[id]
	if h == nil {
		h = &httpNeed{origin: origin, paths: map[string]bool{}}
		for _, declared := range m.Capabilities.HTTP {
			if declared.ID == id {
				h.origin = declared.Origin
			}
		}
		g.http[id] = h
	}
	h.add(text)
	h.methods[n.action], h.paths[at] = true, true
	g.use(n.tool, "http:"+id, n.action != "GET" && n.action != "HEAD")
	return true
}

// takeFS finds the directory of a path. One that nothing requests begins with the first name of the path: it
// is only where the servlet sees the folder that an operator chooses.
func (g *gathered) takeFS(m capabilities.Manifest, n need, text string) bool {
	at := n.target
	if _, inside, ok := strings.Cut(at, ":/"); ok && !strings.HasPrefix(at, "/") { // "id:/path"; else ":/" is a part of the path
		at = "/" + inside
	}
	if strings.Contains(at+"/", "/../") {
		return false // no manifest lets a path out of its directory
	}
	at = path.Clean("/" + at)
	id, guest := "", ""
	for _, f := range m.Capabilities.FS {
		if at == f.Guest || strings.HasPrefix(at, f.Guest+"/") {
			id, guest = f.ID, f.Guest
		}
	}
	if id == "" {
		first, _, _ := strings.Cut(at[1:], "/")
		if first == "" || !guestName.MatchString(first) {
			return false
		}
		id, guest = g.idFor(m, "/"+first), "/"+first
	}
	f := g.fs[id]
	if f == nil {
		f = &fsNeed{guest: guest}
		g.fs[id] = f
	}
	writes := !slices.Contains(lookingAt, n.action)
	f.add(text)
	f.writes = f.writes || writes
	g.use(n.tool, "fs:"+id, writes)
	return true
}

// lookingAt are the actions of a guard on files that change nothing.
var lookingAt = []string{"open", "list", "stat", "readlink", "read"}

// maxID is the longest id that a manifest takes.
const maxID = 32

// The names that a manifest takes.
var (
	idName    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	keyName   = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)
	guestName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	notInID   = regexp.MustCompile(`[^a-z0-9]+`)
)

// idFor makes an id of an origin or a guest's path, another one for each.
func (g *gathered) idFor(m capabilities.Manifest, of string) string {
	base := strings.Trim(notInID.ReplaceAllString(strings.ToLower(strings.TrimPrefix(of, "https://")), "-"), "-")
	if base == "" || base[0] < 'a' {
		base = "id-" + base
	}
	base = strings.TrimRight(base[:min(len(base), 28)], "-")
	for n := 1; ; n++ {
		id := base
		if n > 1 {
			suffix := "-" + strconv.Itoa(n)
			id = strings.TrimRight(base[:min(len(base), maxID-len(suffix))], "-") + suffix
		}
		if h, ok := g.http[id]; ok && h.origin == of {
			return id
		}
		if f, ok := g.fs[id]; ok && f.guest == of {
			return id
		}
		if !g.taken(m, id) {
			return id
		}
	}
}

func (g *gathered) taken(m capabilities.Manifest, id string) bool {
	return g.http[id] != nil || g.fs[id] != nil || id == string(capabilities.KindWeb) || id == string(capabilities.KindKV) ||
		slices.ContainsFunc(m.Capabilities.HTTP, func(h capabilities.HTTP) bool { return h.ID == id }) ||
		slices.ContainsFunc(m.Capabilities.FS, func(f capabilities.FS) bool { return f.ID == id })
}
