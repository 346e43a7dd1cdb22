package main

import (
	"github.com/spf13/cobra"

	"github.com/writ-run/writ/registry"
)

func (a *app) revokeVerb() *cobra.Command {
	return &cobra.Command{
		Use: "revoke ALIAS", Args: takes,
		Short: "Take back everything a servlet holds, and end its running calls",
		Long: `Take back everything a servlet holds, and end its running calls. It stays
installed; its tools say how to grant it anew.`,
		Example: "  writ revoke filesystem\n  writ revoke filesystem --space work",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withRegistry(func(reg *registry.Registry) error {
				in, err := reg.Lookup(cmd.Context(), a.caller(), args[0])
				if err != nil {
					return err
				}
				if _, err := reg.SetGrant(cmd.Context(), a.caller(), args[0], in.Revision, in.Grant, true); err != nil {
					return err
				}
				return a.done(map[string]string{"revoked": args[0]}, "revoked %s: grant it anew with %s", args[0], a.command("grant "+args[0]))
			})
		},
	}
}
