package sandbox

import (
	"bytes"
	"context"
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

// looksLikeChaCha tells whether p can start with a Go generator, by its counts alone.
func looksLikeChaCha(p []byte) bool {
	if len(p) < chachaSize {
		return false
	}
	used, n, counter := binary.LittleEndian.Uint32(p[chachaCounts:]), binary.LittleEndian.Uint32(p[chachaCounts+4:]), binary.LittleEndian.Uint32(p[chachaCounts+8:])
	want := uint32(chachaOutputs)
	if counter == chachaLast {
		want = chachaShort
	}
	return n == want && used <= n && counter <= chachaLast && counter%4 == 0
}

// isChaCha tells whether what looks like a Go generator is one. It is no guess: the outputs have to be
// those that the seed makes, which nothing else has by chance.
func isChaCha(p []byte) bool {
	n, counter := binary.LittleEndian.Uint32(p[chachaCounts+4:]), binary.LittleEndian.Uint32(p[chachaCounts+8:])
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

// What a capture does by what a guest wrote: its memory can be all of words that look like the end of a
// generator, each of which takes half a microsecond to tell, or of generators, which take time in each
// call. Go's own runtime has a few.
const (
	maxSuspects  = 1_000   // places at which a generator is looked for
	compareChunk = 1 << 20 // bytes that are compared in one turn
)

// compare looks at two memories that were made with different randomness at different times. It
// returns the generators that differ, and how many other bytes do. A generator that a program seeded
// with a constant is the same in both, and stays as the program wants it. It computes in turn with the
// guests, until ctx ends.
func (e *Engine) compare(ctx context.Context, one, two []byte) (generators []int, frozen int, err error) {
	n := min(len(one), len(two))
	c := comparison{one: one[:n], two: two[:n], frozen: max(len(one), len(two)) - n}
	for from := 0; from < n; from += compareChunk {
		leave := e.Turn(ctx, "")
		if err = ctx.Err(); err == nil {
			c.chunk(from, min(from+compareChunk, n))
		}
		leave()
		if err != nil {
			return nil, 0, err
		}
	}
	return c.generators, c.frozen, nil
}

// comparison is how far a comparison of two memories of the same size has come.
type comparison struct {
	one, two   []byte
	generators []int
	frozen     int
	suspects   int
	end        int // of the last generator
}

// chunk compares a part, whose bounds are those of words.
func (c *comparison) chunk(from, to int) {
	const block = 4096
	for ; from < to; from += block {
		end := min(from+block, to)
		if bytes.Equal(c.one[from:end], c.two[from:end]) {
			continue
		}
		for at := from; at+8 <= end; at += 8 {
			if d := binary.LittleEndian.Uint64(c.one[at:]) ^ binary.LittleEndian.Uint64(c.two[at:]); d != 0 && at >= c.end {
				c.word(at, d)
			}
		}
	}
}

// word looks at the first differing word of what may be a generator: its first outputs may be equal by
// chance. d has the bits that differ.
func (c *comparison) word(at int, d uint64) {
	if looksLikeChaCha(c.one[at:]) && looksLikeChaCha(c.two[at:]) && c.suspects < maxSuspects {
		c.suspects++
		if isChaCha(c.one[at:]) && isChaCha(c.two[at:]) {
			c.generators = append(c.generators, at)
			c.end = at + chachaSize
			return
		}
	}
	for ; d != 0; d >>= 8 {
		if d&0xff != 0 {
			c.frozen++
		}
	}
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
