package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) newVerb() *cobra.Command {
	return &cobra.Command{
		Use: "new LANGUAGE NAME", Args: takes,
		Short:   "Write the source of a new servlet into a new folder",
		Long:    "Write the source of a new servlet into a new folder. LANGUAGE is " + toolchain.LanguageNames() + ".",
		Example: "  writ new typescript weather\n  writ new go acme/weather",
		RunE: func(_ *cobra.Command, args []string) error {
			language, name := args[0], args[1]
			dir := filepath.Base(filepath.FromSlash(name))
			if err := toolchain.New(dir, language, name); err != nil {
				return usageError{err}
			}
			test := "writ test ."
			switch language {
			case "go":
				test = "go test ./..."
			case "rust":
				test = "cargo fetch && writ test ."
			}
			return a.done(map[string]string{"folder": dir}, "wrote %s: in it, try `%s` and `writ build . -o %s.wasm`", dir, test, dir)
		},
	}
}
