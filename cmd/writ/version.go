package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
)

// version is set when a release is linked; a build from source says which commit it is.
var version = ""

// buildVersion is the release, or what the Go toolchain knows of the source.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "version", Args: takes,
		Short:   "Print the version of Writ and of the formats it speaks",
		Example: "  writ version\n  writ version --json",
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return a.printJSON(map[string]string{
					"version": buildVersion(), "schema": capabilities.Schema, "abi": capabilities.ABI,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
				})
			}
			_, err := fmt.Fprintf(a.stdout, "writ %s (manifest %s, ABI %s, %s %s/%s)\n", buildVersion(),
				capabilities.Schema, capabilities.ABI, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
