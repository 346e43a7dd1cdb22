package sandbox

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
)

// Bounds of file calls.
const (
	maxOpenFiles = 64   // beside the preopened directories (sdk/ABI.md, "Limits")
	maxPath      = 4096 // bytes
	maxIovecs    = 1024 // as IOV_MAX: 10^6 iovecs over one region would write it 10^6 times
)

// errSPipe is WASI's errno for a seek on a stream; files never answer it.
const errSPipe effect.Errno = 70

// typeCharacter is the file type of standard streams: what libc takes for a terminal, whose lines it
// writes one by one.
const typeCharacter effect.FileType = 2

// Flags of an open file.
const (
	flagAppend   = 1 << 0
	flagDSync    = 1 << 1
	flagNonblock = 1 << 2
	flagRSync    = 1 << 3
	flagSync     = 1 << 4
	allFlags     = flagAppend | flagDSync | flagNonblock | flagRSync | flagSync
)

// Rights, as far as a guest reads them: libraries look for these before they call. They decide
// nothing here, the Host does.
const (
	rightRead     = 1 << 1
	rightWrite    = 1 << 6
	rightsStream  = 1<<3 | 1<<21 | 1<<27                           // set flags, stat, poll
	rightsFile    = 0x1ff | 1<<21 | 1<<22 | 1<<23 | 1<<27          // fd_*, their stat and times, poll
	rightsFolder  = 1<<3 | 1<<4 | 0x1ffe00 | 1<<21 | 1<<23 | 7<<24 // path_*, fd_readdir, sync
	rightsInherit = rightsFile | rightsFolder | rightRead | rightWrite
	standardIn    = 0
	standardOut   = 1
	standardErr   = 2
)

// file is what the call's table knows of an open handle; the Host knows the rest.
type file struct {
	kind    effect.FileType
	flags   uint16
	rights  uint64
	preopen bool
	guest   string // of a preopened directory
}

// files is the guest's view of its descriptors: standard streams, and the Host's handles.
type files struct {
	streams  [3]struct{ closed, nonblock bool }
	open     map[effect.Handle]*file // nil: none
	preopens int                     // how many there were at the start
}

// preopen puts the Host's directories into the table.
func (f *files) preopen(list []effect.Preopen) {
	f.open = make(map[effect.Handle]*file, len(list))
	dirs := make([]file, len(list))
	for i, p := range list {
		if p.Handle != effect.FirstHandle+effect.Handle(i) {
			panic(fmt.Sprintf("BUG: preopened directory %d has handle %d", i, p.Handle))
		}
		dirs[i] = file{kind: effect.TypeDirectory, preopen: true, guest: p.Guest}
		f.open[p.Handle] = &dirs[i]
	}
	f.preopens = len(list)
}

// add puts an open file into the table.
func (f *files) add(h effect.Handle, one *file) {
	if f.open == nil {
		f.open = map[effect.Handle]*file{}
	}
	f.open[h] = one
}

// handle finds the open file or directory under a descriptor; nil for none and for streams.
func (f *files) handle(fd uint32) (effect.Handle, *file) {
	if fd > math.MaxInt32 {
		return 0, nil
	}
	return effect.Handle(fd), f.open[effect.Handle(fd)]
}

// stream tells whether fd is an open standard stream.
func (f *files) stream(fd uint32) bool { return fd <= standardErr && !f.streams[fd].closed }

// known answers whether fd is open at all.
func (f *files) known(fd uint32) effect.Errno {
	if _, open := f.handle(fd); open != nil || f.stream(fd) {
		return effect.Success
	}
	return effect.ErrBadFD
}

// path copies a path out of the guest's memory. What it leads to is the Host's decision; here it is
// only made sure that it is text of sane length.
func (r *run) path(at, n uint32) (string, effect.Errno) {
	p := r.view(at, n)
	switch {
	case len(p) == 0:
		return "", effect.ErrNoEnt
	case len(p) > maxPath:
		return "", effect.ErrNameLong
	case !utf8.Valid(p):
		return "", effect.ErrInval
	}
	path := string(p)
	if strings.IndexByte(path, 0) >= 0 {
		return "", effect.ErrInval
	}
	return path, effect.Success
}

// buffers are the ranges that a list of iovecs names, all checked before any is used.
func (r *run) buffers(at, n uint32) ([][]byte, effect.Errno) {
	list := r.table(at, n, 8)
	if n > maxIovecs {
		return nil, effect.ErrInval
	}
	out, total := make([][]byte, 0, n), 0
	for ; len(list) > 0; list = list[8:] {
		p := r.view(get32(list), get32(list[4:]))
		if total += len(p); total > math.MaxInt32 {
			return nil, effect.ErrInval
		}
		if len(p) > 0 {
			out = append(out, p)
		}
	}
	return out, effect.Success
}

// putStat writes a filestat record of 64 bytes.
func putStat(p []byte, st effect.Stat) {
	clear(p)
	put64(p[8:], st.Inode)
	p[16] = byte(st.Type)
	put64(p[24:], st.Links)
	put64(p[32:], uint64(max(st.Size, 0)))
	put64(p[40:], uint64(max(st.Accessed, 0)))
	put64(p[48:], uint64(max(st.Modified, 0)))
	put64(p[56:], uint64(max(st.Changed, 0)))
}

// statSize is the size of a filestat record.
const statSize = 64

// times reads the arguments of a set_times call: nanoseconds, or -1 for what stays.
func (r *run) times(accessed, modified uint64, flags uint32) (a, m int64, errno effect.Errno) {
	const set, now = 1, 2
	pick := func(v uint64, flags uint32) int64 {
		switch flags {
		case 0:
			return -1
		case set:
			if v <= math.MaxInt64 {
				return int64(v)
			}
		case now:
			return r.clock(clockRealtime)
		}
		errno = effect.ErrInval
		return -1
	}
	if flags > 0xf {
		return -1, -1, effect.ErrInval
	}
	a, m = pick(accessed, flags&3), pick(modified, flags>>2)
	return a, m, errno
}
