package approval

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// Replaced says what an upgrade would replace, and what of it a person has to look at beside the rights.
type Replaced struct {
	FromVersion string `json:"from_version"`
	FromSeq     uint64 `json:"from_seq"`
	FromFile    string `json:"from_file_sha256"`
	Seq         uint64 `json:"seq"`

	NewTools     []string `json:"new_tools,omitempty"`     // given only when they are named
	GoneTools    []string `json:"gone_tools,omitempty"`    // were given
	ChangedTools []string `json:"changed_tools,omitempty"` // what the AI is told of them is another text
	ReachChanged []string `json:"reach_changed,omitempty"` // tools that use other capabilities than before
	AsksMore     []string `json:"asks_more,omitempty"`     // ids that ask for what no id asked before
	LargerLimits []string `json:"larger_limits,omitempty"` // "memory_mb 64 -> 128"
	NotKept      []string `json:"not_kept,omitempty"`      // ids that were given and are not in the choice
}

// Carried is the choice that led to an installation's grant, as far as a newer file c asks for no more
// than that: directories, sites and tools that stay. A capability that became wider under its old id is
// not carried over: its id alone must not give what nobody saw.
func Carried(c *Candidate, in registry.Installation) Choice {
	m := c.Servlet.Manifest()
	choice, have := ChoiceOf(m, in), in.Grant.Rights
	wider := func(id string) bool { return capabilities.Subset(asksUnder(m, id, have), have) != nil }
	choice.Allow = slices.DeleteFunc(choice.Allow, wider)
	choice.Danger = slices.DeleteFunc(choice.Danger, wider)
	for id := range choice.Dirs {
		if wider(id) {
			delete(choice.Dirs, id)
		}
	}
	for id := range choice.Hosts {
		if wider(id) {
			delete(choice.Hosts, id)
		}
	}
	choice.Tools = slices.DeleteFunc(choice.Tools, func(name string) bool {
		return !slices.ContainsFunc(c.Servlet.Tools(), func(t capabilities.Tool) bool { return t.Name == name })
	})
	return choice
}

// asksUnder is all that m asks under one id, with what the operator chose for it before.
func asksUnder(m capabilities.Manifest, id string, have capabilities.Rights) capabilities.Rights {
	all := capabilities.Requested(m)
	var one capabilities.Rights
	if h, ok := all.HTTP[id]; ok {
		if h.Origin == capabilities.UserOrigin {
			h.Origin = have.HTTP[id].Origin
		}
		one.HTTP = map[string]capabilities.HTTPRight{id: h}
	}
	if f, ok := all.FS[id]; ok {
		before := have.FS[id]
		f.Path = before.Path
		if before.Mode == capabilities.ModeRead {
			f.Mode = before.Mode // it was narrowed, and stays so
		}
		one.FS = map[string]capabilities.FSRight{id: f}
	}
	if id == idWeb {
		one.Web = all.Web
	}
	if id == idKV {
		one.KV = all.KV
	}
	for key, use := range all.Secret {
		if secretID(key) == id {
			one.Secret = map[string]string{key: use}
		}
	}
	return one
}

// ProposeUpgrade works out what putting c in the place of what is installed under alias would mean, with
// choice as the whole new choice. It writes nothing. It is ErrUpToDate for the file that is installed,
// registry.ErrPublisher for another servlet or key, registry.ErrRollback for an older file or another one
// of the same number, ErrExpired.
func ProposeUpgrade(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, alias string, choice Choice) (Plan, error) {
	plan, _, err := proposeUpgrade(ctx, reg, by, c, alias, choice)
	return plan, err
}

// Upgradable says whether a file can take the place of an installation, before anything is chosen. Its
// errors are those of ProposeUpgrade; nil: it is a newer file of the same servlet.
func Upgradable(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, in registry.Installation) error {
	_, err := upgradable(ctx, reg, by, c.subject(), in)
	return err
}

func upgradable(ctx context.Context, reg *registry.Registry, by capabilities.Caller, s subject, in registry.Installation) (standing, error) {
	m := s.manifest
	if s.file == in.Digest {
		return standing{}, &worded{fmt.Sprintf("%s is up to date: %s is the newest there is", in.Alias, in.Version), ErrUpToDate}
	}
	if err := sameServlet(s, in); err != nil {
		return standing{}, err
	}
	switch {
	case in.Development:
	case m.Seq < in.Seq:
		return standing{}, fmt.Errorf("%w: %s has %s, number %d, and this file is %s, number %d: an older one does not replace a newer one",
			registry.ErrRollback, in.Alias, in.Version, in.Seq, m.Version, m.Seq)
	case m.Seq == in.Seq && !capabilities.IsBuiltInKey(s.keyID):
		return standing{}, &worded{fmt.Sprintf("%s is installed from another file of the same number %d: ask its publisher which one is right, and why there are two",
			in.Alias, in.Seq), errors.Join(registry.ErrRollback, ErrSameNumber)}
	}
	st, err := standingOf(ctx, reg, by, s)
	if err != nil {
		return st, err
	}
	// What is replaced is in nobody's way, and no look-alike of itself.
	st.installed = slices.DeleteFunc(st.installed, func(other registry.Installation) bool { return other.Alias == in.Alias })
	return st, st.admits(ctx, reg, s, in.Development, time.Now())
}

// sameServlet refuses a file of another servlet or key. What takes an alias over gets its settings, its
// secrets and the trust of whoever reads the name.
func sameServlet(s subject, in registry.Installation) error {
	m := s.manifest
	switch {
	case m.Name != in.Name:
		return fmt.Errorf("%w: %s is %s, and this file is %s: install it beside, with \"writ install\"", registry.ErrPublisher, in.Alias, in.Name, m.Name)
	case m.Development() != in.Development:
		return fmt.Errorf("%w: of %s's file and this one, only one is a development build: remove it, then install the other", registry.ErrPublisher, in.Alias)
	case s.keyID != in.Publisher:
		return fmt.Errorf("%w: %s is signed by key %s, and this file by key %s: do not install it unless its publisher told you why",
			registry.ErrPublisher, in.Alias, capabilities.Fingerprint(in.Publisher), capabilities.Fingerprint(s.keyID))
	}
	return nil
}

func proposeUpgrade(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, alias string, choice Choice) (Plan, registry.Installation, error) {
	s := c.subject()
	in, err := reg.Lookup(ctx, by, alias)
	if err != nil {
		return Plan{}, in, err // it names the alias and the way on
	}
	if err := sameSpace(by, choice); err != nil {
		return Plan{}, in, planning(s, err)
	}
	if choice.As != "" && choice.As != alias {
		return Plan{}, in, planning(s, errors.New("--as: an installed servlet keeps its name: remove and install it to change that"))
	}
	st, err := upgradable(ctx, reg, by, s, in)
	if err != nil {
		if errors.Is(err, ErrUpToDate) {
			return Plan{}, in, err
		}
		return Plan{}, in, planning(s, err)
	}
	if _, err := aliasOf(s, alias, st.installed); err != nil {
		return Plan{}, in, planning(s, err)
	}
	before, err := replacedSubject(ctx, reg, in)
	if err != nil {
		// Its file goes when another one takes its place: then it is not missing.
		if now, lost := reg.Lookup(ctx, by, alias); lost == nil && now.Revision != in.Revision {
			err = fmt.Errorf("upgrading %s: %w; look at it and decide again", alias, registry.ErrConflict)
		}
		return Plan{}, in, err
	}
	r, err := resolve(s, choice, here(reg.Home()))
	if err != nil {
		return Plan{}, in, planning(s, err)
	}
	have := in.Grant.Rights
	if in.Revoked {
		have = capabilities.Rights{} // a revoked grant gives nothing
	}
	widens := ""
	if err := capabilities.Subset(r.rights, have); err != nil {
		widens = err.Error()
	}
	d := difference{before: before, after: s, had: have, gives: r.rights, in: in}
	plan, err := draft(s, st, alias, by.Space, r, func(p *Plan) {
		p.Widens = widens
		d.tell(p)
	}, nil)
	return plan, in, err
}

// replacedSubject is what was signed about the file that is installed.
func replacedSubject(ctx context.Context, reg *registry.Registry, in registry.Installation) (subject, error) {
	file, err := reg.OpenBlob(ctx, in.Digest)
	if err != nil {
		return subject{}, unloadable(in.Alias, err)
	}
	defer file.Close() // it was only read
	stated, err := capabilities.ReadStatement(file, file.Size())
	if err == nil && (stated.KeyID() != in.Publisher || stated.Manifest().Name != in.Name) {
		err = errors.New("its file is not what was installed")
	}
	if err != nil {
		return subject{}, unloadable(in.Alias, fmt.Errorf("%w: %w", registry.ErrDamaged, err))
	}
	return subject{manifest: stated.Manifest(), tools: stated.Tools(), keyID: stated.KeyID(), digest: stated.ManifestDigest(), file: in.Digest}, nil
}

// Upgrade makes the plan again and, when its digest is still the approved one, puts c in the place of
// what is installed: old and new are never there together, and never neither. An installation that was
// changed meanwhile is ErrPlanChanged or registry.ErrConflict; of two upgrades at once one is refused.
func Upgrade(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, alias string, choice Choice, approved string) (registry.Installation, error) {
	if err := checkDigest(approved); err != nil {
		return registry.Installation{}, err
	}
	plan, in, err := proposeUpgrade(ctx, reg, by, c, alias, choice)
	if err != nil {
		return registry.Installation{}, err
	}
	if !plan.approvedBy(approved) {
		return registry.Installation{}, fmt.Errorf("upgrading %s: %w", alias, ErrPlanChanged)
	}
	in.Version, in.Seq, in.Digest = plan.Version, c.Servlet.Manifest().Seq, plan.File
	in.Source, in.Grant, in.Revoked = remembered(c.Source), plan.grant(by), false
	upgraded, err := reg.Upgrade(ctx, by, in, c.file)
	if err != nil {
		return registry.Installation{}, fmt.Errorf("upgrading %s: %w", alias, err)
	}
	return upgraded, nil
}
