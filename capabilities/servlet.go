package capabilities

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Servlet is a verified servlet file: the signature holds, the key is the one that the manifest
// names, and the module is the one that was signed. Whether the key is trusted is not decided here.
// Only Verify makes one; the zero Servlet has an empty manifest, which grants and runs nothing.
type Servlet struct {
	stated  Statement
	payload []byte
	module  []byte
	file    string
}

// Verify checks signature, key id, payload type, module digest and size, and the whole manifest.
// It is errors.Is ErrSignature, ErrModule or ErrNewer where one of these is the cause.
func (u Unverified) Verify() (Servlet, error) {
	s, err := u.verify()
	if err != nil {
		return Servlet{}, fmt.Errorf("verifying servlet: %w", err)
	}
	return s, nil
}

func (u Unverified) verify() (Servlet, error) {
	m, key, err := u.authentic()
	if err != nil {
		return Servlet{}, err
	}
	if int64(len(u.module)) != m.Module.Size || u.digest != m.Module.SHA256 {
		return Servlet{}, fmt.Errorf("%w: it has %d bytes and SHA-256 %s", ErrModule, len(u.module), u.digest)
	}
	s, err := u.stated(m, key)
	if err != nil {
		return Servlet{}, err
	}
	return Servlet{stated: s, payload: u.payload, module: u.module, file: u.file}, nil
}

// Manifest returns what the publisher signed. Its slices and maps are shared: do not change them.
func (s Servlet) Manifest() Manifest { return s.stated.Manifest() }

// Tools returns the signed tools in the manifest's order. They are shared: do not change them.
func (s Servlet) Tools() []Tool { return s.stated.Tools() }

// Payload returns the exact signed manifest bytes.
func (s Servlet) Payload() []byte { return s.payload }

// ManifestDigest is the hex SHA-256 of Payload.
func (s Servlet) ManifestDigest() string { return s.stated.ManifestDigest() }

// Digest is the hex SHA-256 of the whole file.
func (s Servlet) Digest() string { return s.file }

// Module returns the Wasm module without its envelope.
func (s Servlet) Module() []byte { return s.module }

// KeyID returns the id of the key that signed: hex SHA-256 of the public key.
func (s Servlet) KeyID() string { return s.stated.KeyID() }

// Seal fills in m.Module and m.Publisher, validates m, signs it with key and returns module with the
// envelope as its last section. An envelope that module already has is replaced. Equal input gives
// equal bytes. An empty m.Module.ABI becomes ABI.
func Seal(module []byte, m Manifest, key ed25519.PrivateKey) ([]byte, error) {
	if err := wholeKey(key); err != nil {
		return nil, err
	}
	bare, err := withoutEnvelope(module)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	pub := key.Public().(ed25519.PublicKey)
	sum := sha256.Sum256(bare)
	m.Publisher = FormatPublisher(pub)
	m.Module.SHA256 = hex.EncodeToString(sum[:])
	m.Module.Size = int64(len(bare))
	if m.Module.ABI == "" {
		m.Module.ABI = ABI
	}
	payload, err := m.Encode()
	if err != nil {
		return nil, fmt.Errorf("sealing: manifest: %w", err)
	}
	// What no reader would accept must not be signed.
	if _, err := ParseManifest(payload); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	content, err := encodeEnvelope(payload, KeyID(pub), ed25519.Sign(key, authenticated(payload)))
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return appendSection(bare, content), nil
}

// withoutEnvelope returns module up to its envelope, if it has one at its end.
func withoutEnvelope(module []byte) ([]byte, error) {
	found, err := findEnvelope(bytes.NewReader(module), int64(len(module)))
	if err != nil {
		return nil, err
	}
	switch {
	case len(found) == 0:
		return bytes.Clone(module), nil
	case len(found) == 1 && found[0].end == int64(len(module)):
		return bytes.Clone(module[:found[0].start]), nil
	}
	return nil, fmt.Errorf("the module has a section %q that is not its last: build it anew", SectionName)
}
