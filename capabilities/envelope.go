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

	"github.com/writ-run/writ/capabilities/strictjson"
)

// PayloadType is the DSSE payload type of a manifest.
const PayloadType = "application/vnd.writ.manifest.v1+json"

// SectionName is the custom section, physically last, that carries the envelope.
const SectionName = "writ.envelope"

const (
	maxManifest = 1 << 20         // bytes of a payload
	maxEnvelope = maxManifest * 2 // base64 and what is around it
	maxModule   = 64 << 20        // bytes of a module
)

// Unverified is a servlet file that was taken apart but not believed. It gives up a manifest only
// through Verify.
type Unverified struct {
	module    []byte
	payload   []byte
	keyID     string
	signature []byte
	digest    string // hex SHA-256 of module
	file      string // hex SHA-256 of the whole file
}

// envelope is a DSSE envelope.
// Source: secure-systems-lab/dsse, envelope.md.
type envelope struct {
	Payload     string      `json:"payload"`
	PayloadType string      `json:"payloadType"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// Read takes a servlet file apart: checks the frame of its Wasm sections and finds the one envelope,
// which must be the last section, in canonical encoding. It believes nothing yet. The result keeps
// file; it must not be changed afterwards. A module without an envelope is ErrUnsigned.
func Read(file []byte) (Unverified, error) {
	s, err := lastSection(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return Unverified{}, fmt.Errorf("reading servlet: %w", err)
	}
	u, err := parseEnvelope(file[s.from:s.end])
	if err != nil {
		return Unverified{}, fmt.Errorf("reading servlet: envelope: %w", err)
	}
	u.module = file[:s.start:s.start]
	hash := sha256.New() // one pass for both digests: modules have megabytes
	hash.Write(u.module)
	u.digest = hex.EncodeToString(hash.Sum(nil))
	hash.Write(file[s.start:])
	u.file = hex.EncodeToString(hash.Sum(nil))
	return u, nil
}

// parseEnvelope accepts the one encoding that encodeEnvelope writes. Anything looser would let a
// third party change a file, and so its digest, without breaking the signature.
func parseEnvelope(content []byte) (Unverified, error) {
	var e envelope
	if err := strictjson.Decode(content, &e); err != nil {
		return Unverified{}, err
	}
	if e.PayloadType != PayloadType {
		if strings.HasPrefix(e.PayloadType, "application/vnd.writ.manifest.v") {
			return Unverified{}, fmt.Errorf("%w (payload type %s)", ErrNewer, quoted(e.PayloadType, 80))
		}
		return Unverified{}, fmt.Errorf("payload type is %s, want %q", quoted(e.PayloadType, 80), PayloadType)
	}
	if len(e.Signatures) != 1 {
		return Unverified{}, fmt.Errorf("%d signatures: want exactly one", len(e.Signatures))
	}
	if !isDigest(e.Signatures[0].KeyID) {
		return Unverified{}, errors.New("key id is not a SHA-256 in lower-case hex")
	}
	payload, err := decodeBase64(e.Payload)
	if err != nil {
		return Unverified{}, fmt.Errorf("payload: %w", err)
	}
	sig, err := decodeBase64(e.Signatures[0].Sig)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return Unverified{}, fmt.Errorf("signature: want %d bytes in strict base64", ed25519.SignatureSize)
	}
	canonical, err := encodeEnvelope(payload, e.Signatures[0].KeyID, sig)
	if err != nil {
		return Unverified{}, err
	}
	if !bytes.Equal(canonical, content) {
		return Unverified{}, errors.New("not in canonical form: fields, order and spacing are fixed")
	}
	return Unverified{payload: payload, keyID: e.Signatures[0].KeyID, signature: sig}, nil
}

func encodeEnvelope(payload []byte, keyID string, sig []byte) ([]byte, error) {
	return strictjson.Encode(envelope{
		Payload:     base64.StdEncoding.EncodeToString(payload),
		PayloadType: PayloadType,
		Signatures:  []signature{{KeyID: keyID, Sig: base64.StdEncoding.EncodeToString(sig)}},
	})
}

// authenticated is what is signed: the pre-authentication encoding, which binds the payload's type and
// both lengths, so that no signature of another format can pass for one of a manifest.
// Source: secure-systems-lab/dsse, protocol.md, "PAE".
func authenticated(payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(PayloadType), PayloadType, len(payload), payload)
}
