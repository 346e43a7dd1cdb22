package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
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
	// Slow are servlets whose calls do not start the fast way, as far as they were loaded.
	Slow []notFast `json:"slow,omitempty"`
}

// notFast is a servlet whose calls start on another rung than the best.
type notFast struct {
	Alias string `json:"alias"`
	sandbox.Start
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
			return a.withHost(cmd.Context(), func(reg *registry.Registry, h *host.Host) error {
				s, err := a.status(cmd.Context(), reg, h)
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(s)
				}
				return a.printStatus(s)
			})
		},
	}
}

// status looks at everything that is installed in the space, at each file to its last byte.
func (a *app) status(ctx context.Context, reg *registry.Registry, h *host.Host) (status, error) {
	all, err := reg.List(ctx, a.caller())
	if err != nil {
		return status{}, err
	}
	tools, err := h.Tools(ctx, a.caller())
	if err != nil {
		return status{}, err
	}
	s := status{Version: buildVersion(), Home: reg.Home(), Space: a.space, Generation: reg.Generation(),
		Bytes: folderSize(reg.Home()), Servlets: len(all), Tools: len(tools), NotReady: notReady(tools)}
	for _, in := range all {
		known := slices.ContainsFunc(s.NotReady, func(n notGood) bool { return n.Alias == in.Alias })
		if err := h.Verify(ctx, in); err != nil && !known {
			s.NotReady = append(s.NotReady, notGood{in.Alias, err.Error()})
		}
		if start := remembered(h, in); slow(start) {
			s.Slow = append(s.Slow, notFast{in.Alias, *start})
		}
	}
	return s, nil
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
	for _, n := range s.Slow {
		rows = append(rows, []string{"starts slowly", n.Alias + ": " + startText(approval.Prepared(n.Start, nil))})
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
