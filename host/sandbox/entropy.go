package sandbox

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	generator "math/rand/v2"
)

// Layout of a ChaCha8 generator of Go (internal/chacha8rand.State): 32 outputs, a seed of 32 bytes,
// then how many outputs are used, how many there are, and the block's counter. The runtime has two;
// math/rand, math/rand/v2 and the seeds of new maps come from them.
const (
	chachaOutputs = 32
	chachaSeed    = 8 * chachaOutputs
	chachaCounts  = chachaSeed + 32
	chachaSize    = chachaCounts + 12
	chachaLast    = 12 // counter of the block before a generator seeds itself anew
	chachaShort   = 28 // outputs of that block
)

// isChaCha tells whether p starts with a Go generator. It is no guess: the outputs have to be those
// that the seed makes, which nothing else has by chance.
func isChaCha(p []byte) bool {
	if len(p) < chachaSize {
		return false
	}
	used, n, counter := binary.LittleEndian.Uint32(p[chachaCounts:]), binary.LittleEndian.Uint32(p[chachaCounts+4:]), binary.LittleEndian.Uint32(p[chachaCounts+8:])
	want := uint32(chachaOutputs)
	if counter == chachaLast {
		want = chachaShort
	}
	if n != want || used > n || counter > chachaLast || counter%4 != 0 {
		return false
	}
	g := generator.NewChaCha8([32]byte(p[chachaSeed:chachaCounts]))
	for range counter / 4 * chachaOutputs {
		g.Uint64()
	}
	for i := range n {
		if binary.LittleEndian.Uint64(p[8*i:]) != g.Uint64() {
			return false
		}
	}
	return true
}

// compare looks at two memories that were made with different randomness at different times. It
// returns the generators that differ, and how many other bytes do. A generator that a program seeded
// with a constant is the same in both, and stays as the program wants it.
func compare(one, two []byte) (generators []int, frozen int) {
	frozen = max(len(one), len(two)) - min(len(one), len(two))
	end := 0 // of the last generator
	const block = 4096
	for from := 0; from < min(len(one), len(two)); from += block {
		to := min(from+block, len(one), len(two))
		if bytes.Equal(one[from:to], two[from:to]) {
			continue
		}
		for at := from; at < to; at++ {
			if one[at] == two[at] || at < end {
				continue
			}
			if start, ok := chachaAt(one, two, at); ok {
				generators = append(generators, start)
				end = start + chachaSize
				continue
			}
			frozen++
		}
	}
	return generators, frozen
}

// chachaAt finds a generator whose first differing byte is at: its first outputs may be equal by
// chance, but not eight bytes of them.
func chachaAt(one, two []byte, at int) (start int, ok bool) {
	start = at &^ 7
	return start, isChaCha(one[start:]) && isChaCha(two[start:])
}

// reseed puts fresh randomness into the generators of a restored memory. It comes from a generator of
// their own kind with a fresh seed, as the runtime in the guest seeds them: that is as hard to foresee as
// they are themselves, and takes half of what it takes to ask the kernel for it.
func (s *snapshot) reseed(memory []byte) {
	if len(s.generators) == 0 {
		return
	}
	var seed [32]byte
	rand.Read(seed[:])
	fresh := generator.NewChaCha8(seed)
	for _, at := range s.generators {
		fresh.Read(memory[at : at+chachaCounts])
	}
}

// Entropy tells, in one line fit for a terminal, what of the randomness and the clocks that init read is
// in the image, and how it is kept from being the same in every call.
func (c *Code) Entropy() string {
	shot := c.captures.current.Load()
	if shot == nil {
		return "nothing is captured"
	}
	var text string
	switch {
	case c.reseeds:
		text = "the servlet is given a fresh seed before each call"
	case len(shot.generators) > 0:
		text = fmt.Sprintf("%d generators get fresh seeds before each call", len(shot.generators))
	case shot.frozen == 0:
		return "the image holds no randomness"
	}
	if shot.frozen == 0 {
		return text
	}
	if text != "" {
		text += "; "
	}
	return text + fmt.Sprintf("%d bytes stay as they were captured, until the image is taken again (every %d calls or %v)", shot.frozen, retakeCalls, retakeAfter)
}
