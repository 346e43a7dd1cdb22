package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
)

// Publisher is what is known of a signing key.
type Publisher struct {
	KeyID     string            `json:"key_id"`
	FirstSeen time.Time         `json:"first_seen"`
	Seq       map[string]uint64 `json:"seq"` // highest installed, by servlet name
}

// publisherRecord is a publisher as stored, with the file that each highest seq stands for.
type publisherRecord struct {
	Publisher Publisher         `json:"publisher"`
	Digest    map[string]string `json:"digest"` // by servlet name
}

// nameRecord pins a servlet name to the first key that installed it here.
type nameRecord struct {
	Name      string    `json:"name"`
	Publisher string    `json:"publisher"`
	FirstSeen time.Time `json:"first_seen"`
}

// recordPublisher pins the name and moves the ratchet, or refuses the installation. A stranger's key
// under a known name is how a servlet is replaced by another one; an old seq is how a fixed hole is
// brought back; two files under one seq are how different people are shown different servlets. That
// last rule is not for what is built into Writ: its seq is its version, the compiler may differ between
// two builds of it, and each was accepted because the binary that offered it holds its digest.
func recordPublisher(tx Tx, in Installation) error {
	if in.Development {
		return nil
	}
	var name nameRecord
	version, err := getJSON(tx, KindName, in.Name, &name)
	switch {
	case errors.Is(err, ErrNotFound):
		name = nameRecord{Name: in.Name, Publisher: in.Publisher, FirstSeen: in.Installed}
		err = putJSON(tx, KindName, in.Name, name, version)
	case err == nil && name.Publisher != in.Publisher:
		err = fmt.Errorf("%w: %+.80q was signed by %.80s when it was first installed here, now by %.80s", ErrPublisher, in.Name, name.Publisher, in.Publisher)
	}
	if err != nil {
		return err
	}

	var known publisherRecord
	version, err = getJSON(tx, KindPublisher, in.Publisher, &known)
	if errors.Is(err, ErrNotFound) {
		known.Publisher = Publisher{KeyID: in.Publisher, FirstSeen: in.Installed, Seq: map[string]uint64{}}
		known.Digest = map[string]string{}
	} else if err != nil {
		return err
	}
	switch highest := known.Publisher.Seq[in.Name]; {
	case in.Seq < highest:
		return fmt.Errorf("%w: %+.80q has seq %d, and %d was installed here before", ErrRollback, in.Name, in.Seq, highest)
	case in.Seq == highest && known.Digest[in.Name] != in.Digest && !capabilities.IsBuiltInKey(in.Publisher):
		return fmt.Errorf("%w: %+.80q has seq %d, under which another file was installed here before", ErrRollback, in.Name, in.Seq)
	case in.Seq == highest:
		return nil
	}
	known.Publisher.Seq[in.Name] = in.Seq
	known.Digest[in.Name] = in.Digest
	return putJSON(tx, KindPublisher, in.Publisher, known, version)
}

// Publisher returns a key that installed something here before, or ErrNotFound. Development keys are
// not remembered.
func (r *Registry) Publisher(ctx context.Context, keyID string) (Publisher, error) {
	var known publisherRecord
	err := r.lookup(ctx, KindPublisher, keyID, &known)
	return known.Publisher, err
}

// PublisherOf returns the key id to which a servlet name was pinned at its first install, or ErrNotFound.
func (r *Registry) PublisherOf(ctx context.Context, name string) (string, error) {
	var pin nameRecord
	err := r.lookup(ctx, KindName, name, &pin)
	return pin.Publisher, err
}

func (r *Registry) lookup(ctx context.Context, kind Kind, key string, into any) error {
	if err := checkName(string(kind), key, 200); err != nil {
		return err
	}
	return r.store.View(ctx, func(tx Tx) error {
		if _, err := getJSON(tx, kind, key, into); err != nil {
			return fmt.Errorf("%s %+.80q: %w", kind, key, err)
		}
		return nil
	})
}

// getJSON reads a record into v and returns its version.
func getJSON(tx Tx, kind Kind, key string, v any) (uint64, error) {
	rec, err := tx.Get(kind, key)
	if err != nil {
		return 0, err
	}
	if err := strictjson.Decode(rec.Value, v); err != nil {
		return 0, fmt.Errorf("reading %s %+.80q: %v", kind, key, err)
	}
	return rec.Version, nil
}

func putJSON(tx Tx, kind Kind, key string, v any, version uint64) error {
	value, err := strictjson.Encode(v)
	if err != nil {
		return fmt.Errorf("writing %s %+.80q: %v", kind, key, err)
	}
	_, err = tx.Put(kind, key, value, version)
	return err
}
