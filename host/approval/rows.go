package approval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
)

// row ties a line of the table to what narrows it.
type row struct {
	kind capabilities.Kind // empty: the tools
	id   string
}

// table builds the lines of the screen: one for each capability that is asked, and one for the tools.
func table(s subject, rights capabilities.Rights) ([]screen.Row, []row) {
	var t tableau
	c := s.manifest.Capabilities
	for _, f := range c.FS {
		t.add(capabilities.KindFS, f.ID, directoryRow(f, len(c.FS) > 1, rights))
	}
	for _, h := range c.HTTP {
		t.add(capabilities.KindHTTP, h.ID, siteRow(h, rights))
	}
	if c.Web != nil {
		t.add(capabilities.KindWeb, "", screen.Row{Label: "web", Danger: true,
			Wants: methods(c.Web.Methods) + " any public page of the web", Gives: yes(rights.Web != nil), Note: unless(rights.Web != nil, "--danger web"), Said: c.Web.Why})
	}
	for _, secret := range c.Secrets {
		t.add(capabilities.KindSecret, secret.Key, secretRow(secret, rights))
	}
	for _, config := range c.Config {
		t.add(capabilities.KindConfig, config.Key, screen.Row{Label: "config", Wants: "read the setting " + config.Key,
			Gives: "what you set with writ config", Said: defaulted(config)})
	}
	if c.KV != nil {
		t.add(capabilities.KindKV, "", screen.Row{Label: "data", Wants: storage(*c.KV), Gives: yes(rights.KV != nil), Note: unless(rights.KV != nil, "--allow kv"), Said: c.KV.Why})
	}
	if len(s.tools) > 0 {
		t.add("", "", toolsRow(s, rights))
	}
	return t.shown, t.rows
}

type tableau struct {
	shown []screen.Row
	rows  []row
}

func (t *tableau) add(kind capabilities.Kind, id string, shown screen.Row) {
	t.shown = append(t.shown, shown)
	t.rows = append(t.rows, row{kind, id})
}

// unless names the flag that gives what is not given, so that a person learns it where they miss it.
func unless(given bool, flag string) string {
	if given {
		return ""
	}
	return "(" + flag + ")"
}

func directoryRow(f capabilities.FS, several bool, rights capabilities.Rights) screen.Row {
	r := screen.Row{Label: "files", Wants: "read one folder", Said: f.Why}
	if f.Mode == capabilities.ModeFull {
		r.Wants = "read and change one folder"
	}
	if several {
		r.Wants += " (" + f.ID + ")"
	}
	right, ok := rights.FS[f.ID]
	switch {
	case !ok:
		r.Gives, r.Note = "nothing", unless(false, "--dir "+f.ID+"=PATH")
	case right.Mode != f.Mode:
		r.Gives = shownPath(right.Path) + " (read only)"
	default:
		r.Gives = shownPath(right.Path)
	}
	return r
}

func siteRow(h capabilities.HTTP, rights capabilities.Rights) screen.Row {
	right, ok := rights.HTTP[h.ID]
	r := screen.Row{Label: "web", Said: h.Why, Gives: yes(ok), Note: unless(ok, "--allow "+h.ID)}
	if h.Origin == capabilities.UserOrigin {
		r.Wants = methods(h.Methods) + " " + strings.Join(h.Paths, " ") + " of a site you choose"
		r.Note = unless(ok, "--host "+h.ID+"=https://HOST")
		if ok {
			r.Gives = right.Origin
		}
	} else {
		r.Wants = methods(h.Methods) + " " + h.Origin + strings.Join(h.Paths, " ")
	}
	if h.Auth != nil {
		r.Wants += ", signed in by Writ (" + h.Auth.Type + ")"
	}
	for i, p := range h.Params {
		r.Wants += [...]string{", only with ", " "}[min(i, 1)] + limited(p)
	}
	return r
}

// limited shows the limit of one query parameter.
func limited(p capabilities.Param) string {
	text := p.Name
	if len(p.Values) > 0 {
		text += "=" + strings.Join(p.Values, "|")
	}
	if p.Max > 0 {
		text += fmt.Sprintf(" (at most %d bytes)", p.Max)
	}
	return text
}

func secretRow(s capabilities.Secret, rights capabilities.Rights) screen.Row {
	_, ok := rights.Secret[s.Key]
	if s.Use == capabilities.SecretGuest {
		return screen.Row{Label: "secret", Danger: true, Wants: "hold your secret " + s.Key + " itself", Gives: yes(ok), Note: unless(ok, "--danger "+secretID(s.Key)), Said: s.Why}
	}
	r := screen.Row{Label: "secret", Wants: "have Writ add " + s.Key + " to its requests", Gives: "nothing", Said: s.Why}
	if ok {
		r.Gives = "added by Writ, never shown to it"
	}
	return r
}

func toolsRow(s subject, rights capabilities.Rights) screen.Row {
	changes := func(r reach) bool { return len(r.changes) > 0 }
	wanting := namesWhere(reachOf(s, asked(s.manifest)), changes)
	changing := len(wanting)
	r := screen.Row{Label: "tools", Wants: counted(len(s.tools), "tool")}
	if changing > 0 {
		r.Wants += fmt.Sprintf(", %d for changing files", changing)
	}
	switch len(rights.Tools) {
	case 0:
		r.Gives, r.Note = "none", unless(false, "--tools NAMES")
	case len(s.tools):
		r.Gives = "same"
	default:
		r.Gives = fmt.Sprintf("%d of %d: %s", len(rights.Tools), len(s.tools), strings.Join(rights.Tools, " "))
	}
	// A tool that is given for changing files and has no folder to change must not read as if it had.
	idle := 0
	able := namesWhere(reachOf(s, rights), changes)
	for _, name := range wanting {
		if slices.Contains(rights.Tools, name) && !slices.Contains(able, name) {
			idle++
		}
	}
	if idle > 0 {
		r.Gives += fmt.Sprintf("; %d cannot change files", idle)
	}
	return r
}

// asked is what would be granted if everything were, with stand-ins for what only the operator can
// name. It is for counting what a servlet wants, and never becomes a grant.
func asked(m capabilities.Manifest) capabilities.Rights {
	r := capabilities.Requested(m)
	for id, f := range r.FS {
		f.Path = "/"
		r.FS[id] = f
	}
	for id, h := range r.HTTP {
		if h.Origin == capabilities.UserOrigin {
			h.Origin = "https://example.com"
			r.HTTP[id] = h
		}
	}
	return r
}

// defaulted is a publisher's default and reason for a setting: both are the publisher's words.
func defaulted(c capabilities.Config) string {
	if c.Default == "" {
		return c.Why
	}
	return strings.TrimPrefix(c.Why+"; default: "+c.Default, "; ")
}

func storage(kv capabilities.KV) string {
	whose := "one for the whole space"
	if kv.Scope == capabilities.ScopeCaller {
		whose = "apart for each caller"
	}
	return fmt.Sprintf("keep up to %d KB of its own data, %s", kv.QuotaKB, whose)
}

func methods(all []string) string { return strings.Join(all, " ") }

func yes(ok bool) string {
	if ok {
		return "same"
	}
	return "nothing"
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
