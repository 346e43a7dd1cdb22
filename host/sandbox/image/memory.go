package image

import "fmt"

// Refusal tells why a memory did not grow.
type Refusal int

// The reasons.
const (
	Granted Refusal = iota // it always did
	OverOwn                // above the memory's own limit
	OverAll                // above the limit of all memories together, or the system had no more
)

// pages is where a memory's bytes are.
type pages interface {
	// resize makes n bytes usable and returns them, or nil. What was not usable before is zero.
	resize(n int) []byte
	// restore makes the first bytes the image again, and those up to peak zero.
	restore(peak int) error
	// trim gives back to the system what a restored memory can do without.
	trim() error
	free()
}

// Memory is the linear memory of one instance. The runtime grows it through Reallocate; whoever made
// it closes it.
type Memory struct {
	space   *Space
	image   *Image // nil: it starts empty
	pages   pages
	start   int64 // size at the start of a call
	limit   int64
	room    int64 // most that limit can be set to
	size    int64 // now; counted
	beside  int64 // that the guest has elsewhere; counted
	peak    int64 // highest size since the start
	refused Refusal
}

// Map makes a memory that starts as im, or with start zero bytes when im is nil, and may get as large
// as limit, bytes.
func (s *Space) Map(im *Image, start, limit int64) (*Memory, error) {
	if im != nil {
		start = int64(im.Size())
	}
	if limit < start {
		return nil, fmt.Errorf("mapping memory: it starts with %d bytes, limit %d", start, limit)
	}
	if !s.take(start) {
		return nil, fmt.Errorf("mapping memory: %w", ErrFull)
	}
	p, err := s.pages(im, limit)
	if err == nil && p.resize(int(start)) == nil {
		p.free()
		err = ErrFull
	}
	if err != nil {
		s.give(start)
		return nil, fmt.Errorf("mapping memory: %w", err)
	}
	if im != nil {
		im.refs.Add(1)
	}
	return &Memory{space: s, image: im, pages: p, start: start, limit: limit, room: limit, size: start, peak: start}, nil
}

// Fits tells whether the memory can be used with a limit.
func (m *Memory) Fits(limit int64) bool { return m.start+m.beside <= limit && limit <= m.room }

// SetLimit sets the most that the memory may grow to, for one call. The limit must fit.
func (m *Memory) SetLimit(limit int64) { m.limit = limit }

// Size is the memory's size now, bytes.
func (m *Memory) Size() int64 { return m.size }

// Refused tells why the memory did not grow as it was asked to, since the last Restore.
func (m *Memory) Refused() Refusal { return m.refused }

// Reallocate grows the memory to size bytes and returns it, or nil, which a guest sees as a failed
// memory.grow. A runtime that makes an instance asks for the module's minimum first and gets what the
// memory starts with.
func (m *Memory) Reallocate(size uint64) []byte {
	if size > uint64(m.limit-m.beside) {
		m.refused = OverOwn
		return nil
	}
	n := max(int64(size), m.start)
	more := max(n-m.size, 0)
	if !m.space.take(more) {
		m.refused = OverAll
		return nil
	}
	b := m.pages.resize(int(n))
	if b == nil {
		m.space.give(more)
		m.refused = OverAll
		return nil
	}
	m.size = max(m.size, n)
	m.peak = max(m.peak, n)
	return b
}

// Beside counts n bytes that the guest takes elsewhere, until the memory is restored or closed, as bytes
// of the memory that can be no pages of it any more. It is false when a limit does not allow them.
func (m *Memory) Beside(n int64) bool {
	switch {
	case n > m.limit-m.beside-m.size:
		m.refused = OverOwn
	case !m.space.take(n):
		m.refused = OverAll
	default:
		m.beside += n
		return true
	}
	return false
}

// Free is told by the runtime that the instance was closed. The memory's owner closes it.
func (m *Memory) Free() {}

// Restore makes the memory what it started as. No instance may run in it. After an error it must not
// be used again.
func (m *Memory) Restore() error {
	if err := m.pages.restore(int(m.peak)); err != nil {
		return fmt.Errorf("restoring memory: %w", err)
	}
	if more := m.size - m.start + m.beside; more > 0 { // all processors share the count
		m.space.give(more)
	}
	m.size, m.peak, m.beside, m.refused = m.start, m.start, 0, Granted
	return nil
}

// Bytes is a restored memory, to be written before a call.
func (m *Memory) Bytes() []byte { return m.pages.resize(int(m.start)) }

// Grown tells whether the memory is larger than it started.
func (m *Memory) Grown() bool { return m.peak > m.start }

// Trim gives back what a restored memory keeps for speed. After an error it must not be used again.
func (m *Memory) Trim() error { return m.pages.trim() }

// Close frees the memory. Nothing may touch it afterwards, views of it included.
func (m *Memory) Close() {
	if m.pages == nil {
		return
	}
	m.pages.free()
	m.pages = nil
	m.space.give(m.size + m.beside)
	if m.image != nil {
		m.image.Close()
	}
}
