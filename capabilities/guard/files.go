package guard

import (
	"io"
	"math"

	"github.com/writ-run/writ/capabilities/effect"
)

// Read fills p from the handle's position, or from offset when it is not negative. 0 bytes is the end.
func (g *Guard) Read(number effect.Handle, p []byte, offset int64) (int, effect.Errno) {
	h, errno := g.regular(number)
	if errno != effect.Success {
		return 0, errno
	}
	if !h.read {
		return 0, effect.ErrBadFD
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	at := offset
	if offset < 0 {
		at = h.position
	}
	if at > maxFileSize {
		return 0, effect.ErrFBig
	}
	n, err := h.file.ReadAt(p, at)
	if offset < 0 {
		h.position += int64(n)
	}
	if n > 0 || err == io.EOF {
		return n, effect.Success
	}
	return 0, toErrno(err)
}

// Write writes p at the handle's position, at offset when it is not negative, or at the end of a file
// that was opened to append. All bytes by which the call writes or grows files count against one
// quota: a hole costs as much as what it stands for.
func (g *Guard) Write(number effect.Handle, p []byte, offset int64) (int, effect.Errno) {
	h, errno := g.regular(number)
	if errno != effect.Success {
		return 0, errno
	}
	if !h.write {
		return 0, effect.ErrBadFD
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	size, errno := h.sizeForWriting()
	if errno != effect.Success || len(p) == 0 {
		return 0, errno
	}
	at := offset
	switch {
	case h.append:
		at = size
	case offset < 0:
		at = h.position
	}
	if at > maxFileSize-int64(len(p)) {
		return 0, effect.ErrFBig
	}
	end := at + int64(len(p))
	if !g.spent.write(max(int64(len(p)), end-size)) {
		return 0, effect.ErrDQuot
	}
	var n int
	var err error
	if h.append {
		n, err = h.file.Write(p)
	} else {
		n, err = h.file.WriteAt(p, at)
	}
	if offset < 0 {
		h.position = at + int64(n)
	}
	if n > 0 {
		return n, effect.Success
	}
	return 0, toErrno(err)
}

// Seek moves the handle's position. whence is 0 for the start, 1 for the position, 2 for the end.
func (g *Guard) Seek(number effect.Handle, offset int64, whence int) (int64, effect.Errno) {
	h, errno := g.files.find(number)
	if errno != effect.Success {
		return 0, errno
	}
	if h.kind == effect.TypeDirectory {
		if offset == 0 && whence == io.SeekStart { // how some libraries rewind a listing
			h.mu.Lock()
			defer h.mu.Unlock()
			h.begun = false
			return 0, effect.Success
		}
		return 0, effect.ErrIsDir
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var base int64
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		base = h.position
	case io.SeekEnd:
		info, err := h.file.Stat()
		if err != nil {
			return 0, toErrno(err)
		}
		base = info.Size()
	default:
		return 0, effect.ErrInval
	}
	if offset > 0 && base > math.MaxInt64-offset || base+offset < 0 {
		return 0, effect.ErrInval
	}
	h.position = base + offset
	return h.position, effect.Success
}

// Sync asks the system to put a written file on its disk. On anything else it does nothing.
func (g *Guard) Sync(number effect.Handle) effect.Errno {
	h, errno := g.files.find(number)
	if errno != effect.Success || h.file == nil || !h.write {
		return errno
	}
	return toErrno(h.file.Sync())
}

// regular finds the handle of a file.
func (g *Guard) regular(number effect.Handle) (*handle, effect.Errno) {
	h, errno := g.files.find(number)
	switch {
	case errno != effect.Success:
		return nil, errno
	case !h.mount.granted():
		return nil, effect.ErrAccess
	case h.kind == effect.TypeDirectory:
		return nil, effect.ErrIsDir
	}
	return h, effect.Success
}

// sizeForWriting returns the file's size, unless the file got another name since it was opened: then
// that name may lie outside, and so would the write.
func (h *handle) sizeForWriting() (int64, effect.Errno) {
	links, err := linksOf(h.file)
	if err != nil {
		return 0, toErrno(err)
	}
	if links > 1 {
		return 0, effect.ErrPerm
	}
	info, err := h.file.Stat()
	if err != nil {
		return 0, toErrno(err)
	}
	return info.Size(), effect.Success
}
