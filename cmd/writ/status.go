package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// status is what `writ status --json` prints.
type status struct {
	Version    string    `json:"version"`
	Home       string    `json:"home"`
	Space      string    `json:"space"`
	Generation uint64    `json:"generation"`
	Bytes      int64     `json:"bytes"` // size of the home on disk
	Servlets   int       `json:"servlets"`
	Tools      int       `json:"tools"`
	NotReady   []notGood `json:"not_ready,omitempty"`
}

// notGood is a servlet that cannot answer, with the sentence that says why and the command that mends it.
type notGood struct {
	Alias string `json:"alias"`
	Why   string `json:"why"`
}

func (a *app) statusVerb() *cobra.Command {
	return &cobra.Command{
		Use: "status", Args: takes,
		Short:   "Show the home, what is installed in it and what is not ready",
		Example: "  writ status\n  writ status --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withTools(cmd.Context(), func(reg *registry.Registry, all []registry.Installation, tools []host.Tool) error {
				s := status{Version: buildVersion(), Home: reg.Home(), Space: a.space, Generation: reg.Generation(),
					Bytes: folderSize(reg.Home()), Servlets: len(all), Tools: len(tools), NotReady: notReady(tools)}
				if a.json {
					return a.printJSON(s)
				}
				return a.printStatus(s)
			})
		},
	}
}

func (a *app) printStatus(s status) error {
	rows := [][]string{
		{"version", s.Version}, {"home", s.Home}, {"space", s.Space},
		{"on disk", strconv.FormatInt(s.Bytes/1000, 10) + " kB"},
		{"servlets", strconv.Itoa(s.Servlets)}, {"tools", strconv.Itoa(s.Tools)},
	}
	for _, n := range s.NotReady {
		rows = append(rows, []string{"not ready", n.Why})
	}
	return a.printFacts(rows)
}

// notReady has one entry for each servlet with a tool that is not ready.
func notReady(tools []host.Tool) []notGood {
	var out []notGood
	seen := map[string]bool{}
	for _, t := range tools {
		if !t.Ready && !seen[t.Alias] {
			seen[t.Alias] = true
			out = append(out, notGood{t.Alias, strings.Replace(t.Why, t.Name, t.Alias, 1)})
		}
	}
	return out
}

// folderSize adds up the files below dir; what vanishes meanwhile counts nothing.
func folderSize(dir string) (total int64) {
	// The error is dropped on purpose: this is a figure for a person, not a check.
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return skipUnreadable(err)
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return total
}

func skipUnreadable(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}
