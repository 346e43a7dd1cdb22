package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/registry/vault"
)

// vaultRecordKey is the key of the one record of KindVault.
const vaultRecordKey = "vault"

// vaultRecord is the state of a home's secrets: the wrapped data key, and which sealed secret is the
// current one of each key. Seal authenticates the latter under the data key, so that who can write the
// disk, and even has the home's key, cannot put an older secret back, or a removed one, by itself. (The
// whole home as it was before can be put back; nothing inside of it could tell.)
type vaultRecord struct {
	ID       string            `json:"id"`
	Wrapping vault.Wrapping    `json:"wrapping"`
	Count    uint64            `json:"count"`    // of changes; the version of each new secret
	Versions map[string]uint64 `json:"versions"` // by record key
	Seal     []byte            `json:"seal"`
}

// maxSecrets bounds the secrets of one home.
const maxSecrets = 4096

// openVault is the data key of this process, once it was needed.
type openVault struct {
	providers vault.Providers

	mu  sync.Mutex
	id  string    // guarded by mu; of the vault that key opens
	key vault.Key // guarded by mu
}

// unlock returns the data key of a vault. It asks keyring, file or person the first time alone, and
// never with the home's lock held: a person takes their time.
func (o *openVault) unlock(ctx context.Context, rec vaultRecord) (vault.Key, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.id == rec.ID && o.id != "" {
		return o.key, nil
	}
	key, err := o.providers.Unwrap(ctx, rec.ID, rec.Wrapping)
	if err != nil {
		return vault.Key{}, locked(err)
	}
	o.id, o.key = rec.ID, key
	return key, nil
}

// held is the data key if it was unlocked before.
func (o *openVault) held(rec vaultRecord) (vault.Key, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.key, o.id == rec.ID && o.id != ""
}

func (o *openVault) hold(id string, key vault.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.id, o.key = id, key
}

// locked is an error of the vault in the registry's terms, with what to do.
func locked(err error) error {
	if errors.Is(err, vault.ErrSealed) {
		return &worded{"the key of the secrets does not open: it was changed on disk; restore a copy of the home, or begin anew with \"writ secret key reset\"", ErrSecretDamaged}
	}
	return &worded{err.Error() + "; see \"writ secret key status\"", ErrSecretsLocked}
}

// UnlockSecrets makes the key of the secrets ready, if there are any, so that what is wrong with it is
// known before a call needs it.
func (r *Registry) UnlockSecrets(ctx context.Context) error {
	v, err := r.readVault(ctx)
	if err == nil && v != nil {
		_, err = r.vault.unlock(ctx, *v)
	}
	return err
}

// tryUnlock makes the key ready where nobody has to be asked for that.
func (r *Registry) tryUnlock(ctx context.Context) {
	if v, err := r.readVault(ctx); err == nil && v != nil && v.Wrapping.Provider != vault.Passphrase {
		_, _ = r.vault.unlock(ctx, *v) // whoever needs the key is told
	}
}

// head is what Seal authenticates.
func (v vaultRecord) head() []string {
	bound := []string{"writ vault head v1", v.ID, strconv.FormatUint(v.Count, 10)}
	for _, key := range slices.Sorted(maps.Keys(v.Versions)) {
		bound = append(bound, key, strconv.FormatUint(v.Versions[key], 10))
	}
	return bound
}

func (v *vaultRecord) seal(key vault.Key) (err error) {
	v.Seal, err = key.Seal(nil, v.head()...)
	return err
}

func (v vaultRecord) verify(key vault.Key) error {
	if _, err := key.Open(v.Seal, v.head()...); err != nil {
		return &worded{"the list of the secrets was changed on disk; restore a copy of the home, or begin anew with \"writ secret key reset\"", ErrSecretDamaged}
	}
	return nil
}

// getVault returns the vault and the version of its record, or ErrNotFound.
func getVault(tx Tx) (v vaultRecord, version uint64, err error) {
	version, err = getJSON(tx, KindVault, vaultRecordKey, &v)
	if v.Versions == nil {
		v.Versions = map[string]uint64{}
	}
	return v, version, err
}

// readVault is getVault in a transaction of its own; nil when there is none.
func (r *Registry) readVault(ctx context.Context) (*vaultRecord, error) {
	var found *vaultRecord
	err := r.store.View(ctx, func(tx Tx) error {
		v, _, err := getVault(tx)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		found = &v
		return err
	})
	return found, err
}

// SecretKey is where the key is that opens a home's secrets.
type SecretKey struct {
	Provider string `json:"provider"`          // "keyring", "file", "passphrase"; "" when no secret was ever set
	Place    string `json:"place,omitempty"`   // path of a key file
	Secrets  int    `json:"secrets"`           // in all spaces
	Problem  string `json:"problem,omitempty"` // why the secrets do not open now
}

// SecretKey tells where the key of the secrets is and, unless that needs a passphrase, whether it is
// at hand.
func (r *Registry) SecretKey(ctx context.Context) (SecretKey, error) {
	v, err := r.readVault(ctx)
	if err != nil || v == nil {
		return SecretKey{}, err
	}
	k := SecretKey{Provider: v.Wrapping.Provider, Place: r.keyFileOf(*v), Secrets: len(v.Versions)}
	if k.Provider != vault.Passphrase {
		key, err := r.vault.unlock(ctx, *v)
		if err == nil {
			err = v.verify(key)
		}
		if err != nil {
			k.Problem = err.Error()
		}
	}
	return k, nil
}

// keyFileOf is the path of the file with the key of a vault, or "" when it is elsewhere.
func (r *Registry) keyFileOf(v vaultRecord) string {
	if v.Wrapping.Provider != vault.File {
		return ""
	}
	return keyFiles{r.home}.path(v.Wrapping.Name)
}

// DefaultSecretKey is the place that is chosen when nobody chooses: the keyring where there is one.
func (r *Registry) DefaultSecretKey() string {
	if r.vault.providers.Keyring != nil {
		return vault.Keyring
	}
	return vault.File
}

// needVault returns the home's vault and data key, and makes both in a home that has none.
func (r *Registry) needVault(ctx context.Context, by capabilities.Caller) (vault.Key, error) {
	v, err := r.readVault(ctx)
	if err != nil {
		return vault.Key{}, err
	}
	if v != nil {
		return r.vault.unlock(ctx, *v)
	}
	provider := r.DefaultSecretKey()
	err = r.makeVault(ctx, by, provider, "")
	if err != nil && provider == vault.Keyring && errors.Is(err, ErrSecretsLocked) {
		err = r.makeVault(ctx, by, vault.File, "") // a keyring that is there and refuses
	}
	if err != nil && !errors.Is(err, ErrConflict) {
		return vault.Key{}, err
	}
	// Another process may have been faster: its vault counts.
	if v, err = r.readVault(ctx); err != nil {
		return vault.Key{}, err
	}
	if v == nil {
		return vault.Key{}, ErrConflict
	}
	return r.vault.unlock(ctx, *v)
}

// UseSecretKey puts the key of the secrets at another place, or at the same one anew: the data key is
// wrapped by a new key there, in one transaction, and the old key is deleted after it. file names a key
// file outside of the home that does not exist yet, for the provider "file" alone.
func (r *Registry) UseSecretKey(ctx context.Context, by capabilities.Caller, provider, file string) error {
	old, err := r.readVault(ctx)
	if err != nil {
		return err
	}
	if old == nil {
		return r.makeVault(ctx, by, provider, file)
	}
	key, err := r.vault.unlock(ctx, *old)
	if err != nil {
		return err
	}
	w, err := r.wrap(ctx, provider, file, old.ID, key)
	if err != nil {
		return err
	}
	err = r.changeVault(ctx, by, provider, func(tx Tx) error {
		v, version, err := getVault(tx)
		if err != nil {
			return err
		}
		if v.ID != old.ID || !slices.Equal(v.Wrapping.Sealed, old.Wrapping.Sealed) {
			return fmt.Errorf("the key of the secrets: %w; look at it again", ErrConflict)
		}
		v.Wrapping = w
		return putJSON(tx, KindVault, vaultRecordKey, v, version)
	})
	if err != nil {
		r.vault.providers.Forget(context.WithoutCancel(ctx), w) // of no use to anyone
		return err
	}
	if err := r.vault.providers.Forget(ctx, old.Wrapping); err != nil {
		return fmt.Errorf("the key is at its new place; removing the old one: %w", err)
	}
	return nil
}

// ResetSecrets deletes all secrets of all spaces, and their key: the way on when the key is lost.
func (r *Registry) ResetSecrets(ctx context.Context, by capabilities.Caller) error {
	old, err := r.readVault(ctx)
	if err != nil {
		return err
	}
	if old == nil {
		return fmt.Errorf("secrets: %w", ErrNotFound)
	}
	err = r.changeVault(ctx, by, "none", func(tx Tx) error {
		_, version, err := getVault(tx)
		if err != nil {
			return err
		}
		if _, err := dropRecords(tx, KindSecret, "", ""); err != nil {
			return err
		}
		return tx.Delete(KindVault, vaultRecordKey, version)
	})
	if err != nil {
		return err
	}
	_ = r.vault.providers.Forget(ctx, old.Wrapping) // it opens nothing any more
	return nil
}

func (r *Registry) makeVault(ctx context.Context, by capabilities.Caller, provider, file string) error {
	v := vaultRecord{ID: vault.NewID(), Versions: map[string]uint64{}}
	key := vault.NewKey()
	var err error
	if v.Wrapping, err = r.wrap(ctx, provider, file, v.ID, key); err != nil {
		return err
	}
	if err = v.seal(key); err == nil {
		err = r.changeVault(ctx, by, provider, func(tx Tx) error {
			return putJSON(tx, KindVault, vaultRecordKey, v, 0)
		})
	}
	if err != nil {
		r.vault.providers.Forget(context.WithoutCancel(ctx), v.Wrapping)
		return err
	}
	r.vault.hold(v.ID, key)
	return nil
}

func (r *Registry) wrap(ctx context.Context, provider, file, id string, key vault.Key) (vault.Wrapping, error) {
	if r.home.readOnly {
		return vault.Wrapping{}, fmt.Errorf("changing %s: %w", r.home.path, ErrReadOnly)
	}
	name := "secrets-" + vault.NewID()[:16]
	if provider == vault.File {
		name += ".key"
		if file != "" {
			name = file
		}
	}
	w, err := r.vault.providers.Wrap(ctx, provider, id, name, key)
	if errors.Is(err, vault.ErrLocked) {
		return w, &worded{err.Error(), ErrSecretsLocked}
	}
	return w, err
}

// changeVault is change for what belongs to the whole home and not to a servlet.
func (r *Registry) changeVault(ctx context.Context, by capabilities.Caller, provider string, apply func(Tx) error) error {
	if err := checkCaller(by); err != nil {
		return err
	}
	return r.store.Update(ctx, func(tx Tx) error {
		if err := apply(tx); err != nil {
			return err
		}
		detail, err := strictjson.Encode(struct {
			Provider string `json:"provider"`
		}{provider})
		if err != nil {
			return err
		}
		return r.appendEvent(tx, Entry{Event: "secret-key", Principal: by.Principal, Space: by.Space, Detail: detail})
	})
}

// dropRecords deletes the records of a range and returns how many there were.
func dropRecords(tx Tx, kind Kind, from, to string) (int, error) {
	var all []Record
	for rec, err := range tx.Range(kind, from, to) {
		if err != nil {
			return 0, err
		}
		all = append(all, rec)
	}
	for _, rec := range all {
		if err := tx.Delete(kind, rec.Key, rec.Version); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// keyFiles keeps wrapping keys in files that only their owner can read: in the home's key folder, or
// where an absolute path says.
type keyFiles struct{ home *home }

var _ vault.Store = keyFiles{}

func (k keyFiles) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return k.home.file(keyFolder, filepath.Base(name))
}

// Get implements vault.Store.
func (k keyFiles) Get(_ context.Context, name string) (string, error) {
	path := k.path(name)
	text, err := readOwn(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: the key file %s is missing", vault.ErrLocked, path)
	case err != nil:
		return "", fmt.Errorf("%w: %v", vault.ErrLocked, err)
	}
	return string(text), nil
}

// Put implements vault.Store. It never writes over a file: another home's secrets may need it.
func (k keyFiles) Put(_ context.Context, name, text string) error {
	f, err := os.OpenFile(k.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("the key file %s exists already: name a new one", k.path(name))
	case err != nil:
		return fmt.Errorf("making key file: %v", err)
	}
	_, err = f.WriteString(text + "\n")
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = syncFolder(filepath.Dir(k.path(name)))
	}
	if err != nil {
		os.Remove(k.path(name))
		return fmt.Errorf("making key file: %v", err)
	}
	return nil
}

// Delete implements vault.Store.
func (k keyFiles) Delete(_ context.Context, name string) error {
	if err := os.Remove(k.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// secretKeyOf is the key of a secret's record.
func secretKeyOf(owner, alias, key string) string {
	return strings.Join([]string{owner, alias, key}, "\x00")
}
