package capabilities

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// use is one entry of Manifest.Uses: "<kind>[:<id>][:ro]".
type use struct {
	kind     Kind
	id       string // "" for web and kv
	readOnly bool   // narrows: a directory is read, http is GET and HEAD, kv is read
}

func parseUse(text string) (use, error) {
	kind, rest, _ := strings.Cut(text, ":")
	u := use{kind: Kind(kind)}
	wrong := errors.New(`want "http:ID", "fs:ID", "config:KEY", "secret:KEY", "web" or "kv"; "http", "fs" and "kv" may end in ":ro"`)
	switch u.kind {
	case KindHTTP, KindFS:
		id, mode, hasMode := strings.Cut(rest, ":")
		u.id, u.readOnly = id, hasMode
		if !idForm.MatchString(id) || hasMode && mode != string(ModeRead) {
			return use{}, wrong
		}
	case KindConfig, KindSecret:
		u.id = rest
		if !keyForm.MatchString(rest) {
			return use{}, wrong
		}
	case KindWeb:
		if text != string(KindWeb) {
			return use{}, wrong
		}
	case KindKV:
		u.readOnly = text == "kv:ro"
		if text != string(KindKV) && !u.readOnly {
			return use{}, wrong
		}
	default:
		return use{}, wrong
	}
	return u, nil
}

// uses returns what tool uses. Entries that cannot be read give nothing.
func (m Manifest) uses(tool string) []use {
	var all []use
	for _, text := range m.Uses[tool] {
		if u, err := parseUse(text); err == nil {
			all = append(all, u)
		}
	}
	return all
}

// Writes says that tool has a right to change something: a directory or kv that is not read-only, or
// an http method other than GET and HEAD. It is derived from `uses`, not from the tool's hints.
func (m Manifest) Writes(tool string) bool {
	return slices.ContainsFunc(m.uses(tool), func(u use) bool {
		switch {
		case u.readOnly:
			return false
		case u.kind == KindFS:
			i := slices.IndexFunc(m.Capabilities.FS, func(f FS) bool { return f.ID == u.id })
			return i >= 0 && m.Capabilities.FS[i].Mode == ModeFull
		case u.kind == KindHTTP:
			i := slices.IndexFunc(m.Capabilities.HTTP, func(h HTTP) bool { return h.ID == u.id })
			return i >= 0 && !slices.Equal(m.Capabilities.HTTP[i].Methods, readMethods(m.Capabilities.HTTP[i].Methods))
		}
		return u.kind == KindKV
	})
}

// readMethods returns those of methods that only read.
func readMethods(methods []string) []string {
	var out []string
	for _, method := range methods {
		if method == "GET" || method == "HEAD" {
			out = append(out, method)
		}
	}
	return out
}

// checkUses checks that every entry names a tool and a capability that exist, and that no tool's
// hints promise less than it can do.
func (m Manifest) checkUses(r *report, tools []Tool) {
	for _, name := range slices.Sorted(maps.Keys(m.Uses)) {
		path := member("uses", name)
		// When a tool could not be read, its name may be the one that is missing.
		if len(tools) == len(m.Tools) && !slices.ContainsFunc(tools, func(t Tool) bool { return t.Name == name }) {
			r.add(path, "no such tool: remove it, or correct its name")
		}
		var seen []use
		for i, text := range m.Uses[name] {
			at := fmt.Sprintf("%s[%d]", path, i)
			u, err := parseUse(text)
			switch {
			case err != nil:
				r.add(at, "%v", err)
			case slices.ContainsFunc(seen, func(s use) bool { return s.kind == u.kind && s.id == u.id }):
				r.add(at, "names %s a second time: keep one", text)
			default:
				seen = append(seen, u)
				m.checkUse(r, at, u)
			}
		}
	}
	for i, t := range tools {
		m.checkToolHints(r, fmt.Sprintf("tools[%d].annotations", i), t)
	}
}

func (m Manifest) checkUse(r *report, path string, u use) {
	c := m.Capabilities
	var has bool
	switch u.kind {
	case KindHTTP:
		has = slices.ContainsFunc(c.HTTP, func(h HTTP) bool { return h.ID == u.id })
	case KindFS:
		has = slices.ContainsFunc(c.FS, func(f FS) bool { return f.ID == u.id })
	case KindConfig:
		has = slices.ContainsFunc(c.Config, func(k Config) bool { return k.Key == u.id })
	case KindSecret:
		i := slices.IndexFunc(c.Secrets, func(s Secret) bool { return s.Key == u.id })
		has = i >= 0
		if has && c.Secrets[i].Use != SecretGuest {
			r.add(path, "a secret of use \"egress\" is never handed to a tool: use the http capability that carries it")
		}
	case KindWeb:
		has = c.Web != nil
	case KindKV:
		has = c.KV != nil
	}
	if !has {
		r.add(path, "no such capability: add it to capabilities, or remove the entry")
	}
}

// checkToolHints refuses hints that the rights of the tool contradict: clients skip their questions
// to the user for tools that say they only read, or reach nothing outside.
func (m Manifest) checkToolHints(r *report, path string, t Tool) {
	if t.ReadOnly && m.Writes(t.Name) {
		r.add(path+".readOnlyHint", "true, but uses.%s has a right to write: narrow it with \":ro\" or GET, or drop the hint", t.Name)
	}
	outside := slices.ContainsFunc(m.uses(t.Name), func(u use) bool { return u.kind == KindHTTP || u.kind == KindWeb })
	if t.closedWorld && outside {
		r.add(path+".openWorldHint", "false, but uses.%s reaches other machines: drop the hint", t.Name)
	}
}
