package image

import "bytes"

// heap is memory of the Go runtime.
type heap struct {
	image *Image // nil: none
	limit int
	b     []byte // its capacity beyond its length is zero
}

// keepGrown bounds what a restored heap keeps of what a call made it grow by.
const keepGrown = 1 << 20

func newHeap(im *Image, limit int64) *heap {
	h := &heap{limit: int(limit)}
	if im != nil {
		h.image = im
		h.b = bytes.Clone(im.view)
	}
	return h
}

func (h *heap) resize(n int) []byte {
	if n > cap(h.b) || h.b == nil {
		room := n
		if len(h.b) > 0 { // a memory that grows tends to grow on; half as much again saves copies
			room = max(n, min(n+n/2, h.limit))
		}
		b := make([]byte, n, room)
		copy(b, h.b)
		h.b = b
	}
	h.b = h.b[:max(n, len(h.b))]
	return h.b[:n:n]
}

func (h *heap) restore(peak int) error {
	if h.image == nil {
		h.b = nil
		return nil
	}
	n := h.image.Size()
	if cap(h.b)-n > keepGrown {
		h.b = bytes.Clone(h.image.view)
		return nil
	}
	h.image.mend(h.b[:n])
	clear(h.b[n:max(peak, n)])
	h.b = h.b[:n]
	return nil
}

// trim keeps everything: the image itself is all there is.
func (h *heap) trim() error { return nil }

func (h *heap) free() { h.b, h.image = nil, nil }
