package main

import (
	"crypto/ed25519"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/sdk/toolchain"
)

func (a *app) buildVerb() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "build DIR", Args: takes,
		Short: "Build a servlet from its source",
		Long: `Build a servlet from its source: compile it, ask it for its tools, and sign the
manifest with this machine's development key, which only "install --dev"
accepts. Nothing is downloaded.`,
		Example: "  writ build weather -o weather.wasm\n  writ build . -o weather.wasm --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return usagef("building %s: name the file to write with -o FILE", args[0])
			}
			var key ed25519.PrivateKey
			err := a.withRegistry(func(reg *registry.Registry) (err error) {
				key, err = developmentKey(cmd, reg)
				return err
			})
			if err != nil {
				return err
			}
			made, err := toolchain.Build(cmd.Context(), toolchain.Options{Dir: args[0], Output: output, Key: key})
			if err != nil {
				return usageError{err}
			}
			if a.json {
				return a.printJSON(made)
			}
			a.say("built %s %s: %s, %d kB, %s (%s)", made.Name, made.Version, made.Output, made.Size/1000, counted(len(made.Tools), "tool"), strings.Join(made.Tools, " "))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}

func developmentKey(cmd *cobra.Command, reg *registry.Registry) (ed25519.PrivateKey, error) {
	text, err := reg.DevelopmentKey(cmd.Context())
	if err != nil {
		return nil, err
	}
	return capabilities.ParseKey(text)
}
