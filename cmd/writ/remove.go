package main

import (
	"github.com/spf13/cobra"

	"github.com/writ-run/writ/registry"
)

func (a *app) removeVerb() *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use: "remove ALIAS", Aliases: []string{"rm"}, Args: cobra.ExactArgs(1),
		Short:   "Remove an installed servlet and its grant",
		Example: "  writ remove filesystem\n  writ remove filesystem --purge",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				if err := reg.Remove(cmd.Context(), a.caller(), args[0], purge); err != nil {
					return err
				}
				if purge {
					a.say("removed %s and its configuration", args[0])
					return nil
				}
				a.say("removed %s; its configuration is kept for the next install (--purge deletes it)", args[0])
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "delete its configuration too")
	return cmd
}
