package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
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
				kept, bytes, err := keptBy(cmd.Context(), reg, a.caller(), in)
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
					return a.done(what, "removed %s, what was configured for it and what it kept", args[0])
				}
				stays := "what was configured for it is kept for the next install (--purge deletes it)"
				if kept > 0 {
					stays = fmt.Sprintf("what was configured for it, and %s of %d bytes that it kept, stay for the next install (--purge deletes them)", counted(kept, "key"), bytes)
				}
				return a.done(what, "removed %s; %s", args[0], stays)
			})
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete its configuration, its secrets and what it keeps for any caller too")
	return cmd
}

// keptBy is how many keys, and bytes, an installation keeps for all its callers together.
func keptBy(ctx context.Context, reg *registry.Registry, by capabilities.Caller, in registry.Installation) (keys int, bytes int64, err error) {
	all, err := reg.Kept(ctx, by)
	for _, k := range all {
		if k.BelongsTo(in) {
			keys, bytes = keys+k.Keys, bytes+k.Bytes
		}
	}
	return keys, bytes, err
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
