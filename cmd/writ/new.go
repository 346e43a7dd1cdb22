package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) newVerb() *cobra.Command {
	return &cobra.Command{
		Use: "new LANGUAGE NAME", Args: cobra.ExactArgs(2),
		Short:   "Write the source of a new servlet into a new folder",
		Example: "  writ new go weather\n  writ new go acme/weather",
		RunE: func(_ *cobra.Command, args []string) error {
			language, name := args[0], args[1]
			dir := filepath.Base(filepath.FromSlash(name))
			if err := toolchain.New(dir, language, name); err != nil {
				return usageError{err}
			}
			a.say("wrote %s: try it with `cd %s && go test ./...`, build it with `writ build %s -o %s.wasm`", dir, dir, dir, dir)
			return nil
		},
	}
}
