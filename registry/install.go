package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Installation is one servlet in one space.
type Installation struct {
	Space       string             `json:"space"`
	Alias       string             `json:"alias"` // [a-z0-9-]{1,24}: prefix of its tools' names
	Name        string             `json:"name"`
	Version     string             `json:"version"`
	Publisher   string             `json:"publisher"` // key id
	Seq         uint64             `json:"seq"`
	Digest      string             `json:"digest"` // SHA-256 of the servlet file, name of its blob
	Source      string             `json:"source"` // where it came from, as the operator named it
	Development bool               `json:"development,omitempty"`
	Installed   time.Time          `json:"installed"`
	Grant       capabilities.Grant `json:"grant"`
	Revoked     bool               `json:"revoked,omitempty"` // grant taken back; the servlet stays listed
	Revision    uint64             `json:"revision"`          // for compare-and-swap; 0 when new
}

// Install stores the file as a blob (fsync, rename, fsync of the folder) and then commits the
// record, the publisher's first sight, the seq ratchet and the audit event in one transaction.
// ErrExists when the alias is taken in the caller's space; ErrPublisher when the name is pinned to
// another key; ErrRollback below the ratchet, and for another file with the same seq. A development
// install, which has no seq, neither moves nor meets pin and ratchet.
func (r *Registry) Install(ctx context.Context, by capabilities.Caller, in Installation, file []byte) (Installation, error) {
	if err := checkCaller(by); err != nil {
		return Installation{}, err
	}
	if in.Space == "" {
		in.Space = by.Space
	}
	if err := in.check(by, file); err != nil {
		return Installation{}, fmt.Errorf("installing: %w", err)
	}
	in.Installed, in.Revision = r.now().UTC(), 0
	if err := r.store.PutBlob(ctx, in.Digest, file); err != nil {
		return Installation{}, err
	}
	err := r.change(ctx, by, "install", in.Alias, func(tx Tx) (any, error) {
		if err := r.keepBlob(ctx, tx, in.Digest, file); err != nil {
			return nil, err
		}
		if err := recordPublisher(tx, in); err != nil {
			return nil, err
		}
		rev, err := putInstallation(tx, in)
		if errors.Is(err, ErrConflict) {
			return nil, fmt.Errorf("%s in space %s: %w; remove it first or choose another alias", in.Alias, in.Space, ErrExists)
		}
		in.Revision = rev
		return in.event(), err
	})
	if err != nil {
		return Installation{}, err
	}
	return in, nil
}

func (in *Installation) check(by capabilities.Caller, file []byte) error {
	if in.Space != by.Space {
		return fmt.Errorf("into space %+.80q as a caller of space %+.80q is not allowed", in.Space, by.Space)
	}
	if err := checkAlias(in.Alias); err != nil {
		return err
	}
	if err := checkName("servlet name", in.Name, 200); err != nil {
		return err
	}
	if err := checkName("publisher", in.Publisher, 128); err != nil {
		return err
	}
	if in.Development != (in.Seq == 0) {
		return errors.New("a servlet has a seq unless it is a development build")
	}
	if err := in.checkGrant(in.Grant); err != nil {
		return err
	}
	if in.Digest != hexDigest(file) {
		return fmt.Errorf("the file does not have the digest %+.80q", in.Digest)
	}
	return nil
}

// checkGrant refuses a grant that was approved for another servlet or publisher. The zero grant,
// which allows nothing, fits all.
func (in *Installation) checkGrant(g capabilities.Grant) error {
	if g.Servlet != "" && g.Servlet != in.Name || g.Publisher != "" && g.Publisher != in.Publisher {
		return fmt.Errorf("the grant is for %+.80q of publisher %+.80q, not for %+.80q", g.Servlet, g.Publisher, in.Name)
	}
	return nil
}

// event is what the audit says of an installation.
func (in *Installation) event() any {
	return struct {
		Name        string             `json:"name"`
		Version     string             `json:"version"`
		Publisher   string             `json:"publisher"`
		Seq         uint64             `json:"seq"`
		Digest      string             `json:"digest"`
		Source      string             `json:"source"`
		Development bool               `json:"development"`
		BuiltIn     bool               `json:"built_in,omitempty"`
		Grant       capabilities.Grant `json:"grant"`
	}{in.Name, in.Version, in.Publisher, in.Seq, in.Digest, in.Source, in.Development, capabilities.IsBuiltInKey(in.Publisher), in.Grant}
}

// SetGrant replaces the grant of an installation whose Revision is still rev, else ErrConflict;
// revoked marks it taken back.
func (r *Registry) SetGrant(ctx context.Context, by capabilities.Caller, alias string, rev uint64, g capabilities.Grant, revoked bool) (Installation, error) {
	var in Installation
	event := "grant"
	if revoked {
		event = "revoke"
	}
	err := r.change(ctx, by, event, alias, func(tx Tx) (any, error) {
		var err error
		if in, err = getInstallation(tx, by.Space, alias); err != nil {
			return nil, err
		}
		if in.Revision != rev {
			return nil, fmt.Errorf("%s in space %s: %w; look at it and decide again", alias, by.Space, ErrConflict)
		}
		if err := in.checkGrant(g); err != nil {
			return nil, err
		}
		in.Grant, in.Revoked = g, revoked
		in.Revision, err = putInstallation(tx, in)
		return g, err
	})
	if err != nil {
		return Installation{}, err
	}
	return in.clone(), nil
}

// Remove deletes an installation; purge deletes its config values, its secrets and what it keeps too, for
// every caller of the space. The ratchet and the audit stay.
// A blob that no installation of any space names is deleted.
func (r *Registry) Remove(ctx context.Context, by capabilities.Caller, alias string, purge bool) error {
	if purge {
		r.tryUnlock(ctx)
	}
	return r.change(ctx, by, "remove", alias, func(tx Tx) (any, error) {
		in, err := getInstallation(tx, by.Space, alias)
		if err != nil {
			return nil, err
		}
		if err := tx.Delete(KindInstallation, aliasKey(by.Space, alias), in.Revision); err != nil {
			return nil, err
		}
		if purge {
			if err := deleteConfig(tx, by.Space, alias); err != nil {
				return nil, err
			}
			if err := r.deleteSecrets(tx, ownerOf(by), alias); err != nil {
				return nil, err
			}
			if err := purgeKept(tx, by.Space, alias); err != nil {
				return nil, err
			}
		}
		err = dropUnnamed(tx, in.Digest)
		return struct {
			Name   string `json:"name"`
			Digest string `json:"digest"`
			Purge  bool   `json:"purge"`
		}{in.Name, in.Digest, purge}, err
	})
}

// Blob reads a servlet file and checks it against its digest again.
func (r *Registry) Blob(ctx context.Context, digest string) ([]byte, error) {
	return r.store.Blob(ctx, digest)
}

// OpenBlob opens a servlet file to read parts of it, which is much cheaper than Blob. Nothing of it is
// checked against its digest: read it with capabilities.ReadStatement, which believes signatures only.
func (r *Registry) OpenBlob(ctx context.Context, digest string) (BlobReader, error) {
	return r.store.OpenBlob(ctx, digest)
}

// putInstallation writes in over the record of its Revision, 0 for none, and returns the new one.
func putInstallation(tx Tx, in Installation) (uint64, error) {
	rev := in.Revision
	in.Revision = 0 // the record's own version says it
	value, err := strictjson.Encode(in)
	if err != nil {
		return 0, fmt.Errorf("writing installation: %v", err)
	}
	return tx.Put(KindInstallation, aliasKey(in.Space, in.Alias), value, rev)
}

func getInstallation(tx Tx, space, alias string) (Installation, error) {
	if err := checkAlias(alias); err != nil {
		return Installation{}, err
	}
	rec, err := tx.Get(KindInstallation, aliasKey(space, alias))
	if errors.Is(err, ErrNotFound) {
		return Installation{}, notInstalled(space, alias)
	}
	if err != nil {
		return Installation{}, err
	}
	return decodeInstallation(rec)
}

func notInstalled(space, alias string) error {
	where := ""
	if space != capabilities.DefaultSpace {
		where = fmt.Sprintf(" in the space \"%s\"", capabilities.Printable(space, 80))
	}
	return &worded{fmt.Sprintf("no servlet \"%s\" is installed%s: see \"writ list\"", capabilities.Printable(alias, 40), where), ErrNotFound}
}

func decodeInstallation(rec Record) (Installation, error) {
	var in Installation
	if err := strictjson.Decode(rec.Value, &in); err != nil {
		return Installation{}, fmt.Errorf("reading installation %.80q: %v", rec.Key, err)
	}
	if aliasKey(in.Space, in.Alias) != rec.Key {
		return Installation{}, fmt.Errorf("reading installation %.80q: the record is of another", rec.Key)
	}
	in.Revision = rec.Version
	return in, nil
}

// clone returns a copy that shares no memory with in: what is remembered between calls is never
// changed by who got it.
func (in Installation) clone() Installation {
	r := &in.Grant.Rights
	r.Tools = slices.Clone(r.Tools)
	r.Config = slices.Clone(r.Config)
	r.HTTP = maps.Clone(r.HTTP)
	for id, h := range r.HTTP {
		h.Methods, h.Paths, h.Private = slices.Clone(h.Methods), slices.Clone(h.Paths), slices.Clone(h.Private)
		h.Params = slices.Clone(h.Params)
		for i := range h.Params {
			h.Params[i].Values = slices.Clone(h.Params[i].Values)
		}
		if h.Auth != nil {
			auth := *h.Auth
			h.Auth = &auth
		}
		r.HTTP[id] = h
	}
	r.FS = maps.Clone(r.FS)
	r.Secret = maps.Clone(r.Secret)
	if r.Web != nil {
		r.Web = &capabilities.WebRight{Methods: slices.Clone(r.Web.Methods)}
	}
	if r.KV != nil {
		kv := *r.KV
		r.KV = &kv
	}
	return in
}
