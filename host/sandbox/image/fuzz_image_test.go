package image_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/writ-run/writ/host/sandbox/image"
)

// What a step of FuzzImage does.
const (
	stepWrite = iota
	stepGrow
	stepRestore
	stepTrim
	stepAgain // an image of the memory as it is now, from which things go on
	stepKinds
)

// FuzzImage takes memories through writes, growth, restores and trims that its input names, two of the
// same image in turn, by every method that there is, and holds them to plain slices: a memory that was
// restored is its image byte for byte, what it grows by is zero, and neither sees what the other wrote.
func FuzzImage(f *testing.F) {
	step := func(kind byte, at, n uint16, v byte) []byte {
		return append(binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16([]byte{kind}, at), n), v)
	}
	seed := func(steps ...[]byte) { f.Add(byte(3), bytes.Join(steps, nil)) }
	seed(step(stepWrite, 7, 9000, 1), step(stepRestore, 0, 0, 0))
	seed(step(stepGrow, 3, 0, 0), step(stepWrite, 60_000, 60_000, 9), step(stepRestore, 0, 0, 0), step(stepGrow, 5, 0, 0), step(stepTrim, 0, 0, 0))
	seed(step(stepWrite, 1, 1, 1), step(stepAgain, 0, 0, 0), step(stepWrite, 1, 1, 2), step(stepRestore, 0, 0, 0))
	seed(step(stepGrow, 9, 0, 0), step(stepWrite, 0xffff, 0xffff, 3), step(stepAgain, 0, 0, 0), step(stepTrim, 0, 0, 0), step(stepGrow, 2, 0, 0))
	seed(step(stepWrite|0x80, 100, 100, 4), step(stepWrite, 100, 100, 5), step(stepRestore|0x80, 0, 0, 0), step(stepRestore, 0, 0, 0))

	var spaces []*image.Space
	best, _ := image.NewSpace(image.Config{Limit: 1 << 30}).Method()
	for m := best; m <= image.Portable; m++ {
		s := image.NewSpace(image.Config{Best: m, Limit: 1 << 30})
		f.Cleanup(func() { s.Close() })
		spaces = append(spaces, s)
	}
	f.Fuzz(func(t *testing.T, pages byte, steps []byte) {
		for _, s := range spaces {
			(&trip{t: t, space: s}).run(int(pages%8)+1, steps)
			if used := s.Used(); used != 0 {
				t.Fatalf("%d bytes are still counted", used)
			}
		}
	})
}

// trip is one run of FuzzImage by one method.
type trip struct {
	t     *testing.T
	space *image.Space
	im    *image.Image
	start []byte // what the image is
	both  [2]struct {
		memory *image.Memory
		want   []byte
	}
}

const tripLimit = 24 * wasmPage

func (p *trip) run(pages int, steps []byte) {
	first := make([]byte, pages*wasmPage)
	for at := 0; at < len(first); at += 5000 {
		first[at] = byte(at)
	}
	p.open(first)
	for ; len(steps) >= 6; steps = steps[6:] {
		at, n := binary.LittleEndian.Uint16(steps[1:]), binary.LittleEndian.Uint16(steps[3:])
		p.step(int(steps[0]&0x7f)%stepKinds, int(steps[0]>>7), int(at), int(n), steps[5])
		p.check()
	}
	p.close()
}

// open makes an image and both memories.
func (p *trip) open(content []byte) {
	p.start = bytes.Clone(content)
	var err error
	if p.im, err = p.space.Seal(content); err != nil {
		p.t.Fatal(err)
	}
	for i := range p.both {
		if p.both[i].memory, err = p.space.Map(p.im, 0, tripLimit); err != nil {
			p.t.Fatal(err)
		}
		p.both[i].want = bytes.Clone(content)
	}
}

func (p *trip) close() {
	for _, b := range p.both {
		b.memory.Close()
	}
	p.im.Close()
}

func (p *trip) step(kind, which, at, n int, v byte) {
	b := &p.both[which]
	restore := func() {
		if err := b.memory.Restore(); err != nil {
			p.t.Fatal(err)
		}
		b.want = bytes.Clone(p.start)
	}
	switch kind {
	case stepWrite:
		from := at * len(b.want) / 0x1_0000
		for i := from; i < min(from+n, len(b.want)); i++ {
			b.want[i] = v
			p.view(which)[i] = v
		}
	case stepGrow:
		size := len(b.want) + at%16*wasmPage
		got := b.memory.Reallocate(uint64(size))
		if (got != nil) != (size <= tripLimit) {
			p.t.Fatalf("growing to %d bytes: %v, limit %d", size, got != nil, tripLimit)
		}
		if got != nil {
			b.want = append(b.want, make([]byte, size-len(b.want))...)
		}
	case stepRestore:
		restore()
	case stepTrim:
		restore()
		if err := b.memory.Trim(); err != nil {
			p.t.Fatal(err)
		}
	case stepAgain:
		content := bytes.Clone(p.view(which))
		p.close()
		p.open(content)
	}
}

// view is a memory as its instance sees it.
func (p *trip) view(which int) []byte {
	return p.both[which].memory.Reallocate(uint64(len(p.both[which].want)))
}

func (p *trip) check() {
	for i, b := range p.both {
		if got := p.view(i); !bytes.Equal(got, b.want) || b.memory.Size() != int64(len(b.want)) {
			p.t.Fatalf("memory %d differs from what was written", i)
		}
	}
	if !bytes.Equal(p.im.Bytes(), p.start) {
		p.t.Fatal("the image changed")
	}
}
