package vault

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The places for the key that wraps the data key.
const (
	Keyring    = "keyring"    // of the operating system
	File       = "file"       // of mode 0600
	Passphrase = "passphrase" // asked for
)

// Wrapping is a data key as stored: sealed, with where the key to it is. It holds no secret.
type Wrapping struct {
	Provider string `json:"provider"`
	// Name is the entry of the keyring, or the absolute path of the file.
	Name   string `json:"name,omitempty"`
	Salt   []byte `json:"salt,omitempty"`
	Time   uint32 `json:"time,omitempty"`   // of Argon2id, passes
	Memory uint32 `json:"memory,omitempty"` // of Argon2id, KiB
	Sealed []byte `json:"sealed"`
}

// Store keeps texts under names outside of the vault: a keyring, or files.
type Store interface {
	// Get returns a text, or ErrLocked when it is not there or cannot be had.
	Get(ctx context.Context, name string) (string, error)
	// Put keeps a text under a name that is new.
	Put(ctx context.Context, name, text string) error
	// Delete forgets a text; one that is not there is no error.
	Delete(ctx context.Context, name string) error
}

// Providers are the places of one home.
type Providers struct {
	Keyring Store // nil: there is none
	File    Store
	// Ask returns the passphrase; fresh asks for a new one, twice. nil: there is nobody to ask.
	Ask func(ctx context.Context, fresh bool) ([]byte, error)
}

// keyPrefix makes the text of a wrapping key unlike every other key of Writ's.
const keyPrefix = "WRIT-SECRETS-KEY-1:"

// Wrap seals a data key with a key made for it and kept at provider. home is the id of what the data
// key belongs to; a wrapping does not open for another. name is the keyring's entry or the file's path.
func (p Providers) Wrap(ctx context.Context, provider, home, name string, data Key) (Wrapping, error) {
	w := Wrapping{Provider: provider}
	if data.secret == nil {
		return Wrapping{}, ErrLocked
	}
	var outer Key
	switch provider {
	case Keyring, File:
		store, err := p.store(provider)
		if err != nil {
			return Wrapping{}, err
		}
		outer, w.Name = NewKey(), name
		if err := store.Put(ctx, w.Name, keyPrefix+base64.StdEncoding.EncodeToString(outer.secret[:])); err != nil {
			return Wrapping{}, err
		}
	case Passphrase:
		if p.Ask == nil {
			return Wrapping{}, fmt.Errorf("%w: a passphrase is wanted, and there is no terminal to ask on: give it with --passphrase-fd", ErrLocked)
		}
		phrase, err := p.Ask(ctx, true)
		if err != nil {
			return Wrapping{}, err
		}
		w.Salt = make([]byte, 16)
		rand.Read(w.Salt)
		w.Memory = argonMemory
		outer, w.Time = stretchFor(phrase, w.Salt, argonLeast)
	default:
		return Wrapping{}, ErrProvider
	}
	var err error
	w.Sealed, err = outer.Seal(data.secret[:], w.bound(home)...)
	return w, err
}

// Unwrap returns the data key: ErrLocked when its key is not at hand, ErrPassphrase for a wrong
// passphrase, ErrSealed when the wrapping was changed.
func (p Providers) Unwrap(ctx context.Context, home string, w Wrapping) (Key, error) {
	var outer Key
	switch w.Provider {
	case Keyring, File:
		store, err := p.store(w.Provider)
		if err != nil {
			return Key{}, err
		}
		text, err := store.Get(ctx, w.Name)
		if err != nil {
			return Key{}, err
		}
		encoded, ok := strings.CutPrefix(strings.TrimSuffix(text, "\n"), keyPrefix)
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil {
			return Key{}, fmt.Errorf("%w: what the %s holds is no key of secrets", ErrLocked, w.Provider)
		}
		if outer, err = keyOf(raw); err != nil {
			return Key{}, fmt.Errorf("%w: what the %s holds is no key of secrets", ErrLocked, w.Provider)
		}
	case Passphrase:
		if p.Ask == nil {
			return Key{}, fmt.Errorf("%w: it is behind a passphrase: give it with --passphrase-fd", ErrLocked)
		}
		// The costs come from the disk: they must not make this process work for ever.
		if w.Time < 1 || w.Time > argonMost || w.Memory != argonMemory || len(w.Salt) != 16 {
			return Key{}, ErrSealed
		}
		phrase, err := p.Ask(ctx, false)
		if err != nil {
			return Key{}, err
		}
		outer = stretch(phrase, w.Salt, w.Time)
	default:
		return Key{}, ErrProvider
	}
	plain, err := outer.Open(w.Sealed, w.bound(home)...)
	if err != nil && w.Provider == Passphrase {
		return Key{}, ErrPassphrase
	}
	if err != nil {
		return Key{}, err
	}
	return keyOf(plain)
}

// Forget removes the key that opened w from where it was kept.
func (p Providers) Forget(ctx context.Context, w Wrapping) error {
	if w.Provider != Keyring && w.Provider != File {
		return nil
	}
	store, err := p.store(w.Provider)
	if err != nil {
		return err
	}
	return store.Delete(ctx, w.Name)
}

func (p Providers) store(provider string) (Store, error) {
	switch {
	case provider == Keyring && p.Keyring != nil:
		return p.Keyring, nil
	case provider == File && p.File != nil:
		return p.File, nil
	}
	return nil, fmt.Errorf("%w: this system has no %s", ErrLocked, provider)
}

// bound ties a wrapping to its home and to everything that is stored in it.
func (w Wrapping) bound(home string) []string {
	return []string{"writ data key v1", home, w.Provider, w.Name, hex.EncodeToString(w.Salt),
		strconv.FormatUint(uint64(w.Time), 10), strconv.FormatUint(uint64(w.Memory), 10)}
}

// NewID names something of a vault: 128 random bits.
func NewID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}
