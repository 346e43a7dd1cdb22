// Package vault encrypts secrets, and keeps the key they are encrypted with out of the store.
//
// A home has one data key ([Key]), made at random. Every secret is sealed with it and bound to what
// it belongs to, so that a sealed secret is of no use in any other place. The data key itself is
// stored only wrapped ([Wrapping]), by a key that lies in the system's keyring, in a file of its
// owner, or in nobody's memory but that of the person who knows the passphrase.
package vault

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// Errors of the vault. Texts that wrap them never hold a value, a key or a passphrase.
var (
	ErrSealed     = errors.New("does not open: it was changed, cut, or belongs elsewhere")
	ErrLocked     = errors.New("the key of the secrets is not at hand")
	ErrPassphrase = errors.New("wrong passphrase")
	ErrProvider   = errors.New("no such place for a key: use keyring, file or passphrase")
)

// Key is a data key. The zero Key seals and opens nothing.
type Key struct {
	secret *[chacha20poly1305.KeySize]byte
}

// NewKey makes a data key at random.
func NewKey() Key {
	k := Key{new([chacha20poly1305.KeySize]byte)}
	rand.Read(k.secret[:])
	return k
}

// Format prints nothing of the key, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "[key]") }

// Seal encrypts plain with XChaCha20-Poly1305 under a random nonce, which stands before the result.
// What comes out opens only with the same key and the same bound texts: they are authenticated, each
// with its length, and not stored.
func (k Key) Seal(plain []byte, bound ...string) ([]byte, error) {
	if k.secret == nil {
		return nil, ErrLocked
	}
	aead, err := chacha20poly1305.NewX(k.secret[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plain)+aead.Overhead())
	rand.Read(out)
	return aead.Seal(out, out, plain, associated(bound)), nil
}

// Open undoes Seal, or is ErrSealed.
func (k Key) Open(sealed []byte, bound ...string) ([]byte, error) {
	if k.secret == nil {
		return nil, ErrLocked
	}
	aead, err := chacha20poly1305.NewX(k.secret[:])
	if err != nil {
		return nil, err
	}
	if len(sealed) < aead.NonceSize()+aead.Overhead() {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], associated(bound))
	if err != nil {
		return nil, ErrSealed // the library's words say no more
	}
	return plain, nil
}

// associated joins texts so that no two lists of texts come out the same.
func associated(bound []string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(bound)))
	for _, text := range bound {
		out = binary.BigEndian.AppendUint32(out, uint32(len(text)))
		out = append(out, text...)
	}
	return out
}

// keyOf is a key of exactly the right length.
func keyOf(secret []byte) (Key, error) {
	if len(secret) != chacha20poly1305.KeySize {
		return Key{}, ErrSealed
	}
	return Key{(*[chacha20poly1305.KeySize]byte)(secret)}, nil
}
