package sandbox

import (
	"fmt"
	"math"

	"github.com/writ-run/writ/capabilities/effect"
)

func (r *run) fdClose(a args) effect.Errno {
	fd := a.u32(0)
	if r.files.stream(fd) {
		r.files.streams[fd].closed = true
		return effect.Success
	}
	h, f := r.files.handle(fd)
	if f == nil {
		return effect.ErrBadFD
	}
	// Forgotten first: whatever the Host answers, a closed descriptor is not used again.
	delete(r.files.open, h)
	if f.preopen {
		r.files.preopens--
	}
	return r.host.Close(h)
}

// maxPiece is how many bytes are moved between two looks at the call's time: a slow disk takes a while
// for each of them, and cannot be interrupted.
const maxPiece = 1 << 20

// transfer moves bytes between buffers and a file, at its position when offset is negative. Part of
// them is a success that says how many.
func (r *run) transfer(list [][]byte, offset int64, move func(p []byte, offset int64) (int, effect.Errno)) (uint32, effect.Errno) {
	total := 0
	for _, p := range list {
		for len(p) > 0 {
			piece := p[:min(len(p), maxPiece)]
			at := offset
			if at >= 0 {
				at += int64(total)
			}
			n, errno := move(piece, at)
			if n < 0 || n > len(piece) {
				panic(fmt.Sprintf("BUG: host moved %d of %d bytes", n, len(piece)))
			}
			total += n
			if errno != effect.Success && total == 0 {
				return 0, errno
			}
			if errno != effect.Success || n < len(piece) {
				return uint32(total), effect.Success
			}
			if r.ctx.Err() != nil {
				r.stopEnded()
			}
			p = p[n:]
		}
	}
	return uint32(total), effect.Success
}

func (r *run) fdRead(a args) effect.Errno {
	return r.readTo(a.u32(0), a.u32(1), a.u32(2), -1, a.u32(3))
}

func (r *run) fdPread(a args) effect.Errno {
	if a.u64(3) > math.MaxInt64>>1 {
		return effect.ErrInval
	}
	return r.readTo(a.u32(0), a.u32(1), a.u32(2), int64(a.u64(3)), a.u32(4))
}

// readTo reads from fd into count iovecs at list and writes the number of bytes to out.
func (r *run) readTo(fd, list, count uint32, offset int64, out uint32) effect.Errno {
	buffers, errno := r.buffers(list, count)
	size := r.view(out, 4)
	if errno != effect.Success {
		return errno
	}
	if r.files.stream(fd) {
		switch {
		case fd != standardIn:
			return effect.ErrBadFD
		case offset >= 0:
			return errSPipe
		}
		put32(size, 0) // standard input is at its end
		return effect.Success
	}
	h, f := r.files.handle(fd)
	if f == nil {
		return effect.ErrBadFD
	}
	n, errno := r.transfer(buffers, offset, func(p []byte, at int64) (int, effect.Errno) { return r.host.Read(h, p, at) })
	if errno == effect.Success {
		put32(size, n)
	}
	return errno
}

func (r *run) fdWrite(a args) effect.Errno {
	return r.writeFrom(a.u32(0), a.u32(1), a.u32(2), -1, a.u32(3))
}

func (r *run) fdPwrite(a args) effect.Errno {
	if a.u64(3) > math.MaxInt64>>1 {
		return effect.ErrInval
	}
	return r.writeFrom(a.u32(0), a.u32(1), a.u32(2), int64(a.u64(3)), a.u32(4))
}

// writeFrom writes count iovecs at list to fd and the number of bytes to out. Standard output and
// standard error become log lines.
func (r *run) writeFrom(fd, list, count uint32, offset int64, out uint32) effect.Errno {
	buffers, errno := r.buffers(list, count)
	size := r.view(out, 4)
	if errno != effect.Success {
		return errno
	}
	if r.files.stream(fd) {
		switch {
		case fd == standardIn:
			return effect.ErrBadFD
		case offset >= 0:
			return errSPipe
		}
		total := 0
		for _, p := range buffers {
			r.logs.write(int(fd)-standardOut, p)
			total += len(p)
		}
		put32(size, uint32(total))
		return effect.Success
	}
	h, f := r.files.handle(fd)
	if f == nil {
		return effect.ErrBadFD
	}
	n, errno := r.transfer(buffers, offset, func(p []byte, at int64) (int, effect.Errno) { return r.host.Write(h, p, at) })
	if errno == effect.Success && f.flags&(flagSync|flagDSync) != 0 {
		errno = r.host.Sync(h)
	}
	if errno == effect.Success {
		put32(size, n)
	}
	return errno
}

func (r *run) fdSeek(a args) effect.Errno {
	return r.seek(a.u32(0), int64(a.u64(1)), a.u32(2), a.u32(3))
}

func (r *run) fdTell(a args) effect.Errno { return r.seek(a.u32(0), 0, 1, a.u32(1)) }

func (r *run) seek(fd uint32, offset int64, whence, out uint32) effect.Errno {
	p := r.view(out, 8)
	if r.files.stream(fd) {
		return errSPipe
	}
	h, f := r.files.handle(fd)
	switch {
	case f == nil:
		return effect.ErrBadFD
	case whence > 2:
		return effect.ErrInval
	case f.kind == effect.TypeDirectory:
		return effect.ErrIsDir
	}
	at, errno := r.host.Seek(h, offset, int(whence))
	if errno == effect.Success {
		put64(p, uint64(at))
	}
	return errno
}

// fdSync is fd_sync and fd_datasync.
func (r *run) fdSync(a args) effect.Errno {
	h, f := r.files.handle(a.u32(0))
	if f == nil {
		return r.noFile(a.u32(0))
	}
	return r.host.Sync(h)
}

// noFile is the answer when fd is not a file: invalid for a stream, else not open.
func (r *run) noFile(fd uint32) effect.Errno {
	if r.files.stream(fd) {
		return effect.ErrInval
	}
	return effect.ErrBadFD
}

// fdAdvise is fd_advise: advice is taken and not acted on.
func (r *run) fdAdvise(a args) effect.Errno {
	_, f := r.files.handle(a.u32(0))
	switch {
	case f == nil:
		return r.noFile(a.u32(0))
	case a.u64(1) > math.MaxInt64 || a.u64(2) > math.MaxInt64 || a.u32(3) > 5:
		return effect.ErrInval
	}
	return effect.Success
}

// fdAllocate is fd_allocate, which few systems can do without writing.
func (r *run) fdAllocate(a args) effect.Errno {
	if _, f := r.files.handle(a.u32(0)); f == nil {
		return r.noFile(a.u32(0))
	}
	return effect.ErrNotSup
}

func (r *run) fdStat(a args) effect.Errno {
	p := r.view(a.u32(1), statSize)
	if r.files.stream(a.u32(0)) {
		putStat(p, effect.Stat{Type: typeCharacter, Links: 1})
		return effect.Success
	}
	h, f := r.files.handle(a.u32(0))
	if f == nil {
		return effect.ErrBadFD
	}
	st, errno := r.host.Stat(h)
	if errno == effect.Success {
		putStat(p, st)
	}
	return errno
}

func (r *run) fdSetSize(a args) effect.Errno {
	h, f := r.files.handle(a.u32(0))
	switch {
	case f == nil:
		return r.noFile(a.u32(0))
	case a.u64(1) > math.MaxInt64:
		return effect.ErrInval
	}
	return r.host.SetSize(h, int64(a.u64(1)))
}

func (r *run) fdSetTimes(a args) effect.Errno {
	h, f := r.files.handle(a.u32(0))
	if f == nil {
		return r.noFile(a.u32(0))
	}
	accessed, modified, errno := r.times(a.u64(1), a.u64(2), a.u32(3))
	if errno != effect.Success {
		return errno
	}
	return r.host.SetTimes(h, accessed, modified)
}

// fdStatusGet is fd_fdstat_get.
func (r *run) fdStatusGet(a args) effect.Errno {
	fd, p := a.u32(0), r.view(a.u32(1), 24)
	kind, flags, rights, inherit := effect.TypeUnknown, uint16(0), uint64(0), uint64(0)
	switch _, f := r.files.handle(fd); {
	case f != nil && f.preopen:
		kind, rights, inherit = f.kind, rightsFolder, rightsInherit
	case f != nil:
		kind, flags, rights, inherit = f.kind, f.flags, f.rights, rightsInherit
	case r.files.stream(fd):
		kind, rights = typeCharacter, rightsStream|rightWrite
		if fd == standardIn {
			rights = rightsStream | rightRead
		}
		if r.files.streams[fd].nonblock {
			flags = flagNonblock
		}
	default:
		return effect.ErrBadFD
	}
	clear(p)
	p[0] = byte(kind)
	p[2], p[3] = byte(flags), byte(flags>>8)
	put64(p[8:], rights)
	put64(p[16:], inherit)
	return effect.Success
}

// fdFlagsSet is fd_fdstat_set_flags. Appending is fixed when a file is opened.
func (r *run) fdFlagsSet(a args) effect.Errno {
	fd, flags := a.u32(0), a.u32(1)
	if flags&^allFlags != 0 {
		return effect.ErrInval
	}
	if r.files.stream(fd) {
		r.files.streams[fd].nonblock = flags&flagNonblock != 0
		return effect.Success
	}
	_, f := r.files.handle(fd)
	switch {
	case f == nil:
		return effect.ErrBadFD
	case (uint32(f.flags)^flags)&flagAppend != 0:
		return effect.ErrNotSup
	}
	f.flags = uint16(flags)
	return effect.Success
}

// fdRightsSet is fd_fdstat_set_rights: rights decide nothing here, so taking some away is not built.
func (r *run) fdRightsSet(a args) effect.Errno {
	if errno := r.files.known(a.u32(0)); errno != effect.Success {
		return errno
	}
	return effect.ErrNotSup
}
