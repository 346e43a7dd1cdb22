package guard

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// The rules of a grant that turn a file request away, as records name them.
const (
	ruleNotGranted = "the directory was not granted"
	ruleReadOnly   = "the directory was granted for reading"
	ruleName       = "no name that all systems take for a file below the directory"
	ruleEscape     = "the path leaves the granted directory"
	ruleVolume     = "the path enters another volume"
	ruleSpecial    = "neither a file nor a directory"
	ruleHardLink   = "the file has another name, which may lie outside"
	ruleLink       = "a symbolic link may not be moved or created through"
	ruleQuota      = "a file quota of the call is used up"
)

// location is where a request points: a path below a granted directory. Text has been checked, links
// have not: only os.Root resolves them.
type location struct {
	*mount
	path filePath
	name string // of path, below the mount
}

// fileRequest is one file request on its way to a decision.
type fileRequest struct {
	guard  *Guard
	ctx    context.Context // of the request, for its records
	action string
	target string

	looked   bool // at the disk
	recorded bool
}

// ask starts a file request that has no context of its own.
func (g *Guard) ask(action string) *fileRequest {
	return &fileRequest{guard: g, ctx: g.life.context(), action: action}
}

// refuse records that rule turned the request away.
func (r *fileRequest) refuse(rule string, errno effect.Errno) effect.Errno {
	r.recorded = true
	r.guard.decide(r.ctx, capabilities.KindFS, r.action, r.target, rule)
	return errno
}

// allow records that the effect may happen; anything but Success means that it may not.
func (r *fileRequest) allow() effect.Errno {
	r.recorded = true
	return permission(r.guard.decide(r.ctx, capabilities.KindFS, r.action, r.target, ""))
}

// allowLook is allow for a request that tells a name's file and changes nothing.
func (r *fileRequest) allowLook() effect.Errno {
	r.recorded = true
	return permission(r.guard.decideLook(r.ctx, r.action, r.target))
}

// tell ends a request that may have failed on what lies on the disk before it came to a decision. Its
// errno tells the guest what a stat would have told it (whether there is such a name, and of what
// kind), so it is recorded as one, or not told.
func (r *fileRequest) tell(errno *effect.Errno) {
	if *errno == effect.Success || !r.looked || r.recorded {
		return
	}
	r.action = "stat"
	if refused := r.allowLook(); refused != effect.Success {
		*errno = refused
	}
}

func permission(err error) effect.Errno {
	switch err {
	case nil:
		return effect.Success
	case errUnrecorded:
		return effect.ErrIO
	case errTooMany:
		return effect.ErrDQuot
	}
	return effect.ErrAccess
}

// failed translates an error of os.Root, and records the ones that are attempts to get out.
func (r *fileRequest) failed(err error) effect.Errno {
	if escapes(err) {
		return r.refuse(ruleEscape, effect.ErrPerm)
	}
	return toErrno(err)
}

// locate finds where path points below the open directory number, without touching the disk.
func (r *fileRequest) locate(number effect.Handle, path string) (location, effect.Errno) {
	h, errno := r.guard.files.find(number)
	if errno != effect.Success {
		return location{}, errno
	}
	if h.kind != effect.TypeDirectory {
		return location{}, effect.ErrNotDir
	}
	r.target = h.mount.target(h.name) + "/" + path[:min(len(path), maxPath)]
	if !h.mount.granted() {
		return location{}, r.refuse(ruleNotGranted, effect.ErrAccess)
	}
	parsed, errno := parsePath(path)
	switch errno {
	case effect.Success:
	case effect.ErrPerm:
		return location{}, r.refuse(ruleEscape, errno)
	case effect.ErrInval:
		return location{}, r.refuse(ruleName, errno)
	default:
		return location{}, errno
	}
	at := location{mount: h.mount, path: parsed, name: parsed.below(h.name)}
	if len(at.name) > maxPath {
		return location{}, effect.ErrNameLong
	}
	r.target = at.target(at.name)
	return at, effect.Success
}

// locateToChange is locate for a request that changes the directory which holds the last name.
func (r *fileRequest) locateToChange(number effect.Handle, path string) (location, effect.Errno) {
	at, errno := r.locate(number, path)
	if errno != effect.Success {
		return location{}, errno
	}
	if !at.writable() {
		return location{}, r.refuse(ruleReadOnly, effect.ErrRoFS)
	}
	// The name "." would be the granted directory itself, and ".." whatever it is after links.
	if last := lastName(at.path.name); last == "." || last == ".." {
		return location{}, effect.ErrInval
	}
	return at, r.onVolume(at, parent(at.name))
}

// onVolume opens the directory name below the mount to see that it lies on the granted directory's
// volume: a mount inside a grant is not part of what the operator saw.
func (r *fileRequest) onVolume(at location, name string) effect.Errno {
	r.looked = true
	f, err := at.root.OpenFile(name, os.O_RDONLY|openFlags|directoryFlag, 0)
	if err != nil {
		return r.failed(err)
	}
	defer f.Close()
	return r.fileOnVolume(at, f)
}

func (r *fileRequest) fileOnVolume(at location, f *os.File) effect.Errno {
	v, err := volume(f)
	if err != nil {
		return toErrno(err)
	}
	if v != at.volume {
		return r.refuse(ruleVolume, effect.ErrXDev)
	}
	return effect.Success
}

// kindOf tells what a guest may see of a file. Everything but files, directories and links is unknown.
func kindOf(mode fs.FileMode) effect.FileType {
	switch {
	case mode.IsRegular():
		return effect.TypeRegular
	case mode.IsDir():
		return effect.TypeDirectory
	case mode&fs.ModeSymlink != 0:
		return effect.TypeSymlink
	}
	return effect.TypeUnknown
}

// named says whether a name of the disk can be used in a path.
func named(name string) bool {
	return checkName(name) == effect.Success && !strings.Contains(name, "/")
}
