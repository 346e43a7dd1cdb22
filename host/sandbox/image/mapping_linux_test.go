package image

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// written is a memory that knows which of its pages are resident of its own.
type written struct {
	*Memory
	t *testing.T
}

func newWritten(t *testing.T, content []byte) written {
	t.Helper()
	s := NewSpace(Config{Limit: 1 << 30})
	if method, why := s.Method(); method != Scan {
		s.Close()
		t.Skip("the pages of a memory cannot be listed here: " + why)
	}
	im, err := s.Seal(content)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Map(im, 0, int64(im.Size()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Close()
		im.Close()
		s.Close()
	})
	return written{m, t}
}

// resident counts the pages that are no longer the image's.
func (w written) resident() (n int) {
	w.t.Helper()
	changed, err := w.space.kernel.changed(w.Bytes(), new(regions))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range changed {
		n += int(r.end-r.start) / pageSize
	}
	return n
}

// call writes to pages [from, to) and restores them.
func (w written) call(from, to int) {
	w.t.Helper()
	for i := from; i < to; i++ {
		w.Bytes()[i*pageSize] = 1
	}
	if err := w.Restore(); err != nil {
		w.t.Fatal(err)
	}
}

// looks does so until the next look is over, n times.
func (w written) looks(n, from, to int) {
	w.t.Helper()
	for range n {
		w.call(from, to)
		for w.pages.(*mapping).resets%lookEvery != 0 {
			w.call(from, to)
		}
	}
}

// A call that writes to much leaves its pages resident for the next one of its kind, and not for ever:
// every later reset would copy them all.
func TestPagesThatNobodyWritesAreDropped(t *testing.T) {
	const many, few = 256, 3
	w := newWritten(t, make([]byte, many*pageSize))
	w.call(0, many)
	if n := w.resident(); n != many {
		t.Fatalf("%d pages are resident after a call that wrote to %d", n, many)
	}
	w.looks(idleLooks-1, 0, few)
	if n := w.resident(); n != many {
		t.Errorf("%d pages of %d are resident after %d looks", n, many, idleLooks-1)
	}
	w.looks(1, 0, few)
	if n := w.resident(); n != few {
		t.Errorf("%d pages are resident; the last %d calls wrote to %d", n, idleLooks*lookEvery, few)
	}
}

// A look counts once for each page, also for the one beside those that it drops.
func TestEachPageIsLookedAtOnce(t *testing.T) {
	w := newWritten(t, make([]byte, 4*pageSize))
	w.call(0, 2)
	w.looks(1, 1, 2) // page 1 is one look younger than page 0
	w.looks(idleLooks-2, 3, 4)
	for _, want := range []int{3, 2, 1} {
		if n := w.resident(); n != want {
			t.Errorf("%d pages are resident, want %d", n, want)
		}
		w.looks(1, 3, 4)
	}
}

// A page that was dropped is another one when it is written again: what looks found before counts no more.
func TestDroppedPagesAreForgotten(t *testing.T) {
	drops := map[string]func(w written) error{
		"trimmed":            func(w written) error { return w.Trim() },
		"above what is kept": func(w written) error { w.call(0, keepResident/pageSize+2); return nil },
		"in more runs than are listed": func(w written) error {
			for i := 0; i < 2*len(regions{})+2; i += 2 {
				w.Bytes()[i*pageSize] = 1
			}
			return w.Restore()
		},
	}
	for name, drop := range drops {
		t.Run(name, func(t *testing.T) {
			last := max(keepResident/pageSize, 2*len(regions{})) + 1
			w := newWritten(t, make([]byte, (last+1)*pageSize))
			w.call(last, last+1)
			w.looks(idleLooks-1, 0, 1)
			if err := drop(w); err != nil {
				t.Fatal(err)
			}
			if n := w.resident(); n > keepResident/pageSize {
				t.Fatalf("control: nothing was dropped: %d pages are resident", n)
			}
			w.call(last, last+1)
			w.looks(1, 0, 1)
			changed, err := w.space.kernel.changed(w.Bytes()[last*pageSize:], new(regions))
			if err != nil || len(changed) != 1 {
				t.Errorf("a page was dropped at the first look after it was written to: %v", err)
			}
		})
	}
}

// What guests only read is nobody's page: not the image's file's, where it would stay, and not to be
// restored.
func TestReadingZerosTakesNoMemory(t *testing.T) {
	const size = 64 << 20
	for _, best := range []Method{Scan, Whole} {
		t.Run(best.String(), func(t *testing.T) {
			s := NewSpace(Config{Best: best, Limit: 1 << 30})
			defer s.Close()
			if method, why := s.Method(); method != best {
				t.Skip("images are not restored in this way here: " + why)
			}
			content := make([]byte, size)
			for at := 0; at < size/8; at += 3 * pageSize { // small holes
				content[at] = 1
			}
			content[size/2] = 1
			im, err := s.Seal(content)
			if err != nil {
				t.Fatal(err)
			}
			defer im.Close()
			m, err := s.Map(im, 0, size)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(m.Bytes(), content) || !bytes.Equal(im.Bytes(), content) {
				t.Error("a memory or its image differs")
			}
			if best == Scan {
				changed, err := s.kernel.changed(m.Bytes(), new(regions))
				if err != nil || len(changed) > 0 {
					t.Errorf("%d runs of pages are changed that were only read: %v", len(changed), err)
				}
			}
			if err := m.Restore(); err != nil {
				t.Fatal(err)
			}
			m.Close()
			var file unix.Stat_t
			if err := unix.Fstat(int(im.file.f.Fd()), &file); err != nil {
				t.Fatal(err)
			}
			if has := file.Blocks * 512; has > s.Used() || has < size/8 {
				t.Errorf("the image's file has %d bytes, %d are counted", has, s.Used())
			}
			if s.Used() > size/7 {
				t.Errorf("%d bytes are counted for an eighth of %d", s.Used(), size)
			}
		})
	}
}

// However an image's zeros lie, its memories take few of the mappings that a process can have, and what
// is not mapped apart is counted.
func TestHolesTakeFewMappings(t *testing.T) {
	s := NewSpace(Config{Best: Whole, Limit: 1 << 30})
	defer s.Close()
	if method, why := s.Method(); method != Whole {
		t.Skip("images cannot be mapped here: " + why)
	}
	const holes = 3 * mostApart
	stride := leastApart + pageSize
	content := make([]byte, holes*stride)
	for i := range holes {
		content[i*stride] = 1
	}
	im, err := s.Seal(content)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	if want := int64(len(content) - mostApart*leastApart); len(im.apart) != mostApart || s.Used() != want {
		t.Errorf("%d holes are apart and %d bytes counted, want %d and %d", len(im.apart), s.Used(), mostApart, want)
	}
	large := NewSpace(Config{Best: Portable, Limit: 1 << 40})
	defer large.Close()
	if large.apart != 1<<27 {
		t.Errorf("with a limit of 1 TiB holes are apart from %d bytes on", large.apart)
	}
}
