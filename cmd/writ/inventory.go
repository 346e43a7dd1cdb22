package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// stocked is one row of an inventory, and what --json prints.
type stocked struct {
	Space     string    `json:"space"`
	Alias     string    `json:"alias"`
	Name      string    `json:"name"`
	Version   string    `json:"version"`
	Publisher string    `json:"publisher"`
	BuiltIn   bool      `json:"built_in,omitempty"`
	Source    string    `json:"source"`
	Digest    string    `json:"digest"`
	Issued    string    `json:"issued,omitempty"`  // when its publisher signed it
	Expires   string    `json:"expires,omitempty"` // until when it may be installed
	Installed time.Time `json:"installed"`
	LastUsed  time.Time `json:"last_used,omitzero"` // zero: not since the audit begins
	Revoked   bool      `json:"revoked,omitempty"`
	// Holds is what was granted; Secrets which of its secrets are set. A revoked grant holds nothing.
	Holds   capabilities.Rights `json:"holds"`
	Secrets []registry.Secret   `json:"secrets,omitempty"`
	Problem string              `json:"problem,omitempty"` // why its file cannot be read
}

// inventory lists what is installed in every space, or in the one that was asked for alone.
func (a *app) inventory(ctx context.Context, oneSpace bool) error {
	return a.withRegistry(func(reg *registry.Registry) error {
		spaces := []string{a.space}
		if !oneSpace {
			var err error
			if spaces, err = reg.Spaces(ctx, a.caller()); err != nil {
				return err
			}
		}
		last, err := reg.LastCalls(ctx, a.caller())
		if err != nil {
			return err
		}
		stock := []stocked{}
		for _, space := range spaces {
			found, err := stockOf(ctx, reg, capabilities.Local(space), last)
			if err != nil {
				return err
			}
			stock = append(stock, found...)
		}
		if a.json {
			return a.printJSON(map[string]any{"servlets": stock})
		}
		if len(stock) == 0 {
			a.say("nothing is installed")
			return nil
		}
		var rows [][]string
		for _, s := range stock {
			rows = append(rows, []string{s.Space, s.Alias, s.Name, s.Version, signedBy(s.Publisher), s.issued(), s.lastUsed(), s.holds()})
		}
		return a.printTable("SPACE ALIAS NAME VERSION SIGNED-BY ISSUED LAST-USED HOLDS", rows)
	})
}

func stockOf(ctx context.Context, reg *registry.Registry, by capabilities.Caller, last map[registry.Alias]time.Time) ([]stocked, error) {
	all, err := reg.List(ctx, by)
	if err != nil {
		return nil, err
	}
	var stock []stocked
	for _, in := range all {
		s := stocked{
			Space: by.Space, Alias: in.Alias, Name: in.Name, Version: in.Version, Publisher: in.Publisher, BuiltIn: capabilities.IsBuiltInKey(in.Publisher),
			Source: in.Source, Digest: in.Digest, Installed: in.Installed, LastUsed: last[registry.Alias{Space: by.Space, Alias: in.Alias}],
			Revoked: in.Revoked, Holds: in.Grant.Rights,
		}
		if in.Revoked {
			s.Holds = capabilities.Rights{}
		}
		if s.Secrets, err = reg.Secrets(ctx, by, in.Alias); err != nil {
			return nil, err
		}
		if c, _, err := approval.Load(ctx, reg, by, in.Alias); err != nil {
			s.Problem = err.Error()
		} else {
			s.Issued, s.Expires = c.Servlet.Manifest().Issued, c.Servlet.Manifest().Expires
		}
		stock = append(stock, s)
	}
	return stock, nil
}

func (s stocked) issued() string {
	if day, _, ok := strings.Cut(s.Issued, "T"); ok {
		return day
	}
	return "-"
}

func (s stocked) lastUsed() string {
	if s.LastUsed.IsZero() {
		return "never"
	}
	return s.LastUsed.Local().Format("2006-01-02 15:04")
}

// holds says in words what a servlet can reach.
func (s stocked) holds() string {
	if s.Revoked {
		return "nothing: its grant is revoked"
	}
	var out []string
	rights := s.Holds
	for _, id := range slices.Sorted(maps.Keys(rights.FS)) {
		verb := "reads and changes "
		if rights.FS[id].Mode == capabilities.ModeRead {
			verb = "reads "
		}
		out = append(out, verb+rights.FS[id].Path)
	}
	for _, id := range slices.Sorted(maps.Keys(rights.HTTP)) {
		out = append(out, strings.Join(rights.HTTP[id].Methods, " ")+" "+rights.HTTP[id].Origin)
	}
	if rights.Web != nil {
		out = append(out, "any public web page")
	}
	if rights.KV != nil {
		out = append(out, fmt.Sprintf("keeps up to %d KB of its own data", rights.KV.QuotaKB))
	}
	for _, key := range slices.Sorted(maps.Keys(rights.Secret)) {
		state := " (unset)"
		if slices.ContainsFunc(s.Secrets, func(k registry.Secret) bool { return k.Key == key }) {
			state = " (set)"
		}
		out = append(out, "secret "+key+state)
	}
	if s.Problem != "" {
		out = append(out, "its file cannot be read: "+s.Problem)
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "; ")
}
