package capabilities

import (
	"crypto/ed25519"
	"crypto/sha256"
)

// builtInLabel is what the seed of the built-in key is the hash of.
const builtInLabel = "writ: servlets that are built into it"

// BuiltInKey is the key that signs the servlets which are built into Writ. Its private half is public,
// on purpose: a servlet file needs a signature, and this one can be made again by everybody who builds
// Writ from the same source, to the same bytes. So it proves nothing. What is trusted is the digest of
// a file, which the binary itself holds; a file of this key with any other digest is refused, by
// whoever it comes.
func BuiltInKey() ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(builtInLabel))
	return ed25519.NewKeyFromSeed(seed[:])
}

// builtInKeyID is computed once: it is compared at every start.
var builtInKeyID = KeyID(BuiltInKey().Public().(ed25519.PublicKey))

// IsBuiltInKey says that keyID is that of BuiltInKey. Alone it says nothing about where a file is from.
func IsBuiltInKey(keyID string) bool { return keyID == builtInKeyID }
