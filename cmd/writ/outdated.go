package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/writ-run/writ/cmd/download"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/servlets/builtin"
)

// outdatedServlet is one row of `writ outdated --json`.
type outdatedServlet struct {
	Alias     string `json:"alias"`
	Name      string `json:"name"`
	Have      string `json:"have"`
	HaveSeq   uint64 `json:"have_seq"`
	Newest    string `json:"newest,omitempty"`
	NewestSeq uint64 `json:"newest_seq,omitempty"`
	Source    string `json:"source"`
	State     string `json:"state"`
	Why       string `json:"why,omitempty"` // of a state that is neither same nor newer
}

// The states of what is at a source, against what is installed.
const (
	stateSame        = "same"
	stateNewer       = "newer"
	stateOlder       = "older"       // a lower number than what is, or once was, installed
	stateChanged     = "changed"     // another file under the same number
	stateOther       = "other-key"   // another servlet, or another publisher's
	stateExpired     = "expired"     // newer, and not to be installed any more
	stateUnreachable = "unreachable" // nothing could be read there
	stateInvalid     = "invalid"     // what was read is no servlet that can be installed
)

const (
	outdatedTime = 30 * time.Second // for one source
	outdatedMost = 4                // sources that are looked at at a time
)

func (a *app) outdatedVerb() *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "outdated", Args: takes,
		Short: "Look for newer versions of what is installed, where it came from",
		Long: `Look for newer versions of what is installed, where it came from. Nothing is
changed. STATE is "same", "newer" (see it with "writ upgrade ALIAS --plan"), or
what keeps the file there from taking the place of what is installed: "older",
"changed" (another file under the same number), "other-key" (another servlet or
publisher), "expired", "unreachable" or "invalid". The exit status is 1 unless
all are the same.`,
		Example: "  writ outdated\n  writ outdated --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			from := sourceFlags{timeout: timeout, quiet: true}
			if err := from.check(); err != nil {
				return err
			}
			return a.withRegistry(func(reg *registry.Registry) error { return a.outdated(cmd.Context(), reg, from) })
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", outdatedTime, "how long looking at one source may take")
	return cmd
}

func (a *app) outdated(ctx context.Context, reg *registry.Registry, from sourceFlags) error {
	all, err := reg.List(ctx, a.caller())
	if err != nil {
		return err
	}
	rows := make([]outdatedServlet, len(all))
	err = a.patiently(fmt.Sprintf("looking at %s", counted(len(all), "source")), func() error {
		var work sync.WaitGroup
		slots := make(chan struct{}, outdatedMost)
		for i, in := range all {
			slots <- struct{}{}
			work.Go(func() {
				defer func() { <-slots }()
				rows[i] = a.lookAt(ctx, reg, in, from)
			})
		}
		work.Wait()
		return nil
	})
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = a.printOutdated(rows)
	}
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.State != stateSame {
			return silent(exitTool)
		}
	}
	return nil
}

func (a *app) printOutdated(rows []outdatedServlet) error {
	if a.json {
		return a.printJSON(map[string]any{"servlets": rows})
	}
	if len(rows) == 0 {
		a.say("nothing is installed in space %s", a.space)
		return nil
	}
	var table [][]string
	for _, r := range rows {
		newest := r.Newest
		if newest == "" {
			newest = "-"
		}
		state := r.State
		if r.Why != "" {
			state += ": " + r.Why
		}
		table = append(table, []string{r.Alias, r.Have, newest, r.Source, state})
	}
	return a.printTable("NAME HAVE NEWEST SOURCE STATE", table)
}

// lookAt compares an installation with what is at its source now. No bar is drawn: several are looked
// at together.
func (a *app) lookAt(ctx context.Context, reg *registry.Registry, in registry.Installation, from sourceFlags) outdatedServlet {
	row := outdatedServlet{Alias: in.Alias, Name: in.Name, Have: in.Version, HaveSeq: in.Seq, Source: in.Source}
	c, err := a.again(ctx, in.Source, in.Name, from)
	if err == nil {
		m := c.Servlet.Manifest()
		row.Newest, row.NewestSeq = m.Version, m.Seq
		err = approval.Upgradable(ctx, reg, a.caller(), c, in)
	}
	row.State = stateOf(err)
	if err != nil && row.State != stateSame {
		row.Why = err.Error()
	}
	return row
}

// unreadable are the reasons why nothing could be read at a source.
var unreadable = []error{
	errNotKept, fs.ErrNotExist, fs.ErrPermission, builtin.ErrUnknown,
	download.ErrAddress, download.ErrRedirect, download.ErrStatus, download.ErrTooLarge,
	download.ErrTimeout, download.ErrIncomplete, download.ErrUnreachable,
}

// stateOf names what an attempt to upgrade would come to.
func stateOf(err error) string {
	switch {
	case err == nil:
		return stateNewer
	case errors.Is(err, approval.ErrUpToDate):
		return stateSame
	case errors.Is(err, approval.ErrSameNumber):
		return stateChanged
	case errors.Is(err, registry.ErrRollback):
		return stateOlder
	case errors.Is(err, registry.ErrPublisher):
		return stateOther
	case errors.Is(err, approval.ErrExpired):
		return stateExpired
	case isAny(err, unreadable...):
		return stateUnreachable
	}
	return stateInvalid
}
