package capabilities

import (
	"encoding/hex"
	"math/big"
	"slices"
)

// smallOrder has the y coordinates of the eight points of small order on edwards25519, little endian.
// With such a public key the challenge drops out of the verification equation, so that one crafted
// signature holds for every message, or for one in eight.
// Source: RFC 8032, section 5.1; the two long ones are the solutions of order 8.
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000", // order 4
	"0100000000000000000000000000000000000000000000000000000000000000", // order 1
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
}

// weakPoint says that pub has small order, or is a second spelling of a point (y not below the
// field's prime), which would give one key two ids.
func weakPoint(pub []byte) bool {
	y := slices.Clone(pub)
	y[31] &^= 0x80 // the sign of x
	if slices.Contains(smallOrder, hex.EncodeToString(y)) {
		return true
	}
	slices.Reverse(y)
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	return new(big.Int).SetBytes(y).Cmp(prime) >= 0
}
