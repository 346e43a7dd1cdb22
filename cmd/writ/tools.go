package main

import (
	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

func (a *app) toolsVerb() *cobra.Command {
	return &cobra.Command{
		Use: "tools [ALIAS]", Args: takes,
		Short:   "List the tools that clients see",
		Example: "  writ tools\n  writ tools filesystem --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withHost(cmd.Context(), func(reg *registry.Registry, h *host.Host) error {
				if len(args) == 1 {
					if _, err := reg.Lookup(cmd.Context(), a.caller(), args[0]); err != nil {
						return err
					}
				}
				all, err := h.Tools(cmd.Context(), a.caller())
				if err != nil {
					return err
				}
				tools := make([]host.Tool, 0, len(all))
				for _, t := range all {
					if len(args) == 0 || t.Alias == args[0] {
						tools = append(tools, t)
					}
				}
				if a.json {
					return a.printJSON(map[string]any{"tools": tools})
				}
				if len(tools) == 0 {
					a.say("there are no tools in space %s: install a servlet with %s", a.space, a.command("install FILE"))
					return nil
				}
				return a.printTable("TOOL STATE DESCRIPTION", toolRows(tools))
			})
		},
	}
}

func toolRows(tools []host.Tool) [][]string {
	var rows [][]string
	for _, t := range tools {
		state, text := "ready", ""
		if def, err := capabilities.ParseTool(t.Definition); err == nil {
			text = capabilities.Printable(firstLine(def.Description), maxCell)
		}
		if !t.Ready {
			state, text = "not ready", t.Why
		}
		rows = append(rows, []string{t.Name, state, text})
	}
	return rows
}
