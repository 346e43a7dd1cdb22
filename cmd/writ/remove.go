package main

import (
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
				if err := reg.Remove(cmd.Context(), a.caller(), args[0], purge); err != nil {
					return err
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
