package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/registry"
)

// endsSoon is how long before its end a key is named.
const endsSoon = 14 * 24 * time.Hour

// keys names the keys of clients that end soon, unless another of the same name takes over: a client that
// is refused cannot tell why. Who has no keys hears nothing of them.
func (d *doctor) keys(ctx context.Context, reg *registry.Registry) {
	all, err := reg.Keys(ctx, d.caller())
	if err != nil {
		d.add("keys", wrong, "", "%v", err)
		return
	}
	last := map[string]time.Time{} // by name; zero: never
	for _, k := range all {
		if k.Ended(d.now) {
			continue
		}
		if end, ok := last[k.Name]; !ok || !end.IsZero() && (k.Expires.IsZero() || k.Expires.After(end)) {
			last[k.Name] = k.Expires
		}
	}
	var soon []string
	for _, name := range slices.Sorted(maps.Keys(last)) {
		if end := last[name]; !end.IsZero() && end.Sub(d.now) < endsSoon {
			soon = append(soon, name+" ("+end.Local().Format(time.DateOnly)+")")
		}
	}
	switch {
	case len(soon) > 0:
		d.add("keys", noted, d.command("key rotate NAME"), "%s of clients, of which in the next 14 days end: %s", counted(len(last), "key"), strings.Join(soon, ", "))
	case len(last) > 0:
		d.add("keys", healthy, "", "%s of clients, none of which ends in the next 14 days", counted(len(last), "key"))
	}
}
