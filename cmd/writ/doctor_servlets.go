package main

import (
	"context"
	"strings"
	"time"

	"github.com/writ-run/writ/cmd/clients"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// servlets looks for those of the space that cannot answer, or whose publisher set an end that has
// passed.
func (d *doctor) servlets(ctx context.Context) error {
	return d.withTools(ctx, func(reg *registry.Registry, _ *host.Host, all []registry.Installation, tools []host.Tool) error {
		before := len(d.found)
		revoked := map[string]bool{}
		for _, in := range all {
			if revoked[in.Alias] = in.Revoked; in.Revoked {
				d.add("servlets", noted, d.command("grant "+in.Alias), "%s has had its grant revoked", in.Alias)
			}
		}
		for _, n := range notReady(tools) {
			if revoked[n.Alias] {
				continue
			}
			why, mend, _ := strings.Cut(n.Why, ". Mend it with: ")
			d.add("servlets", wrong, mend, "%s", why)
		}
		for _, in := range all {
			c, _, err := approval.Load(ctx, reg, d.caller(), in.Alias)
			if err != nil {
				continue // its tools are not ready, and say so
			}
			if end, err := time.Parse(time.RFC3339, c.Servlet.Manifest().Expires); err == nil && d.now.After(end) {
				d.add("servlets", wrong, "a newer version from its publisher", "%s expired on %s: it still runs, and is looked after by nobody", in.Alias, end.Format(time.DateOnly))
			}
		}
		if len(d.found) == before {
			d.add("servlets", healthy, "", "all can answer")
		}
		return nil
	})
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
