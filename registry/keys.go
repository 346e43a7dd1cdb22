package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// The keys of a home, in its key folder, of mode 0600.
const (
	homeKeyFile        = "home.key"        // seals records and signs checkpoints
	developmentKeyFile = "development.key" // signs what `writ build` makes
)

// homeKeyPrefix makes a home's key unlike a publisher's, so that neither is taken for the other.
const homeKeyPrefix = "WRIT-HOME-KEY-1:"

// homeKey is the secret of one home. What is derived from it differs by purpose.
type homeKey struct {
	seal []byte             // MACs of records
	sign ed25519.PrivateKey // checkpoints of the audit
}

// loadHomeKey reads the key, and makes it in a home that is new. It is called with the lock held.
func (h *home) loadHomeKey(isNew bool) (homeKey, error) {
	text, err := h.readKey(homeKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if !isNew {
			return homeKey{}, damaged(h.file(keyFolder, homeKeyFile), "the file is missing")
		}
		secret := make([]byte, ed25519.SeedSize)
		rand.Read(secret)
		text = []byte(homeKeyPrefix + base64.StdEncoding.EncodeToString(secret) + "\n")
		err = h.writeFile(text, keyFolder, homeKeyFile)
	}
	if err != nil {
		return homeKey{}, fmt.Errorf("reading home key: %w", err)
	}
	encoded, ok := strings.CutPrefix(strings.TrimSuffix(string(text), "\n"), homeKeyPrefix)
	secret, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if !ok || err != nil || len(secret) != ed25519.SeedSize {
		return homeKey{}, damaged(h.file(keyFolder, homeKeyFile), "it is not a home key")
	}
	seal, err := hkdf.Key(sha256.New, secret, nil, "writ home v1: seal records", sha256.Size)
	if err != nil {
		return homeKey{}, fmt.Errorf("reading home key: %v", err)
	}
	sign, err := hkdf.Key(sha256.New, secret, nil, "writ home v1: sign checkpoints", ed25519.SeedSize)
	if err != nil {
		return homeKey{}, fmt.Errorf("reading home key: %v", err)
	}
	return homeKey{seal: seal, sign: ed25519.NewKeyFromSeed(sign)}, nil
}

// readKey reads a key of the home.
func (h *home) readKey(name string) ([]byte, error) { return readOwn(h.file(keyFolder, name)) }

// readOwn reads a small key file that only its owner can read.
func readOwn(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if err := checkSecret(path, info); err != nil {
		return nil, err
	}
	if info.Size() > 4096 {
		return nil, damaged(path, "it is too long for a key")
	}
	return os.ReadFile(path)
}

// DevelopmentKey returns this home's development key in the text form of capabilities.FormatKey. It
// is made at first use (file of mode 0600); processes that ask at the same time get the same one.
func (r *Registry) DevelopmentKey(ctx context.Context) ([]byte, error) {
	text, err := r.home.readKey(developmentKeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = r.makeDevelopmentKey(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("reading development key: %w", err)
	}
	if _, err := capabilities.ParseKey(text); err != nil {
		// Nothing but builds to come depends on it, so that there is no reason to give the home up.
		return nil, &worded{fmt.Sprintf("the development key %s is damaged: remove that file, and the next build makes a new one",
			r.home.file(keyFolder, developmentKeyFile)), ErrDamaged}
	}
	return text, nil
}

func (r *Registry) makeDevelopmentKey(ctx context.Context) ([]byte, error) {
	if r.home.readOnly {
		return nil, fmt.Errorf("making one in %s: %w", r.home.path, ErrReadOnly)
	}
	release, err := r.home.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	text, err := r.home.readKey(developmentKeyFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err // another process was faster
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	text = capabilities.FormatKey(key)
	return text, r.home.writeFile(text, keyFolder, developmentKeyFile)
}
