package capabilities

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Most entries of each kind in one manifest: a list that a person can still read.
const (
	maxHTTP    = 32
	maxFS      = 16
	maxConfig  = 64
	maxSecrets = 32
	maxPaths   = 32
	maxParams  = 32
)

// methods are the HTTP methods that a grant can name. CONNECT would be a tunnel, TRACE an echo of
// injected headers; OPTIONS tells a servlet nothing that its manifest has not settled.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}

// ValidMethod says that a manifest or grant can name the HTTP method, in this spelling.
func ValidMethod(method string) bool { return slices.Contains(methods, method) }

// check checks what a manifest asks for, field by field.
func (c Capabilities) check(r *report) {
	const path = "capabilities"
	count := func(field string, n, most int) {
		if n > most {
			r.add(path+"."+field, "%d entries: the most is %d", n, most)
		}
	}
	count("http", len(c.HTTP), maxHTTP)
	count("fs", len(c.FS), maxFS)
	count("config", len(c.Config), maxConfig)
	count("secrets", len(c.Secrets), maxSecrets)
	c.checkIDs(r)
	for i, h := range c.HTTP {
		h.check(r, fmt.Sprintf("%s.http[%d]", path, i), c.Secrets)
	}
	if c.Web != nil {
		checkSet(r, path+".web.methods", c.Web.Methods, methods[:2])
		checkWhy(r, path+".web.why", c.Web.Why)
	}
	c.checkFS(r)
	c.checkKeys(r)
	if c.KV != nil {
		if c.KV.QuotaKB < 1 || c.KV.QuotaKB > 64<<10 {
			r.add(path+".kv.quota_kb", "%d: want 1 to %d", c.KV.QuotaKB, 64<<10)
		}
		if c.KV.Scope != "space" && c.KV.Scope != "caller" {
			r.add(path+".kv.scope", "want \"space\" or \"caller\"")
		}
		checkWhy(r, path+".kv.why", c.KV.Why)
	}
	if c.Elicit != nil {
		checkSet(r, path+".elicit.modes", c.Elicit.Modes, []string{"form", "url"})
		checkWhy(r, path+".elicit.why", c.Elicit.Why)
	}
}

// checkIDs checks that an id names one capability, whatever its kind: --allow ID must mean one thing.
func (c Capabilities) checkIDs(r *report) {
	seen := map[string]string{string(KindWeb): "the kind web", string(KindKV): "the kind kv"}
	one := func(path, id string) {
		switch first, taken := seen[id]; {
		case !idForm.MatchString(id):
			r.add(path, "want 1 to 32 of a-z, 0-9 and \"-\", starting with a letter")
		case taken:
			r.add(path, "%q is taken by %s: choose another", id, first)
		default:
			seen[id] = path
		}
	}
	for i, h := range c.HTTP {
		one(fmt.Sprintf("capabilities.http[%d].id", i), h.ID)
	}
	for i, f := range c.FS {
		one(fmt.Sprintf("capabilities.fs[%d].id", i), f.ID)
	}
}

func (h HTTP) check(r *report, path string, secrets []Secret) {
	if h.Origin != UserOrigin {
		if err := publicOrigin(h.Origin); err != nil {
			r.add(path+".origin", "%v", err)
		}
	}
	checkSet(r, path+".methods", h.Methods, methods)
	if len(h.Paths) == 0 || len(h.Paths) > maxPaths {
		r.add(path+".paths", "want 1 to %d paths; \"/\" means all", maxPaths)
	}
	for i, p := range h.Paths {
		if err := checkPath(p); err != nil {
			r.add(fmt.Sprintf("%s.paths[%d]", path, i), "%v", err)
		} else if slices.Contains(h.Paths[:i], p) {
			r.add(fmt.Sprintf("%s.paths[%d]", path, i), "is there twice: remove one")
		}
	}
	if h.Auth != nil {
		h.Auth.check(r, path+".auth", secrets)
	}
	checkParams(r, path+".params", h.Params)
	checkWhy(r, path+".why", h.Why)
}

func checkParams(r *report, path string, params []Param) {
	if len(params) > maxParams {
		r.add(path, "%d entries: the most is %d", len(params), maxParams)
	}
	seen := map[string]bool{}
	for i, p := range params {
		at := fmt.Sprintf("%s[%d]", path, i)
		if p.Name == "" || len(p.Name) > maxProperty || seen[p.Name] {
			r.add(at+".name", "want a parameter's name, each once")
		}
		seen[p.Name] = true
		if len(p.Values) == 0 && p.Max == 0 {
			r.add(at, "limits nothing: give values or max")
		}
		if p.Max < 0 || p.Max > 8<<10 {
			r.add(at+".max", "%d: want 1 to %d", p.Max, 8<<10)
		}
	}
}

func (c Capabilities) checkFS(r *report) {
	for i, f := range c.FS {
		path := fmt.Sprintf("capabilities.fs[%d]", i)
		if err := checkGuest(f.Guest); err != nil {
			r.add(path+".guest", "%v", err)
		}
		for j, other := range c.FS[:i] {
			if nested(f.Guest, other.Guest) {
				r.add(path+".guest", "overlaps %s of capabilities.fs[%d]: a file would have two rights", Printable(other.Guest, 80), j)
			}
		}
		if !f.Mode.valid() {
			r.add(path+".mode", "want \"ro\" or \"rw\"")
		}
		checkWhy(r, path+".why", f.Why)
	}
}

func checkGuest(guest string) error {
	if len(guest) > 128 || !guestForm.MatchString(guest) || strings.Contains(guest, "..") {
		return errors.New("want an absolute folder of plain names such as \"/docs\", not \"/\"")
	}
	return nil
}

// nested says that one path is, or contains, the other, also on a file system that ignores case.
func nested(a, b string) bool {
	a, b = strings.ToLower(a)+"/", strings.ToLower(b)+"/"
	return strings.HasPrefix(a, b) || strings.HasPrefix(b, a)
}

func (c Capabilities) checkKeys(r *report) {
	seen := map[string]bool{}
	key := func(path, key string) {
		if !keyForm.MatchString(key) {
			r.add(path, "want 1 to 64 of A-Z, 0-9 and \"_\", starting with a letter")
		} else if seen[key] {
			r.add(path, "%s is there twice: rename one", key)
		}
		seen[key] = true
	}
	for i, k := range c.Config {
		path := fmt.Sprintf("capabilities.config[%d]", i)
		key(path+".key", k.Key)
		if len(k.Default) > maxDescription {
			r.add(path+".default", "has %d bytes: the most is %d", len(k.Default), maxDescription)
		}
		checkWhy(r, path+".why", k.Why)
	}
	for i, s := range c.Secrets {
		path := fmt.Sprintf("capabilities.secrets[%d]", i)
		key(path+".key", s.Key)
		if s.Use != SecretEgress && s.Use != SecretGuest {
			r.add(path+".use", "want \"egress\" or \"guest\"")
		}
		checkWhy(r, path+".why", s.Why)
	}
}

// checkSet wants at least one of allowed, each once.
func checkSet(r *report, path string, got, allowed []string) {
	if len(got) == 0 {
		r.add(path, "want some of %s", strings.Join(allowed, " "))
	}
	for i, s := range got {
		if !slices.Contains(allowed, s) || slices.Contains(got[:i], s) {
			r.add(fmt.Sprintf("%s[%d]", path, i), "want one of %s, each once", strings.Join(allowed, " "))
		}
	}
}

func checkWhy(r *report, path, why string) {
	checkLine(r, path, why)
	if n := utf8.RuneCountInString(why); n > maxWhy {
		r.add(path, "has %d characters: the most is %d", n, maxWhy)
	}
}
