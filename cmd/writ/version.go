package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/servlets/builtin"
)

// version and commit are set when a release is linked; a build from source asks the Go toolchain.
var version, commit = "", ""

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
	if c := buildCommit(); c != "" {
		return "devel-" + c[:min(12, len(c))]
	}
	return "devel"
}

// buildCommit is the commit of the source; empty when nobody noted it.
func buildCommit() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return ""
}

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "version", Args: takes,
		Short:   "Print the version of Writ, of the formats it speaks and of what is built into it",
		Example: "  writ version\n  writ version --json",
		RunE: func(*cobra.Command, []string) error {
			set, err := builtin.Shipped()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(map[string]any{
					"version": buildVersion(), "commit": buildCommit(), "schema": capabilities.Schema, "abi": capabilities.ABI,
					"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
					"servlets": append([]builtin.Servlet{}, set.Servlets()...),
				})
			}
			if _, err := fmt.Fprintf(a.stdout, "writ %s (manifest %s, ABI %s, %s %s/%s)\n", buildVersion(),
				capabilities.Schema, capabilities.ABI, runtime.Version(), runtime.GOOS, runtime.GOARCH); err != nil {
				return err
			}
			var rows [][]string
			if c := buildCommit(); c != "" {
				rows = append(rows, []string{"commit", c})
			}
			for _, s := range set.Servlets() {
				rows = append(rows, []string{builtin.Source, s.Name + " " + s.Version + ", sha256:" + s.SHA256})
			}
			return a.printFacts(rows)
		},
	}
}
