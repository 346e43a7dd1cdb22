package resources

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Where guests that open files keep what they need in memory.
const (
	atName   = 0    // a path
	atOpened = 1024 // the descriptor that path_open wrote
	atIovec  = 1032 // one iovec: all of the page after the first
	atFolder = 2048 // a name with a number in it
	atRandom = 2080
	firstFD  = 3 // the granted directory
)

const (
	readRight  = 1 << 1
	writeRight = 1 << 6
	create     = 1
	directory  = 2
	truncate   = 8
)

// opening is path_open of a name below the granted directory; it leaves an errno.
func opening(pathOpen uint32, name string, flags int32, rights int64) []byte {
	return w.Code(w.I32(firstFD), w.I32(0), w.I32(atName), w.I32(int32(len(name))), w.I32(flags), w.I64(rights), w.I64(0), w.I32(0), w.I32(atOpened), w.Call(pathOpen))
}

// folder makes a folder for a servlet to be granted.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, "granted-"+name)
	return dir, os.Mkdir(dir, 0o755)
}

// specials: what looks like a file and would hold whoever opens it.
func (b *bench) specials() ([]trial, error) {
	dir, err := b.folder("specials")
	if err != nil {
		return nil, err
	}
	made, err := makeSpecials(dir)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err == nil {
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		l.Close()
		made = append(made, "socket")
	} else if runtime.GOOS != "windows" {
		return nil, err
	}
	var all []trial
	for i, name := range made {
		for j, rights := range []int64{readRight, writeRight, readRight | writeRight} {
			all = append(all, trial{
				name: fmt.Sprintf("%s, rights %#x", name, rights), calls: b.times(32, 8), parallel: 8,
				want: []refusal{{"tool error", "", "02 000000"}},
				servlet: servlet{alias: fmt.Sprint("special", i, "-", j), folder: dir, limits: capabilities.Limits{MemoryMB: 1, WallMS: 2000}, module: worker(1, func(m *w.Module) []byte {
					open, fail := preview1(m, "path_open", "iiiiiIIii"), failing(m)
					m.Data(atName, []byte(name))
					return w.Code(opening(open, name, 0, rights), w.Set(localErrno), report(fail))
				})},
			})
		}
	}
	if b.short { // each kind once
		all = all[:len(made)]
	}
	return all, nil
}

// descriptors are opened until there are no more, and never closed.
func (b *bench) descriptors() ([]trial, error) {
	dir, err := b.folder("descriptors")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("x"), 0o644); err != nil {
		return nil, err
	}
	var all []trial
	for name, flags := range map[string]int32{"file": 0, ".": directory} {
		all = append(all, trial{
			name: "opening " + name + " until it fails", calls: b.times(96, 32), parallel: 16,
			want: []refusal{{"tool error", "", "33 000064"}},
			servlet: servlet{alias: fmt.Sprint("open", flags), folder: dir, limits: capabilities.Limits{MemoryMB: 1, WallMS: 10_000}, module: worker(1, func(m *w.Module) []byte {
				open, fail := preview1(m, "path_open", "iiiiiIIii"), failing(m)
				m.Data(atName, []byte(name))
				return w.Code(whileZero(opening(open, name, flags, readRight)), report(fail))
			})},
		})
	}
	return all, nil
}

// disks: what a servlet writes, grows, creates and renames in its folder.
func (b *bench) disks() ([]trial, error) {
	rows := []struct {
		name   string
		want   []refusal
		module []byte
		alone  bool
		long   bool
	}{
		{"a sparse file of 8 TiB", errno(22, 0), onFile(func(m *w.Module, fd []byte) []byte {
			return w.Code(fd, w.I64(8<<40), w.Call(preview1(m, "fd_filestat_set_size", "iI")), w.Set(localErrno))
		}), false, false},
		{"a sparse file of 512 GiB", errno(19, 0), onFile(func(m *w.Module, fd []byte) []byte {
			return w.Code(fd, w.I64(512<<30), w.Call(preview1(m, "fd_filestat_set_size", "iI")), w.Set(localErrno))
		}), true, true},
		{"a file that grows and grows", errno(19, 8), onFile(func(m *w.Module, fd []byte) []byte {
			extend := w.Op(0xad) // i64.extend_i32_u
			return whileZero(w.Code(fd, w.Get(localCount), w.I32(1), w.Add(), extend, w.I64(32<<20), w.Op(0x7e), w.Call(preview1(m, "fd_filestat_set_size", "iI"))))
		}), true, false},
		{"a byte behind 512 GiB", errno(19, 0), onFile(func(m *w.Module, fd []byte) []byte {
			m.Data(atIovec, []byte{0, 0, 0, 0, 1, 0, 0, 0})
			return w.Code(fd, w.I32(atIovec), w.I32(1), w.I64(512<<30), w.I32(atOpened+4), w.Call(preview1(m, "fd_pwrite", "iiiIi")), w.Set(localErrno))
		}), true, true},
		{"writing until it fails", errno(19, 256), onFile(func(m *w.Module, fd []byte) []byte {
			m.Data(atIovec, []byte{0, 0, 1, 0, 0, 0, 16, 0})
			return whileZero(w.Code(fd, w.I32(atIovec), w.I32(1), w.I32(atOpened+4), w.Call(preview1(m, "fd_write", "iiii"))))
		}), false, true},
		{"folders until it fails", errno(19, 10_000), worker(2*pagesMiB, func(m *w.Module) []byte {
			mkdir, random, fail := preview1(m, "path_create_directory", "iii"), preview1(m, "random_get", "ii"), failing(m)
			return w.Code(named(random), whileZero(w.Code(counted(), w.I32(firstFD), w.I32(atFolder), w.I32(14), w.Call(mkdir))), report(fail))
		}), false, true},
		{"renaming until it fails", errno(19, 25_890), worker(2*pagesMiB, func(m *w.Module) []byte {
			rename, fail := preview1(m, "path_rename", "iiiiii"), failing(m)
			m.Data(0, []byte("ab"))
			step := w.Code(w.I32(firstFD), w.Get(localCount), w.I32(2), remainder, w.I32(1),
				w.I32(firstFD), w.I32(1), w.Get(localCount), w.I32(2), remainder, sub, w.I32(1), w.Call(rename))
			return w.Code(whileZero(step), report(fail))
		}), false, true},
	}
	var all []trial
	for i, r := range rows {
		if r.long && b.short {
			continue
		}
		dir, err := b.folder(fmt.Sprint("disk", i))
		if err != nil {
			return nil, err
		}
		t := trial{
			name: r.name, calls: b.times(24, 8), parallel: 8, want: r.want,
			servlet: servlet{alias: fmt.Sprint("disk", i), folder: dir, module: r.module, limits: capabilities.Limits{MemoryMB: 2, WallMS: 10_000}},
		}
		if r.alone { // calls that share the file would grow and cut it for each other
			t.calls, t.parallel = b.times(8, 2), 1
		}
		if r.long {
			t.calls, t.parallel, t.servlet.limits.WallMS = 1, 1, 120_000
		}
		if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o644); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// errno is how a call of these guests ends: what failed in the end, and how often it did not before.
func errno(number, count int) []refusal {
	return []refusal{{"tool error", "", fmt.Sprintf("%02d %06d", number, count)}}
}

// onFile opens a file of its own to write, does something with it and reports.
func onFile(do func(m *w.Module, fd []byte) []byte) []byte {
	const name = "file"
	return worker(2*pagesMiB, func(m *w.Module) []byte {
		open := preview1(m, "path_open", "iiiiiIIii")
		fail := failing(m)
		m.Data(atName, []byte(name))
		body := do(m, w.Code(w.I32(atOpened), w.Load32()))
		return w.Code(opening(open, name, create|truncate, readRight|writeRight), w.Drop(), body, report(fail))
	})
}

// named writes eight random letters behind atFolder, for the names of one call.
func named(randomGet uint32) []byte {
	code := w.Code(w.I32(atRandom), w.I32(8), w.Call(randomGet), w.Drop())
	for i := range int32(8) {
		code = w.Code(code, w.I32(atFolder+i), w.I32(atRandom+i), w.Op(0x2d, []byte{0, 0}), w.I32(15), w.Op(0x71), w.I32('a'), w.Add(), store8) // load8_u, and
	}
	return code
}

// counted writes localCount behind these letters: a name of fourteen bytes.
func counted() (code []byte) {
	for i, power := int32(0), int32(100_000); i < 6; i, power = i+1, power/10 {
		code = w.Code(code, w.I32(atFolder+8+i), w.Get(localCount), w.I32(power), divide, w.I32(10), remainder, w.I32('0'), w.Add(), store8)
	}
	return code
}
