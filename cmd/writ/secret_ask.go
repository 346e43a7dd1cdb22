package main

import (
	"context"
	"errors"
	"slices"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// wanted is a secret or setting that was granted, has no value, and is needed.
type wanted struct {
	key, why string
	secret   bool
}

// command is how it is set later.
func (w wanted) command(a *app, alias string) string {
	if w.secret {
		return a.command("secret set " + alias + " " + w.key)
	}
	return a.command("config set " + alias + " " + w.key + " VALUE")
}

// settle sees to what a servlet needs beside its grant: a person is asked, each question may be
// skipped; what is not set is named with the command that sets it.
func (a *app) settle(ctx context.Context, reg *registry.Registry, c *approval.Candidate, in registry.Installation, ask bool) error {
	m := c.Servlet.Manifest()
	needs, err := a.needs(ctx, reg, m, in)
	if err != nil {
		return err
	}
	for _, w := range needs {
		set := false
		if ask {
			if set, err = a.askFor(ctx, reg, m, in, w); errors.Is(err, errNoAnswer) {
				ask, err = false, nil // no answer is none to the rest as well
			}
			if err != nil {
				return err
			}
		}
		if !set {
			a.say("%s needs %s: set it with %s", in.Alias, w.key, w.command(a, in.Alias))
		}
	}
	return nil
}

func (a *app) needs(ctx context.Context, reg *registry.Registry, m capabilities.Manifest, in registry.Installation) ([]wanted, error) {
	set, err := reg.Secrets(ctx, a.caller(), in.Alias)
	if err != nil {
		return nil, err
	}
	values, err := reg.Config(ctx, a.caller(), in.Alias)
	if err != nil {
		return nil, err
	}
	var needs []wanted
	for _, s := range m.Capabilities.Secrets {
		is := func(k registry.Secret) bool { return k.Key == s.Key }
		if in.Grant.Rights.Secret[s.Key] != "" && !slices.ContainsFunc(set, is) {
			needs = append(needs, wanted{s.Key, s.Why, true})
		}
	}
	for _, c := range m.Capabilities.Config {
		if _, ok := values[c.Key]; !ok && c.Default == "" && slices.Contains(in.Grant.Rights.Config, c.Key) {
			needs = append(needs, wanted{c.Key, c.Why, false})
		}
	}
	return needs, nil
}

// askFor asks until the answer can be used or is empty, which skips it.
func (a *app) askFor(ctx context.Context, reg *registry.Registry, m capabilities.Manifest, in registry.Installation, w wanted) (set bool, err error) {
	prompt := w.key
	if w.why != "" {
		prompt += " (it says: \"" + capabilities.Printable(w.why, 200) + "\")"
	}
	for {
		var answered bool
		var unfit error
		if w.secret {
			answered, unfit, err = a.askSecret(ctx, reg, m, in, w.key, prompt)
		} else {
			answered, unfit, err = a.askConfig(ctx, reg, in, w.key, prompt)
		}
		if err != nil || !answered || unfit == nil {
			return answered && err == nil, err
		}
		a.say("%v", unfit)
	}
}

func (a *app) askSecret(ctx context.Context, reg *registry.Registry, m capabilities.Manifest, in registry.Installation, key, prompt string) (answered bool, unfit, err error) {
	text, err := a.readHidden(ctx, prompt+", hidden, Enter to skip: ")
	switch {
	case errors.Is(err, errTypedLong):
		return true, err, nil
	case err != nil || len(text) == 0:
		return false, nil, err
	}
	value, unfit := capabilities.NewSecretValue(string(text))
	if unfit == nil {
		unfit = m.CheckSecret(key, value)
	}
	if unfit == nil {
		_, err = reg.SetSecret(ctx, a.caller(), in, key, value)
	}
	return true, unfit, err
}

func (a *app) askConfig(ctx context.Context, reg *registry.Registry, in registry.Installation, key, prompt string) (answered bool, unfit, err error) {
	text, err := a.readAnswer(ctx, prompt+", Enter to skip: ")
	if err != nil || text == "" {
		return false, nil, err
	}
	if unfit = checkConfigValue(text); unfit == nil {
		err = reg.SetConfig(ctx, a.caller(), in.Alias, key, text)
	}
	return true, unfit, err
}
