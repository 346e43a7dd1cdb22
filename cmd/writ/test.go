package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) testVerb() *cobra.Command {
	return &cobra.Command{
		Use: "test DIR", Args: takes,
		Short: "Make the calls of a servlet's tests, and compare the answers",
		Long: `Build a servlet from its source, make the calls that the files tests/*.json of
it name, and compare the answers. Each call runs in a fresh sandbox that has
the settings which the file names and can reach nothing else.

A file is {"calls":[...]}; a call has a name, a tool, its arguments, the
settings as config, and what is wanted: text, structured or error (a part of
the message).`,
		Example: "  writ test weather\n  writ test . --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			o := toolchain.TestOptions{Dir: args[0]}
			if err := a.withRegistry(func(reg *registry.Registry) error {
				o.CacheDir = codeCache(reg.Home())
				return nil
			}); err != nil {
				return err
			}
			reports, err := toolchain.Test(cmd.Context(), o)
			if err != nil {
				return usageError{err}
			}
			return a.printReports(reports)
		},
	}
}

// printReports prints a line for each call; what a call logged is printed when it failed.
func (a *app) printReports(reports []toolchain.CallReport) error {
	failed := 0
	for _, r := range reports {
		if r.Failure != "" {
			failed++
		}
	}
	if a.json {
		if err := a.printJSON(map[string]any{"calls": reports, "failed": failed}); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			if r.Failure == "" {
				fmt.Fprintf(a.stdout, "ok    %s: %s (%v, %d units)\n", r.File, r.Name, r.Wall.Round(10*time.Microsecond), r.Fuel)
				continue
			}
			fmt.Fprintf(a.stdout, "FAIL  %s: %s: %s\n", r.File, r.Name, strings.TrimSpace(r.Failure))
			for _, line := range r.Logs {
				fmt.Fprintf(a.stdout, "      log: %s\n", capabilities.Printable(line.Text, maxErrorRunes))
			}
		}
		fmt.Fprintf(a.stdout, "%s, %d failed\n", counted(len(reports), "call"), failed)
	}
	if failed > 0 {
		return silent(exitTool)
	}
	return nil
}
