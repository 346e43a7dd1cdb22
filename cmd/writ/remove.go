package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/registry"
)

func (a *app) removeVerb() *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use: "remove ALIAS", Aliases: []string{"rm"}, Args: takes,
		Short:   "Remove an installed servlet and its grant",
		Example: "  writ remove filesystem\n  writ remove filesystem --purge",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				in, err := reg.Lookup(cmd.Context(), a.caller(), args[0])
				if err != nil {
					return err
				}
				if err := reg.Remove(cmd.Context(), a.caller(), args[0], purge); err != nil {
					return err
				}
				if err := a.forget(cmd.Context(), reg, in.Digest); err != nil {
					a.say("its compiled code is still in the cache: %v", err)
				}
				what := map[string]string{"removed": args[0]}
				if purge {
					return a.done(what, "removed %s and what was configured for it", args[0])
				}
				return a.done(what, "removed %s; what was configured for it is kept for the next install (--purge deletes it)", args[0])
			})
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete its configuration and secrets too")
	return cmd
}

// forget drops the compiled code of a servlet file that no space has any more.
func (a *app) forget(ctx context.Context, reg *registry.Registry, digest string) error {
	file, err := reg.OpenBlob(ctx, digest)
	if err == nil {
		return file.Close() // installed elsewhere, too
	}
	if !errors.Is(err, registry.ErrNotFound) {
		return err
	}
	engine, err := a.newEngine(ctx, reg)
	if err != nil {
		return err
	}
	return errors.Join(engine.Forget(digest), engine.Close(ctx))
}
