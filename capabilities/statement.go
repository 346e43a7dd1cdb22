package capabilities

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Statement is what the holder of a key signed about a servlet: the signature holds, and the key is the
// one that the manifest names. The module was not looked at: a Statement says what a servlet is, and is
// nothing that could run. Only ReadStatement and Verify make one; the zero Statement states nothing.
type Statement struct {
	manifest Manifest
	tools    []Tool
	digest   string // hex SHA-256 of the payload
	key      ed25519.PublicKey
}

// ReadStatement reads and verifies the envelope of a servlet file of size bytes. It looks at the frames
// of the sections and reads the last one, so that a list of servlets costs kilobytes, not their modules.
// What the module is, the reader has to know from elsewhere, or read the whole file with Read.
// Its errors are those of Read and Verify; ErrModule stands for a module of another size.
func ReadStatement(file io.ReaderAt, size int64) (Statement, error) {
	s, err := lastSection(file, size)
	if err != nil {
		return Statement{}, fmt.Errorf("reading servlet: %w", err)
	}
	content, err := s.content(file)
	if err != nil {
		return Statement{}, fmt.Errorf("reading servlet: %w", err)
	}
	u, err := parseEnvelope(content)
	if err != nil {
		return Statement{}, fmt.Errorf("reading servlet: envelope: %w", err)
	}
	m, key, err := u.authentic()
	if err != nil {
		return Statement{}, fmt.Errorf("verifying servlet: %w", err)
	}
	// A file that was cut or grew holds another module than the signed one, whatever is in it.
	if m.Module.Size != s.start {
		return Statement{}, fmt.Errorf("verifying servlet: %w: it has %d bytes", ErrModule, s.start)
	}
	stated, err := u.stated(m, key)
	if err != nil {
		return Statement{}, fmt.Errorf("verifying servlet: %w", err)
	}
	return stated, nil
}

// authentic checks the signature. What the manifest says is not checked yet.
func (u Unverified) authentic() (Manifest, ed25519.PublicKey, error) {
	m, err := decodeManifest(u.payload)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("manifest: %w", err)
	}
	key, err := ParsePublisher(m.Publisher)
	if err != nil {
		return Manifest{}, nil, fmt.Errorf("manifest: publisher: %w", err)
	}
	if KeyID(key) != u.keyID {
		return Manifest{}, nil, fmt.Errorf("%w: the envelope names key %s, the manifest %s", ErrSignature, Fingerprint(u.keyID), Fingerprint(KeyID(key)))
	}
	if !ed25519.Verify(key, authenticated(u.payload), u.signature) {
		return Manifest{}, nil, fmt.Errorf("%w: the manifest was changed after key %s signed it, or signed by another key", ErrSignature, Fingerprint(u.keyID))
	}
	return m, key, nil
}

// stated checks the whole manifest.
func (u Unverified) stated(m Manifest, key ed25519.PublicKey) (Statement, error) {
	m, tools, err := m.validated()
	if err != nil {
		return Statement{}, fmt.Errorf("manifest: %w", err)
	}
	digest := sha256.Sum256(u.payload)
	return Statement{manifest: m, tools: tools, digest: hex.EncodeToString(digest[:]), key: key}, nil
}

// Manifest returns what the publisher signed. Its slices and maps are shared: do not change them.
func (s Statement) Manifest() Manifest { return s.manifest }

// Tools returns the signed tools in the manifest's order. They are shared: do not change them.
func (s Statement) Tools() []Tool { return s.tools }

// ManifestDigest is the hex SHA-256 of the signed manifest bytes.
func (s Statement) ManifestDigest() string { return s.digest }

// KeyID returns the id of the key that signed: hex SHA-256 of the public key.
func (s Statement) KeyID() string { return KeyID(s.key) }
