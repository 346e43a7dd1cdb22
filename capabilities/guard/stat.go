package guard

import (
	"hash/maphash"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
)

// Stat describes an open file or directory. A directory without a grant is described as an empty one:
// language runtimes look at their preopens before any tool runs.
func (g *Guard) Stat(number effect.Handle) (effect.Stat, effect.Errno) {
	h, errno := g.files.find(number)
	if errno != effect.Success {
		return effect.Stat{}, errno
	}
	var info os.FileInfo
	var err error
	switch {
	case !h.mount.granted():
		return effect.Stat{Type: effect.TypeDirectory, Links: 1, Inode: g.inode(h.mount, ".", nil)}, effect.Success
	case h.file != nil:
		info, err = h.file.Stat()
	default:
		info, err = h.mount.root.Stat(h.name)
	}
	if err != nil {
		return effect.Stat{}, toErrno(err)
	}
	return g.describe(h.mount, h.name, info), effect.Success
}

// StatAt describes what path leads to below an open directory. follow is for a link in its last name.
func (g *Guard) StatAt(dir effect.Handle, path string, follow bool) (_ effect.Stat, errno effect.Errno) {
	r := g.ask("stat")
	defer r.tell(&errno)
	at, errno := r.locate(dir, path)
	if errno == effect.Success {
		errno = r.onVolume(at, parent(at.name))
	}
	if errno != effect.Success {
		return effect.Stat{}, errno
	}
	if errno := r.allowLook(); errno != effect.Success {
		return effect.Stat{}, errno
	}
	info, err := at.look(follow || at.path.dir)
	switch {
	case err != nil:
		return effect.Stat{}, r.failed(err)
	case at.path.dir && !info.IsDir():
		return effect.Stat{}, effect.ErrNotDir
	}
	return g.describe(at.mount, at.name, info), effect.Success
}

// ReadLink returns where a link points, if that is inside the granted directory as far as text can
// tell. Where a link leads on the host is not the guest's to know.
func (g *Guard) ReadLink(dir effect.Handle, name string) (_ string, errno effect.Errno) {
	r := g.ask("readlink")
	defer r.tell(&errno)
	at, errno := r.locate(dir, name)
	if errno == effect.Success {
		errno = r.onVolume(at, parent(at.name))
	}
	if errno != effect.Success {
		return "", errno
	}
	if errno := r.allowLook(); errno != effect.Success {
		return "", errno
	}
	info, err := at.root.Lstat(at.name)
	if err != nil {
		return "", r.failed(err)
	}
	if info.Mode()&fs.ModeSymlink == 0 || at.path.dir {
		return "", effect.ErrInval
	}
	link, err := at.root.Readlink(at.name)
	if err != nil {
		return "", r.failed(err)
	}
	if inside := path.Join(parent(at.name), link); path.IsAbs(link) || inside == ".." || strings.HasPrefix(inside, "../") || strings.Contains(link, `\`) {
		return "", r.refuse(ruleEscape, effect.ErrPerm)
	}
	return link, effect.Success
}

// describe shows a guest what it may know of a file: not its owner, its mode or its real numbers.
func (g *Guard) describe(m *mount, name string, info os.FileInfo) effect.Stat {
	_, _, links, ok := identify(info)
	if !ok {
		links = 1
	}
	accessed, changed := fileTimes(info)
	return effect.Stat{
		Type:     kindOf(info.Mode()),
		Size:     info.Size(),
		Inode:    g.inode(m, name, info),
		Links:    links,
		Modified: info.ModTime().UnixNano(),
		Accessed: accessed,
		Changed:  changed,
	}
}

// inode numbers a file within the call: the same file has the same number under each of its names
// (on systems where a name tells the file), and no number means anything in another call.
func (g *Guard) inode(m *mount, name string, info os.FileInfo) uint64 {
	type file struct {
		device, inode uint64
		mount         string
		name          string
	}
	key := file{mount: m.guest, name: name}
	if info != nil {
		if device, inode, _, ok := identify(info); ok {
			key = file{device: device, inode: inode}
		}
	}
	return max(1, maphash.Comparable(g.inodes, key)) // 0 means "no such entry" to some libraries
}

// SetTimes sets times in nanoseconds since 1970; a negative one is left as it is.
func (g *Guard) SetTimes(number effect.Handle, accessed, modified int64) effect.Errno {
	h, errno := g.files.find(number)
	if errno != effect.Success {
		return errno
	}
	r := g.ask("touch")
	r.target = h.mount.target(h.name)
	switch {
	case !h.mount.granted():
		return r.refuse(ruleNotGranted, effect.ErrAccess)
	case !h.mount.writable():
		return r.refuse(ruleReadOnly, effect.ErrRoFS)
	}
	return r.setTimes(h, accessed, modified)
}
