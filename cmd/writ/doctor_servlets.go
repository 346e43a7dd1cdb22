package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/cmd/clients"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// servlets looks, in every space, for those that cannot answer or whose publisher set an end that has
// passed.
func (d *doctor) servlets(ctx context.Context) error {
	before := len(d.found)
	err := d.withHost(ctx, func(reg *registry.Registry, h *host.Host) error {
		spaces, err := reg.Spaces(ctx, d.caller())
		for _, space := range spaces {
			if err == nil {
				err = d.servletsOf(ctx, reg, h, space)
			}
		}
		return err
	})
	if err == nil && len(d.found) == before {
		d.add("servlets", healthy, "", "all can answer")
	}
	return err
}

func (d *doctor) servletsOf(ctx context.Context, reg *registry.Registry, h *host.Host, space string) error {
	there := *d.app // its commands name the space
	there.space = space
	all, err := reg.List(ctx, there.caller())
	if err != nil {
		return err
	}
	tools, err := h.Tools(ctx, there.caller())
	if err != nil {
		return err
	}
	add := func(state, mend, format string, args ...any) {
		if space != capabilities.DefaultSpace {
			format = "in space " + space + ", " + format
		}
		d.add("servlets", state, mend, format, args...)
	}
	revoked := map[string]bool{}
	for _, in := range all {
		if revoked[in.Alias] = in.Revoked; in.Revoked {
			add(noted, there.command("grant "+in.Alias), "%s has had its grant revoked", in.Alias)
		}
	}
	for _, n := range notReady(tools) {
		if revoked[n.Alias] {
			continue
		}
		why, mend, _ := strings.Cut(n.Why, ". Mend it with: ")
		add(wrong, mend, "%s", why)
	}
	kept, err := reg.Kept(ctx, there.caller())
	if err != nil {
		return err
	}
	for _, k := range kept {
		if !slices.ContainsFunc(all, k.BelongsTo) {
			add(noted, there.command("kv list"), "%s is not installed any more, and left %s of %d bytes behind that it kept for %s", k.Name, counted(k.Keys, "key"), k.Bytes, whose(k))
		}
	}
	for _, in := range all {
		c, _, err := approval.Load(ctx, reg, there.caller(), in.Alias)
		if err != nil {
			continue // its tools are not ready, and say so
		}
		if end, err := time.Parse(time.RFC3339, c.Servlet.Manifest().Expires); err == nil && d.now.After(end) {
			add(wrong, there.command("upgrade "+in.Alias), "%s expired on %s: it still runs, and is looked after by nobody", in.Alias, end.Format(time.DateOnly))
		}
	}
	return nil
}

// entries looks for entries of clients that do not lead here.
func (d *doctor) entries() error {
	connected := 0
	for _, c := range clients.All() {
		k, err := d.look(c, "")
		if err != nil {
			return err
		}
		if k.Broken != "" {
			d.add("clients", wrong, "an editor", "%s: %s", c.Name, k.Broken)
		}
		for _, e := range k.Entries {
			if connected++; e.Problem == "" {
				d.add("clients", healthy, "", "%s has the entry %s (%s)", c.Name, e.Name, k.File)
				continue
			}
			d.add("clients", wrong, e.mend(d.app, c.Name), "the entry %s of %s: %s", e.Name, c.Name, e.Problem)
		}
	}
	if connected == 0 {
		d.add("clients", noted, d.command("connect CLIENT"), "no client starts Writ")
	}
	return nil
}

// mend is the command that makes an entry lead here, for the space that it is for.
func (e ownEntry) mend(a *app, client string) string {
	here := *a
	if e.Space != "" {
		here.space = e.Space
	}
	words := "connect " + client
	if usual, err := here.entry(connectFlags{undo: true}); err != nil || usual.Name != e.Name {
		words += " --name " + e.Name
	}
	return here.command(words)
}
