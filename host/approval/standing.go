package approval

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
)

// standing is what this home knows of a servlet and the key that signed it.
type standing struct {
	known       bool
	since       time.Time // first sight of the key
	last        uint64    // highest sequence number installed under the name
	development bool
	origin      origin
	installed   []registry.Installation // of the caller's space
}

// standingOf looks up what is known.
func standingOf(ctx context.Context, reg *registry.Registry, by capabilities.Caller, s subject) (standing, error) {
	st := standing{development: s.manifest.Development(), origin: originOf(s.keyID, s.file)}
	publisher, err := reg.Publisher(ctx, s.keyID)
	switch {
	case err == nil:
		st.known, st.since, st.last = true, publisher.FirstSeen, publisher.Seq[s.manifest.Name]
	case !errors.Is(err, registry.ErrNotFound):
		return st, fmt.Errorf("looking up the publisher: %w", err)
	}
	if st.installed, err = reg.List(ctx, by); err != nil {
		return st, fmt.Errorf("listing what is installed: %w", err)
	}
	return st, nil
}

// admits refuses a new install of what no choice can make right: a foreign development build, a
// changed publisher, a version that is over or older than one that was here.
func (st standing) admits(ctx context.Context, reg *registry.Registry, s subject, dev bool, now time.Time) error {
	m := s.manifest
	// Read refused it already, where it came from a file; a candidate may come from elsewhere.
	if err := refuseForged(s.keyID, s.file); err != nil {
		return fmt.Errorf("%s is %w", m.Name, err)
	}
	if st.development {
		// Neither pin nor ratchet holds for a person's own build: it has no seq, and no one else made it.
		return ownBuild(ctx, reg, s, dev)
	}
	if err := samePublisher(ctx, reg, s); err != nil {
		return err
	}
	if st.last > m.Seq {
		return fmt.Errorf("%w: %s %s has sequence number %d, and %d was installed here: get a newer file",
			registry.ErrRollback, m.Name, m.Version, m.Seq, st.last)
	}
	if end, over := expired(m, now); over {
		return &worded{fmt.Sprintf("%s %s expired on %s: get a newer file from its publisher", m.Name, m.Version, end.Format(time.DateOnly)), ErrExpired}
	}
	return nil
}

// ownBuild accepts a development build only when the operator said so and this home's own key signed
// it. Nobody vouches for such a build, so one from elsewhere has no place here.
func ownBuild(ctx context.Context, reg *registry.Registry, s subject, dev bool) error {
	if !dev {
		return fmt.Errorf("%s is a development build: add --dev to accept one of your own, or have it signed with \"writ sign\"", s.manifest.Name)
	}
	text, err := reg.DevelopmentKey(ctx)
	if err != nil {
		return fmt.Errorf("reading the development key: %w", err)
	}
	key, err := capabilities.ParseKey(text)
	if err != nil {
		return fmt.Errorf("reading the development key: %w", err)
	}
	if own := capabilities.KeyID(key.Public().(ed25519.PublicKey)); own != s.keyID {
		return fmt.Errorf("%s is a development build of another home (key %s; yours is %s): build it here, or have it signed with \"writ sign\"",
			s.manifest.Name, capabilities.Fingerprint(s.keyID), capabilities.Fingerprint(own))
	}
	return nil
}

// samePublisher refuses a name that another key had first: whoever takes a name over, by a stolen
// registry account or a look-alike file, must not inherit its trust.
func samePublisher(ctx context.Context, reg *registry.Registry, s subject) error {
	pinned, err := reg.PublisherOf(ctx, s.manifest.Name)
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("looking up the publisher of %s: %w", s.manifest.Name, err)
	case pinned == s.keyID:
		return nil
	case capabilities.IsBuiltInKey(pinned):
		return fmt.Errorf("%w: %s was installed here from what is built into writ, and this file is signed by key %s: its name is taken",
			registry.ErrPublisher, s.manifest.Name, capabilities.Fingerprint(s.keyID))
	case capabilities.IsBuiltInKey(s.keyID):
		return fmt.Errorf("%w: %s was installed here from key %s, and this one is built into writ: its name is taken",
			registry.ErrPublisher, s.manifest.Name, capabilities.Fingerprint(pinned))
	default:
		return fmt.Errorf("%w: %s was installed here from key %s, and this file is signed by key %s: do not install it unless its publisher told you why",
			registry.ErrPublisher, s.manifest.Name, capabilities.Fingerprint(pinned), capabilities.Fingerprint(s.keyID))
	}
}

// expired returns when m expired, when it did before now.
func expired(m capabilities.Manifest, now time.Time) (time.Time, bool) {
	if m.Expires == "" {
		return time.Time{}, false
	}
	end, err := time.Parse(time.RFC3339, m.Expires)
	// A date that cannot be read is not a licence for ever.
	return end, err != nil || !now.Before(end)
}
