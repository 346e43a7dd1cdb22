package capabilities

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

const (
	publicPrefix  = "ed25519:"
	secretPrefix  = "WRIT-SECRET-KEY-1:"
	publicComment = "# public key: "
	maxKeyFile    = 4096
)

// KeyID returns the id of a public key: hex SHA-256 of its 32 bytes.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:])
}

// Fingerprint is the short form of a key id that a person compares: its first 64 bits in four groups
// of four. Two groups would be 32 bits, which an attacker matches in minutes by making keys until one
// looks alike. What is not a key id comes back as "????-????-????-????", never as itself.
func Fingerprint(keyID string) string {
	if !isDigest(keyID) {
		return "????-????-????-????"
	}
	return keyID[0:4] + "-" + keyID[4:8] + "-" + keyID[8:12] + "-" + keyID[12:16]
}

// FormatPublisher is the text form of a public key in a manifest: "ed25519:" and strict base64.
func FormatPublisher(pub ed25519.PublicKey) string {
	return publicPrefix + base64.StdEncoding.EncodeToString(pub)
}

// ParsePublisher reads what FormatPublisher wrote, in that one spelling. It refuses keys that are not
// a canonical curve point of full order: for those, one signature holds for many messages.
func ParsePublisher(text string) (ed25519.PublicKey, error) {
	encoded, ok := strings.CutPrefix(text, publicPrefix)
	if !ok {
		return nil, errors.New(`want "ed25519:" and a base64 public key`)
	}
	raw, err := decodeBase64(encoded)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("want %d bytes in strict base64 after %q", ed25519.PublicKeySize, publicPrefix)
	}
	if weakPoint(raw) {
		return nil, errors.New("refusing a weak key: signatures of it can be forged")
	}
	return ed25519.PublicKey(raw), nil
}

// FormatKey is the text form of a private key: a comment with the public key, then one line
// "WRIT-SECRET-KEY-1:" and strict base64 of the 32-byte seed. key must be a whole Ed25519 key.
func FormatKey(key ed25519.PrivateKey) []byte {
	pub := key.Public().(ed25519.PublicKey)
	return fmt.Appendf(nil, "%s%s\n%s%s\n", publicComment, FormatPublisher(pub),
		secretPrefix, base64.StdEncoding.EncodeToString(key.Seed()))
}

// ParseKey reads what FormatKey wrote. Blank lines and other comments are ignored. Its errors name a
// line and never quote it: the line may be the secret.
func ParseKey(text []byte) (ed25519.PrivateKey, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("reading key: longer than %d bytes: this is not a key file", maxKeyFile)
	}
	var key ed25519.PrivateKey
	var named string
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line := strings.TrimRight(string(line), "\r\n")
		switch {
		case strings.HasPrefix(line, publicComment):
			named = strings.TrimPrefix(line, publicComment)
		case line == "" || strings.HasPrefix(line, "#"):
		case key != nil:
			return nil, fmt.Errorf("reading key: line %d: a second key: keep one key in a file", n)
		default:
			encoded, ok := strings.CutPrefix(line, secretPrefix)
			seed, err := decodeBase64(encoded)
			if !ok || err != nil || len(seed) != ed25519.SeedSize {
				return nil, fmt.Errorf("reading key: line %d: want %q and %d bytes of base64: make a key with \"writ keygen\"", n, secretPrefix, ed25519.SeedSize)
			}
			key = ed25519.NewKeyFromSeed(seed)
		}
	}
	if key == nil {
		return nil, errors.New("reading key: no line with a key: make one with \"writ keygen\"")
	}
	// A swapped comment would make its owner hand out someone else's public key as their own.
	if named != "" && named != FormatPublisher(key.Public().(ed25519.PublicKey)) {
		return nil, errors.New("reading key: the comment names another public key than the secret line")
	}
	return key, nil
}

// wholeKey refuses a private key whose two halves do not belong together. Signing with such a key
// gives away the secret: the same nonce is used under two public keys.
func wholeKey(key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize || !bytes.Equal(key, ed25519.NewKeyFromSeed(key[:ed25519.SeedSize])) {
		return errors.New("signing: not a whole Ed25519 key")
	}
	return nil
}

// decodeBase64 reads standard base64 in its one spelling: padded, no line breaks (which the decoder
// skips), no stray bits behind the last byte.
func decodeBase64(s string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != s {
		return nil, errors.New("not strict base64")
	}
	return raw, nil
}

// isDigest says that s is a SHA-256 in lower-case hex.
func isDigest(s string) bool {
	return len(s) == 2*sha256.Size && strings.Trim(s, "0123456789abcdef") == ""
}
