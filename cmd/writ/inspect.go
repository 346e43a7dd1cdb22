package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/servlets/builtin"
)

func (a *app) inspectVerb() *cobra.Command {
	var from sourceFlags
	cmd := &cobra.Command{
		Use: "inspect FILE|URL|ALIAS", Args: takes,
		Short: "Show who signed a servlet, what it wants and what it can never do",
		Long: `Show who signed a servlet, what it wants and what it can never do. FILE is a
servlet file (anything with a slash or a dot), URL one to download as install
does; ALIAS is one that is installed, else one that is built into writ.
None of a file's code runs. Of an installed servlet, only what every start runs:
its initialisation, refused every request, to tell how its calls start.`,
		Example: "  writ inspect filesystem.wasm\n  writ inspect filesystem --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if looksLikeFile(args[0]) {
				return a.inspectFile(cmd.Context(), args[0], from)
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				_, err := reg.Lookup(cmd.Context(), a.caller(), args[0])
				if errors.Is(err, registry.ErrNotFound) && builtIn(args[0]) {
					return a.inspectFile(cmd.Context(), args[0], from)
				}
				return a.inspectInstalled(cmd.Context(), reg, args[0])
			})
		},
	}
	from.register(cmd)
	return cmd
}

// inspectFile describes what is not installed, wherever it comes from.
func (a *app) inspectFile(ctx context.Context, named string, from sourceFlags) error {
	c, err := a.candidate(ctx, named, from)
	if err != nil {
		return err
	}
	start, err := scan(ctx, c)
	if err != nil {
		return usageError{err}
	}
	return a.describe(c, nil, start)
}

// scan tells how calls of a file could start, by its code alone. It leaves nothing in the home.
func scan(ctx context.Context, c *approval.Candidate) (approval.Start, error) {
	engine, err := sandbox.New(ctx, sandbox.Config{})
	if err != nil {
		return approval.Start{}, err
	}
	start, err := approval.Scanned(engine, c)
	return start, errors.Join(err, engine.Close(ctx))
}

func (a *app) inspectInstalled(ctx context.Context, reg *registry.Registry, alias string) error {
	c, in, err := approval.Load(ctx, reg, a.caller(), alias)
	if err != nil {
		return err
	}
	rights := in.Grant.Rights
	if in.Revoked {
		rights = capabilities.Rights{}
	}
	return a.over(ctx, reg, func(h *host.Host) error {
		start, err := a.prepare(ctx, h, in)
		if ctx.Err() != nil {
			return err
		}
		return a.describe(c, &rights, start) // with what keeps it from starting
	})
}

// looksLikeFile tells a path from an alias, which has neither dots nor slashes; a file of that name
// in the working folder must be written ./name.
func looksLikeFile(arg string) bool {
	return strings.ContainsAny(arg, `./\`) || capabilities.ValidAlias(arg) != nil
}

func (a *app) describe(c *approval.Candidate, granted *capabilities.Rights, start approval.Start) error {
	d := approval.Describe(c, granted, start)
	if a.json {
		return a.printJSON(d)
	}
	rows := [][]string{
		{"name", d.Name + " " + d.Version},
		{"about", d.Description},
		vouching(d),
		{"file", d.Digest},
		{"module", fmt.Sprintf("%s, %d kB, ABI %s", d.Module.SHA256, d.Module.Size/1000, d.Module.ABI)},
		{"issued", standing(d)},
		{"start", startText(d.Start)},
	}
	for _, t := range c.Servlet.Tools() {
		kind := "tool"
		if granted != nil && !slices.Contains(granted.Tools, t.Name) {
			kind = "tool, not granted"
		}
		rows = append(rows, []string{kind, t.Name + ": " + capabilities.Printable(firstLine(t.Description), maxCell)})
	}
	for _, p := range d.Powers {
		text := string(p.Kind)
		if p.ID != "" {
			text += " " + p.ID
		}
		rows = append(rows, []string{string(p.Status), text + ": " + p.Text})
	}
	rows = append(rows, []string{string(capabilities.Impossible), "environment variables: none, for any servlet"})
	return a.printFacts(rows)
}

// vouching says who answers for a servlet.
func vouching(d approval.Description) []string {
	switch {
	case d.BuiltIn:
		return []string{"from", builtin.Source + ", by its digest"}
	case capabilities.IsBuiltInKey(d.Publisher):
		return []string{"from", "another version of writ, into which it was built"}
	}
	return []string{"signed by", capabilities.Fingerprint(d.Publisher) + " (key " + d.Publisher + ")"}
}

func standing(d approval.Description) string {
	if capabilities.IsBuiltInKey(d.Publisher) {
		return fmt.Sprintf("with writ, number %d", d.Seq)
	}
	if d.Development {
		return "development build: installs only with --dev, in the home that built it"
	}
	until := "to be installed until"
	if end, err := time.Parse(time.RFC3339, d.Expires); err != nil || time.Now().After(end) {
		until = "EXPIRED on"
	}
	return fmt.Sprintf("%s, number %d, %s %s", d.Issued, d.Seq, until, d.Expires)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
