package guard

import (
	"os"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
)

// Mkdir creates a directory, of mode 0777 under the host's umask.
func (g *Guard) Mkdir(dir effect.Handle, path string) (errno effect.Errno) {
	r := g.ask("mkdir")
	defer r.tell(&errno)
	at, errno := r.locateToChange(dir, path)
	if errno != effect.Success {
		return errno
	}
	if _, err := at.root.Lstat(at.name); err == nil {
		return effect.ErrExist
	}
	if !g.spent.create() {
		return r.refuse(ruleQuota, effect.ErrDQuot)
	}
	if errno := r.allow(); errno != effect.Success {
		return errno
	}
	if err := at.root.Mkdir(at.name, 0o777); err != nil {
		return r.failed(err)
	}
	return effect.Success
}

// Rmdir removes an empty directory.
func (g *Guard) Rmdir(dir effect.Handle, path string) effect.Errno {
	return g.remove("rmdir", dir, path, true)
}

// Unlink removes a file, or a link without what it points to.
func (g *Guard) Unlink(dir effect.Handle, path string) effect.Errno {
	return g.remove("unlink", dir, path, false)
}

func (g *Guard) remove(action string, dir effect.Handle, path string, directory bool) (errno effect.Errno) {
	r := g.ask(action)
	defer r.tell(&errno)
	at, errno := r.locateToChange(dir, path)
	if errno != effect.Success {
		return errno
	}
	info, err := at.root.Lstat(at.name)
	switch {
	case err != nil:
		return r.failed(err)
	case directory && !info.IsDir():
		return effect.ErrNotDir
	case !directory && info.IsDir():
		return effect.ErrIsDir
	case !directory && at.path.dir: // "link/" is no name of the link
		return effect.ErrNotDir
	}
	if errno := r.allow(); errno != effect.Success {
		return errno
	}
	if err := at.root.Remove(at.name); err != nil {
		return r.failed(err)
	}
	return effect.Success
}

// Rename moves a file or directory within one granted directory. Between two grants it answers
// ErrXDev, as between two volumes: programs then copy. A link stays where it is, because the same
// text points somewhere else from another folder, perhaps out.
func (g *Guard) Rename(from effect.Handle, oldPath string, to effect.Handle, newPath string) (errno effect.Errno) {
	r := g.ask("rename")
	defer r.tell(&errno)
	source, errno := r.locateToChange(from, oldPath)
	if errno != effect.Success {
		return errno
	}
	sourceTarget := r.target
	target, errno := r.locateToChange(to, newPath)
	if errno != effect.Success {
		return errno
	}
	if source.mount != target.mount {
		return effect.ErrXDev
	}
	r.target = sourceTarget + " -> " + r.target
	info, err := source.root.Lstat(source.name)
	if err != nil {
		return r.failed(err)
	}
	switch kind := kindOf(info.Mode()); {
	case kind == effect.TypeSymlink:
		return r.refuse(ruleLink, effect.ErrPerm)
	case kind == effect.TypeUnknown:
		return r.refuse(ruleSpecial, effect.ErrAccess)
	case kind == effect.TypeRegular && (source.path.dir || target.path.dir):
		return effect.ErrNotDir
	}
	if errno := r.allow(); errno != effect.Success {
		return errno
	}
	if err := source.root.Rename(source.name, target.name); err != nil {
		return r.failed(err)
	}
	return effect.Success
}

// SetSize cuts or grows an open file. Growth counts as if it had been written.
func (g *Guard) SetSize(number effect.Handle, size int64) effect.Errno {
	h, errno := g.regular(number)
	switch {
	case errno != effect.Success:
		return errno
	case !h.write:
		return effect.ErrBadFD
	case size < 0:
		return effect.ErrInval
	case size > maxFileSize:
		return effect.ErrFBig
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before, errno := h.sizeForWriting()
	if errno != effect.Success {
		return errno
	}
	r := g.ask("resize")
	r.target = h.mount.target(h.name)
	if size > before && !g.spent.write(size-before) {
		return r.refuse(ruleQuota, effect.ErrDQuot)
	}
	if errno := r.allow(); errno != effect.Success {
		return errno
	}
	return toErrno(h.file.Truncate(size))
}

// setTimes goes by the name, as no portable call takes an open file. The file of the name must still
// be the open one, and have no other name outside.
func (r *fileRequest) setTimes(h *handle, accessed, modified int64) effect.Errno {
	at := location{mount: h.mount, name: h.name}
	if errno := r.onVolume(at, parent(at.name)); errno != effect.Success {
		return errno
	}
	info, err := at.root.Stat(at.name)
	if err != nil {
		return r.failed(err)
	}
	if h.file != nil {
		opened, err := h.file.Stat()
		if err != nil {
			return toErrno(err)
		}
		if !os.SameFile(info, opened) {
			return effect.ErrNoEnt
		}
		links, err := linksOf(h.file)
		if err != nil {
			return toErrno(err)
		}
		if links > 1 {
			return r.refuse(ruleHardLink, effect.ErrPerm)
		}
	}
	if kindOf(info.Mode()) != h.kind {
		return effect.ErrNoEnt
	}
	if errno := r.allow(); errno != effect.Success {
		return errno
	}
	if err := at.root.Chtimes(at.name, timeOf(accessed), timeOf(modified)); err != nil {
		return r.failed(err)
	}
	return effect.Success
}

// timeOf returns the zero time, which leaves a time as it is, for a negative number.
func timeOf(nanoseconds int64) time.Time {
	if nanoseconds < 0 {
		return time.Time{}
	}
	return time.Unix(0, nanoseconds)
}
