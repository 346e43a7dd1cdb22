package image

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pageSize is the unit in which the kernel maps memory.
var pageSize = os.Getpagesize()

// kernel is what the system offers: the list of a process's pages.
type kernel struct {
	pagemap *os.File // nil: not used
}

func (k *kernel) close() error {
	if k.pagemap == nil {
		return nil
	}
	return k.pagemap.Close()
}

// probe tries the method before it relies on it: kernels before 6.7 have no PAGEMAP_SCAN, sandboxes
// such as gVisor no pagemap, and a process that may not be dumped must not read its own.
func (s *Space) probe(best Method) {
	s.method = best
	if best != Scan {
		s.why = "a better method is switched off"
		return
	}
	err := s.tryScan()
	if err == nil {
		return
	}
	s.method, s.why = Whole, "the kernel does not list the pages that a call changed: "+err.Error()
	if s.kernel.pagemap != nil {
		s.kernel.pagemap.Close()
		s.kernel.pagemap = nil
	}
	if _, err := s.rehearse(); err != nil {
		s.method, s.why = Portable, "images cannot be mapped: "+err.Error()
	}
}

func (s *Space) tryScan() (err error) {
	if s.kernel.pagemap, err = os.Open("/proc/self/pagemap"); err != nil {
		return err
	}
	scanned, err := s.rehearse()
	if err == nil && !scanned {
		err = errors.New("a changed page was not listed")
	}
	return err
}

// rehearse maps an image, changes a page of it and looks whether the page, and no other, is listed: not the
// one of its file that was read, and not the one beside it.
func (s *Space) rehearse() (listed bool, err error) {
	try := &Space{limit: 1 << 30, method: s.method, kernel: s.kernel, apart: pageSize}
	content := bytes.Repeat([]byte{1}, 8*pageSize)
	clear(content[3*pageSize : 4*pageSize])
	im, err := try.Seal(content)
	if err != nil {
		return false, err
	}
	defer im.Close()
	m, err := try.Map(im, 0, int64(8*pageSize))
	if err != nil {
		return false, err
	}
	defer m.Close()
	b := m.Bytes()
	if b[2*pageSize] != 1 || b[3*pageSize] != 0 {
		return false, errors.New("a mapped image differs")
	}
	b[5*pageSize] = 2
	if s.kernel.pagemap != nil {
		buf := new(regions)
		found, err := s.kernel.changed(b, buf)
		if err != nil {
			return false, err
		}
		listed = len(found) == 1 && found[0].start == address(b)+uint64(5*pageSize) && found[0].end == address(b)+uint64(6*pageSize)
	}
	if err := m.Restore(); err != nil {
		return false, err
	}
	if b[5*pageSize] != 1 {
		return false, errors.New("a changed page was not restored")
	}
	return listed, nil
}

func (s *Space) pages(im *Image, limit int64) (pages, error) {
	if s.method == Portable {
		return newHeap(im, limit), nil
	}
	return newMapping(s, im, limit)
}

// file is where an image's bytes are: a sealed file without a name, so that nothing that happens on
// a disk changes a running sandbox. The zero file is ordinary memory.
type file struct{ f *os.File }

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL

// fill copies mem into the image's file and reads it back. Pages of zeros stay holes.
func (im *Image) fill(mem []byte) error {
	if im.space.method == Portable || len(mem) == 0 {
		im.view = bytes.Clone(mem)
		return nil
	}
	f, err := memfd()
	if err != nil {
		return err
	}
	if err := im.write(f, mem); err != nil {
		return errors.Join(err, f.Close())
	}
	im.file = file{f}
	view, err := reserve(len(mem))
	if err == nil {
		err = im.lay(view, unix.PROT_READ)
	}
	if err != nil {
		im.file.close(view)
		return err
	}
	im.view = view
	return nil
}

// largeHoles are the runs of zero pages that are mapped apart from the image's file.
func (s *Space) largeHoles(holes []bool) (runs []span) {
	if s.method == Portable {
		return nil // an image is ordinary memory, zeros included
	}
	for from := 0; from < len(holes) && len(runs) < mostApart; {
		to := from
		for to < len(holes) && holes[to] {
			to++
		}
		if run := (span{from * pageSize, to * pageSize}); run.to-run.from >= s.apart {
			runs = append(runs, run)
		}
		from = to + 1
	}
	return runs
}

// reserve takes an address range of whole pages that nothing may touch yet.
func reserve(n int) ([]byte, error) {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	return p, os.NewSyscallError("mmap", err)
}

// lay maps the image privately at the beginning of a range. Its large holes are memory without a file: the
// file's would become pages of it as they are read, by however many guests, and be nobody's.
func (im *Image) lay(p []byte, access int) error {
	at, size := 0, len(im.holes)*pageSize
	for _, hole := range append(im.apart[:len(im.apart):len(im.apart)], span{size, size}) {
		if hole.from > at {
			_, err := unix.MmapPtr(int(im.file.f.Fd()), int64(at), unsafe.Pointer(&p[at]), uintptr(hole.from-at),
				access, unix.MAP_PRIVATE|unix.MAP_FIXED|unix.MAP_NORESERVE)
			if err != nil {
				return os.NewSyscallError("mmap", err)
			}
		}
		if hole.to > hole.from {
			zeros := p[hole.from:hole.to]
			if err := unix.Mprotect(zeros, access); err != nil {
				return os.NewSyscallError("mprotect", err)
			}
			// One written byte would become a page of two megabytes, to be cleared at each reset. A
			// kernel without such pages refuses.
			_ = unix.Madvise(zeros, unix.MADV_NOHUGEPAGE)
		}
		at = hole.to
	}
	return nil
}

// memfd asks for a file that cannot be executed, which kernels before 6.3 do not know.
func memfd() (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("writ-image", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate("writ-image", flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "writ-image"), nil
}

func (im *Image) write(f *os.File, mem []byte) error {
	if err := f.Truncate(int64(len(mem))); err != nil {
		return err
	}
	for from := 0; from < len(im.holes); {
		to := from + 1
		for to < len(im.holes) && im.holes[to] == im.holes[from] {
			to++
		}
		if !im.holes[from] {
			if _, err := f.WriteAt(mem[from*pageSize:to*pageSize], int64(from*pageSize)); err != nil {
				return err
			}
		}
		from = to
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	return verify(f, mem)
}

// verify reads a sealed file back. It reads and does not map: mapped holes would become pages.
func verify(f *os.File, mem []byte) error {
	buf := make([]byte, 64<<10)
	for at := 0; at < len(mem); at += len(buf) {
		p := buf[:min(len(buf), len(mem)-at)]
		if _, err := f.ReadAt(p, int64(at)); err != nil {
			return err
		}
		if !bytes.Equal(p, mem[at:at+len(p)]) {
			return fmt.Errorf("the file differs from what was written to it at byte %d", at)
		}
	}
	return nil
}

func (f file) close(view []byte) {
	if f.f == nil {
		return
	}
	// An error here would mean that the mapping was not ours; there is nobody to act on it.
	if view != nil {
		_ = unix.Munmap(view)
	}
	_ = f.f.Close()
}
