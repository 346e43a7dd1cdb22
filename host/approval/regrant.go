package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval/screen"
	"github.com/writ-run/writ/registry"
)

// ChoiceOf is the choice that led to an installation's grant, as far as m still asks for it: what a
// change starts from. A revoked grant gives back what it was.
func ChoiceOf(m capabilities.Manifest, in registry.Installation) Choice {
	rights := in.Grant.Rights
	c := Choice{Space: in.Space, As: in.Alias, Tools: slices.Clone(rights.Tools), Dev: in.Development}
	for _, f := range m.Capabilities.FS {
		right, ok := rights.FS[f.ID]
		if !ok {
			continue
		}
		c.setDir(f.ID, Directory{Path: right.Path, ReadOnly: right.Mode == capabilities.ModeRead, accepted: true})
	}
	for _, h := range m.Capabilities.HTTP {
		right, ok := rights.HTTP[h.ID]
		switch {
		case !ok:
		case h.Origin == capabilities.UserOrigin:
			c.setHost(h.ID, right.Origin)
		default:
			c.Allow = append(c.Allow, h.ID)
		}
	}
	if m.Capabilities.KV != nil && rights.KV != nil {
		c.Allow = append(c.Allow, idKV)
	}
	if m.Capabilities.Web != nil && rights.Web != nil {
		c.Danger = append(c.Danger, idWeb)
	}
	for _, s := range m.Capabilities.Secrets {
		if rights.Secret[s.Key] == capabilities.SecretGuest {
			c.Danger = append(c.Danger, secretID(s.Key))
		}
	}
	return c
}

// ProposeGrant works out what giving an installed servlet choice instead of its present grant would
// mean. Choice is the whole new choice, not a difference. It writes nothing.
func ProposeGrant(ctx context.Context, reg *registry.Registry, by capabilities.Caller, alias string, choice Choice) (Plan, error) {
	plan, _, err := proposeGrant(ctx, reg, by, alias, choice)
	return plan, err
}

func proposeGrant(ctx context.Context, reg *registry.Registry, by capabilities.Caller, alias string, choice Choice) (Plan, registry.Installation, error) {
	c, in, err := Load(ctx, reg, by, alias)
	if err != nil {
		return Plan{}, in, err
	}
	s := c.subject()
	if err := sameSpace(by, choice); err != nil {
		return Plan{}, in, planning(s, err)
	}
	if choice.As != "" && choice.As != alias {
		return Plan{}, in, planning(s, errors.New("--as: an installed servlet keeps its name: remove and install it to change that"))
	}
	st, err := standingOf(ctx, reg, by, s)
	if err != nil {
		return Plan{}, in, planning(s, err)
	}
	// The servlet itself is among what is installed, and no look-alike of itself.
	st.installed = slices.DeleteFunc(st.installed, func(other registry.Installation) bool { return other.Alias == alias })
	r, err := resolve(s, choice, here(reg.Home()))
	if err != nil {
		return Plan{}, in, planning(s, err)
	}
	var extra []string
	if end, over := expired(s.manifest, time.Now()); over {
		// Expiry forbids new installs only: a servlet that works must not stop over night.
		extra = append(extra, fmt.Sprintf("it expired on %s: look for a newer version with \"writ outdated\".", end.Format(time.DateOnly)))
	}
	have := in.Grant.Rights
	if in.Revoked {
		have = capabilities.Rights{} // a revoked grant gives nothing
	}
	plan, err := draft(s, st, alias, by.Space, r, func(p *Plan) { compare(&p.view, s, alias, have) }, extra)
	if err != nil {
		return Plan{}, in, err
	}
	if err := capabilities.Subset(plan.Rights, have); err != nil {
		plan.Widens = err.Error()
	}
	plan.Unchanged = !in.Revoked && plan.Widens == "" && capabilities.Subset(have, plan.Rights) == nil
	return plan, in, nil
}

// compare makes the screen of an install that of a change: its first line says so, and a line of the
// table that changes says from what to what.
func compare(v *screen.View, s subject, alias string, before capabilities.Rights) {
	v.Title = "Change what " + alias + " holds."
	had, _ := table(s, before)
	changes := 0
	for i := range v.Rows {
		if v.Rows[i].Gives != had[i].Gives {
			v.Rows[i].Gives = had[i].Gives + " -> " + v.Rows[i].Gives
			changes++
		}
	}
	if changes == 0 {
		v.Title = "Change what " + alias + " holds: nothing of it changes so far."
	}
}

// Regrant changes the grant of an installed servlet to choice. What only narrows it needs no
// approval; anything else needs the digest of the plan that was shown, as Install does, and is
// ErrNeedsApproval without one. A grant that was changed meanwhile is registry.ErrConflict.
func Regrant(ctx context.Context, reg *registry.Registry, by capabilities.Caller, alias string, choice Choice, approved string) (registry.Installation, error) {
	if err := checkDigest(approved); err != nil {
		return registry.Installation{}, err
	}
	plan, in, err := proposeGrant(ctx, reg, by, alias, choice)
	if err != nil {
		return registry.Installation{}, err
	}
	switch {
	case approved != "" && !plan.approvedBy(approved):
		return registry.Installation{}, fmt.Errorf("granting %s: %w", alias, ErrPlanChanged)
	case approved == "" && plan.Widens != "":
		return registry.Installation{}, fmt.Errorf("granting %s: %w: %s", alias, ErrNeedsApproval, plan.Widens)
	}
	// A narrowing of a revoked grant is not a way to bring it back.
	changed, err := reg.SetGrant(ctx, by, alias, in.Revision, plan.grant(by), in.Revoked && approved == "")
	if err != nil {
		return registry.Installation{}, fmt.Errorf("granting %s: %w", alias, err)
	}
	return changed, nil
}
