package registry

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/strictjson"
	"github.com/writ-run/writ/registry/vault"
)

// Secret is what is known of a secret that is set. Its value is told by Registry.Secret alone.
type Secret struct {
	Key     string    `json:"key"`
	Version uint64    `json:"version"` // counted over all secrets of the home; never used twice
	Set     time.Time `json:"set"`
}

// secretRecord is a secret as stored. Like configuration it belongs to the servlet and publisher that it
// was set for; unlike it, the encryption is bound to them too.
type secretRecord struct {
	Owner     string `json:"owner"` // "space:NAME"
	Alias     string `json:"alias"`
	Name      string `json:"name"` // of the servlet
	Publisher string `json:"publisher"`
	Secret    Secret `json:"secret"`
	Sealed    []byte `json:"sealed"`
}

// ownerOf says whose a caller's secrets are.
func ownerOf(by capabilities.Caller) string { return "space:" + by.Space }

func (s secretRecord) belongsTo(in Installation) bool {
	return s.Name == in.Name && s.Publisher == in.Publisher
}

// bound is what a sealed secret is tied to: moved to another servlet, space or key, or put back after
// it was replaced, it does not open.
func (s secretRecord) bound(home string) []string {
	return []string{"writ secret v1", home, s.Owner, s.Alias, s.Name, s.Publisher, s.Secret.Key, strconv.FormatUint(s.Secret.Version, 10)}
}

// loadSecrets reads the secrets of a space, as they are stored.
func (v *spaceView) loadSecrets(tx Tx, space string) error {
	head, _, err := getVault(tx)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.vault, v.secrets = &head, map[string]secretRecord{}
	from, to := spaceRange(ownerOf(capabilities.Caller{Space: space}))
	for rec, err := range tx.Range(KindSecret, from, to) {
		if err != nil {
			return err
		}
		var s secretRecord
		if err := strictjson.Decode(rec.Value, &s); err != nil {
			return fmt.Errorf("reading a secret: %v", err)
		}
		if secretKeyOf(s.Owner, s.Alias, s.Secret.Key) != rec.Key {
			return fmt.Errorf("reading a secret: the record is of another")
		}
		v.secrets[rec.Key] = s
	}
	return nil
}

// Secrets lists the secrets that are set for an installation, by key. Nothing is decrypted.
func (r *Registry) Secrets(ctx context.Context, by capabilities.Caller, alias string) ([]Secret, error) {
	view, err := r.spaceView(ctx, by)
	if err != nil {
		return nil, err
	}
	in, ok := view.installed[alias]
	if !ok {
		return nil, notInstalled(by.Space, alias)
	}
	var out []Secret
	for _, s := range view.secrets {
		if s.Alias == alias && s.belongsTo(in) {
			out = append(out, s.Secret)
		}
	}
	slices.SortFunc(out, func(a, b Secret) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

// Secret decrypts the current value of a secret of an installation as the caller looked it up: what is
// installed under its alias by now does not matter, only for whom the secret was set. ErrNotFound when
// it is not set, ErrSecretsLocked when the key is not at hand, ErrSecretDamaged when what is stored is
// not what was set last.
func (r *Registry) Secret(ctx context.Context, by capabilities.Caller, in Installation, key string) (capabilities.SecretValue, error) {
	view, err := r.spaceView(ctx, by)
	if err != nil {
		return capabilities.SecretValue{}, err
	}
	at := secretKeyOf(ownerOf(by), in.Alias, key)
	s, ok := view.secrets[at]
	if !ok || !s.belongsTo(in) || in.Space != by.Space {
		return capabilities.SecretValue{}, fmt.Errorf("secret %+.80q of %s: %w", key, in.Alias, ErrNotFound)
	}
	data, err := r.vault.unlock(ctx, *view.vault)
	if err != nil {
		return capabilities.SecretValue{}, err
	}
	if err := view.vault.verify(data); err != nil {
		return capabilities.SecretValue{}, err
	}
	damage := fmt.Errorf("secret %+.80q of %s: %w: set it again", key, in.Alias, ErrSecretDamaged)
	if view.vault.Versions[at] != s.Secret.Version {
		return capabilities.SecretValue{}, damage
	}
	plain, err := data.Open(s.Sealed, s.bound(view.vault.ID)...)
	if err != nil {
		return capabilities.SecretValue{}, damage
	}
	value, err := capabilities.NewSecretValue(string(plain))
	clear(plain)
	if err != nil {
		return capabilities.SecretValue{}, damage
	}
	return value, nil
}

// SetSecret encrypts and stores a secret for an installation as the caller looked it up, in the place
// of any it had. ErrConflict when another servlet is installed under its alias by now. Whether the key is
// declared is the caller's to check. Calls use the new value from their next request on.
func (r *Registry) SetSecret(ctx context.Context, by capabilities.Caller, in Installation, key string, value capabilities.SecretValue) (Secret, error) {
	if err := checkName("secret key", key, 128); err != nil {
		return Secret{}, err
	}
	if value.Reveal() == "" {
		return Secret{}, errors.New("a secret without a value")
	}
	if r.home.readOnly {
		return Secret{}, fmt.Errorf("changing %s: %w", r.home.path, ErrReadOnly)
	}
	if _, err := r.Lookup(ctx, by, in.Alias); err != nil {
		return Secret{}, err // before anybody is asked for a passphrase
	}
	data, err := r.needVault(ctx, by)
	if err != nil {
		return Secret{}, err
	}
	var set Secret
	err = r.change(ctx, by, "secret", in.Alias, func(tx Tx) (any, error) {
		now, err := getInstallation(tx, by.Space, in.Alias)
		if err != nil {
			return nil, err
		}
		if now.Name != in.Name || now.Publisher != in.Publisher {
			return nil, fmt.Errorf("%s in space %s: %w; look at it and decide again", in.Alias, by.Space, ErrConflict)
		}
		s := secretRecord{Owner: ownerOf(by), Alias: in.Alias, Name: in.Name, Publisher: in.Publisher}
		s.Secret = Secret{Key: key, Set: r.now().UTC().Truncate(time.Second)}
		set, err = r.putSecret(tx, s, data, value)
		return struct {
			Key     string `json:"key"`
			Set     bool   `json:"set"`
			Version uint64 `json:"version"`
		}{key, true, set.Version}, err
	})
	return set, err
}

// putSecret writes a secret and makes it the current one.
func (r *Registry) putSecret(tx Tx, s secretRecord, data vault.Key, value capabilities.SecretValue) (Secret, error) {
	head, headVersion, err := getVault(tx)
	if err != nil {
		return Secret{}, err
	}
	if held, ok := r.vault.held(head); !ok || held != data {
		return Secret{}, fmt.Errorf("the key of the secrets: %w; try again", ErrConflict)
	}
	if err := head.verify(data); err != nil {
		return Secret{}, err
	}
	at := secretKeyOf(s.Owner, s.Alias, s.Secret.Key)
	if err := strikeGone(tx, &head); err != nil {
		return Secret{}, err
	}
	head.Count++
	head.Versions[at] = head.Count
	if len(head.Versions) > maxSecrets {
		return Secret{}, fmt.Errorf("a home holds at most %d secrets", maxSecrets)
	}
	s.Secret.Version = head.Count
	plain := []byte(value.Reveal())
	defer clear(plain)
	if s.Sealed, err = data.Seal(plain, s.bound(head.ID)...); err != nil {
		return Secret{}, err
	}
	if err := head.seal(data); err != nil {
		return Secret{}, err
	}
	old, err := tx.Get(KindSecret, at)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Secret{}, err
	}
	if err := putJSON(tx, KindSecret, at, s, old.Version); err != nil {
		return Secret{}, err
	}
	return s.Secret, putJSON(tx, KindVault, vaultRecordKey, head, headVersion)
}

// UnsetSecret removes a secret, also one of a servlet that had the alias before; ErrNotFound when there
// is none. It needs no key: what cannot be opened can be removed.
func (r *Registry) UnsetSecret(ctx context.Context, by capabilities.Caller, alias, key string) error {
	if err := checkName("secret key", key, 128); err != nil {
		return err
	}
	r.tryUnlock(ctx)
	return r.change(ctx, by, "secret", alias, func(tx Tx) (any, error) {
		at := secretKeyOf(ownerOf(by), alias, key)
		rec, err := tx.Get(KindSecret, at)
		if errors.Is(err, ErrNotFound) {
			return nil, &worded{fmt.Sprintf("%s of %s is not set", key, alias), ErrNotFound}
		}
		if err == nil {
			err = tx.Delete(KindSecret, at, rec.Version)
		}
		if err == nil {
			err = r.strike(tx)
		}
		return struct {
			Key string `json:"key"`
			Set bool   `json:"set"`
		}{key, false}, err
	})
}

// deleteSecrets removes all secrets of an alias.
func (r *Registry) deleteSecrets(tx Tx, owner, alias string) error {
	from := secretKeyOf(owner, alias, "")
	to := strings.TrimSuffix(from, "\x00") + "\x01"
	dropped, err := dropRecords(tx, KindSecret, from, to)
	if err != nil || dropped == 0 {
		return err
	}
	return r.strike(tx)
}

// strike takes removed secrets off the list of current ones, so that a copy of one that is put back is
// refused. The list is sealed: without the data key it stays as it is, and the next change that has
// it strikes what is gone.
func (r *Registry) strike(tx Tx) error {
	head, version, err := getVault(tx)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	data, ok := r.vault.held(head)
	if !ok || head.verify(data) != nil {
		return nil
	}
	if err := strikeGone(tx, &head); err != nil {
		return err
	}
	head.Count++
	if err := head.seal(data); err != nil {
		return err
	}
	return putJSON(tx, KindVault, vaultRecordKey, head, version)
}

func strikeGone(tx Tx, head *vaultRecord) error {
	there := map[string]bool{}
	for rec, err := range tx.Range(KindSecret, "", "") {
		if err != nil {
			return err
		}
		there[rec.Key] = true
	}
	maps.DeleteFunc(head.Versions, func(at string, _ uint64) bool { return !there[at] })
	return nil
}
