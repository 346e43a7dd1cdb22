package sandbox_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// What Go's os package does with files, all through messages to the Host.
var goFiles = []string{
	"write", "read hello", "append", "read at world", "write at", "seek 11", "truncate", "sync", "read hello W",
	"times", "stat 7 true 1000000000", "mkdir", "rename", "list 301", "walk 303", "rmdir full: Directory not empty",
	"remove all", "symlink: permission", "link: permission", "readlink: Invalid argument", "stat gone: not exist",
}

func TestFilesOfGo(t *testing.T) {
	got := answer[[]string](t, probe(t), ask{Do: "files", Text: "/data", N: 300}.call(newMemory("/data", "/other")))
	if !slices.Equal(got, goFiles) {
		t.Errorf("got  %q\nwant %q", got, goFiles)
	}
}

// The same program on a call without a Host has no directory at all.
func TestFilesWithoutAHost(t *testing.T) {
	for _, line := range answer[[]string](t, probe(t), ask{Do: "files", Text: "/data"}.call(nil)) {
		if !strings.Contains(line, ": ") && line != "list 0" && !strings.HasPrefix(line, "walk") && line != "remove all" {
			t.Errorf("without a host: %q", line)
		}
	}
}

// Warming up sees the directories that a call will see, so that what init reads stays true, and gets
// nothing out of them.
func TestWarmSeesPreopensOnly(t *testing.T) {
	const errnoAccess = byte(effect.ErrAccess)
	m := &w.Module{}
	prestat := m.Import("wasi_snapshot_preview1", "fd_prestat_get", "ii", "i")
	open := m.Import("wasi_snapshot_preview1", "path_open", "iiiiiIIii", "i")
	write := m.Import("writ1", "output_write", "ii", "i")
	m.Memory(w.AtLeast(1))
	m.Data(64, []byte("f"))
	m.Func("servlet_call", "", "i", w.I32(1))
	m.Func("servlet_warm", "", "i", w.I32(0), w.I32(3), w.I32(16), w.Call(prestat), w.Store32(),
		w.I32(4), w.I32(3), w.I32(0), w.I32(64), w.I32(1), w.I32(0), w.I64(2), w.I64(0), w.I32(0), w.I32(32), w.Call(open), w.Store32(),
		w.I32(0), w.I32(8), w.Call(write), w.Drop(), w.I32(0))
	host := newMemory("/data")
	host.nodes["f"] = &node{}
	out := compile(t, m.Bytes()).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryWarm, Host: host, Limits: enough()})
	if out.Fault != nil || !slices.Equal(out.Output, []byte{0, 0, 0, 0, errnoAccess, 0, 0, 0}) {
		t.Errorf("output %v, fault %v", out.Output, out.Fault)
	}
}

// Errno by errno: what the sandbox itself answers before, or instead of, asking the Host.
func TestFileErrnos(t *testing.T) {
	const none, badf, inval, notdir, perm, notsup, noent, spipe, long = 0, 8, 28, 54, 63, 58, 44, 70, 37
	cases := []struct {
		fn   string
		args []uint64
		want effect.Errno
	}{
		{"fd_close", []uint64{3}, none}, {"fd_close", []uint64{1}, none}, {"fd_close", []uint64{4}, badf}, {"fd_close", []uint64{math.MaxUint32}, badf},
		{"fd_read", []uint64{0, 0, 0, 64}, none}, {"fd_read", []uint64{1, 0, 0, 64}, badf}, {"fd_read", []uint64{9, 0, 0, 64}, badf},
		{"fd_write", []uint64{1, 0, 0, 64}, none}, {"fd_write", []uint64{0, 0, 0, 64}, badf},
		{"fd_pread", []uint64{0, 0, 0, 0, 64}, spipe}, {"fd_pread", []uint64{3, 0, 0, 1 << 63, 64}, inval}, {"fd_pwrite", []uint64{1, 0, 0, 0, 64}, spipe},
		{"fd_seek", []uint64{1, 0, 0, 64}, spipe}, {"fd_seek", []uint64{3, 0, 3, 64}, inval}, {"fd_seek", []uint64{3, 0, 0, 64}, effect.ErrIsDir}, {"fd_tell", []uint64{7, 64}, badf},
		{"fd_sync", []uint64{1}, inval}, {"fd_sync", []uint64{3}, none}, {"fd_datasync", []uint64{9}, badf},
		{"fd_advise", []uint64{3, 0, 0, 0}, none}, {"fd_advise", []uint64{3, 0, 0, 6}, inval}, {"fd_allocate", []uint64{3, 0, 9}, notsup},
		{"fd_fdstat_get", []uint64{3, 64}, none}, {"fd_fdstat_get", []uint64{5, 64}, badf},
		{"fd_fdstat_set_flags", []uint64{1, 4}, none}, {"fd_fdstat_set_flags", []uint64{3, 1}, notsup}, {"fd_fdstat_set_flags", []uint64{3, 32}, inval}, {"fd_fdstat_set_flags", []uint64{8, 0}, badf},
		{"fd_fdstat_set_rights", []uint64{3, 0, 0}, notsup}, {"fd_fdstat_set_rights", []uint64{8, 0, 0}, badf},
		{"fd_filestat_get", []uint64{1, 64}, none}, {"fd_filestat_get", []uint64{8, 64}, badf},
		{"fd_filestat_set_size", []uint64{3, 1 << 63}, inval}, {"fd_filestat_set_size", []uint64{1, 0}, inval},
		{"fd_filestat_set_times", []uint64{3, 0, 0, 3}, inval}, {"fd_filestat_set_times", []uint64{3, 0, 0, 12}, inval}, {"fd_filestat_set_times", []uint64{3, 0, 0, 16}, inval},
		{"fd_filestat_set_times", []uint64{3, 1 << 63, 0, 1}, inval}, {"fd_filestat_set_times", []uint64{3, 5, 0, 9}, none},
		{"fd_prestat_get", []uint64{3, 64}, none}, {"fd_prestat_get", []uint64{4, 64}, badf}, {"fd_prestat_get", []uint64{0, 64}, badf},
		{"fd_prestat_dir_name", []uint64{3, 64, 5}, none}, {"fd_prestat_dir_name", []uint64{3, 64, 4}, long},
		{"fd_readdir", []uint64{3, 64, 64, 0, 32}, none}, {"fd_readdir", []uint64{1, 64, 64, 0, 32}, inval}, {"fd_readdir", []uint64{6, 64, 64, 0, 32}, badf},
		{"path_open", []uint64{3, 0, 64, 0, 0, 2, 0, 0, 32}, noent}, {"path_open", []uint64{3, 0, 64, 1, 0, 2, 0, 0, 32}, inval}, // a NUL
		{"path_open", []uint64{3, 0, 64, 4097, 0, 2, 0, 0, 32}, long}, {"path_open", []uint64{1, 0, 64, 1, 0, 2, 0, 0, 32}, notdir}, {"path_open", []uint64{9, 0, 64, 1, 0, 2, 0, 0, 32}, badf},
		{"path_create_directory", []uint64{3, 32_768 - 4, 3}, inval}, {"path_unlink_file", []uint64{3, 64, 1}, inval},
		{"path_link", []uint64{3, 0, 64, 1, 3, 64, 1}, perm}, {"path_symlink", []uint64{64, 1, 3, 64, 1}, perm},
		{"clock_res_get", []uint64{0, 64}, none}, {"clock_res_get", []uint64{2, 64}, inval}, {"clock_time_get", []uint64{3, 0, 64}, inval},
		{"poll_oneoff", []uint64{0, 64, 0, 32}, inval}, {"poll_oneoff", []uint64{0, 2048, 1, 32}, none},
		{"args_get", []uint64{0, 0}, none}, {"environ_get", []uint64{0, 0}, none}, {"args_sizes_get", []uint64{64, 68}, none}, {"sched_yield", nil, none},
	}
	for _, c := range cases {
		if got, _ := call1(t, c.fn, newMemory("/data"), c.args...); got != c.want {
			t.Errorf("%s%v: errno %d, want %d", c.fn, c.args, got, c.want)
		}
	}
}

// reader lists the directory 3 into a buffer of size bytes from a cookie on, and answers what is used.
func listDir(t *testing.T, host sandbox.Host, size, cookie int) []byte {
	t.Helper()
	code := compile(t, guest(func(m *w.Module) [][]byte {
		readdir := m.Import("wasi_snapshot_preview1", "fd_readdir", "iiiIi", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		return [][]byte{w.I32(3), w.I32(64), w.I32(int32(size)), w.I64(int64(cookie)), w.I32(0), w.Call(readdir), w.If(w.Unreachable()),
			w.I32(0), w.I32(4), w.Call(write), w.Drop(), w.I32(64), w.I32(0), w.Load32(), w.Call(write), w.Drop(), w.I32(0)}
	}))
	out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: host, Limits: enough()})
	if out.Fault != nil {
		t.Fatal(out.Fault)
	}
	if used := binary.LittleEndian.Uint32(out.Output); int(used) != len(out.Output)-4 {
		t.Fatalf("used %d of %d", used, len(out.Output)-4)
	}
	return out.Output[4:]
}

// A buffer that is not full means that the directory is at its end, so the sandbox has to fill it
// however few entries the Host gives at a time; the last entry is cut.
func TestReadDirEncoding(t *testing.T) {
	host := newMemory("/data")
	for i := range 600 {
		host.nodes[fmt.Sprintf("f%03d", i)] = &node{inode: uint64(i + 7), dir: i == 1}
	}
	const one = 24 + 4
	for _, size := range []int{0, 1, 23, 24, 27, 28, 29, 2*one + 25, 600 * one, 600*one + 1, 30_000} {
		got := listDir(t, host, size, 0)
		if want := min(size, 600*one); len(got) != want {
			t.Errorf("buffer of %d bytes: %d used, want %d", size, len(got), want)
		}
		for i := 0; (i+1)*one <= len(got); i++ {
			e := got[i*one:]
			kind := byte(effect.TypeRegular)
			if i == 1 {
				kind = byte(effect.TypeDirectory)
			}
			if binary.LittleEndian.Uint64(e) != uint64(i+1) || binary.LittleEndian.Uint64(e[8:]) != uint64(i+7) ||
				binary.LittleEndian.Uint32(e[16:]) != 4 || e[20] != kind || string(e[24:28]) != fmt.Sprintf("f%03d", i) {
				t.Fatalf("entry %d: %v", i, e[:one])
			}
		}
	}
	if got := listDir(t, host, 100, 599); len(got) != one || string(got[24:]) != "f599" {
		t.Errorf("from the last cookie: %q", got)
	}
	if got := listDir(t, host, 100, 600); len(got) != 0 {
		t.Errorf("from the end: %q", got)
	}
}

// A guest that never closes runs into its own limit, not into the process's.
func TestOpenFilesAreCapped(t *testing.T) {
	code := compile(t, guest(func(m *w.Module) [][]byte {
		open := m.Import("wasi_snapshot_preview1", "path_open", "iiiiiIIii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(64, []byte("f"))
		var body [][]byte
		for range 70 {
			body = append(body, w.I32(0), w.I32(3), w.I32(0), w.I32(64), w.I32(1), w.I32(0), w.I64(2), w.I64(0), w.I32(0), w.I32(32), w.Call(open), w.Store32(),
				w.I32(0), w.I32(1), w.Call(write), w.Drop())
		}
		return append(body, w.I32(0))
	}))
	host := newMemory("/data", "/more", "/third")
	host.nodes["f"] = &node{}
	out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: host, Limits: enough()})
	want := append(make([]byte, 64), slices.Repeat([]byte{byte(effect.ErrMFile)}, 6)...)
	if out.Fault != nil || !slices.Equal(out.Output, want) {
		t.Errorf("errnos %v, fault %v", out.Output, out.Fault)
	}
}

func TestCodeCacheFolder(t *testing.T) {
	dir := t.TempDir() + "/code"
	for range 2 { // made the first time, found the second
		e, err := sandbox.New(t.Context(), sandbox.Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		a, err := sandbox.Admit(importing("log"), "writ1", nil)
		if err != nil {
			t.Fatal(err)
		}
		code, err := e.Compile(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}), sandbox.FaultABI, "servlet_call returned without an output")
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	link := t.TempDir() + "/link"
	file := t.TempDir() + "/file"
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := t.TempDir() + "/open"
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o770); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		link: "opening code cache: " + link + " is not a folder (links are not followed); remove it",
		open: "opening code cache: " + open + " has mode 0770; run chmod 700 on it",
		file: "opening code cache: mkdir " + file + ": not a directory",
	} {
		if _, err := sandbox.New(t.Context(), sandbox.Config{CacheDir: path}); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
