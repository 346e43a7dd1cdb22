package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/approval/screen"
	"github.com/writ-run/writ/registry"
)

// installFlags are the flags of install and grant beyond those that name what is given.
type installFlags struct {
	choiceFlags
	plan    bool
	approve string
}

func (f *installFlags) register(cmd *cobra.Command) {
	f.choiceFlags.register(cmd)
	cmd.Flags().BoolVar(&f.plan, "plan", false, "only show what would be granted, and its digest with --json")
	cmd.Flags().StringVar(&f.approve, "approve", "", "digest of the plan to carry out, asking nothing")
}

func (a *app) installVerb() *cobra.Command {
	var f installFlags
	var from sourceFlags
	var connect []string
	cmd := &cobra.Command{
		Use: "install FILE|URL|NAME", Args: takes,
		Short: "Show what a servlet wants, ask, and install what you approve",
		Long: `Show what a servlet wants, ask, and install what you approve. FILE is a servlet
file; URL is downloaded: over https, or http from this machine, at most 64 MiB,
kept in memory until its signature is verified (HTTPS_PROXY and NO_PROXY hold);
NAME is one that is built into writ. On a terminal you
approve by typing the servlet's name, or narrow what it gets first. Elsewhere
nothing is asked and nothing is granted that no flag names: show the plan with
--plan --json, then repeat the command with --approve and the plan's digest.
No code of the servlet runs before it is approved. Then it is compiled, once,
and its initialisation runs, refused every request, so that each call can start
from an image of what it came to; the last line says how calls will start. The
compiled code is kept in the home: at most 2 GiB, what was not used for longest
goes first, and "writ remove" drops what no other servlet has.`,
		Example: `  writ install filesystem.wasm --dir docs=notes --tools '*' --plan --json
  writ install weather.wasm --allow api --tools forecast --plan`,
		RunE: func(cmd *cobra.Command, args []string) error {
			choice, err := f.choice(a.space)
			if err != nil {
				return err
			}
			if err := checkClients(connect); err != nil {
				return err
			}
			c, err := a.candidate(cmd.Context(), args[0], from)
			if err != nil {
				return err
			}
			err = a.withRegistry(func(reg *registry.Registry) error {
				d := decision{
					verb: "install", connects: len(connect) > 0,
					propose: func(choice approval.Choice) (approval.Plan, error) {
						return approval.Propose(cmd.Context(), reg, a.caller(), c, choice)
					},
					commit: func(choice approval.Choice, digest string) (registry.Installation, error) {
						return approval.Install(cmd.Context(), reg, a.caller(), c, choice, digest)
					},
					session: func(cfg approval.SessionConfig) (*approval.Session, approval.Turn, error) {
						return approval.NewSession(c, approval.Interactive(c.Servlet.Manifest(), choice), cfg)
					},
					settle: func(in registry.Installation, ask bool) error {
						return a.settle(cmd.Context(), reg, c, in, ask)
					},
				}
				if f.plan {
					return a.decide(cmd.Context(), d, choice, f)
				}
				// The host comes first: what keeps it from compiling is said before anybody approves anything.
				return a.over(cmd.Context(), reg, func(h *host.Host) error {
					d.prepare = func(in registry.Installation) (approval.Start, error) { return a.prepare(cmd.Context(), h, in) }
					return a.decide(cmd.Context(), d, choice, f)
				})
			})
			if err != nil || f.plan {
				return err
			}
			return a.connectAll(cmd.Context(), connect)
		},
	}
	f.register(cmd)
	from.register(cmd)
	cmd.Flags().StringSliceVar(&connect, "connect", nil, "client to connect once it is installed, by the names of writ connect")
	cmd.Flags().StringVar(&f.as, "as", "", "name to install it under; it begins the names of its tools")
	cmd.Flags().BoolVar(&f.dev, "dev", false, "accept a build signed with this machine's development key")
	return cmd
}

// decision is one change that a person decides about: how it is planned, asked and carried out.
type decision struct {
	verb     string
	propose  func(approval.Choice) (approval.Plan, error)
	commit   func(approval.Choice, string) (registry.Installation, error)
	session  func(approval.SessionConfig) (*approval.Session, approval.Turn, error)
	prepare  func(registry.Installation) (approval.Start, error) // nil: nothing is new to run
	connects bool                                                // clients are connected right after it
	// settle sees to what the servlet needs beside the grant; ask says whether a person was asked so far.
	settle func(in registry.Installation, ask bool) error
}

// decide shows, asks where there is somebody to ask, and carries out what was approved.
func (a *app) decide(ctx context.Context, d decision, choice approval.Choice, f installFlags) error {
	switch {
	case f.plan && f.approve != "":
		return usagef("--plan shows and --approve carries out: give one of them")
	case f.plan:
		return a.showPlan(d, choice)
	case f.approve != "":
		in, err := d.commit(choice, f.approve)
		if err != nil {
			return inputError(err)
		}
		return a.carriedOut(d, in, false)
	case !a.interactive():
		return deniedError{fmt.Errorf("not asking: this is not a terminal: show the plan with --plan --json, then repeat the command with --approve DIGEST")}
	}
	approved, choice, err := a.ask(ctx, d)
	if err != nil {
		return inputError(err)
	}
	if approved == "" {
		return silent(exitDenied)
	}
	in, err := d.commit(choice, approved)
	if err != nil {
		return inputError(err)
	}
	return a.carriedOut(d, in, true)
}

// carriedOut says what was done, and sees to the rest: what the servlet needs beside its grant, and what
// may run from now on. asked says whether a person was asked so far.
func (a *app) carriedOut(d decision, in registry.Installation, asked bool) error {
	if !a.json { // before anything that takes its time
		if err := a.sayGranted(d, in); err != nil {
			return err
		}
	}
	unsettled := d.settle(in, asked)
	start, err := d.prepared(in)
	switch {
	case a.json && d.prepare == nil:
		err = a.sayGranted(d, in)
	case a.json:
		err = errors.Join(a.printJSON(installation{in, start}), err)
	case err == nil && d.prepare != nil:
		a.say("%s", sayStart(in.Alias, start))
	}
	return errors.Join(unsettled, err)
}

// prepared is what came of prepare.
func (d decision) prepared(in registry.Installation) (approval.Start, error) {
	if d.prepare == nil {
		return approval.Start{}, nil
	}
	return d.prepare(in)
}

// installation is what `writ install --json` prints.
type installation struct {
	registry.Installation
	Start approval.Start `json:"start"`
}

// inputError marks an error as a mistake in what the command line names, unless it is something else.
func inputError(err error) error {
	if err == nil || statusOf(err) != exitHost || isAny(err, storeFailures...) {
		return err
	}
	return usageError{err}
}

func (a *app) showPlan(d decision, choice approval.Choice) error {
	plan, err := d.propose(choice)
	if err != nil {
		return inputError(err)
	}
	if a.json {
		return a.printJSON(plan)
	}
	_, err = fmt.Fprintln(a.stdout, strings.TrimRight(plan.Text, "\n"))
	for _, m := range plan.Missing {
		a.say("not named: %s", capabilities.Printable(m, maxErrorRunes))
	}
	a.say("to carry it out: the same command with --approve %s", plan.Digest)
	return err
}

// ask holds the session with the person at the terminal. It returns the digest of the approved plan
// and the choice behind it, or an empty digest for a refusal.
func (a *app) ask(ctx context.Context, d decision) (string, approval.Choice, error) {
	s, turn, err := d.session(approval.SessionConfig{Propose: d.propose, Count: approval.CountFiles, Width: a.width(), Color: a.colour()})
	if err != nil {
		return "", approval.Choice{}, err
	}
	for !turn.Done {
		fmt.Fprint(a.stderr, turn.Text)
		line, err := a.readAnswer(ctx, turn.Prompt)
		switch {
		case errors.Is(err, errNoAnswer):
			fmt.Fprintln(a.stderr)
			turn = s.End()
		case err != nil:
			return "", approval.Choice{}, err
		default:
			turn = s.Input(line)
		}
	}
	fmt.Fprint(a.stderr, turn.Text)
	if !turn.Approved {
		return "", approval.Choice{}, nil
	}
	return s.Plan().Digest, s.Choice(), nil
}

// width is the terminal's, in columns.
func (a *app) width() int {
	if out, ok := a.stderr.(*os.File); ok {
		if columns, _, err := term.GetSize(int(out.Fd())); err == nil && columns > 0 {
			return min(columns, screen.Width)
		}
	}
	return screen.Width
}

func (a *app) sayGranted(d decision, in registry.Installation) error {
	verb := d.verb
	if a.json {
		return a.printJSON(in)
	}
	if verb == "install" {
		next := ""
		if !d.connects {
			next = ", let a client use them with " + a.command("connect CLIENT")
		}
		a.say("installed %s %s as %s with %s; see them with %s%s", in.Name, in.Version, in.Alias, counted(len(in.Grant.Rights.Tools), "tool"), a.command("tools "+in.Alias), next)
		return nil
	}
	if verb == "upgrade" {
		a.say("upgraded %s to %s %s with %s", in.Alias, in.Name, in.Version, counted(len(in.Grant.Rights.Tools), "tool"))
		return nil
	}
	a.say("granted %s anew: %s", in.Alias, counted(len(in.Grant.Rights.Tools), "tool"))
	return nil
}
