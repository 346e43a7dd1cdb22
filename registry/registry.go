// Package registry keeps what is installed, granted, configured and audited, in one home that any
// number of writ processes share without a daemon.
//
// A change is made in this order, so that a process may be killed anywhere: the servlet file is on
// stable storage under its digest; one transaction commits the records and the audit entry; the
// generation is counted up; the caller is told. What was not acknowledged is there whole or not at
// all.
//
// The home is private to its owner, and everything in it is checked before it is believed: the form
// of the store's file page by page, each record by a MAC under the home's key, each servlet file by
// its digest, the audit by its chain and its signed checkpoints. A process that runs as the same
// user can read that key: against it the MAC is no wall, only the audit's trace is.
package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry/vault"
)

// Errors of the registry. Texts that wrap them say what to do.
var (
	ErrNotFound  = errors.New("not found")
	ErrExists    = errors.New("already installed")
	ErrConflict  = errors.New("changed meanwhile") // compare-and-swap lost
	ErrLocked    = errors.New("home is in use")    // lock not had in time
	ErrDamaged   = errors.New("store is damaged")  // refuses to open; says which file and what to do
	ErrNewer     = errors.New("store is of a newer Writ")
	ErrReadOnly  = errors.New("home cannot be written")
	ErrUnsafe    = errors.New("home is not private")        // wrong owner, group or world writable, a link
	ErrRollback  = errors.New("older than one seen before") // seq ratchet
	ErrPublisher = errors.New("publisher key changed")
	ErrCaller    = errors.New("caller has no name or no space")
	ErrClosed    = errors.New("registry is closed")
	ErrAuditFull = errors.New("audit is full")
	ErrName      = errors.New("not a name") // an alias that nothing could be installed under

	ErrKeyRefused = errors.New("not a key that is valid") // unknown, expired or revoked: never said which
	ErrKeyName    = errors.New("not a name for a key")
	ErrOperator   = errors.New("only the operator may do that")

	ErrSecretsLocked = errors.New("the secrets are locked")                 // their key is not at hand
	ErrSecretDamaged = errors.New("the secret was changed outside of Writ") // does not open, or is not the current one
)

// Options tune Open; nil is fine.
type Options struct {
	LockTimeout time.Duration    // zero: 5 s
	Now         func() time.Time // nil: time.Now

	// ReadOnly opens a home that is there for looking alone: nothing in it is made, upgraded or tidied
	// up, and what would change it returns ErrReadOnly. ErrNotFound when there is no home.
	ReadOnly bool

	// AuditLimit is how many bytes of call events the home keeps, those of all processes together;
	// zero: 1 GiB. At the limit Record refuses, and so nothing is done any more that it would tell of;
	// Audit, VerifyAudit and changes of state go on.
	AuditLimit int64

	// Passphrase is asked for the passphrase of the secrets when one is needed, until it was right
	// once; fresh asks for a new one. nil: there is nobody to ask.
	Passphrase func(ctx context.Context, fresh bool) ([]byte, error)
	// Keyring keeps the key of the secrets where the operator wants that; nil: there is none.
	Keyring vault.Store

	segmentLimit int64              // bytes of a segment; zero: 64 MiB
	step         func(point string) // called between the steps that must survive a crash
}

// Registry is one home. Its methods may be used by many goroutines at once.
type Registry struct {
	home  *home
	store Store
	key   homeKey
	now   func() time.Time
	cache cache
	keys  keyCache
	calls callLog
	vault openVault
}

// Open opens or makes the home folder (0700) and checks the store in it. An empty, cut or otherwise
// damaged store is refused, never opened as a new one, and nothing in the home is changed then. A
// home that cannot be written is opened for reading: what would change it returns ErrReadOnly.
func Open(home string, opts *Options) (*Registry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.LockTimeout <= 0 {
		o.LockTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.AuditLimit <= 0 {
		o.AuditLimit = defaultAuditLimit
	}
	if o.segmentLimit <= 0 {
		o.segmentLimit = defaultSegmentLimit
	}
	if o.ReadOnly {
		if _, err := os.Lstat(filepath.Join(home, storeFile)); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening home %s: %w", home, ErrNotFound)
		}
	}
	h, err := openHome(home, o.LockTimeout, o.step)
	if err != nil {
		return nil, err
	}
	h.readOnly = h.readOnly || o.ReadOnly
	store, key, err := openBolt(context.Background(), h)
	if err != nil {
		return nil, err
	}
	r := &Registry{home: h, store: store, key: key, now: o.Now}
	r.vault.providers = vault.Providers{Keyring: o.Keyring, File: keyFiles{h}, Ask: o.Passphrase}
	r.calls.init(r, o)
	// The first look proves that the store can be believed; before it nothing is changed.
	if err := r.dropOrphans(context.Background()); err != nil {
		return nil, err
	}
	if !h.readOnly {
		h.sweepStaging(o.Now())
	}
	return r, nil
}

// openBolt makes the store of a new home, and refuses a home whose store is gone.
func openBolt(ctx context.Context, h *home) (*boltStore, homeKey, error) {
	release, err := h.acquire(ctx)
	if err != nil {
		return nil, homeKey{}, err
	}
	defer release()
	used, err := h.used()
	if err != nil {
		return nil, homeKey{}, err
	}
	isNew := used == ""
	if isNew {
		if h.readOnly {
			return nil, homeKey{}, fmt.Errorf("opening %s, which holds no store yet: %w", h.path, ErrReadOnly)
		}
		if err := h.makeFolders(); err != nil {
			return nil, homeKey{}, err
		}
	}
	key, err := h.loadHomeKey(isNew)
	if err != nil {
		return nil, homeKey{}, err
	}
	s := &boltStore{home: h, sealer: newSealer(key.seal), gen: generation{path: h.file(generationFile)}}
	if isNew {
		if err := s.createStore(); err != nil {
			return nil, homeKey{}, err
		}
		// The mark that there was a store comes after the store, so that a crash never leaves the
		// mark alone.
		if err := s.gen.settle(); err != nil {
			return nil, homeKey{}, err
		}
	} else if err := s.upgrade(); err != nil {
		return nil, homeKey{}, err
	}
	return s, key, nil
}

// dropOrphans removes blobs that no installation names, left by a process that was killed between
// storing a file and committing its record, or between committing a removal and deleting the file.
func (r *Registry) dropOrphans(ctx context.Context) error {
	var orphans []string
	find := func(tx Tx) error {
		named, err := namedBlobs(tx)
		if err != nil {
			return err
		}
		blobs, err := r.store.Blobs(ctx)
		orphans = orphans[:0]
		for _, digest := range blobs {
			if named[digest] == 0 {
				orphans = append(orphans, digest)
			}
		}
		return err
	}
	if err := r.store.View(ctx, find); err != nil || len(orphans) == 0 || r.home.readOnly {
		return err
	}
	return r.store.Update(ctx, func(tx Tx) error {
		if err := find(tx); err != nil {
			return err
		}
		for _, digest := range orphans {
			if err := tx.DropBlob(digest); err != nil {
				return err
			}
		}
		return nil
	})
}

// namedBlobs counts the installations, of all spaces, that name each blob.
func namedBlobs(tx Tx) (map[string]int, error) {
	named := map[string]int{}
	for rec, err := range tx.Range(KindInstallation, "", "") {
		if err != nil {
			return nil, err
		}
		in, err := decodeInstallation(rec)
		if err != nil {
			return nil, err
		}
		named[in.Digest]++
	}
	return named, nil
}

// Home is the folder's absolute path.
func (r *Registry) Home() string { return r.home.path }

// Close flushes audit segments and waits for what the registry runs in the background. The registry
// is of no use afterwards; closing it again does nothing.
func (r *Registry) Close() error {
	err := r.calls.close()
	if closing := r.store.Close(); err == nil {
		err = closing
	}
	return err
}

// checkCaller refuses the zero Caller: nothing is done for nobody, or in no space.
func checkCaller(by capabilities.Caller) error {
	if by.Principal == "" || by.Space == "" {
		return ErrCaller
	}
	if err := checkName("principal", by.Principal, 256); err != nil {
		return err
	}
	return checkName("space", by.Space, 64)
}
