package vault

import (
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// The cost of a guess at a passphrase. Memory and lanes are the second choice of RFC 9106, section 4;
// passes are added until one guess takes argonLeast on the machine that chooses.
const (
	argonMemory = 64 << 10 // KiB
	argonLanes  = 4
	argonFirst  = 3
	argonMost   = 256 // passes that are read from a store
	argonLeast  = 250 * time.Millisecond
)

func stretch(phrase, salt []byte, passes uint32) Key {
	raw := argon2.IDKey(phrase, salt, passes, argonMemory, argonLanes, chacha20poly1305.KeySize)
	return Key{(*[chacha20poly1305.KeySize]byte)(raw)}
}

// stretchFor finds the number of passes that takes least.
func stretchFor(phrase, salt []byte, least time.Duration) (Key, uint32) {
	for passes := uint32(argonFirst); ; passes *= 2 {
		began := time.Now()
		k := stretch(phrase, salt, passes)
		if time.Since(began) >= least || passes*2 > argonMost {
			return k, passes
		}
	}
}
