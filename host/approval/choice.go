package approval

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// AllTools in Choice.Tools gives every tool.
const AllTools = "*"

// Ids of kinds that a servlet has at most once.
const (
	idWeb = string(capabilities.KindWeb)
	idKV  = string(capabilities.KindKV)
)

// secretID is how a secret that the servlet itself would hold is named.
func secretID(key string) string { return string(capabilities.KindSecret) + ":" + key }

// Everything is the choice that gives all that is asked and needs no DANGER; directories and
// origins that only the operator can name stay open.
func Everything(m capabilities.Manifest) Choice {
	c := Choice{Tools: []string{AllTools}}
	for _, h := range m.Capabilities.HTTP {
		if h.Origin != capabilities.UserOrigin {
			c.Allow = append(c.Allow, h.ID)
		}
	}
	if m.Capabilities.KV != nil {
		c.Allow = append(c.Allow, idKV)
	}
	return c
}

// clone copies c, so that a choice under change shares nothing with the one it came from.
func (c Choice) clone() Choice {
	c.Tools = slices.Clone(c.Tools)
	c.Allow = slices.Clone(c.Allow)
	c.Danger = slices.Clone(c.Danger)
	c.Dirs = maps.Clone(c.Dirs)
	c.Hosts = maps.Clone(c.Hosts)
	return c
}

// offers are the ids that a manifest has, by the way in which they are given.
type offers struct {
	fixed  []string // --allow: sites that the publisher named, and kept data
	open   []string // --host: sites that the operator names
	dirs   []string // --dir
	danger []string // --danger: what needs the word, or may need it
	config []string // settings, which need no flag
}

func offered(m capabilities.Manifest) offers {
	var o offers
	for _, h := range m.Capabilities.HTTP {
		if h.Origin == capabilities.UserOrigin {
			o.open = append(o.open, h.ID)
		} else {
			o.fixed = append(o.fixed, h.ID)
		}
	}
	if m.Capabilities.KV != nil {
		o.fixed = append(o.fixed, idKV)
	}
	for _, f := range m.Capabilities.FS {
		o.dirs = append(o.dirs, f.ID)
	}
	o.danger = slices.Clone(o.dirs)
	if m.Capabilities.Web != nil {
		o.danger = append(o.danger, idWeb)
	}
	for _, c := range m.Capabilities.Config {
		o.config = append(o.config, c.Key)
	}
	for _, s := range m.Capabilities.Secrets {
		if s.Use == capabilities.SecretGuest {
			o.danger = append(o.danger, secretID(s.Key))
		}
	}
	return o
}

// check refuses names that the manifest does not have. A mistyped id must not read as "gave less
// than meant", and an id of another kind must not give that kind by accident.
func (c Choice) check(m capabilities.Manifest) error {
	o := offered(m)
	for _, id := range c.Allow {
		if err := o.allow(id); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Dirs)) {
		if !slices.Contains(o.dirs, id) {
			return unknown("--dir", id, o.dirs)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Hosts)) {
		if slices.Contains(o.fixed, id) {
			return fmt.Errorf("--host %s: its publisher fixed the site: give it with --allow %s", id, id)
		}
		if !slices.Contains(o.open, id) {
			return unknown("--host", id, o.open)
		}
	}
	for _, id := range c.Danger {
		if !slices.Contains(o.danger, id) {
			return unknown("--danger", id, o.danger)
		}
	}
	return nil
}

// allow says whether --allow can give id, and if not, what can.
func (o offers) allow(id string) error {
	switch {
	case slices.Contains(o.fixed, id):
		return nil
	case slices.Contains(o.dirs, id):
		return fmt.Errorf("--allow %s: it is a directory: name one with --dir %s=PATH", id, id)
	case slices.Contains(o.open, id):
		return fmt.Errorf("--allow %s: its publisher leaves the site to you: name one with --host %s=https://HOST", id, id)
	case slices.Contains(o.danger, id):
		return fmt.Errorf("--allow %s: %w: it needs --danger %s", id, ErrDanger, id)
	case slices.Contains(o.config, id):
		return fmt.Errorf("--allow %s: a setting needs no allowing: leave the flag out, and set it after installing with \"writ config set ALIAS %s VALUE\"", id, id)
	}
	return unknown("--allow", id, o.fixed)
}

// unknown names what was not found, and what could have been meant.
func unknown(flag, id string, valid []string) error {
	if len(valid) == 0 {
		return fmt.Errorf("%s %s: this servlet asks for nothing that %s could give", flag, shown(id), flag)
	}
	return fmt.Errorf("%s %s: this servlet asks for no such thing; it asks for: %s", flag, shown(id), listed(valid, 20))
}

// listed joins at most limit names.
func listed(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// chosenTools returns the names of the tools that were chosen, in the manifest's order.
func chosenTools(tools []capabilities.Tool, chosen []string) ([]string, error) {
	var all, names []string
	for _, tool := range tools {
		all = append(all, tool.Name)
	}
	for _, name := range chosen {
		if name != AllTools && !slices.Contains(all, name) {
			return nil, fmt.Errorf("--tools %s: this servlet has no such tool; it has: %s", shown(name), listed(all, 40))
		}
	}
	for _, name := range all {
		if slices.Contains(chosen, AllTools) || slices.Contains(chosen, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (c *Choice) setDir(id string, d Directory) {
	if c.Dirs == nil {
		c.Dirs = make(map[string]Directory)
	}
	c.Dirs[id] = d
}

func (c *Choice) setHost(id, origin string) {
	if c.Hosts == nil {
		c.Hosts = make(map[string]string)
	}
	c.Hosts[id] = origin
}
