package image_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/writ-run/writ/host/sandbox/image"
)

// methods are those that can be had here: the best one and all that are worse.
func methods(t *testing.T) []image.Method {
	best, why := open(t, image.Scan).Method()
	t.Logf("best method: %v %s", best, why)
	var list []image.Method
	for m := best; m <= image.Portable; m++ {
		list = append(list, m)
	}
	return list
}

func open(t *testing.T, best image.Method) *image.Space {
	s := image.NewSpace(image.Config{Best: best, Limit: 1 << 30})
	t.Cleanup(func() {
		if used := s.Used(); used != 0 {
			t.Errorf("%d bytes are still counted", used)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const wasmPage = 64 << 10

// spotted is a memory with some bytes here and there, so that it has pages of zeros and others.
func spotted(pages int) []byte {
	mem := make([]byte, pages*wasmPage)
	for at := 0; at < len(mem); at += 1 + rand.IntN(30_000) {
		mem[at] = byte(rand.Uint32())
	}
	return mem
}

// hollow is spotted with a large run of zeros in the middle.
func hollow(pages int) []byte {
	mem := spotted(pages)
	clear(mem[pages/3*wasmPage : pages/3*2*wasmPage])
	return mem
}

func seal(t *testing.T, s *image.Space, mem []byte) *image.Image {
	t.Helper()
	im, err := s.Seal(mem)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(im.Close)
	return im
}

func mapping(t *testing.T, s *image.Space, im *image.Image, start, limit int64) *image.Memory {
	t.Helper()
	m, err := s.Map(im, start, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Whatever was written, wherever, and however far the memory grew: it becomes its image again, byte for
// byte, and what grows after that is zero.
func TestRestoreIsExact(t *testing.T) {
	for _, method := range methods(t) {
		t.Run(method.String(), func(t *testing.T) {
			s := open(t, method)
			mem := hollow(64)
			im := seal(t, s, mem)
			m := mapping(t, s, im, 0, 256*wasmPage)
			for round := range 1000 {
				size := len(mem)
				b := m.Reallocate(uint64(size))
				if round%3 == 0 {
					size += (1 + rand.IntN(190)) * wasmPage
					b = m.Reallocate(uint64(size))
					if grown := b[len(mem):]; len(bytes.Trim(grown, "\x00")) > 0 {
						t.Fatalf("round %d: grown memory is not zero", round)
					}
				}
				for range rand.IntN(400) {
					at := rand.IntN(size - 600)
					for k := range b[at : at+rand.IntN(600)] {
						b[at+k] ^= byte(k + 1)
					}
				}
				switch {
				case round%50 == 49: // more ranges than one scan lists
					for at := 0; at < len(mem); at += 2 * 4096 {
						b[at]++
					}
				case round%70 == 69: // more pages than are kept
					for at := range b {
						b[at] = 0xa5
					}
				}
				if err := m.Restore(); err != nil {
					t.Fatal(err)
				}
				if round%37 == 36 {
					if err := m.Trim(); err != nil {
						t.Fatal(err)
					}
				}
				if !bytes.Equal(m.Bytes(), mem) || !bytes.Equal(im.Bytes(), mem) {
					t.Fatalf("round %d: memory or image differs", round)
				}
			}
		})
	}
}

// The control of TestRestoreIsExact: without a restore, what was written is there.
func TestWithoutRestoreItDiffers(t *testing.T) {
	for _, method := range methods(t) {
		s := open(t, method)
		mem := spotted(4)
		m := mapping(t, s, seal(t, s, mem), 0, 8*wasmPage)
		m.Bytes()[5] ^= 1
		if bytes.Equal(m.Bytes(), mem) {
			t.Errorf("%v: a write was lost", method)
		}
	}
}

// Memories of one image share nothing but what it is.
func TestMemoriesAreApart(t *testing.T) {
	for _, method := range methods(t) {
		t.Run(method.String(), func(t *testing.T) {
			s := open(t, method)
			mem := spotted(16)
			im := seal(t, s, mem)
			var group sync.WaitGroup
			for i := range 4 {
				m := mapping(t, s, im, 0, 32*wasmPage)
				group.Go(func() {
					for range 200 {
						b := m.Reallocate(32 * wasmPage)
						for at := 0; at < len(b); at += 1000 {
							b[at] = byte(i + 1)
						}
						for at := 0; at < len(b); at += 1000 {
							if b[at] != byte(i+1) {
								t.Errorf("memory %d has byte %d of another", i, b[at])
								return
							}
						}
						if err := m.Restore(); err != nil || !bytes.Equal(m.Bytes(), mem) {
							t.Errorf("restore: %v", err)
							return
						}
					}
				})
			}
			group.Wait()
		})
	}
}

func TestLimits(t *testing.T) {
	for _, method := range methods(t) {
		t.Run(method.String(), func(t *testing.T) {
			s := open(t, method)
			im := seal(t, s, make([]byte, 2*wasmPage))
			m := mapping(t, s, im, 0, 4*wasmPage)
			if b := m.Reallocate(0); len(b) != 2*wasmPage {
				t.Errorf("starts with %d bytes", len(b))
			}
			if m.Reallocate(5*wasmPage) != nil || m.Refused() != image.OverOwn {
				t.Errorf("grew above its limit: %v", m.Refused())
			}
			if m.Reallocate(4*wasmPage) == nil || !m.Grown() || m.Size() != 4*wasmPage {
				t.Errorf("did not grow to its limit: %v", m.Refused())
			}
			if err := m.Restore(); err != nil || m.Grown() || m.Size() != 2*wasmPage || m.Refused() != image.Granted {
				t.Errorf("restored: %v, %d bytes, %v", err, m.Size(), m.Refused())
			}
			m.SetLimit(3 * wasmPage)
			if m.Reallocate(4*wasmPage) != nil || m.Reallocate(3*wasmPage) == nil {
				t.Error("the limit of this call does not hold")
			}
			if m.Fits(wasmPage) || m.Fits(5*wasmPage) || !m.Fits(4*wasmPage) {
				t.Error("fits what it cannot")
			}
			if _, err := s.Map(im, 0, wasmPage); err == nil {
				t.Error("a memory smaller than its image")
			}
			if _, err := s.Seal(make([]byte, 5)); err == nil {
				t.Error("an image of half a page")
			}
		})
	}
}

// All memories and images together stay below the limit, from however many goroutines they grow, and
// waiting memories are given up for those that run.
func TestTotalLimit(t *testing.T) {
	var waiting *image.Memory
	reclaimed := 0
	s := image.NewSpace(image.Config{Limit: 10 * wasmPage, Reclaim: func() {
		if reclaimed++; waiting != nil {
			waiting.Close()
			waiting = nil
		}
	}})
	defer s.Close()
	full := bytes.Repeat([]byte{1}, 2*wasmPage)
	im, err := s.Seal(full)
	if err != nil {
		t.Fatal(err)
	}
	if waiting, err = s.Map(im, 0, 8*wasmPage); err != nil {
		t.Fatal(err)
	}
	m, err := s.Map(im, 0, 100*wasmPage)
	if err != nil {
		t.Fatal(err)
	}
	if m.Reallocate(9*wasmPage) != nil || m.Refused() != image.OverAll {
		t.Error("grew above what all may have")
	}
	if waiting != nil || reclaimed != 1 {
		t.Errorf("waiting memory was not given up (%d)", reclaimed)
	}
	if m.Reallocate(8*wasmPage) == nil {
		t.Errorf("refused although there is room: %d used", s.Used())
	}
	if _, err := s.Map(im, 0, 8*wasmPage); !errors.Is(err, image.ErrFull) {
		t.Errorf("error %v", err)
	}
	m.Close()
	m.Close()
	im.Close()
	if s.Used() != 0 {
		t.Errorf("%d bytes are still counted", s.Used())
	}
	if _, err := image.NewSpace(image.Config{}).Map(nil, wasmPage, wasmPage); !errors.Is(err, image.ErrFull) {
		t.Errorf("the zero Config: %v", err)
	}
}

// An image lives as long as a memory needs it.
func TestImageOutlivesItsOwner(t *testing.T) {
	for _, method := range methods(t) {
		s := open(t, method)
		mem := spotted(4)
		im, err := s.Seal(mem)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Map(im, 0, 4*wasmPage)
		if err != nil {
			t.Fatal(err)
		}
		im.Close()
		clear(m.Bytes())
		if err := m.Restore(); err != nil || !bytes.Equal(m.Bytes(), mem) {
			t.Errorf("%v: restored after the image was closed: %v", method, err)
		}
		m.Close()
	}
}

func BenchmarkRestore(b *testing.B) {
	for _, method := range []image.Method{image.Scan, image.Whole, image.Portable} {
		b.Run(method.String(), func(b *testing.B) {
			s := image.NewSpace(image.Config{Best: method, Limit: 1 << 30})
			im, err := s.Seal(spotted(64))
			if err != nil {
				b.Fatal(err)
			}
			m, err := s.Map(im, 0, 64*wasmPage)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				p := m.Bytes()
				for i := range 25 {
					p[i*17*4096+5]++
				}
				if err := m.Restore(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
