package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// listed is one row of `writ list --json`.
type listed struct {
	Alias       string    `json:"alias"`
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Publisher   string    `json:"publisher"`
	Digest      string    `json:"digest"`
	Source      string    `json:"source"`
	Development bool      `json:"development,omitempty"`
	Revoked     bool      `json:"revoked,omitempty"`
	Installed   time.Time `json:"installed"`
	Tools       []string  `json:"tools"`
	NotReady    string    `json:"not_ready,omitempty"` // why it cannot answer, and what mends it
}

func (a *app) listVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: takes,
		Short:   "List the installed servlets",
		Example: "  writ list\n  writ list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTools(cmd.Context(), func(_ *registry.Registry, all []registry.Installation, tools []host.Tool) error {
				why := map[string]string{}
				for _, n := range notReady(tools) {
					why[n.Alias] = n.Why
				}
				out := make([]listed, 0, len(all))
				for _, in := range all {
					out = append(out, listed{in.Alias, in.Name, in.Version, in.Publisher, in.Digest, in.Source,
						in.Development, in.Revoked, in.Installed, append([]string{}, in.Grant.Rights.Tools...), why[in.Alias]})
				}
				if a.json {
					return a.printJSON(map[string]any{"servlets": out})
				}
				if len(out) == 0 {
					a.say("nothing is installed in space %s: install a servlet with %s", a.space, a.command("install FILE"))
					return nil
				}
				return a.printTable("ALIAS NAME VERSION SIGNED-BY TOOLS STATE", listRows(out))
			})
		},
	}
}

func listRows(all []listed) [][]string {
	var rows [][]string
	for _, l := range all {
		state := "ready"
		switch {
		case l.Revoked:
			state = "revoked"
		case l.NotReady != "":
			state = "not ready: see `writ status`"
		}
		if l.Development {
			state += ", development"
		}
		rows = append(rows, []string{l.Alias, l.Name, l.Version, capabilities.Fingerprint(l.Publisher), fmt.Sprint(len(l.Tools)), state})
	}
	return rows
}
