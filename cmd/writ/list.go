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
	// Start is how its calls started when it was last loaded; nil: it was not loaded yet.
	Start *sandbox.Start `json:"start,omitempty"`
}

func (a *app) listVerb() *cobra.Command {
	return &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: takes,
		Short:   "List the installed servlets",
		Example: "  writ list\n  writ list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTools(cmd.Context(), func(_ *registry.Registry, h *host.Host, all []registry.Installation, tools []host.Tool) error {
				why := map[string]string{}
				for _, n := range notReady(tools) {
					why[n.Alias] = n.Why
				}
				out := make([]listed, 0, len(all))
				for _, in := range all {
					out = append(out, listed{in.Alias, in.Name, in.Version, in.Publisher, in.Digest, in.Source,
						in.Development, in.Revoked, in.Installed, append([]string{}, in.Grant.Rights.Tools...), why[in.Alias], remembered(h, in)})
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
		row := []string{l.Alias, l.Name, l.Version, capabilities.Fingerprint(l.Publisher), fmt.Sprint(len(l.Tools))}
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
