package approval

import (
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// rowID is the id by which a line of the table is given.
func rowID(r row) string {
	switch r.kind {
	case capabilities.KindWeb, capabilities.KindKV:
		return string(r.kind)
	case capabilities.KindSecret:
		return secretID(r.id)
	}
	return r.id
}

// only is what rights hold of one line of the table.
func only(r row, rights capabilities.Rights) (one capabilities.Rights) {
	switch r.kind {
	case capabilities.KindFS:
		if f, ok := rights.FS[r.id]; ok {
			one.FS = map[string]capabilities.FSRight{r.id: f}
		}
	case capabilities.KindHTTP:
		if h, ok := rights.HTTP[r.id]; ok {
			one.HTTP = map[string]capabilities.HTTPRight{r.id: h}
		}
	case capabilities.KindWeb:
		one.Web = rights.Web
	case capabilities.KindKV:
		one.KV = rights.KV
	case capabilities.KindSecret:
		if use, ok := rights.Secret[r.id]; ok {
			one.Secret = map[string]string{r.id: use}
		}
	case capabilities.KindConfig:
		if slices.Contains(rights.Config, r.id) {
			one.Config = []string{r.id}
		}
	}
	return one
}

// nothing stands for a right that is not there.
const nothing = "nothing"

// standsFor is a right in full, so that two that differ never read the same.
func standsFor(r row, rights capabilities.Rights) string {
	one := only(r, rights)
	switch {
	case one.FS != nil:
		return directory(one.FS[r.id])
	case one.HTTP != nil:
		return site(one.HTTP[r.id])
	case one.Web != nil:
		return methods(one.Web.Methods) + " any public page"
	case one.KV != nil:
		return storage(capabilities.KV{QuotaKB: one.KV.QuotaKB, Scope: one.KV.Scope})
	case one.Secret != nil:
		if one.Secret[r.id] == capabilities.SecretGuest {
			return "held by it"
		}
		return "added by Writ, never shown to it"
	case one.Config != nil:
		return "what you set with writ config"
	}
	return nothing
}

func directory(f capabilities.FSRight) string {
	if f.Mode == capabilities.ModeRead {
		return shownPath(f.Path) + " (read only) as " + f.Guest
	}
	return shownPath(f.Path) + " as " + f.Guest
}

// site is a right to a site in full.
func site(h capabilities.HTTPRight) string {
	text := methods(h.Methods) + " " + h.Origin + strings.Join(h.Paths, " ")
	for i, p := range h.Params {
		text += [...]string{", only with ", " "}[min(i, 1)] + limited(p)
	}
	if h.Auth != nil {
		a := h.Auth
		text += ", signed in by Writ:"
		for _, part := range []string{a.Type, a.Name, a.Value, a.User, a.Secret, a.Region, a.Scopes} {
			if part != "" {
				text += " " + strconv.Quote(part)
			}
		}
	}
	return text
}
