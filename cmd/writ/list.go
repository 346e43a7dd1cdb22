package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/servlets/builtin"
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
	BuiltIn     bool      `json:"built_in,omitempty"`
	Revoked     bool      `json:"revoked,omitempty"`
	Installed   time.Time `json:"installed"`
	Tools       []string  `json:"tools"`
	NotReady    string    `json:"not_ready,omitempty"` // why it cannot answer, and what mends it
	// Start is how its calls started when it was last loaded; nil: it was not loaded yet.
	Start *sandbox.Start `json:"start,omitempty"`
}

func (a *app) listVerb() *cobra.Command {
	var inventory bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: takes,
		Short: "List the installed servlets",
		Long: `List the installed servlets of the space. With --inventory, those of every space
(or of the one that --space names): who signed each, when, when it was called
last as the audit tells, and which folders, sites and secrets it holds.`,
		Example: "  writ list\n  writ list --inventory --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if inventory {
				return a.inventory(cmd.Context(), cmd.Flags().Changed("space"))
			}
			return a.withTools(cmd.Context(), func(_ *registry.Registry, h *host.Host, all []registry.Installation, tools []host.Tool) error {
				why := map[string]string{}
				for _, n := range notReady(tools) {
					why[n.Alias] = n.Why
				}
				out := make([]listed, 0, len(all))
				for _, in := range all {
					out = append(out, listed{in.Alias, in.Name, in.Version, in.Publisher, in.Digest, in.Source,
						in.Development, capabilities.IsBuiltInKey(in.Publisher), in.Revoked, in.Installed, append([]string{}, in.Grant.Rights.Tools...), why[in.Alias], remembered(h, in)})
				}
				if a.json {
					return a.printJSON(map[string]any{"servlets": out})
				}
				if len(out) == 0 {
					a.say("nothing is installed in space %s: install a servlet with %s", a.space, a.command("install FILE"))
					return nil
				}
				return a.printTable(listRows(out))
			})
		},
	}
	cmd.Flags().BoolVar(&inventory, "inventory", false, "who signed each servlet of every space, when it was used last, and what it holds")
	return cmd
}

// signedBy is what a list shows of the key of an installed servlet. No file gets to be installed with
// the key of built-in ones that was not built in.
func signedBy(keyID string) string {
	if capabilities.IsBuiltInKey(keyID) {
		return builtin.Source
	}
	return capabilities.Fingerprint(keyID)
}

func remembered(h *host.Host, in registry.Installation) *sandbox.Start {
	if start, ok := h.Remembered(in); ok {
		return &start
	}
	return nil
}

// slow says that calls of a servlet do not start the fast way.
func slow(start *sandbox.Start) bool { return start != nil && start.Rung != sandbox.RungReset }

// listRows has a column for how calls start only when those of some servlet do not start the fast way.
func listRows(all []listed) (header string, rows [][]string) {
	header = "ALIAS NAME VERSION SIGNED-BY TOOLS STATE"
	starts := slices.ContainsFunc(all, func(l listed) bool { return slow(l.Start) })
	if starts {
		header = "ALIAS NAME VERSION SIGNED-BY TOOLS START STATE"
	}
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
		row := []string{l.Alias, l.Name, l.Version, signedBy(l.Publisher), fmt.Sprint(len(l.Tools))}
		if starts {
			rung := "-"
			if l.Start != nil {
				rung = string(l.Start.Rung)
			}
			row = append(row, rung)
		}
		rows = append(rows, append(row, state))
	}
	return header, rows
}
