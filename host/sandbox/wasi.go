package sandbox

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

// wasiFunctions are the functions of WASI preview 1 that a servlet may import: all but sockets,
// proc_raise and fd_renumber. Names, signatures and memory layouts are those of WebAssembly/WASI,
// legacy/preview1/docs.md. They are our own because a general WASI opens the host's files by itself;
// here every file is a message to the Host.
func wasiFunctions() []function {
	list := []function{
		preview1("args_get", "ii", (*run).noStrings),
		preview1("args_sizes_get", "ii", (*run).noSizes),
		preview1("environ_get", "ii", (*run).noStrings),
		preview1("environ_sizes_get", "ii", (*run).noSizes),
		preview1("clock_res_get", "ii", (*run).clockRes),
		preview1("clock_time_get", "iIi", (*run).clockTime),
		preview1("random_get", "ii", (*run).random),
		preview1("sched_yield", "", (*run).yield),
		preview1("poll_oneoff", "iiii", (*run).poll),

		preview1("fd_advise", "iIIi", (*run).fdAdvise),
		preview1("fd_allocate", "iII", (*run).fdAllocate),
		preview1("fd_close", "i", (*run).fdClose),
		preview1("fd_datasync", "i", (*run).fdSync),
		preview1("fd_fdstat_get", "ii", (*run).fdStatusGet),
		preview1("fd_fdstat_set_flags", "ii", (*run).fdFlagsSet),
		preview1("fd_fdstat_set_rights", "iII", (*run).fdRightsSet),
		preview1("fd_filestat_get", "ii", (*run).fdStat),
		preview1("fd_filestat_set_size", "iI", (*run).fdSetSize),
		preview1("fd_filestat_set_times", "iIIi", (*run).fdSetTimes),
		preview1("fd_pread", "iiiIi", (*run).fdPread),
		preview1("fd_prestat_dir_name", "iii", (*run).fdPrestatName),
		preview1("fd_prestat_get", "ii", (*run).fdPrestat),
		preview1("fd_pwrite", "iiiIi", (*run).fdPwrite),
		preview1("fd_read", "iiii", (*run).fdRead),
		preview1("fd_readdir", "iiiIi", (*run).fdReadDir),
		preview1("fd_seek", "iIii", (*run).fdSeek),
		preview1("fd_sync", "i", (*run).fdSync),
		preview1("fd_tell", "ii", (*run).fdTell),
		preview1("fd_write", "iiii", (*run).fdWrite),

		preview1("path_create_directory", "iii", (*run).pathMkdir),
		preview1("path_filestat_get", "iiiii", (*run).pathStat),
		preview1("path_filestat_set_times", "iiiiIIi", (*run).pathSetTimes),
		preview1("path_link", "iiiiiii", (*run).pathLink),
		preview1("path_open", "iiiiiIIii", (*run).pathOpen),
		preview1("path_readlink", "iiiiii", (*run).pathReadlink),
		preview1("path_remove_directory", "iii", (*run).pathRmdir),
		preview1("path_rename", "iiiiii", (*run).pathRename),
		preview1("path_symlink", "iiiii", (*run).pathSymlink),
		preview1("path_unlink_file", "iii", (*run).pathUnlink),
	}
	for i := range list {
		if strings.HasPrefix(list[i].name, "path_") {
			list[i].kinds = []capabilities.Kind{capabilities.KindFS}
		}
	}
	exit := function{module: wasi, name: "proc_exit", params: "i", do: func(r *run, a args) uint64 {
		r.stop(FaultExit, fmt.Sprintf("the servlet exited with code %d before it answered", a.i32(0)))
		return 0
	}}
	return append(list, exit)
}

// noSizes is args_sizes_get and environ_sizes_get: there are none, for any servlet.
func (r *run) noSizes(a args) effect.Errno {
	count, bytes := r.view(a.u32(0), 4), r.view(a.u32(1), 4)
	put32(count, 0)
	put32(bytes, 0)
	return effect.Success
}

// noStrings is args_get and environ_get: nothing is written.
func (r *run) noStrings(a args) effect.Errno {
	r.view(a.u32(0), 0)
	r.view(a.u32(1), 0)
	return effect.Success
}

// Clocks of WASI preview 1 that exist here. Times of the process would tell about other calls.
const (
	clockRealtime  = 0
	clockMonotonic = 1
)

// clockStep is the resolution of every clock: a finer one is a tool to measure the host with.
const clockStep = time.Millisecond

func (r *run) clockRes(a args) effect.Errno {
	p := r.view(a.u32(1), 8)
	if a.u32(0) > clockMonotonic {
		return effect.ErrInval
	}
	put64(p, uint64(clockStep))
	return effect.Success
}

func (r *run) clockTime(a args) effect.Errno {
	p := r.view(a.u32(2), 8)
	if a.u32(0) > clockMonotonic {
		return effect.ErrInval
	}
	put64(p, uint64(r.clock(a.u32(0))))
	return effect.Success
}

// clock reads a clock, nanoseconds. The monotonic one starts with the call, where it stood when the
// image was taken: programs keep absolute times. It is never zero, which Go's runtime takes for a clock
// that does not work.
func (r *run) clock(id uint32) int64 {
	if id == clockRealtime {
		return time.Now().UnixMilli()*int64(time.Millisecond) + r.skew
	}
	return r.base + r.skew + int64((clockStep + time.Since(r.started)).Truncate(clockStep))
}

// random fills the buffer piece by piece, each a host call of its own: a gigabyte of randomness is
// neither free nor past the deadline.
func (r *run) random(a args) effect.Errno {
	const piece = 64 << 10
	for p := r.view(a.u32(0), a.u32(1)); len(p) > 0; {
		n := min(len(p), piece)
		rand.Read(p[:n])
		r.drawn += n
		if p = p[n:]; len(p) > 0 {
			r.charge()
		}
	}
	return effect.Success
}

func (r *run) yield(args) effect.Errno {
	runtime.Gosched()
	return effect.Success
}
