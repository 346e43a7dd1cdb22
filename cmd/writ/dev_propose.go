package main

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
)

// printProposal shows what the calls so far need of servlet.toml, when that is something new.
func (d *dev) printProposal() {
	if !d.flags.propose || d.now.digest == "" {
		return
	}
	d.mu.Lock()
	text, err := d.calls.Propose(d.now.manifest, d.now.scripted())
	d.mu.Unlock()
	if err != nil {
		d.out.fail("these calls need what no servlet.toml can say", err)
		return
	}
	if text == "" || text == d.told {
		return
	}
	d.told = text
	d.out.put("# servlet.toml, in the place of its tables capabilities and uses: what these calls need, and no more\n" +
		printableLines(strings.TrimRight(text, "\n")) + "\n# end of servlet.toml\n")
}

// advice says what would allow an effect that was refused: what to add to servlet.toml, or the flag that
// grants it. It is "" when nothing would.
func advice(e guard.Event, tool string, b devBuild) string {
	m := b.manifest
	switch kind := capabilities.Kind(e.Kind); kind {
	case capabilities.KindHTTP:
		id, at, ok := strings.Cut(e.Target, ":/")
		if !ok || strings.HasPrefix(at, "/") {
			return "no capability of this tool has this site: add [[capabilities.http]] with its origin, or name it in uses." + tool
		}
		i := slices.IndexFunc(m.Capabilities.HTTP, func(h capabilities.HTTP) bool { return h.ID == id })
		if i < 0 {
			return fmt.Sprintf("servlet.toml requests no http %q: add [[capabilities.http]] with this id", id)
		}
		h := m.Capabilities.HTTP[i]
		if mend := b.lacks(tool, "http:"+id, flagOf(m, kind, id)); mend != "" {
			return mend
		}
		if !slices.Contains(h.Methods, e.Action) && capabilities.ValidMethod(e.Action) {
			return fmt.Sprintf("servlet.toml: add %q to the methods of http %q", e.Action, id)
		}
		if !slices.ContainsFunc(h.Paths, func(p string) bool { return capabilities.PathCovers(p, "/"+at) }) {
			return fmt.Sprintf("servlet.toml: add \"/%s\", or a folder above it, to the paths of http %q", at, id)
		}
	case capabilities.KindWeb:
		if m.Capabilities.Web != nil {
			return b.lacks(tool, "web", flagOf(m, kind, ""))
		}
		return "servlet.toml requests neither this site nor the web: add [[capabilities.http]] with its origin, or [capabilities.web]"
	case capabilities.KindFS:
		return b.adviseFS(e, tool)
	case capabilities.KindConfig:
		if !slices.ContainsFunc(m.Capabilities.Config, func(c capabilities.Config) bool { return c.Key == e.Target }) {
			return fmt.Sprintf("servlet.toml requests no such key: add [[capabilities.config]] with key = %q", e.Target)
		}
		return b.lacks(tool, "config:"+e.Target, "")
	case capabilities.KindKV:
		if m.Capabilities.KV == nil {
			return "servlet.toml requests no kv: add [capabilities.kv]"
		}
		return b.lacks(tool, "kv", flagOf(m, kind, ""))
	}
	return ""
}

func (b devBuild) adviseFS(e guard.Event, tool string) string {
	at := e.Target
	if _, inside, ok := strings.Cut(at, ":/"); ok && !strings.HasPrefix(at, "/") { // "id:/path"; else ":/" is a part of the path
		at = inside
	}
	at = path.Clean("/" + at)
	for _, f := range b.manifest.Capabilities.FS {
		if at != f.Guest && !strings.HasPrefix(at, f.Guest+"/") {
			continue
		}
		if mend := b.lacks(tool, "fs:"+f.ID, flagOf(b.manifest, capabilities.KindFS, f.ID)); mend != "" {
			return mend
		}
		right := b.granted.FS[f.ID]
		switch {
		case f.Mode == capabilities.ModeRead:
			return fmt.Sprintf("servlet.toml requests fs %q for reading: set its mode to \"rw\"", f.ID)
		case right.Mode == capabilities.ModeRead:
			return fmt.Sprintf("it was granted for reading: give it with --dir %s=PATH", f.ID)
		case slices.Contains(b.manifest.Uses[tool], "fs:"+f.ID+":ro"):
			return fmt.Sprintf("servlet.toml: uses.%s has it for reading: name it \"fs:%s\"", tool, f.ID)
		}
		return ""
	}
	return "servlet.toml requests no directory that has this path: add [[capabilities.fs]]"
}

// lacks says why a tool does not have a capability that is requested; "": it has.
func (b devBuild) lacks(tool, use, flag string) string {
	if !slices.ContainsFunc(b.manifest.Uses[tool], func(u string) bool { return strings.TrimSuffix(u, ":ro") == use }) {
		return fmt.Sprintf("servlet.toml: add %q to uses.%s", use, tool)
	}
	if kind, id, _ := strings.Cut(use, ":"); !b.has(capabilities.Kind(kind), id) {
		return "not granted: give it with " + flag
	}
	return ""
}

// has tells whether the flags gave a capability.
func (b devBuild) has(kind capabilities.Kind, id string) bool {
	ok := true
	switch kind {
	case capabilities.KindHTTP:
		_, ok = b.granted.HTTP[id]
	case capabilities.KindFS:
		_, ok = b.granted.FS[id]
	case capabilities.KindWeb:
		ok = b.granted.Web != nil
	case capabilities.KindKV:
		ok = b.granted.KV != nil
	}
	return ok
}

// flagOf is the flag that gives a capability of m.
func flagOf(m capabilities.Manifest, kind capabilities.Kind, id string) string {
	switch kind {
	case capabilities.KindFS:
		return "--dir " + id + "=PATH"
	case capabilities.KindWeb:
		return "--danger web"
	case capabilities.KindKV:
		return "--allow kv"
	}
	if slices.ContainsFunc(m.Capabilities.HTTP, func(h capabilities.HTTP) bool { return h.ID == id && h.Origin == capabilities.UserOrigin }) {
		return "--host " + id + "=https://HOST"
	}
	return "--allow " + id
}

// notGiven says what m requests and no flag gave, with the flag that would.
func notGiven(m capabilities.Manifest, given capabilities.Rights) (notes []string) {
	b := devBuild{granted: given}
	note := func(kind capabilities.Kind, id string) {
		if !b.has(kind, id) {
			notes = append(notes, fmt.Sprintf("%s is not given: %s", strings.TrimSpace(string(kind)+" "+id), flagOf(m, kind, id)))
		}
	}
	for _, h := range m.Capabilities.HTTP {
		note(capabilities.KindHTTP, h.ID)
	}
	for _, f := range m.Capabilities.FS {
		note(capabilities.KindFS, f.ID)
	}
	if m.Capabilities.Web != nil {
		note(capabilities.KindWeb, "")
	}
	if m.Capabilities.KV != nil {
		note(capabilities.KindKV, "")
	}
	return notes
}
