package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
)

// upgraded is what came of one servlet with --all.
type upgraded struct {
	Alias  string         `json:"alias"`
	Result string         `json:"result"` // one of the constants below
	Plan   *approval.Plan `json:"plan,omitempty"`
	Error  string         `json:"error,omitempty"`
	Now    string         `json:"version"`

	err error
}

// What can come of one of many.
const (
	resultUpgraded = "upgraded"
	resultSame     = "up to date"
	resultPlanned  = "planned" // and not approved
	resultRefused  = "refused" // by the person at the terminal
	resultFailed   = "failed"
)

// each goes through everything that is installed. What fails with one servlet is said, and the others
// have their turn; the exit status is that of the first failure, or says that something was not approved.
func (u *upgrade) each(ctx context.Context, reg *registry.Registry, h *host.Host) error {
	all, err := reg.List(ctx, u.app.caller())
	if err != nil {
		return err
	}
	results := make([]upgraded, 0, len(all))
	var first error
	status := exitOK
	for i, in := range all {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted after %d of %s", i, counted(len(all), "servlet"))
		}
		r := u.next(ctx, reg, h, in)
		r.Alias = in.Alias
		if r.Result == resultRefused || r.Result == resultPlanned && !u.flags.plan {
			status = exitDenied
		}
		if r.err != nil {
			r.Error = r.err.Error()
			if first == nil {
				first = r.err
			}
		}
		if !u.app.json {
			if err := u.tell(in, r); err != nil {
				return err
			}
		}
		results = append(results, r)
	}
	if u.app.json {
		if err := u.app.printJSON(map[string]any{"servlets": results}); err != nil {
			return err
		}
	} else if len(all) == 0 {
		u.app.say("nothing is installed in space %s", u.app.space)
	}
	if first != nil {
		status = statusOf(first)
	}
	if status != exitOK {
		return silent(status)
	}
	return nil
}

// next upgrades one of many. Where nobody can be asked, only what was approved by its digest is done.
func (u *upgrade) next(ctx context.Context, reg *registry.Registry, h *host.Host, in registry.Installation) upgraded {
	failed := func(err error) upgraded { return upgraded{Result: resultFailed, Now: in.Version, err: err} }
	d, choice, err := u.decision(ctx, reg, h, in)
	if errors.Is(err, approval.ErrUpToDate) {
		return upgraded{Result: resultSame, Now: in.Version}
	}
	if err != nil {
		return failed(err)
	}
	plan, err := d.propose(choice)
	if err != nil {
		return failed(inputError(err))
	}
	ask := !u.flags.plan && len(u.approved) == 0 && !u.app.json && u.app.interactive()
	digest := plan.Digest
	switch {
	case ask:
		if digest, choice, err = u.app.ask(ctx, d); err != nil {
			return failed(inputError(err))
		}
		if digest == "" {
			return upgraded{Result: resultRefused, Now: in.Version}
		}
	case !slices.Contains(u.approved, plan.Digest):
		return upgraded{Result: resultPlanned, Now: in.Version, Plan: &plan}
	}
	now, err := d.commit(choice, digest)
	if err != nil {
		return failed(inputError(err))
	}
	err = d.settle(now, ask)
	_, notReady := d.prepared(now)
	return upgraded{Result: resultUpgraded, Now: now.Version, err: errors.Join(err, notReady)}
}

// tell says what came of one of many: the plan as an answer, all else as a sentence.
func (u *upgrade) tell(in registry.Installation, r upgraded) error {
	switch {
	case r.Plan != nil:
		if _, err := fmt.Fprintf(u.app.stdout, "%s\n\n", strings.TrimRight(r.Plan.Text, "\n")); err != nil {
			return err
		}
		u.app.say("%s is not upgraded: to do it, the same command with --approve %s", r.Alias, r.Plan.Digest)
	case r.Result == resultUpgraded:
		u.app.say("upgraded %s from %s to %s", r.Alias, in.Version, r.Now)
	case r.err == nil:
		u.app.say("%s: %s", r.Alias, r.Result)
	}
	if r.err != nil {
		u.app.say("%s: %s", r.Alias, capabilities.Printable(r.Error, maxErrorRunes))
	}
	return nil
}
