package main

import (
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

func (a *app) grantVerb() *cobra.Command {
	var f installFlags
	var deny []string
	cmd := &cobra.Command{
		Use: "grant ALIAS", Args: takes,
		Short: "Change what an installed servlet holds",
		Long: `Change what an installed servlet holds. Flags name the parts to change; the rest
stays as it was. What only narrows is done at once; what gives more is shown and
asked, or needs --approve with the digest of its plan, as with install.`,
		Example: `  writ grant filesystem --dir docs=notes:ro
  writ grant filesystem --dir docs=elsewhere --plan --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			named, err := f.choice(a.space)
			if err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				c, in, err := approval.Load(cmd.Context(), reg, a.caller(), args[0])
				if err != nil {
					return err
				}
				d := decision{
					verb: "grant",
					propose: func(choice approval.Choice) (approval.Plan, error) {
						return approval.ProposeGrant(cmd.Context(), reg, a.caller(), args[0], choice)
					},
					commit: func(choice approval.Choice, digest string) (registry.Installation, error) {
						return approval.Regrant(cmd.Context(), reg, a.caller(), args[0], choice, digest)
					},
				}
				d.settle = func(in registry.Installation, ask bool) error {
					return a.settle(cmd.Context(), reg, c, in, ask)
				}
				choice, err := changed(approval.ChoiceOf(c.Servlet.Manifest(), in), named, deny)
				if err != nil {
					return err
				}
				d.session = func(cfg approval.SessionConfig) (*approval.Session, approval.Turn, error) {
					return approval.NewSession(c, choice, cfg)
				}
				return a.regrant(cmd, d, choice, f, f.named() || len(deny) > 0)
			})
		},
	}
	f.register(cmd)
	cmd.Flags().StringSliceVar(&deny, "deny", nil, "capability to take away, by its id")
	return cmd
}

// changed is the choice that base becomes when named is added to it and deny is taken away. Tools
// that are named replace those of before: there is no other way to name fewer.
func changed(base, named approval.Choice, deny []string) (approval.Choice, error) {
	if named.Tools != nil {
		base.Tools = named.Tools
	}
	base.Dirs, base.Hosts = joined(base.Dirs, named.Dirs), joined(base.Hosts, named.Hosts)
	base.Allow = append(slices.Clone(base.Allow), named.Allow...)
	base.Danger = append(slices.Clone(base.Danger), named.Danger...)
	for _, id := range deny {
		_, dir := base.Dirs[id]
		_, host := base.Hosts[id]
		if !dir && !host && !slices.Contains(base.Allow, id) && !slices.Contains(base.Danger, id) {
			return base, usagef("--deny %s: it does not hold that", id)
		}
		delete(base.Dirs, id)
		delete(base.Hosts, id)
		is := func(other string) bool { return other == id }
		base.Allow, base.Danger = slices.DeleteFunc(base.Allow, is), slices.DeleteFunc(base.Danger, is)
	}
	return base, nil
}

func joined[V any](a, b map[string]V) map[string]V {
	out := map[string]V{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

// regrant carries out at once what only narrows, and decides about everything else as install does.
func (a *app) regrant(cmd *cobra.Command, d decision, choice approval.Choice, f installFlags, named bool) error {
	if !f.plan && f.approve == "" && named {
		plan, err := d.propose(choice)
		if err != nil {
			return inputError(err)
		}
		if plan.Unchanged {
			return a.done(map[string]string{"unchanged": plan.Alias}, "%s holds this already", plan.Alias)
		}
		if plan.Widens == "" {
			in, err := d.commit(choice, "")
			if err != nil {
				return inputError(err)
			}
			return a.sayGranted(d, in)
		}
	}
	return a.decide(cmd.Context(), d, choice, f)
}
