package approval

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// Install makes the plan again and installs it only when its digest is still approved: what changed
// between showing and approving (bytes, directory, publisher) is refused with ErrPlanChanged, or with
// the reason why there is no plan any more. The bytes that are installed are the ones that Read
// verified. Two installs at once are decided by the registry: it commits one and refuses the other.
func Install(ctx context.Context, reg *registry.Registry, by capabilities.Caller, c *Candidate, choice Choice, approved string) (registry.Installation, error) {
	if err := checkDigest(approved); err != nil {
		return registry.Installation{}, err
	}
	plan, err := Propose(ctx, reg, by, c, choice)
	if err != nil {
		return registry.Installation{}, err
	}
	if !plan.approvedBy(approved) {
		return registry.Installation{}, fmt.Errorf("installing %s: %w", plan.Name, ErrPlanChanged)
	}
	in, err := reg.Install(ctx, by, registry.Installation{
		Space:       plan.Space,
		Alias:       plan.Alias,
		Name:        plan.Name,
		Version:     plan.Version,
		Publisher:   plan.Publisher,
		Seq:         c.Servlet.Manifest().Seq,
		Digest:      plan.File,
		Source:      remembered(c.Source),
		Development: plan.Development,
		Grant:       plan.grant(by),
	}, c.file)
	if err != nil {
		return registry.Installation{}, fmt.Errorf("installing %s: %w", plan.Name, err)
	}
	return in, nil
}

// maxSource is the longest source that an installation remembers, in runes: a path or an address.
const maxSource = 4096

// remembered is a source as it is kept. One that is cut or has an escape is found again by nobody.
func remembered(source string) string { return capabilities.Printable(source, maxSource) }

// checkDigest refuses what cannot be a plan's digest, so that a slip of the hand does not read as a
// plan that changed. Nothing is a digest too: it approves nothing.
func checkDigest(approved string) error {
	raw, err := hex.DecodeString(approved)
	if approved == "" || err == nil && len(raw) == sha256.Size && approved == hex.EncodeToString(raw) {
		return nil
	}
	return fmt.Errorf("\"%s\" is %w: give the 64 digits that --plan --json shows as \"digest\"", capabilities.Printable(approved, 70), ErrDigest)
}

// approvedBy compares digests. The empty digest approves nothing.
func (p Plan) approvedBy(digest string) bool {
	return p.Digest != "" && subtle.ConstantTimeCompare([]byte(p.Digest), []byte(digest)) == 1
}

func (p Plan) grant(by capabilities.Caller) capabilities.Grant {
	return capabilities.Grant{
		Servlet:   p.Name,
		Publisher: p.Publisher,
		Manifest:  p.Manifest,
		Plan:      p.Digest,
		Approver:  by.Principal,
		Approved:  time.Now().UTC().Truncate(time.Second),
		Rights:    p.Rights,
	}
}
