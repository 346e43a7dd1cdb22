package main

import (
	"crypto/ed25519"
	"fmt"
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
accepts. Nothing is downloaded. A folder with a plugin.wasm in the place of
source becomes a servlet of that Extism plug-in, which is used as it is.

Go and TypeScript are compiled without running any of the source outside of a
sandbox. Rust is compiled by cargo, which runs build scripts and macros of the
servlet and its crates as you: build only Rust that you trust.`,
		Example: "  writ build weather -o weather.wasm\n  writ build . -o weather.wasm --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" {
				return usagef("building %s: name the file to write with -o FILE", args[0])
			}
			o := toolchain.Options{Dir: args[0], Output: output}
			err := a.withRegistry(func(reg *registry.Registry) (err error) {
				o.CacheDir = codeCache(reg.Home())
				o.Key, err = developmentKey(cmd, reg)
				return err
			})
			if err != nil {
				return err
			}
			made, err := toolchain.Build(cmd.Context(), o)
			if err != nil {
				return usageError{err}
			}
			if a.json {
				return a.printJSON(made)
			}
			a.say("built %s %s: %s, %d kB, %s (%s)", made.Name, made.Version, made.Output, made.Size/1000, counted(len(made.Tools), "tool"), strings.Join(made.Tools, " "))
			a.say("imports: %s; of capabilities: %s", counted(len(made.Imports), "host function"), kindsOf(made))
			if len(made.Inputs) > 0 {
				a.say("largest inputs: %s", strings.Join(largest(made.Inputs), ", "))
			}
			for _, note := range made.Notes {
				a.say("note: %s", note)
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write")
	return cmd
}

// kindsOf names the capabilities that the module could ask for.
func kindsOf(made toolchain.Result) string {
	if len(made.Kinds) == 0 {
		return "none"
	}
	var names []string
	for _, k := range made.Kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, " ")
}

// shownInputs is how many inputs of a build are named.
const shownInputs = 5

func largest(inputs []toolchain.Input) []string {
	var names []string
	for _, in := range inputs[:min(len(inputs), shownInputs)] {
		names = append(names, fmt.Sprintf("%s %.1f kB", capabilities.Printable(in.Name, maxCell), float64(in.Bytes)/1000))
	}
	if more := len(inputs) - shownInputs; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return names
}

func developmentKey(cmd *cobra.Command, reg *registry.Registry) (ed25519.PrivateKey, error) {
	text, err := reg.DevelopmentKey(cmd.Context())
	if err != nil {
		return nil, err
	}
	return capabilities.ParseKey(text)
}
