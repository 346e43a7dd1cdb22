package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) checkVerb() *cobra.Command {
	var types bool
	cmd := &cobra.Command{
		Use: "check [DIR]", Args: takes,
		Short: "Look for mistakes in a servlet's source, types included",
		Long: `Look for mistakes in a servlet's source, and run no tool: servlet.toml, what it
requests and what the code uses, names, descriptions and schemas of the tools,
the files of calls, and types: with go vet, with cargo, or with the tsgo or tsc
that is in PATH or in the folder's own node_modules: such a program of the
folder is run on this machine, outside of the sandbox. Nothing is downloaded.

It prints one line for each finding, with file and line. The exit status is 1
when there are findings; hints, and types that no compiler was there to check,
are printed and leave it 0 (with --types such a compiler has to be there).`,
		Example: "  writ check weather\n  writ check weather --types --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, cache := ".", ""
			if len(args) > 0 {
				dir = args[0]
			}
			if err := a.withRegistry(func(reg *registry.Registry) error {
				cache = codeCache(reg.Home())
				return nil
			}); err != nil {
				return err
			}
			report, err := toolchain.Check(cmd.Context(), dir, cache)
			if err != nil {
				return usageError{err}
			}
			return a.printCheck(report, types)
		},
	}
	cmd.Flags().BoolVar(&types, "types", false, "fail when no compiler was there to check the types")
	return cmd
}

func (a *app) printCheck(report toolchain.CheckReport, types bool) error {
	findings, hints := 0, 0
	for _, r := range report.Remarks {
		if r.Hint {
			hints++
		} else {
			findings++
		}
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		for _, r := range report.Remarks {
			word := ""
			if r.Hint {
				word = "hint: "
			}
			fmt.Fprintf(a.stdout, "%s:%d: %s%s\n", r.File, r.Line, word, r.Text)
		}
		if len(report.Checked) > 0 {
			fmt.Fprintf(a.stdout, "checked: %s\n", strings.Join(report.Checked, ", "))
		}
		for _, line := range report.Unchecked {
			fmt.Fprintf(a.stdout, "not checked: %s\n", line)
		}
		fmt.Fprintf(a.stdout, "%s, %s\n", counted(findings, "finding"), counted(hints, "hint"))
	}
	if findings > 0 || types && !report.Types {
		return silent(exitTool)
	}
	return nil
}
