package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/writ-run/writ/capabilities"
)

// Upgrade puts a newer file of the same servlet in the place of the installation whose Revision is in's:
// the record, the seq ratchet and the audit event are one transaction, so that whoever looks sees the old
// one or the new one. Configuration and secrets stay. The file of before goes when no installation of any
// space names it any more; calls that run go on with the code that they have.
//
// ErrNotFound when the alias is empty; ErrConflict when it was changed since it was looked up;
// ErrPublisher when the servlet or its key is another one, and when one of both is a development build;
// ErrRollback unless the seq is higher. A development build, which has no seq, replaces another one, and a
// file that is built into Writ one of the same seq: another build of the same source.
func (r *Registry) Upgrade(ctx context.Context, by capabilities.Caller, in Installation, file []byte) (Installation, error) {
	if err := checkCaller(by); err != nil {
		return Installation{}, err
	}
	if in.Space == "" {
		in.Space = by.Space
	}
	if err := in.check(by, file); err != nil {
		return Installation{}, fmt.Errorf("upgrading: %w", err)
	}
	in.Installed = r.now().UTC()
	if err := r.store.PutBlob(ctx, in.Digest, file); err != nil {
		return Installation{}, err
	}
	rev := in.Revision
	err := r.change(ctx, by, "upgrade", in.Alias, func(tx Tx) (any, error) {
		before, err := getInstallation(tx, in.Space, in.Alias)
		if err != nil {
			return nil, err
		}
		in.Revision = rev // this function may run again
		if err := in.replaces(before); err != nil {
			return nil, err
		}
		if err := r.keepBlob(ctx, tx, in.Digest, file); err != nil {
			return nil, err
		}
		if err := recordPublisher(tx, in); err != nil {
			return nil, err
		}
		if in.Revision, err = putInstallation(tx, in); err != nil {
			return nil, err
		}
		if err := dropUnnamed(tx, before.Digest); err != nil {
			return nil, err
		}
		return upgradeEvent{in.event(), before.Version, before.Seq, before.Digest}, nil
	})
	if err != nil {
		return Installation{}, err
	}
	return in.clone(), nil
}

// upgradeEvent is what the audit says of an upgrade: what is there now, and what was.
type upgradeEvent struct {
	To          any    `json:"to"`
	FromVersion string `json:"from_version"`
	FromSeq     uint64 `json:"from_seq"`
	FromDigest  string `json:"from_digest"`
}

// replaces refuses what may not take the place of before. Whoever changed what is installed, or could
// put another's file in its place, would get its settings, its secrets and its name.
func (in *Installation) replaces(before Installation) error {
	switch {
	case in.Revision == 0 || before.Revision != in.Revision:
		return fmt.Errorf("%s in space %s: %w; look at it and decide again", in.Alias, in.Space, ErrConflict)
	case before.Name != in.Name || before.Publisher != in.Publisher || before.Development != in.Development:
		return fmt.Errorf("%w: %s is %+.80q of %.80s, and this is %+.80q of %.80s", ErrPublisher, in.Alias, before.Name, before.Publisher, in.Name, in.Publisher)
	case in.Seq < before.Seq, in.Seq == before.Seq && !in.Development && !capabilities.IsBuiltInKey(in.Publisher):
		return fmt.Errorf("%w: %+.80q has seq %d, and %d is installed", ErrRollback, in.Name, in.Seq, before.Seq)
	}
	return nil
}

// keepBlob makes sure that a file which was stored before this transaction is there when it commits:
// meanwhile another process may have dropped a file that nothing named.
func (r *Registry) keepBlob(ctx context.Context, tx Tx, digest string, file []byte) error {
	err := tx.KeepBlob(digest)
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := r.store.PutBlob(ctx, digest, file); err != nil {
		return err
	}
	return tx.KeepBlob(digest)
}

// dropUnnamed drops a file that no installation of any space names any more.
func dropUnnamed(tx Tx, digest string) error {
	named, err := namedBlobs(tx)
	if err == nil && named[digest] == 0 {
		err = tx.DropBlob(digest)
	}
	return err
}
