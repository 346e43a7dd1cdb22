package sandbox

import (
	"fmt"

	"github.com/writ-run/writ/capabilities/effect"
)

// Flags of path functions.
const (
	lookupFollow = 1 << 0

	openCreate    = 1 << 0
	openDirectory = 1 << 1
	openExclusive = 1 << 2
	openTruncate  = 1 << 3
	allOpen       = openCreate | openDirectory | openExclusive | openTruncate
)

// at reads a directory descriptor and a path below it.
func (r *run) at(fd, ptr, n uint32) (effect.Handle, string, effect.Errno) {
	path, errno := r.path(ptr, n)
	h, f := r.files.handle(fd)
	switch {
	case f == nil && !r.files.stream(fd):
		return 0, "", effect.ErrBadFD
	case f == nil || f.kind != effect.TypeDirectory:
		return 0, "", effect.ErrNotDir
	}
	return h, path, errno
}

// pathOpen is path_open(fd, dirflags, path, path_len, oflags, rights_base, rights_inheriting,
// fdflags, opened_fd) -> errno. Of the rights only reading and writing mean something: Go's library
// asks for all others whatever it opens.
func (r *run) pathOpen(a args) effect.Errno {
	opened := r.view(a.u32(8), 4)
	dir, path, errno := r.at(a.u32(0), a.u32(2), a.u32(3))
	how, rights, flags := a.u32(4), a.u64(5), a.u32(7)
	switch {
	case errno != effect.Success:
		return errno
	case how&^allOpen != 0 || flags&^allFlags != 0 || a.u32(1)&^lookupFollow != 0:
		return effect.ErrInval
	case len(r.files.open)-r.files.preopens >= maxOpenFiles:
		return effect.ErrMFile
	}
	write := rights&rightWrite != 0
	h, errno := r.host.Open(&r.ctx, effect.Open{
		Dir: dir, Path: path,
		Read: rights&rightRead != 0 || !write, Write: write, Append: flags&flagAppend != 0,
		Create: how&openCreate != 0, Exclusive: how&openExclusive != 0,
		Truncate: how&openTruncate != 0, Directory: how&openDirectory != 0,
		Follow: a.u32(1)&lookupFollow != 0,
	})
	if errno != effect.Success {
		return errno
	}
	if h < effect.FirstHandle || r.files.open[h] != nil {
		panic(fmt.Sprintf("BUG: host opened a file as handle %d, which is taken", h))
	}
	f := &file{flags: uint16(flags)}
	r.files.add(h, f)
	if st, errno := r.host.Stat(h); errno == effect.Success {
		f.kind = st.Type
	}
	if f.kind == effect.TypeDirectory {
		f.rights = rightsFolder
	} else {
		f.rights = rightsFile & (rights | ^uint64(rightRead|rightWrite))
	}
	put32(opened, uint32(h))
	return effect.Success
}

func (r *run) pathStat(a args) effect.Errno {
	p := r.view(a.u32(4), statSize)
	dir, path, errno := r.at(a.u32(0), a.u32(2), a.u32(3))
	switch {
	case errno != effect.Success:
		return errno
	case a.u32(1)&^lookupFollow != 0:
		return effect.ErrInval
	}
	st, errno := r.host.StatAt(dir, path, a.u32(1)&lookupFollow != 0)
	if errno == effect.Success {
		putStat(p, st)
	}
	return errno
}

// pathSetTimes opens the file for the time of the change: times are set on handles only, so that
// what was checked is what is changed.
func (r *run) pathSetTimes(a args) effect.Errno {
	dir, path, errno := r.at(a.u32(0), a.u32(2), a.u32(3))
	if errno != effect.Success {
		return errno
	}
	accessed, modified, errno := r.times(a.u64(4), a.u64(5), a.u32(6))
	switch {
	case errno != effect.Success:
		return errno
	case a.u32(1)&^lookupFollow != 0:
		return effect.ErrInval
	}
	h, errno := r.host.Open(&r.ctx, effect.Open{Dir: dir, Path: path, Read: true, Follow: a.u32(1)&lookupFollow != 0})
	if errno != effect.Success {
		return errno
	}
	errno = r.host.SetTimes(h, accessed, modified)
	if closing := r.host.Close(h); errno == effect.Success {
		errno = closing
	}
	return errno
}

func (r *run) pathMkdir(a args) effect.Errno {
	dir, path, errno := r.at(a.u32(0), a.u32(1), a.u32(2))
	if errno != effect.Success {
		return errno
	}
	return r.host.Mkdir(dir, path)
}

func (r *run) pathRmdir(a args) effect.Errno {
	dir, path, errno := r.at(a.u32(0), a.u32(1), a.u32(2))
	if errno != effect.Success {
		return errno
	}
	return r.host.Rmdir(dir, path)
}

func (r *run) pathUnlink(a args) effect.Errno {
	dir, path, errno := r.at(a.u32(0), a.u32(1), a.u32(2))
	if errno != effect.Success {
		return errno
	}
	return r.host.Unlink(dir, path)
}

func (r *run) pathRename(a args) effect.Errno {
	from, oldPath, errno := r.at(a.u32(0), a.u32(1), a.u32(2))
	to, newPath, errno2 := r.at(a.u32(3), a.u32(4), a.u32(5))
	switch {
	case errno != effect.Success:
		return errno
	case errno2 != effect.Success:
		return errno2
	}
	return r.host.Rename(from, oldPath, to, newPath)
}

// pathReadlink is path_readlink(fd, path, path_len, buf, buf_len, used) -> errno. A target that is
// longer than the buffer is cut.
func (r *run) pathReadlink(a args) effect.Errno {
	buf, used := r.view(a.u32(3), a.u32(4)), r.view(a.u32(5), 4)
	dir, path, errno := r.at(a.u32(0), a.u32(1), a.u32(2))
	if errno != effect.Success {
		return errno
	}
	target, errno := r.host.ReadLink(dir, path)
	if errno == effect.Success {
		put32(used, uint32(copy(buf, target)))
	}
	return errno
}

// pathLink is path_link. Links are not made: a hard link takes a file out of its directory's grant,
// a symbolic one leads the next reader out of it.
func (r *run) pathLink(a args) effect.Errno {
	r.view(a.u32(2), a.u32(3))
	r.view(a.u32(5), a.u32(6))
	return effect.ErrPerm
}

// pathSymlink is path_symlink.
func (r *run) pathSymlink(a args) effect.Errno {
	r.view(a.u32(0), a.u32(1))
	r.view(a.u32(3), a.u32(4))
	return effect.ErrPerm
}
