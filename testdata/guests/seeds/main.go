//go:build wasip1

// Command seeds draws from every source of randomness that a program may have seeded before it is
// captured, and tells what it got.
package main

import (
	"bytes"
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"hash/maphash"
	"math/rand"
	randv2 "math/rand/v2"
	"time"

	"github.com/writ-run/writ/testdata/guests/abi"
)

func main() {}

var (
	filled  = fill()                                                               // a map made in init
	pool    = draw(256)                                                            // as a pool of UUIDs keeps it
	own     = randv2.New(randv2.NewChaCha8([32]byte(draw(32))))                    // seeded by the program, by chance
	fixed   = randv2.New(randv2.NewChaCha8([32]byte(bytes.Repeat([]byte{7}, 32)))) // and on purpose the same
	started = time.Now()
)

func fill() map[int]int {
	m := map[int]int{}
	for i := range 2000 {
		m[i] = i * i
	}
	return m
}

func draw(n int) []byte {
	p := make([]byte, n)
	crand.Read(p)
	return p
}

//go:wasmexport servlet_warm
func warm() int32 {
	if _, err := answer(); err != nil {
		return 1
	}
	return 0
}

//go:wasmexport servlet_call
func call() int32 {
	out, err := answer()
	if err != nil {
		abi.Error(err.Error())
		return 1
	}
	abi.Output(out)
	return 0
}

// answer has numbers as hexadecimal text: JSON's would lose their last bits.
func answer() ([]byte, error) {
	sum := 0
	for k, v := range filled {
		if k*k == v {
			sum++
		}
	}
	fresh := map[string]uint64{
		"math/rand":    rand.Uint64(),
		"math/rand/v2": randv2.Uint64(),
		"own":          own.Uint64(),
		"maphash":      maphash.String(maphash.MakeSeed(), "x"),
	}
	text := map[string]string{"crypto/rand": hex.EncodeToString(draw(8))}
	for k, v := range fresh {
		text[k] = hex.EncodeToString([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40), byte(v >> 48), byte(v >> 56)})
	}
	first := pool[:16]
	v := fixed.Uint64()
	return json.Marshal(map[string]any{
		"fresh": text, "pool": hex.EncodeToString(first), "fixed": v >> 12, "map": sum,
		"backwards": time.Since(started) < 0,
	})
}
