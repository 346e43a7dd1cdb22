// Package image keeps what a guest's memory was after its initialisation, and makes memories that
// start as it and become it again. It knows nothing of WebAssembly.
//
// Three methods do that, the best that the system offers is taken:
//
//   - Scan (Linux 6.7 and later): a memory is a private mapping of a sealed file. The kernel lists the
//     pages that were written, and the image is copied back over exactly those.
//   - Whole (older Linux): the same mapping; the whole image is copied back.
//   - Portable (everywhere): a memory is an ordinary slice; the whole image is copied back.
package image

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
)

// Method is how a memory becomes its image again.
type Method int

// The methods, best first.
const (
	Scan Method = iota
	Whole
	Portable
)

func (m Method) String() string {
	return [...]string{"scan", "whole", "portable"}[m]
}

// ErrFull is returned when all images and memories together would be larger than Config.Limit.
var ErrFull = errors.New("the memory of all instances is used up")

// Config sets up a Space. The zero Config allows no memory.
type Config struct {
	// Best is the best method that is used, if the system has it; zero: Scan.
	Best Method
	// Limit bounds the bytes of all memories and images together.
	Limit int64
	// Reclaim is called when Limit is met, to close memories that wait unused; nil: nothing waits. It is
	// called on the goroutine that needs memory, without any lock held here.
	Reclaim func()
}

// Space makes images and memories and counts their bytes. Its methods may be called from several
// goroutines; those of one Memory may not.
type Space struct {
	limit   int64
	used    atomic.Int64
	reclaim func()
	method  Method
	why     string
	kernel  kernel
	apart   int // bytes from which a run of zero pages is in no file
}

// Each run that is in no file takes two mappings more in every memory of its image, of the 65,530 that
// Linux lets a process have. As a memory is counted in full, runs of a share of the limit bound those of
// all memories together, and mostApart those of an image by itself.
const (
	leastApart = 512 << 10 // bytes, when the limit is small
	shareApart = 1 << 13   // of the limit
	mostApart  = 16        // runs of one image
)

// NewSpace finds the best method that works here, by trying it.
func NewSpace(cfg Config) *Space {
	s := &Space{limit: cfg.Limit, reclaim: cfg.Reclaim, method: cfg.Best, apart: max(leastApart, int(cfg.Limit/shareApart))}
	s.probe(cfg.Best)
	return s
}

// Method returns the method in use and, when it is not Scan, why a better one is not.
func (s *Space) Method() (Method, string) { return s.method, s.why }

// Limit returns Config.Limit.
func (s *Space) Limit() int64 { return s.limit }

// Used returns the bytes that are counted against the limit.
func (s *Space) Used() int64 { return s.used.Load() }

// Close frees what the Space itself holds. All images and memories must be closed.
func (s *Space) Close() error { return s.kernel.close() }

// take counts n more bytes.
func (s *Space) take(n int64) bool {
	if s.tryTake(n) {
		return true
	}
	if s.reclaim == nil {
		return false
	}
	s.reclaim()
	return s.tryTake(n)
}

func (s *Space) tryTake(n int64) bool {
	for {
		used := s.used.Load()
		if n > s.limit-used {
			return false
		}
		if s.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (s *Space) give(n int64) { s.used.Add(-n) }

// Image is the content of a memory at one moment. It never changes.
type Image struct {
	space *Space
	view  []byte // read only; shared by all memories
	holes []bool // by page: all zero
	apart []span // large runs of holes; no file has them
	bytes int64  // counted: all but what is apart
	refs  atomic.Int64
	file  file
}

// span is the bytes from, and up to, a page.
type span struct{ from, to int }

// Seal copies mem, whose size is a multiple of the system's page size, into a new image.
func (s *Space) Seal(mem []byte) (*Image, error) {
	if len(mem)%pageSize != 0 {
		return nil, fmt.Errorf("sealing image: %d bytes are not whole pages", len(mem))
	}
	im := &Image{space: s, holes: make([]bool, len(mem)/pageSize)}
	for i := range im.holes {
		im.holes[i] = isZero(mem[i*pageSize : (i+1)*pageSize])
	}
	// The other holes count as well: a guest that reads one makes it a page of the file, which stays as
	// long as the image.
	im.apart, im.bytes = s.largeHoles(im.holes), int64(len(mem))
	for _, hole := range im.apart {
		im.bytes -= int64(hole.to - hole.from)
	}
	if !s.take(im.bytes) {
		return nil, fmt.Errorf("sealing image: %w", ErrFull)
	}
	im.refs.Store(1)
	if err := im.fill(mem); err != nil {
		s.give(im.bytes)
		return nil, fmt.Errorf("sealing image: %w", err)
	}
	return im, nil
}

// Size is the size of a memory that starts as the image, bytes.
func (im *Image) Size() int { return len(im.view) }

// Bytes is the image's content. It must not be changed.
func (im *Image) Bytes() []byte { return im.view }

// Hold keeps the image for one more Close.
func (im *Image) Hold() { im.refs.Add(1) }

// Close lets go of the image. It is freed with the last memory that starts as it.
func (im *Image) Close() {
	if im.refs.Add(-1) == 0 {
		im.file.close(im.view)
		im.view = nil
		im.space.give(im.bytes)
	}
}

// zeros is a page of them, or more.
var zeros = make([]byte, max(pageSize, 4096))

// isZero looks at a page.
func isZero(p []byte) bool { return bytes.Equal(p, zeros[:len(p)]) }

// same tells whether page is what the image has at that byte. Holes are compared with zeros: to read a hole
// of a mapped file makes it a page.
func (im *Image) same(page []byte, at int) bool {
	if im.holes[at/pageSize] {
		return isZero(page)
	}
	return bytes.Equal(page, im.view[at:at+pageSize])
}

// mend makes p, a memory of the image's size, the image again. It looks at every page and writes the few
// that differ: to write them all takes longer, and makes every page of a mapping the memory's own.
func (im *Image) mend(p []byte) {
	for i, hole := range im.holes {
		at := i * pageSize
		page := p[at : at+pageSize]
		switch {
		case im.same(page, at):
		case hole:
			clear(page)
		default:
			copy(page, im.view[at:])
		}
	}
}
