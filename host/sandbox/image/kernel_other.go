//go:build !linux

package image

import "bytes"

// pageSize is the unit of an image's holes.
const pageSize = 4096

// kernel has no help to offer here.
type kernel struct{}

func (kernel) close() error { return nil }

// probe settles on the one method of this system.
func (s *Space) probe(Method) {
	s.method, s.why = Portable, "this system cannot list the pages that a call changed"
}

func (s *Space) pages(im *Image, limit int64) (pages, error) { return newHeap(im, limit), nil }

// largeHoles is none: an image and its memories are ordinary memory, zeros included.
func (s *Space) largeHoles([]bool) []span { return nil }

// file is where an image's bytes are: ordinary memory.
type file struct{}

func (im *Image) fill(mem []byte) error {
	im.view = bytes.Clone(mem)
	return nil
}

func (file) close([]byte) {}
