package image

import (
	"errors"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// keepResident bounds the changed pages that stay in memory after a reset, bytes. Copying the image
// over them is several times faster than dropping them and faulting them in again.
const keepResident = 4 << 20

// At every lookEvery-th reset the resident pages are compared with the image, and one that is found
// untouched for the idleLooks-th time in a row is dropped: a single call that wrote to much would otherwise
// make every later reset copy as much. To keep a page for so long takes about the time of one fault.
const (
	lookEvery = 8
	idleLooks = 4
)

// mapping is an address range as large as the memory may get, with the image mapped privately at its
// bottom: growing never moves it, and a view of one call is never another's.
type mapping struct {
	kernel *kernel
	image  *Image // nil: none
	whole  []byte
	usable int
	resets int
	few    [64]region // of scans, most of which need no more
	idle   []uint8    // by page of the image: at how many looks in a row it was untouched
}

var _ pages = (*mapping)(nil)

func newMapping(s *Space, im *Image, limit int64) (*mapping, error) {
	room := (int(limit) + pageSize - 1) / pageSize * pageSize
	whole, err := reserve(max(room, pageSize))
	if err != nil {
		return nil, err
	}
	m := &mapping{kernel: &s.kernel, whole: whole}
	if im == nil || im.Size() == 0 {
		return m, nil
	}
	m.image, m.usable = im, im.Size()
	if err := im.lay(whole, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		m.free()
		return nil, err
	}
	return m, nil
}

func (m *mapping) size() int {
	if m.image == nil {
		return 0
	}
	return m.image.Size()
}

func (m *mapping) resize(n int) []byte {
	if to := (n + pageSize - 1) / pageSize * pageSize; to > m.usable {
		if unix.Mprotect(m.whole[m.usable:to], unix.PROT_READ|unix.PROT_WRITE) != nil {
			return nil
		}
		m.usable = to
	}
	return m.whole[:n:n]
}

func (m *mapping) restore(peak int) error {
	n := m.size()
	if peak > n {
		if err := m.drop(n, min((peak+pageSize-1)/pageSize*pageSize, len(m.whole))); err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	if m.kernel.pagemap == nil {
		m.image.mend(m.whole[:n])
		return nil
	}
	changed, err := m.kernel.list(m.whole[:n], m.few[:])
	if errors.Is(err, errMore) {
		buf := regionBuffers.Get().(*regions)
		defer regionBuffers.Put(buf)
		changed, err = m.kernel.changed(m.whole[:n], buf)
	}
	if err != nil { // there are still more
		return m.drop(0, n)
	}
	return m.undo(changed)
}

// undo makes changed pages the image again.
func (m *mapping) undo(changed []region) error {
	m.resets++
	look := m.resets%lookEvery == 0
	base, kept := address(m.whole), 0
	for _, r := range changed {
		from, to := int(r.start-base), int(r.end-base)
		kept += to - from
		var err error
		switch {
		case kept > keepResident:
			err = m.drop(from, to)
		case look:
			err = m.copyOrDrop(from, to)
		default:
			m.copyBack(from, to)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copyOrDrop is copyBack for pages that differ from the image, and drops those that did not for long.
func (m *mapping) copyOrDrop(from, to int) error {
	if m.idle == nil {
		m.idle = make([]uint8, len(m.image.holes))
	}
	idle := from // where the pages begin that are dropped next
	for at := from; at < to; at += pageSize {
		looks := m.look(at)
		if looks == idleLooks {
			continue
		}
		if err := m.drop(idle, at); err != nil {
			return err
		}
		idle = at + pageSize
		if looks == 0 {
			m.copyBack(at, idle)
		}
	}
	return m.drop(idle, to)
}

// look tells at how many looks in a row a page was untouched, this one included.
func (m *mapping) look(at int) uint8 {
	i := at / pageSize
	if m.image.same(m.whole[at:at+pageSize], at) {
		m.idle[i]++
	} else {
		m.idle[i] = 0
	}
	return m.idle[i]
}

// copyBack copies the image over whole pages. Holes are cleared and not read: to read a hole of a
// mapped file makes it a page.
func (m *mapping) copyBack(from, to int) {
	for at := from; at < to; {
		hole, end := m.image.holes[at/pageSize], at+pageSize
		for end < to && m.image.holes[end/pageSize] == hole {
			end += pageSize
		}
		if hole {
			clear(m.whole[at:end])
		} else {
			copy(m.whole[at:end], m.image.view[at:end])
		}
		at = end
	}
}

// drop gives private pages back: the image shows again, or zeros above it.
func (m *mapping) drop(from, to int) error {
	if from == to {
		return nil
	}
	// What is written there later is another page, and nothing is known of it.
	if first := from / pageSize; first < len(m.idle) {
		clear(m.idle[first:min(to/pageSize, len(m.idle))])
	}
	return os.NewSyscallError("madvise", unix.Madvise(m.whole[from:to], unix.MADV_DONTNEED))
}

func (m *mapping) trim() error {
	if m.image == nil {
		return nil
	}
	// Of the image's own view, the pages that resets read count as this process's too.
	if err := unix.Madvise(m.image.view, unix.MADV_DONTNEED); err != nil {
		return os.NewSyscallError("madvise", err)
	}
	return m.drop(0, m.image.Size())
}

func (m *mapping) free() {
	// An error would mean that the range was not ours; there is nobody to act on it.
	_ = unix.Munmap(m.whole)
	m.whole = nil
}

// region is one range of pages as the kernel lists it (struct page_region of linux/fs.h).
type region struct {
	start, end uint64
	_          uint64 // categories, of which only one kind was asked for
}

// regions is enough for the pages that an ordinary call changes. Above it they are dropped. The kernel
// makes a list of its own of as many, in each scan: above 8 KiB it takes that from the page allocator.
type regions [340]region

var regionBuffers = sync.Pool{New: func() any { return new(regions) }}

func address(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) }
