package image

import "testing"

// A call that writes to much leaves its pages resident for the next one of its kind, and not for ever:
// every later reset would copy them all.
func TestPagesThatNobodyWritesAreDropped(t *testing.T) {
	s := NewSpace(Config{Limit: 1 << 30})
	defer s.Close()
	if method, why := s.Method(); method != Scan {
		t.Skip("the pages of a memory cannot be listed here: " + why)
	}
	const many = 256
	im, err := s.Seal(make([]byte, many*pageSize))
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	m, err := s.Map(im, 0, int64(im.Size()))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	resident := func() (n int) {
		changed, err := s.kernel.changed(m.Bytes(), new(regions))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range changed {
			n += int(r.end-r.start) / pageSize
		}
		return n
	}
	call := func(pages int) {
		for i := range pages {
			m.Bytes()[i*pageSize] = 1
		}
		if err := m.Restore(); err != nil {
			t.Fatal(err)
		}
	}
	call(many)
	if n := resident(); n != many {
		t.Fatalf("%d pages are resident after a call that wrote to %d", n, many)
	}
	const few = 3
	for range (idleLooks + 1) * lookEvery {
		call(few)
	}
	if n := resident(); n != few {
		t.Errorf("%d pages are resident; the last %d calls wrote to %d", n, (idleLooks+1)*lookEvery, few)
	}
}
