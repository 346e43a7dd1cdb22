package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

// devBuild is a build that calls can reach.
type devBuild struct {
	alias    string
	digest   string // of the servlet file; empty: none was built yet
	made     toolchain.Result
	manifest capabilities.Manifest // as servlet.toml has it
	granted  capabilities.Rights
	sources  []string // files that the last attempt named
}

// build builds the source, and puts the result in the place of the build before it. What fails is shown, and
// changes nothing.
func (d *dev) build(ctx context.Context) {
	began := time.Now()
	err := d.replace(ctx, began)
	if err == nil || ctx.Err() != nil {
		return
	}
	d.repeated = false
	d.out.fail("build failed", err)
	if d.now.digest != "" {
		d.out.say("the last good build goes on serving")
	}
}

func (d *dev) replace(ctx context.Context, began time.Time) error {
	text, err := d.reg.DevelopmentKey(ctx)
	if err != nil {
		return err
	}
	key, err := capabilities.ParseKey(text)
	if err != nil {
		return err
	}
	o := toolchain.Options{Dir: d.source, Output: filepath.Join(d.dir, "servlet.wasm"), Key: key, CacheDir: d.cache, Learn: d.flags.propose}
	made, err := toolchain.Build(ctx, o)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(o.Output)
	if err != nil {
		return err
	}
	took := time.Since(began)
	c, err := approval.Verify(ctx, file, d.source)
	if err != nil {
		return err
	}
	next := devBuild{digest: c.Servlet.Digest(), made: made, manifest: made.Manifest, sources: made.Sources}
	if next.digest == d.now.digest {
		d.now.sources = next.sources
		d.sayUnchanged()
		return nil
	}
	in, notes, err := d.install(ctx, c, made.Manifest)
	if err != nil {
		return err
	}
	next.alias, next.granted = in.Alias, in.Grant.Rights
	before := d.now
	d.now, d.repeated = next, false
	d.show(next)
	unready := d.provide(ctx, in, next.manifest)
	d.out.say("built %s %s in %v: %d kB, %s (%s)", made.Name, made.Version, took.Round(time.Millisecond), made.Size/1000,
		counted(len(made.Tools), "tool"), strings.Join(toolNames(in), " "))
	for _, note := range slices.Concat(made.Notes, notes) {
		d.out.say("note: %s", note)
	}
	d.printProposal()
	if err := errors.Join(unready, d.warmUp(ctx, in, before)); err != nil && ctx.Err() == nil {
		d.out.fail("it is in place, but not ready", err)
	}
	return nil
}

// sayUnchanged tells once in a row that a build made what was there: a program that writes into the folder all
// the time, such as a tee of what this says, would be told without end.
func (d *dev) sayUnchanged() {
	if !d.repeated {
		d.out.say("built again: nothing changed")
	}
	d.repeated = true
}

// toolNames are the tools that were granted, as a client calls them.
func toolNames(in registry.Installation) (names []string) {
	for _, tool := range in.Grant.Rights.Tools {
		if name, err := capabilities.ToolName(in.Alias, tool); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// install puts a build in the place of the one before, with what the flags give of what it asks for.
func (d *dev) install(ctx context.Context, c *approval.Candidate, m capabilities.Manifest) (in registry.Installation, notes []string, err error) {
	choice, notes := offeredOf(d.choice, m)
	by := d.caller()
	if d.now.digest != "" {
		plan, err := approval.ProposeUpgrade(ctx, d.reg, by, c, d.now.alias, choice)
		if err == nil {
			err = d.apart(plan.Rights)
		}
		if err == nil {
			in, err = approval.Upgrade(ctx, d.reg, by, c, d.now.alias, choice, plan.Digest)
		}
		if err == nil || d.now.manifest.Name == m.Name {
			return in, slices.Concat(notes, notGiven(m, in.Grant.Rights)), err
		}
	}
	plan, err := approval.Propose(ctx, d.reg, by, c, choice)
	if err == nil {
		err = d.apart(plan.Rights)
	}
	if err != nil {
		return in, nil, err
	}
	if d.now.digest != "" { // it has another name now
		if err := d.reg.Remove(ctx, by, d.now.alias, true); err != nil {
			return in, nil, err
		}
		d.now.digest = ""
	}
	in, err = approval.Install(ctx, d.reg, by, c, choice, plan.Digest)
	return in, slices.Concat(notes, notGiven(m, in.Grant.Rights)), err
}

// apart refuses to give a folder that has, or is in, the home of whoever runs this: a plan is made for the
// throw-away home, which is not the one that keeps anything.
func (d *dev) apart(r capabilities.Rights) error {
	house := d.house
	if real, err := filepath.EvalSymlinks(house); err == nil {
		house = real
	}
	within := func(path, dir string) bool {
		rest, err := filepath.Rel(dir, path)
		return err == nil && filepath.IsLocal(rest)
	}
	for id, right := range r.FS {
		if within(right.Path, house) || within(house, right.Path) {
			return fmt.Errorf("--dir %s=%s: it overlaps %s, where Writ keeps its own files: choose another folder", id, right.Path, house)
		}
	}
	return nil
}

// offeredOf is the part of a choice that a manifest has something for: a developer names flags once, for all
// that a session may come to request. The rest is told.
func offeredOf(choice approval.Choice, m capabilities.Manifest) (approval.Choice, []string) {
	asked := capabilities.Requested(m)
	var notes []string
	has := func(flag, id string) bool {
		_, http := asked.HTTP[id]
		_, fs := asked.FS[id]
		ok := http || fs || id == string(capabilities.KindWeb) && asked.Web != nil || id == string(capabilities.KindKV) && asked.KV != nil
		if !ok {
			notes = append(notes, fmt.Sprintf("--%s %s: servlet.toml requests no such capability", flag, id))
		}
		return ok
	}
	keep := func(flag string, ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !has(flag, id) })
	}
	choice.Allow, choice.Danger = keep("allow", choice.Allow), keep("danger", choice.Danger)
	choice.Dirs, choice.Hosts = maps.Clone(choice.Dirs), maps.Clone(choice.Hosts)
	maps.DeleteFunc(choice.Dirs, func(id string, _ approval.Directory) bool { return !has("dir", id) })
	maps.DeleteFunc(choice.Hosts, func(id, _ string) bool { return !has("host", id) })
	slices.Sort(notes)
	return choice, slices.Compact(notes)
}

// provide sets the configuration and the secrets that the flags name, as far as they are declared.
func (d *dev) provide(ctx context.Context, in registry.Installation, m capabilities.Manifest) error {
	for _, key := range slices.Sorted(maps.Keys(d.config)) {
		if !slices.ContainsFunc(m.Capabilities.Config, func(c capabilities.Config) bool { return c.Key == key }) {
			d.out.say("note: --config %s: servlet.toml requests no such key", key)
			continue
		}
		if err := d.reg.SetConfig(ctx, d.caller(), in.Alias, key, d.config[key]); err != nil {
			return err
		}
	}
	for _, s := range m.Capabilities.Secrets {
		value, ok := d.secrets[s.Key]
		if !ok {
			d.out.say("note: secret %s has no value: --secrets ALIAS takes those of a servlet that is installed in your home", s.Key)
			continue
		}
		if _, err := d.reg.SetSecret(ctx, d.caller(), in, s.Key, value); err != nil {
			return err
		}
	}
	return nil
}

// warmUp gets the build ready for its first call, and drops the code of the one before.
func (d *dev) warmUp(ctx context.Context, in registry.Installation, before devBuild) error {
	_, err := d.host.Prepare(ctx, d.caller(), in.Alias)
	return errors.Join(err, d.forget(before))
}

// forget drops the compiled code of a build that no call reaches any more: each save would leave megabytes in
// the cache of the home. What runs a servlet in TypeScript is the engine that all of them share.
func (d *dev) forget(b devBuild) error {
	if b.digest == "" || b.scripted() {
		return nil
	}
	return d.engine.Forget(b.digest)
}

// scripted tells that a build is of TypeScript.
func (b devBuild) scripted() bool { return len(b.made.Sources) > 0 }
