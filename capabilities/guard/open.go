package guard

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// Open opens a file or directory below an open directory. The order of its steps is the defence:
// what the path leads to is looked at without opening it, so that a FIFO or a device is never
// touched; the decision is recorded; the open itself can neither wait, nor truncate, nor create
// through a link; and what was opened is looked at again, since the disk can have changed meanwhile.
func (g *Guard) Open(ctx context.Context, req effect.Open) (_ effect.Handle, errno effect.Errno) {
	r := &fileRequest{guard: g, ctx: ctx, action: openAction(req)}
	defer r.tell(&errno)
	at, errno := r.locate(req.Dir, req.Path)
	if errno != effect.Success {
		return 0, errno
	}
	if (req.Write || req.Create || req.Truncate) && !at.writable() {
		return 0, r.refuse(ruleReadOnly, effect.ErrRoFS)
	}
	if errno := checkOpen(req, at); errno != effect.Success {
		return 0, errno
	}
	if errno := g.files.reserve(); errno != effect.Success {
		return 0, errno
	}
	h, errno := r.open(at, req)
	if errno != effect.Success {
		g.files.release()
		return 0, errno
	}
	return g.files.add(h)
}

func openAction(req effect.Open) string {
	switch {
	case req.Create:
		return "create"
	case req.Write || req.Truncate:
		return "write"
	}
	return "open"
}

// checkOpen refuses combinations that contradict themselves.
func checkOpen(req effect.Open, at location) effect.Errno {
	directory := req.Directory || at.path.dir
	switch {
	case req.Truncate && !req.Write:
		return effect.ErrInval
	case req.Create && (directory || lastName(at.path.name) == "." || lastName(at.path.name) == ".."):
		return effect.ErrIsDir
	case directory && req.Write:
		return effect.ErrIsDir
	}
	return effect.Success
}

// open opens what at points to. A file that appears or vanishes between the look and the open is
// looked at again, a few times.
func (r *fileRequest) open(at location, req effect.Open) (*handle, effect.Errno) {
	if errno := r.onVolume(at, parent(at.name)); errno != effect.Success {
		return nil, errno
	}
	for range 4 {
		seen, err := at.look(req.Follow || at.path.dir)
		var h *handle
		var errno effect.Errno
		switch {
		case errors.Is(err, fs.ErrNotExist) && req.Create:
			h, errno = r.create(at, req)
			if errno == effect.ErrExist && !req.Exclusive {
				continue
			}
		case err != nil:
			return nil, r.failed(err)
		case req.Create && req.Exclusive:
			return nil, effect.ErrExist
		case seen.IsDir():
			h, errno = r.openDirectory(at, req)
		default:
			h, errno = r.openFile(at, req, seen)
			if errno == effect.ErrNoEnt && req.Create {
				continue
			}
		}
		return h, errno
	}
	return nil, effect.ErrIO
}

// look describes what the path leads to, inside the granted directory.
func (at location) look(follow bool) (os.FileInfo, error) {
	if follow {
		return at.root.Stat(at.name)
	}
	return at.root.Lstat(at.name)
}

func (r *fileRequest) openDirectory(at location, req effect.Open) (*handle, effect.Errno) {
	if req.Write {
		return nil, effect.ErrIsDir
	}
	if errno := r.onVolume(at, at.name); errno != effect.Success {
		return nil, errno
	}
	if errno := r.allow(); errno != effect.Success {
		return nil, errno
	}
	return &handle{mount: at.mount, name: at.name, kind: effect.TypeDirectory, read: true}, effect.Success
}

// openFile opens a file that exists.
func (r *fileRequest) openFile(at location, req effect.Open, seen os.FileInfo) (*handle, effect.Errno) {
	switch {
	case seen.Mode()&fs.ModeSymlink != 0:
		return nil, effect.ErrLoop
	case !seen.Mode().IsRegular():
		return nil, r.refuse(ruleSpecial, effect.ErrAccess)
	case req.Directory || at.path.dir:
		return nil, effect.ErrNotDir
	}
	if _, _, links, ok := identify(seen); ok && links > 1 && req.Write {
		return nil, r.refuse(ruleHardLink, effect.ErrPerm)
	}
	if errno := r.allow(); errno != effect.Success {
		return nil, errno
	}
	f, err := at.root.OpenFile(at.name, openFlags|access(req), 0)
	if err != nil {
		return nil, r.failed(err)
	}
	if errno := r.check(at, req, f, seen); errno != effect.Success {
		f.Close()
		return nil, errno
	}
	if req.Truncate { // only now, that it is known what would be emptied
		if err := f.Truncate(0); err != nil {
			f.Close()
			return nil, toErrno(err)
		}
	}
	return fileHandle(at, req, f), effect.Success
}

// create makes a new file. It never creates what a dangling link points to.
func (r *fileRequest) create(at location, req effect.Open) (*handle, effect.Errno) {
	if info, err := at.root.Lstat(at.name); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, r.refuse(ruleLink, effect.ErrPerm)
	}
	if !r.guard.spent.create() {
		return nil, r.refuse(ruleQuota, effect.ErrDQuot)
	}
	if errno := r.allow(); errno != effect.Success {
		return nil, errno
	}
	// Mode 0666 under the host's umask: no guest makes a program, and none chooses a mode.
	f, err := at.root.OpenFile(at.name, openFlags|access(req)|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, r.failed(err)
	}
	if errno := r.check(at, req, f, nil); errno != effect.Success {
		f.Close()
		return nil, errno
	}
	return fileHandle(at, req, f), effect.Success
}

// check looks at what was really opened. seen is what was there before the open, nil for a new file.
func (r *fileRequest) check(at location, req effect.Open, f *os.File, seen os.FileInfo) effect.Errno {
	info, err := f.Stat()
	switch {
	case err != nil:
		return toErrno(err)
	case !info.Mode().IsRegular():
		return r.refuse(ruleSpecial, effect.ErrAccess)
	case !req.Follow && seen != nil && !os.SameFile(info, seen):
		return effect.ErrLoop // another file took its place: perhaps a link was followed
	}
	if req.Write {
		links, err := linksOf(f)
		if err != nil {
			return toErrno(err)
		}
		if links > 1 {
			return r.refuse(ruleHardLink, effect.ErrPerm)
		}
	}
	return r.fileOnVolume(at, f)
}

// access chooses the flags: nothing that a guest says reaches the system but these three.
func access(req effect.Open) int {
	flags := os.O_RDONLY
	switch {
	case req.Write && req.Read:
		flags = os.O_RDWR
	case req.Write:
		flags = os.O_WRONLY
	}
	if req.Write && req.Append {
		flags |= os.O_APPEND
	}
	return flags
}

func fileHandle(at location, req effect.Open, f *os.File) *handle {
	return &handle{
		mount: at.mount, name: at.name, kind: effect.TypeRegular, file: f,
		read: req.Read, write: req.Write && at.mode == capabilities.ModeFull, append: req.Write && req.Append,
	}
}
