package registry

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strings"
)

// The text of an access key is "writ_", its id, "_", 256 random bits and a checksum, in digits and
// letters alone. The prefix and the checksum let a scanner of source code tell a key that was leaked
// from other text without asking anyone; the id finds the record, so that no search depends on the
// secret part.
const (
	keyPrefix    = "writ_"
	keyDigits    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyIDSize    = 12 // 71 bits
	keyRandom    = 43 // the digits of 256 bits
	keyChecksum  = 6  // those of a CRC-32
	keyTextSize  = len(keyPrefix) + keyIDSize + 1 + keyRandom + keyChecksum
	keySecretAll = 32 // bytes
)

// newKeyID makes an id. It is no secret: it names the key in lists and in the audit.
func newKeyID() string {
	return randomDigits(9, keyIDSize)[:keyIDSize]
}

// newKeyText makes a key under an id.
func newKeyText(id string) string {
	body := keyPrefix + id + "_" + randomDigits(keySecretAll, keyRandom)
	return body + keyCRC(body)
}

// randomDigits writes random bytes as a number of at least size digits.
func randomDigits(bytes, size int) string {
	random := make([]byte, bytes)
	rand.Read(random)
	return digits(new(big.Int).SetBytes(random), size)
}

func digits(n *big.Int, size int) string {
	base, digit := big.NewInt(int64(len(keyDigits))), new(big.Int)
	var out []byte
	for n.Sign() > 0 || len(out) < size {
		n.DivMod(n, base, digit)
		out = append(out, keyDigits[digit.Int64()])
	}
	return string(out)
}

func keyCRC(body string) string {
	return digits(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(body)))), keyChecksum)
}

// keyID reads the id from the text of a key; false when it cannot be one.
func keyID(text string) (id string, ok bool) {
	if len(text) != keyTextSize || !strings.HasPrefix(text, keyPrefix) {
		return "", false
	}
	id, secret, ok := strings.Cut(text[len(keyPrefix):], "_")
	if !ok || len(id) != keyIDSize || !isDigits(id) || !isDigits(secret) {
		return "", false
	}
	body := text[:keyTextSize-keyChecksum]
	return id, text[len(body):] == keyCRC(body)
}

func isDigits(s string) bool {
	return strings.Trim(s, keyDigits) == ""
}

// hashKey is what is stored of a key. A fast hash is enough: there is no list of likely values to try,
// as there is of passwords, but 2^256 equal ones. The prefix keeps it apart from every other hash of Writ.
func hashKey(text string) string {
	sum := sha256.Sum256([]byte("writ access key v1\x00" + text))
	return hex.EncodeToString(sum[:])
}
