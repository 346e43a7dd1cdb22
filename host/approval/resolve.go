package approval

import (
	"fmt"
	"slices"

	"github.com/writ-run/writ/capabilities"
)

// resolution is what a choice comes to for one servlet.
type resolution struct {
	rights   capabilities.Rights
	missing  []string
	warnings []string
}

// resolve turns a choice into rights. What the choice does not name is not in them; what was asked
// and not named is in missing, with the flag that would name it.
func resolve(s subject, choice Choice, dirs directories) (resolution, error) {
	var r resolution
	if err := choice.check(s.manifest); err != nil {
		return r, err
	}
	names, err := chosenTools(s.tools, choice.Tools)
	if err != nil {
		return r, err
	}
	r.rights.Tools = names
	if len(names) == 0 && len(s.tools) > 0 {
		r.lacks("tools", "--tools '*', or --tools A,B")
	}
	if err := r.directories(s.manifest, choice, dirs); err != nil {
		return r, err
	}
	if err := r.sites(s.manifest, choice); err != nil {
		return r, err
	}
	r.rest(s.manifest, choice)
	// The comparison that every call makes, made here too: a mistake in this file must not become a grant.
	if err := capabilities.Subset(r.rights, capabilities.Requested(s.manifest)); err != nil {
		return r, fmt.Errorf("the choice is wider than what the servlet asks: %w", err)
	}
	return r, nil
}

func (r *resolution) lacks(what, hint string) {
	r.missing = append(r.missing, what+": "+hint)
}

func (r *resolution) directories(m capabilities.Manifest, choice Choice, dirs directories) error {
	for _, f := range m.Capabilities.FS {
		named, ok := choice.Dirs[f.ID]
		if !ok {
			r.lacks("fs "+f.ID, "--dir "+f.ID+"=PATH")
			continue
		}
		path, warning, err := dirs.resolve(f.ID, named.Path, named.accepted || slices.Contains(choice.Danger, f.ID))
		if err != nil {
			return err
		}
		if warning != "" {
			r.warnings = append(r.warnings, warning)
		}
		mode := f.Mode
		if named.ReadOnly {
			mode = capabilities.ModeRead
		}
		if r.rights.FS == nil {
			r.rights.FS = make(map[string]capabilities.FSRight)
		}
		r.rights.FS[f.ID] = capabilities.FSRight{Guest: f.Guest, Path: path, Mode: mode}
	}
	return r.apart(m)
}

// apart refuses one directory under two modes, as the guard does at every call: whichever mode won,
// one of the two lines that a person approves would be untrue.
func (r *resolution) apart(m capabilities.Manifest) error {
	fs := m.Capabilities.FS
	for i, f := range fs {
		for _, g := range fs[:i] {
			a, one := r.rights.FS[g.ID]
			b, other := r.rights.FS[f.ID]
			if one && other && a.Mode != b.Mode && overlap(a.Path, b.Path) {
				return fmt.Errorf("directory %s for %s overlaps %s for %s, which has another mode: choose directories that lie apart, or give both the same mode (:ro)",
					shownPath(b.Path), f.ID, shownPath(a.Path), g.ID)
			}
		}
	}
	return nil
}

func (r *resolution) sites(m capabilities.Manifest, choice Choice) error {
	for _, h := range m.Capabilities.HTTP {
		origin := h.Origin
		if origin == capabilities.UserOrigin {
			named, ok := choice.Hosts[h.ID]
			if !ok {
				r.lacks("http "+h.ID, "--host "+h.ID+"=https://HOST")
				continue
			}
			canonical, err := capabilities.ParseOrigin(named)
			if err != nil {
				return fmt.Errorf("site %s for %s: %w", shown(named), h.ID, err)
			}
			origin = canonical
		} else if !slices.Contains(choice.Allow, h.ID) {
			r.lacks("http "+h.ID, "--allow "+h.ID)
			continue
		}
		if h.Auth != nil && h.Auth.Type == capabilities.AuthQuery {
			r.warnings = append(r.warnings, fmt.Sprintf("The secret for %s goes into the addresses of requests (%s=...), which servers and proxies log.", host(origin), capabilities.Printable(h.Auth.Name, 64)))
		}
		if r.rights.HTTP == nil {
			r.rights.HTTP = make(map[string]capabilities.HTTPRight)
		}
		r.rights.HTTP[h.ID] = capabilities.HTTPRight{Origin: origin, Methods: h.Methods, Paths: h.Paths, Auth: h.Auth, Params: h.Params}
	}
	return nil
}

// rest resolves the kinds that have nothing to choose but yes or no.
func (r *resolution) rest(m capabilities.Manifest, choice Choice) {
	if web := m.Capabilities.Web; web != nil {
		if slices.Contains(choice.Danger, idWeb) {
			r.rights.Web = &capabilities.WebRight{Methods: web.Methods}
			r.warnings = append(r.warnings, "DANGER: it can reach any public page of the web, and so send anything it gets to anyone.")
		} else {
			r.lacks("web", "--danger web")
		}
	}
	for _, s := range m.Capabilities.Secrets {
		id := secretID(s.Key)
		switch {
		case s.Use == capabilities.SecretGuest && slices.Contains(choice.Danger, id):
			r.warnings = append(r.warnings, fmt.Sprintf("DANGER: it holds the secret %s itself, and can show it to your AI.", s.Key))
		case s.Use == capabilities.SecretGuest:
			r.lacks(id, "--danger "+id)
			continue
		case !r.injects(s.Key):
			continue // nothing that was given uses it
		}
		if r.rights.Secret == nil {
			r.rights.Secret = make(map[string]string)
		}
		r.rights.Secret[s.Key] = s.Use
	}
	for _, c := range m.Capabilities.Config {
		r.rights.Config = append(r.rights.Config, c.Key)
	}
	if kv := m.Capabilities.KV; kv != nil {
		if slices.Contains(choice.Allow, idKV) {
			r.rights.KV = &capabilities.KVRight{QuotaKB: kv.QuotaKB, Scope: kv.Scope}
		} else {
			r.lacks("kv", "--allow kv")
		}
	}
}

// injects says that a request which was given carries the secret.
func (r *resolution) injects(key string) bool {
	for _, h := range r.rights.HTTP {
		if slices.Contains(h.Auth.Keys(), key) {
			return true
		}
	}
	return false
}
