package approval

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// difference is what an upgrade changes, for the screen of its plan.
type difference struct {
	before, after subject
	had, gives    capabilities.Rights
	in            registry.Installation
}

// tell makes the screen of an install that of an upgrade: what changes comes first, in words, and in
// each line of the table from what to what.
func (d difference) tell(p *Plan) {
	m := d.after.manifest
	p.Upgrade = &Replaced{FromVersion: d.in.Version, FromSeq: d.in.Seq, FromFile: d.in.Digest, Seq: m.Seq}
	d.tools(p)
	d.rows(p)
	p.Upgrade.LargerLimits = larger(d.before.manifest.Limits, d.after.manifest.Limits)
	p.view.Title = fmt.Sprintf("Upgrade %s from %s to %s.", d.in.Alias, numbered(d.in.Version, d.in.Seq), numbered(m.Version, m.Seq))
	p.view.Intro = append(d.sentences(p), p.view.Intro...)
}

func numbered(version string, seq uint64) string {
	if seq == 0 {
		return version + " (your build)"
	}
	return fmt.Sprintf("%s (number %d)", version, seq)
}

// tools compares every tool's signed text and what it uses.
func (d difference) tools(p *Plan) {
	u, before := p.Upgrade, map[string]capabilities.Tool{}
	for _, t := range d.before.tools {
		before[t.Name] = t
	}
	for i, t := range d.after.tools {
		was, ok := before[t.Name]
		delete(before, t.Name)
		if !ok {
			u.NewTools = append(u.NewTools, t.Name)
			continue
		}
		if !bytes.Equal(was.Raw, t.Raw) {
			u.ChangedTools = append(u.ChangedTools, t.Name)
			p.tools[i].Before = was.Raw
		}
		if !slices.Equal(uses(d.before.manifest, t.Name), uses(d.after.manifest, t.Name)) {
			u.ReachChanged = append(u.ReachChanged, t.Name)
		}
	}
	for name := range before {
		if slices.Contains(d.had.Tools, name) {
			u.GoneTools = append(u.GoneTools, name)
		}
	}
	slices.Sort(u.GoneTools)
}

func uses(m capabilities.Manifest, tool string) []string {
	all := slices.Clone(m.Uses[tool])
	slices.Sort(all)
	return all
}

// rows writes into the table what changes. "MORE" is decided by the comparison that every call makes.
func (d difference) rows(p *Plan) {
	wants, wanted := capabilities.Requested(d.after.manifest), capabilities.Requested(d.before.manifest)
	for i, r := range p.rows {
		if r.kind == "" {
			continue // the tools, which the sentences name
		}
		if capabilities.Subset(only(r, wants), wanted) != nil {
			p.Upgrade.AsksMore = append(p.Upgrade.AsksMore, rowID(r))
		}
		had, gives := standsFor(r, d.had), standsFor(r, d.gives)
		more := capabilities.Subset(only(r, d.gives), d.had) != nil
		if had == gives && !more {
			continue
		}
		if gives == nothing {
			p.Upgrade.NotKept = append(p.Upgrade.NotKept, rowID(r))
		}
		mark := ""
		if more {
			mark = "MORE: "
		}
		p.view.Rows[i].Gives = mark + had + " -> " + gives
	}
}

// larger are the limits that a newer version sets higher, as they hold.
func larger(before, after capabilities.Limits) []string {
	was, is := capabilities.EffectiveLimits(before), capabilities.EffectiveLimits(after)
	var all []string
	for _, l := range []struct {
		name    string
		was, is int
	}{
		{"memory_mb", was.MemoryMB, is.MemoryMB}, {"wall_ms", was.WallMS, is.WallMS},
		{"http_calls", was.HTTPCalls, is.HTTPCalls}, {"result_kb", was.ResultKB, is.ResultKB},
	} {
		if l.is > l.was {
			all = append(all, fmt.Sprintf("%s %d -> %d", l.name, l.was, l.is))
		}
	}
	return all
}

// sentences say what changes beside the table.
func (d difference) sentences(p *Plan) []string {
	u := p.Upgrade
	var all []string
	if p.Widens == "" {
		all = append(all, "It gets nothing that it did not have before.")
	} else {
		all = append(all, "It gets MORE than it had (until now, "+p.Widens+").")
	}
	say := func(what string, names []string) {
		if len(names) > 0 {
			all = append(all, what+strings.Join(names, " ")+".")
		}
	}
	say("It ASKS for more than before, see their lines for what you give: ", u.AsksMore)
	say("You gave these before, and do not give them now: ", u.NotKept)
	given, not := split(u.NewTools, d.gives.Tools)
	say("New tools, given: ", given)
	say("New tools, not given: ", not)
	say("Tools that it had and loses: ", u.GoneTools)
	say("CHANGED text for your AI, type d to read both: ", u.ChangedTools)
	say("Tools that use other capabilities than before: ", u.ReachChanged)
	say("No longer asked for: ", d.dropped())
	if len(u.LargerLimits) > 0 {
		all = append(all, "It may use more of this machine: "+strings.Join(u.LargerLimits, ", ")+".")
	}
	if len(u.NewTools)+len(u.ChangedTools)+len(u.ReachChanged) == 0 {
		all = append(all, "No text for your AI changes. Its code does, within what the table says.")
	}
	return all
}

// split tells the names that are among others from those that are not.
func split(names, among []string) (in, out []string) {
	for _, name := range names {
		if slices.Contains(among, name) {
			in = append(in, name)
		} else {
			out = append(out, name)
		}
	}
	return in, out
}

// dropped are the capabilities that were given and are not asked for any more.
func (d difference) dropped() []string {
	var gone []string
	asks := capabilities.Requested(d.after.manifest)
	for _, id := range slices.Sorted(maps.Keys(d.had.FS)) {
		if _, ok := asks.FS[id]; !ok {
			gone = append(gone, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.had.HTTP)) {
		if _, ok := asks.HTTP[id]; !ok {
			gone = append(gone, id)
		}
	}
	if d.had.Web != nil && asks.Web == nil {
		gone = append(gone, idWeb)
	}
	if d.had.KV != nil && asks.KV == nil {
		gone = append(gone, idKV)
	}
	for _, key := range slices.Sorted(maps.Keys(d.had.Secret)) {
		if asks.Secret[key] == "" {
			gone = append(gone, secretID(key))
		}
	}
	return gone
}
