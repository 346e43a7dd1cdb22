package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/host/approval"
)

// choiceFlags are the flags that name what is given; install and grant share them.
type choiceFlags struct {
	as     string
	tools  []string
	allow  []string
	dirs   []string
	hosts  []string
	danger []string
	dev    bool
}

func (f *choiceFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.tools, "tools", nil, "tools to give, by name; * for all of them")
	flags.StringSliceVar(&f.allow, "allow", nil, "capability to give, by the id that the plan shows")
	flags.StringArrayVar(&f.dirs, "dir", nil, "directory to give: ID=PATH, or ID=PATH:ro to give it for reading only")
	flags.StringArrayVar(&f.hosts, "host", nil, "origin to give where the choice is yours: ID=https://HOST")
	flags.StringSliceVar(&f.danger, "danger", nil, "capability to give although it is marked DANGER")
}

// named says whether any flag names something to give.
func (f *choiceFlags) named() bool {
	return len(f.tools)+len(f.allow)+len(f.dirs)+len(f.hosts)+len(f.danger) > 0
}

// choice reads the flags. Nothing is given that they do not name.
func (f *choiceFlags) choice(space string) (approval.Choice, error) {
	c := approval.Choice{Space: space, As: f.as, Tools: f.tools, Allow: f.allow, Danger: f.danger, Dev: f.dev,
		Dirs: map[string]approval.Directory{}, Hosts: map[string]string{}}
	for _, d := range f.dirs {
		id, path, ok := strings.Cut(d, "=")
		if !ok || id == "" || path == "" {
			return c, usagef("--dir %s: want ID=PATH or ID=PATH:ro", d)
		}
		dir := approval.Directory{Path: path}
		if p, ro := strings.CutSuffix(path, ":ro"); ro {
			dir = approval.Directory{Path: p, ReadOnly: true}
		} else if p, rw := strings.CutSuffix(path, ":rw"); rw {
			dir.Path = p
		}
		if _, twice := c.Dirs[id]; twice {
			return c, usagef("--dir %s: %s is named twice", d, id)
		}
		c.Dirs[id] = dir
	}
	for _, h := range f.hosts {
		id, origin, ok := strings.Cut(h, "=")
		if !ok || id == "" || origin == "" {
			return c, usagef("--host %s: want ID=https://HOST", h)
		}
		if _, twice := c.Hosts[id]; twice {
			return c, usagef("--host %s: %s is named twice", h, id)
		}
		c.Hosts[id] = origin
	}
	return c, nil
}
