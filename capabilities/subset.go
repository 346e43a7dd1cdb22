package capabilities

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
)

// Subset returns nil when a allows nothing that b does not; otherwise an error that names the first
// right of a that b lacks. It is the one comparison used by approve, load, upgrade and each call.
// It is a preorder: reflexive and transitive. A right that allows nothing (no method, no path, no
// mode) is below everything; the origin "user" and an empty directory path are above every choice.
func Subset(a, b Rights) error {
	if t, ok := missing(a.Tools, b.Tools); ok {
		return fmt.Errorf("tool %s is not allowed", quoted(t, 64))
	}
	for _, id := range slices.Sorted(maps.Keys(a.HTTP)) {
		if err := subsetHTTP(a.HTTP[id], b.HTTP[id]); err != nil {
			return fmt.Errorf("http %s: %w", quoted(id, 64), err)
		}
	}
	if a.Web != nil && len(a.Web.Methods) > 0 {
		if b.Web == nil {
			return errors.New("web is not allowed")
		}
		if m, ok := missing(a.Web.Methods, b.Web.Methods); ok {
			return fmt.Errorf("web: method %s is not allowed", quoted(m, 16))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(a.FS)) {
		if err := subsetFS(a.FS[id], b.FS[id]); err != nil {
			return fmt.Errorf("fs %s: %w", quoted(id, 64), err)
		}
	}
	if k, ok := missing(a.Config, b.Config); ok {
		return fmt.Errorf("config %s is not allowed", quoted(k, 64))
	}
	for _, key := range slices.Sorted(maps.Keys(a.Secret)) {
		if use, ok := b.Secret[key]; !ok || use != a.Secret[key] {
			return fmt.Errorf("secret %s for %s is not allowed", quoted(key, 64), quoted(a.Secret[key], 16))
		}
	}
	return subsetKV(a.KV, b.KV)
}

func subsetHTTP(a, b HTTPRight) error {
	if len(a.Methods) == 0 || len(a.Paths) == 0 {
		return nil
	}
	if a.Origin != b.Origin {
		_, err := ParseOrigin(a.Origin)
		if b.Origin != UserOrigin || err != nil {
			return fmt.Errorf("origin %s is not allowed", quoted(a.Origin, 80))
		}
	}
	if m, ok := missing(a.Methods, b.Methods); ok {
		return fmt.Errorf("method %s is not allowed", quoted(m, 16))
	}
	for _, p := range a.Paths {
		if !slices.ContainsFunc(b.Paths, func(q string) bool { return p == q || PathCovers(q, p) }) {
			return fmt.Errorf("path %s is not allowed", quoted(p, 80))
		}
	}
	if a.Auth != nil && !reflect.DeepEqual(a.Auth, b.Auth) {
		return errors.New("authentication is not allowed, or not the same")
	}
	for _, limit := range b.Params {
		if !slices.ContainsFunc(a.Params, func(p Param) bool { return narrower(p, limit) }) {
			return fmt.Errorf("parameter %s has to keep its limit", quoted(limit.Name, 64))
		}
	}
	for _, p := range a.Private {
		if !slices.ContainsFunc(b.Private, func(q netip.Prefix) bool { return p == q || within(p, q) }) {
			return fmt.Errorf("private network %s is not allowed", p)
		}
	}
	return nil
}

// narrower says that limit p lets through nothing that q would stop.
func narrower(p, q Param) bool {
	if p.Name != q.Name || q.Max > 0 && (p.Max <= 0 || p.Max > q.Max) {
		return false
	}
	if len(q.Values) == 0 {
		return true
	}
	_, more := missing(p.Values, q.Values)
	return len(p.Values) > 0 && !more
}

func subsetFS(a, b FSRight) error {
	switch {
	case a.Mode == ModeNone:
		return nil
	case !a.Mode.valid() || a.Mode > b.Mode || !b.Mode.valid():
		return fmt.Errorf("mode %s is not allowed", quoted(string(a.Mode), 16))
	case a.Guest != b.Guest:
		return fmt.Errorf("guest path %s is not allowed", quoted(a.Guest, 80))
	case a.Path != b.Path && b.Path != "":
		return errors.New("another directory is not allowed")
	}
	return nil
}

func subsetKV(a, b *KVRight) error {
	switch {
	case a == nil || a.QuotaKB <= 0:
		return nil
	case b == nil:
		return errors.New("kv is not allowed")
	case a.Scope != b.Scope:
		return fmt.Errorf("kv: scope %s is not allowed", quoted(a.Scope, 16))
	case a.QuotaKB > b.QuotaKB:
		return fmt.Errorf("kv: a quota of %d KB is not allowed", a.QuotaKB)
	case b.ReadOnly && !a.ReadOnly:
		return errors.New("kv: writing is not allowed")
	}
	return nil
}

// missing returns the first element of a that b lacks.
func missing(a, b []string) (string, bool) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			return s, true
		}
	}
	return "", false
}
