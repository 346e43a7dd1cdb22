package sandbox

import (
	"github.com/writ-run/writ/capabilities/effect"
)

// direntSize is the size of a directory entry without its name.
const direntSize = 24

// listAtOnce bounds the entries that one question to the Host asks for.
const listAtOnce = 256

func (r *run) fdPrestat(a args) effect.Errno {
	p := r.view(a.u32(1), 8)
	_, f := r.files.handle(a.u32(0))
	if f == nil || !f.preopen {
		return effect.ErrBadFD
	}
	clear(p)
	put32(p[4:], uint32(len(f.guest)))
	return effect.Success
}

func (r *run) fdPrestatName(a args) effect.Errno {
	p := r.view(a.u32(1), a.u32(2))
	_, f := r.files.handle(a.u32(0))
	switch {
	case f == nil || !f.preopen:
		return effect.ErrBadFD
	case len(p) < len(f.guest):
		return effect.ErrNameLong
	}
	copy(p, f.guest)
	return effect.Success
}

// fdReadDir fills the guest's buffer with entries from a cookie on. The last one is cut where the
// buffer ends; a buffer that is not full tells the guest that it has seen all.
func (r *run) fdReadDir(a args) effect.Errno {
	buf, used := r.view(a.u32(1), a.u32(2)), r.view(a.u32(4), 4)
	h, f := r.files.handle(a.u32(0))
	switch {
	case f == nil:
		return r.noFile(a.u32(0))
	case f.kind != effect.TypeDirectory:
		return effect.ErrNotDir
	}
	cookie, n := a.u64(3), 0
	for n < len(buf) {
		entries, errno := r.host.ReadDir(h, cookie, min((len(buf)-n)/direntSize+1, listAtOnce))
		if errno != effect.Success {
			return errno
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			n += putEntry(buf[n:], e)
			cookie = e.Next
		}
		if n < len(buf) {
			r.charge()
		}
	}
	put32(used, uint32(n))
	return effect.Success
}

// putEntry writes as much of an entry as there is room for.
func putEntry(p []byte, e effect.Entry) int {
	var head [direntSize]byte
	put64(head[0:], e.Next)
	put64(head[8:], e.Inode)
	put32(head[16:], uint32(len(e.Name)))
	head[20] = byte(e.Type)
	n := copy(p, head[:])
	return n + copy(p[n:], e.Name)
}
