package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// upgradeFlags are the flags of upgrade.
type upgradeFlags struct {
	choiceFlags
	sourceFlags
	deny         []string
	from         string
	all          bool
	plan         bool
	approve      []string
	approveFiles []string
}

func (f *upgradeFlags) register(cmd *cobra.Command) {
	f.choiceFlags.register(cmd)
	f.sourceFlags.register(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.deny, "deny", nil, "capability to take away, by its id")
	flags.StringVar(&f.from, "from", "", "file or URL to upgrade from, instead of where it came from")
	flags.BoolVar(&f.all, "all", false, "upgrade everything that is installed in the space, one after the other")
	flags.BoolVar(&f.plan, "plan", false, "only show what would change, and its digest with --json")
	flags.StringSliceVar(&f.approve, "approve", nil, "digest of a plan to carry out, asking nothing; with --all, several")
	flags.StringArrayVar(&f.approveFiles, "approve-from", nil, "file with such digests, one in a line; - for standard input")
}

func (a *app) upgradeVerb() *cobra.Command {
	var f upgradeFlags
	cmd := &cobra.Command{
		Use:   "upgrade [ALIAS]",
		Args:  takes,
		Short: "Put a newer version of an installed servlet in its place",
		Long: `Put a newer version of an installed servlet in its place, from where it came from
or from --from. The screen says what changes: what it asks for beyond what it
has, new tools, and every text for your AI that is another one. Directories,
sites and tools that stay as they were are kept, what is new is given only when
you name it. The version of before stays installed, and runs, until you approve;
then the new one takes its place in one step, with its settings and secrets.
Only its publisher's key can sign it, and only a higher number replaces a lower
one. Elsewhere than on a terminal nothing is asked, as with install.`,
		Example: `  writ upgrade filesystem --plan
  writ upgrade --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			u, err := a.upgradeOf(f, args)
			if err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error {
				if f.plan {
					return u.run(cmd.Context(), reg, nil, args)
				}
				return a.over(cmd.Context(), reg, func(h *host.Host) error { return u.run(cmd.Context(), reg, h, args) })
			})
		},
	}
	f.register(cmd)
	return cmd
}

// upgrade is one run of the verb.
type upgrade struct {
	app      *app
	flags    upgradeFlags
	named    approval.Choice
	approved []string
}

// upgradeOf checks the command line.
func (a *app) upgradeOf(f upgradeFlags, args []string) (*upgrade, error) {
	named, err := f.choice(a.space)
	switch {
	case err != nil:
		return nil, err
	case f.all == (len(args) == 1):
		return nil, usagef("name one servlet, or all of them with --all")
	case f.all && (f.named() || len(f.deny) > 0 || f.from != "" || f.sha256 != ""):
		return nil, usagef("--all takes none of --tools, --allow, --dir, --host, --danger, --deny, --from and --sha256, which are about one servlet: name it")
	}
	if err := f.sourceFlags.check(); err != nil {
		return nil, err
	}
	approved := slices.Clone(f.approve)
	for _, name := range f.approveFiles {
		more, err := a.readDigests(name)
		if err != nil {
			return nil, err
		}
		approved = append(approved, more...)
	}
	given := len(f.approve)+len(f.approveFiles) > 0
	switch {
	case f.plan && given:
		return nil, usagef("--plan shows and --approve carries out: give one of them")
	case given && len(approved) == 0:
		return nil, usagef("no digest is approved: --approve-from names a file without any")
	}
	for _, d := range approved {
		if !digestForm.MatchString(d) {
			return nil, usagef("--approve %s: want the 64 hex digits that --plan --json shows as \"digest\"", capabilities.Printable(d, 70))
		}
	}
	return &upgrade{app: a, flags: f, named: named, approved: approved}, nil
}

// maxDigests is the most that a file of digests may hold, in bytes.
const maxDigests = 1 << 20

// readDigests reads a file of digests; empty lines and those that begin with # say nothing.
func (a *app) readDigests(name string) ([]string, error) {
	in := a.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usagef("--approve-from: %w", err)
		}
		defer f.Close()
		in = f
	}
	var all []string
	lines := bufio.NewScanner(io.LimitReader(in, maxDigests))
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, usagef("--approve-from %s: %w", name, err)
	}
	return all, nil
}

func (u *upgrade) run(ctx context.Context, reg *registry.Registry, h *host.Host, args []string) error {
	if u.flags.all {
		return u.each(ctx, reg, h)
	}
	in, err := reg.Lookup(ctx, u.app.caller(), args[0])
	if err != nil {
		return err
	}
	return u.one(ctx, reg, h, in)
}

// one upgrades one servlet, as install installs one.
func (u *upgrade) one(ctx context.Context, reg *registry.Registry, h *host.Host, in registry.Installation) error {
	d, choice, err := u.decision(ctx, reg, h, in)
	if err != nil {
		return u.unlessUpToDate(in, err)
	}
	f := installFlags{plan: u.flags.plan}
	if len(u.approved) > 1 {
		return usagef("one servlet takes one --approve")
	}
	if len(u.approved) == 1 {
		f.approve = u.approved[0]
	}
	return u.app.decide(ctx, d, choice, f)
}

func (u *upgrade) unlessUpToDate(in registry.Installation, err error) error {
	if errors.Is(err, approval.ErrUpToDate) {
		return u.app.done(map[string]string{"unchanged": in.Alias}, "%v", err)
	}
	return err
}

// decision reads the newest file once, and says what there is to decide about it. Nothing is asked about
// a file that can not take the place of what is installed.
func (u *upgrade) decision(ctx context.Context, reg *registry.Registry, h *host.Host, in registry.Installation) (decision, approval.Choice, error) {
	a := u.app
	c, err := u.candidate(ctx, in)
	if err != nil {
		return decision{}, approval.Choice{}, err
	}
	if err := approval.Upgradable(ctx, reg, a.caller(), c, in); err != nil {
		return decision{}, approval.Choice{}, inputError(err)
	}
	choice, err := changed(approval.Carried(c, in), u.named, u.flags.deny)
	if err != nil {
		return decision{}, choice, err
	}
	d := decision{
		verb: "upgrade",
		propose: func(choice approval.Choice) (approval.Plan, error) {
			return approval.ProposeUpgrade(ctx, reg, a.caller(), c, in.Alias, choice)
		},
		commit: func(choice approval.Choice, digest string) (registry.Installation, error) {
			return approval.Upgrade(ctx, reg, a.caller(), c, in.Alias, choice, digest)
		},
		session: func(cfg approval.SessionConfig) (*approval.Session, approval.Turn, error) {
			return approval.NewSession(c, choice, cfg)
		},
		settle: func(now registry.Installation, ask bool) error { return a.settle(ctx, reg, c, now, ask) },
	}
	if h != nil {
		d.prepare = func(now registry.Installation) (approval.Start, error) {
			start, err := a.prepare(ctx, h, now)
			// Last, since both versions may have the same module.
			if left := a.forget(ctx, reg, in.Digest); left != nil {
				a.say("the compiled code of %s %s is still in the cache: %v", in.Alias, in.Version, left)
			}
			return start, err
		}
	}
	return d, choice, nil
}

func (u *upgrade) candidate(ctx context.Context, in registry.Installation) (*approval.Candidate, error) {
	if u.flags.from != "" {
		return u.app.candidate(ctx, u.flags.from, u.flags.sourceFlags)
	}
	c, err := u.app.again(ctx, in.Source, in.Name, u.flags.sourceFlags)
	if err != nil {
		return nil, err
	}
	if got := c.Servlet.Digest(); u.flags.sha256 != "" && got != strings.ToLower(u.flags.sha256) {
		return nil, deniedError{fmt.Errorf("reading %s: it has the digest %s, which is not that of --sha256", c.Source, got)}
	}
	return c, nil
}
