package guard_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// must opens a file and fails the test when that is refused.
func must(t testing.TB, g *guard.Guard, req effect.Open) effect.Handle {
	t.Helper()
	h, errno := g.Open(t.Context(), req)
	if errno != effect.Success {
		t.Fatalf("opening %q: errno %d", req.Path, errno)
	}
	return h
}

func TestReadAndWrite(t *testing.T) {
	dir := folder(t)
	g, d, _ := opened(t, dir, capabilities.ModeFull)
	h := must(t, g, effect.Open{Dir: d, Path: "a.txt", Read: true, Write: true, Create: true, Exclusive: true})
	if n, errno := g.Write(h, []byte("hello world"), -1); n != 11 || errno != effect.Success {
		t.Fatal(n, errno)
	}
	if n, errno := g.Write(h, []byte("W"), 6); n != 1 || errno != effect.Success {
		t.Fatal(n, errno)
	}
	if at, errno := g.Seek(h, 0, 1); at != 11 || errno != effect.Success {
		t.Fatalf("an offset moved the position to %d (%d)", at, errno)
	}
	if at, errno := g.Seek(h, -5, 2); at != 6 || errno != effect.Success {
		t.Fatal(at, errno)
	}
	p := make([]byte, 10)
	if n, errno := g.Read(h, p, -1); string(p[:n]) != "World" || errno != effect.Success {
		t.Fatalf("%q, %d", p[:n], errno)
	}
	if n, errno := g.Read(h, p, -1); n != 0 || errno != effect.Success {
		t.Fatal("no end of file:", n, errno)
	}
	if n, errno := g.Read(h, p[:5], 0); string(p[:n]) != "hello" || errno != effect.Success {
		t.Fatalf("%q, %d", p[:n], errno)
	}
	if errno := g.SetSize(h, 5); errno != effect.Success {
		t.Fatal(errno)
	}
	if errno := g.Sync(h); errno != effect.Success {
		t.Fatal(errno)
	}
	if errno := g.SetTimes(h, -1, 1_000_000_000); errno != effect.Success {
		t.Fatal(errno)
	}
	s, errno := g.Stat(h)
	if errno != effect.Success || s.Type != effect.TypeRegular || s.Size != 5 || s.Modified != 1_000_000_000 || s.Inode == 0 {
		t.Fatalf("%+v, %d", s, errno)
	}
	if by, errno := g.StatAt(d, "a.txt", false); errno != effect.Success || by.Inode != s.Inode {
		t.Fatalf("the same file has another number by its name: %d, %d", by.Inode, s.Inode)
	}
	if errno := g.Close(h); errno != effect.Success {
		t.Fatal(errno)
	}
	for what, errno := range map[string]effect.Errno{
		"close twice": g.Close(h), "sync": g.Sync(h), "resize": g.SetSize(h, 0), "touch": g.SetTimes(h, 1, 1),
		"read": func() effect.Errno { _, e := g.Read(h, p, -1); return e }(),
		"seek": func() effect.Errno { _, e := g.Seek(h, 0, 0); return e }(),
		"stat": func() effect.Errno { _, e := g.Stat(h); return e }(),
	} {
		if errno != effect.ErrBadFD {
			t.Errorf("%s after close: errno %d, want EBADF", what, errno)
		}
	}
	if next := must(t, g, effect.Open{Dir: d, Path: "a.txt", Read: true}); next == h {
		t.Error("the number of a closed file was given to another")
	}
}

func TestOpenFlags(t *testing.T) {
	tests := []struct {
		intent string
		req    effect.Open
		want   effect.Errno
	}{
		{"allow reading", effect.Open{Path: "file", Read: true}, effect.Success},
		{"allow neither reading nor writing", effect.Open{Path: "file"}, effect.Success},
		{"allow a directory", effect.Open{Path: "dir", Read: true}, effect.Success},
		{"allow a directory, said so", effect.Open{Path: "dir/", Read: true, Directory: true}, effect.Success},
		{"allow the directory itself", effect.Open{Path: ".", Read: true}, effect.Success},
		{"allow creating what exists", effect.Open{Path: "file", Write: true, Create: true}, effect.Success},
		{"deny creating exclusively what exists", effect.Open{Path: "file", Write: true, Create: true, Exclusive: true}, effect.ErrExist},
		{"deny writing a directory", effect.Open{Path: "dir", Write: true}, effect.ErrIsDir},
		{"deny a file as directory", effect.Open{Path: "file", Read: true, Directory: true}, effect.ErrNotDir},
		{"deny a file with a slash", effect.Open{Path: "file/", Read: true}, effect.ErrNotDir},
		{"deny a file as folder", effect.Open{Path: "file/x", Read: true}, effect.ErrNotDir},
		{"deny creating with a slash", effect.Open{Path: "new/", Write: true, Create: true}, effect.ErrIsDir},
		{"deny creating the parent", effect.Open{Path: "dir/..", Write: true, Create: true}, effect.ErrIsDir},
		{"deny emptying without writing", effect.Open{Path: "file", Read: true, Truncate: true}, effect.ErrInval},
		{"deny what is not there", effect.Open{Path: "gone", Read: true}, effect.ErrNoEnt},
		{"deny creating in what is not there", effect.Open{Path: "gone/x", Write: true, Create: true}, effect.ErrNoEnt},
	}
	for _, tt := range tests {
		t.Run(tt.intent, func(t *testing.T) {
			dir := folder(t)
			write(t, filepath.Join(dir, "file"), "text")
			mkdir(t, filepath.Join(dir, "dir"))
			g, d, _ := opened(t, dir, capabilities.ModeFull)
			tt.req.Dir = d
			if _, errno := g.Open(t.Context(), tt.req); errno != tt.want {
				t.Errorf("errno %d, want %d", errno, tt.want)
			}
			if names, _ := os.ReadDir(dir); len(names) != 2 {
				t.Errorf("something was created: %v", names)
			}
			if text, _ := os.ReadFile(filepath.Join(dir, "file")); string(text) != "text" {
				t.Errorf("the file was changed: %q", text)
			}
		})
	}
}

// Each way to change something is refused on its own, and most of all those that look like reading:
// opening to read with "truncate" or "create" has emptied files on read-only mounts elsewhere.
func TestReadOnlyMeansReadOnly(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	mkdir(t, filepath.Join(dir, "sub"))
	other := folder(t)
	p := granting(capabilities.FSRight{Path: dir, Mode: capabilities.ModeRead}, capabilities.FSRight{Path: other, Mode: capabilities.ModeFull})
	g := open(t, guard.Config{Policy: p})
	d, rw := effect.FirstHandle, effect.FirstHandle+1
	h := must(t, g, effect.Open{Dir: d, Path: "a", Read: true, Append: true})
	opens := func(req effect.Open) effect.Errno {
		req.Dir = d
		_, errno := g.Open(t.Context(), req)
		return errno
	}
	for what, errno := range map[string]effect.Errno{
		"open to write":          opens(effect.Open{Path: "a", Write: true}),
		"open to read, truncate": opens(effect.Open{Path: "a", Read: true, Truncate: true}),
		"open to read, create":   opens(effect.Open{Path: "new", Read: true, Create: true}),
		"open to append":         opens(effect.Open{Path: "a", Write: true, Append: true}),
		"mkdir":                  g.Mkdir(d, "new"),
		"rmdir":                  g.Rmdir(d, "sub"),
		"unlink":                 g.Unlink(d, "a"),
		"rename":                 g.Rename(d, "a", d, "b"),
		"rename out":             g.Rename(d, "a", rw, "b"),
		"rename in":              g.Rename(rw, "a", d, "b"),
		"touch":                  g.SetTimes(h, 1, 1),
		"touch the directory":    g.SetTimes(d, 1, 1),
	} {
		if errno != effect.ErrRoFS {
			t.Errorf("%s: errno %d, want EROFS", what, errno)
		}
	}
	if _, errno := g.Write(h, []byte("x"), -1); errno != effect.ErrBadFD {
		t.Errorf("write: errno %d", errno)
	}
	if errno := g.SetSize(h, 0); errno != effect.ErrBadFD {
		t.Errorf("resize: errno %d", errno)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "a"))
	names, _ := os.ReadDir(dir)
	if string(text) != "text" || len(names) != 2 {
		t.Errorf("something changed: %q, %v", text, names)
	}
}

func TestMutations(t *testing.T) {
	dir, second := folder(t), folder(t)
	full := capabilities.ModeFull
	g := open(t, guard.Config{Policy: granting(capabilities.FSRight{Path: dir, Mode: full}, capabilities.FSRight{Path: second, Mode: full})})
	d, other := effect.FirstHandle, effect.FirstHandle+1
	write(t, filepath.Join(dir, "f"), "1")
	mkdir(t, filepath.Join(dir, "full", "sub"))
	for _, step := range []struct {
		intent string
		errno  effect.Errno
		want   effect.Errno
	}{
		{"make a directory", g.Mkdir(d, "new"), effect.Success},
		{"make it again", g.Mkdir(d, "new/"), effect.ErrExist},
		{"make it in nothing", g.Mkdir(d, "gone/x"), effect.ErrNoEnt},
		{"make the directory itself", g.Mkdir(d, "."), effect.ErrInval},
		{"rename onto a directory", g.Rename(d, "full", d, "new"), effect.ErrExist},
		{"rename a file with a slash", g.Rename(d, "f", d, "g/"), effect.ErrNotDir},
		{"rename to another grant", g.Rename(d, "f", other, "f"), effect.ErrXDev},
		{"rename a directory into itself", g.Rename(d, "full", d, "full/sub/x"), effect.ErrInval},
		{"rename the root", g.Rename(d, ".", d, "x"), effect.ErrInval},
		{"rename a directory", g.Rename(d, "full/", d, "moved/"), effect.Success},
		{"rename over a file", g.Rename(d, "f", d, "new/g"), effect.Success},
		{"remove a directory as file", g.Unlink(d, "new"), effect.ErrIsDir},
		{"remove a file as directory", g.Rmdir(d, "new/g"), effect.ErrNotDir},
		{"remove a file with a slash", g.Unlink(d, "new/g/"), effect.ErrNotDir},
		{"remove the root", g.Rmdir(d, "."), effect.ErrInval},
		{"remove by the parent", g.Rmdir(d, "moved/sub/.."), effect.ErrInval},
		{"remove a directory that is not empty", g.Rmdir(d, "new"), effect.ErrNotEmpty},
		{"remove a file", g.Unlink(d, "new/g"), effect.Success},
		{"remove it again", g.Unlink(d, "new/g"), effect.ErrNoEnt},
		{"remove a directory", g.Rmdir(d, "new/"), effect.Success},
	} {
		if step.errno != step.want {
			t.Errorf("%s: errno %d, want %d", step.intent, step.errno, step.want)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 || names[0].Name() != "moved" {
		t.Errorf("left: %v", names)
	}
}

// Appending goes to the end whatever the guest says, also when something else writes the file.
func TestAppend(t *testing.T) {
	dir := folder(t)
	path := filepath.Join(dir, "log")
	write(t, path, "1")
	g, d, _ := opened(t, dir, capabilities.ModeFull)
	h := must(t, g, effect.Open{Dir: d, Path: "log", Write: true, Append: true})
	g.Write(h, []byte("2"), -1)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	f.WriteString("3")
	g.Write(h, []byte("4"), 0)
	if text, _ := os.ReadFile(path); string(text) != "1234" {
		t.Errorf("got %q", text)
	}
}

// Truncation happens at the open, and only once everything else has been checked.
func TestTruncate(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	g, d, _ := opened(t, dir, capabilities.ModeFull)
	h := must(t, g, effect.Open{Dir: d, Path: "a", Write: true, Create: true, Truncate: true})
	if s, _ := g.Stat(h); s.Size != 0 {
		t.Errorf("size %d", s.Size)
	}
}

func TestReadDirInPages(t *testing.T) {
	dir := folder(t)
	var want []string
	for i := range 2500 {
		name := fmt.Sprintf("%04d", i)
		want = append(want, name)
		write(t, filepath.Join(dir, name), "")
	}
	g, d, _ := opened(t, dir, capabilities.ModeFull)
	var got []string
	var cookie uint64
	for {
		page, errno := g.ReadDir(d, cookie, 100)
		if errno != effect.Success {
			t.Fatal(errno)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.Name)
			cookie = e.Next
		}
		// What changes between two pages neither repeats nor hides a name.
		if len(got) == 500 {
			os.Remove(filepath.Join(dir, "0000"))
			write(t, filepath.Join(dir, "0000a"), "")
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %d names, want %d", len(got), len(want))
	}
	first, _ := g.ReadDir(d, 0, 1)
	if s, _ := g.StatAt(d, "0001", false); len(first) != 1 || first[0].Name != "0000a" || first[0].Type != effect.TypeRegular {
		t.Errorf("a new listing begins with %+v (%+v)", first, s)
	}
	if page, errno := g.ReadDir(d, 1<<63, 10); len(page) != 0 || errno != effect.Success {
		t.Errorf("an invented cookie: %v, %d", page, errno)
	}
	if page, errno := g.ReadDir(d, 1, -1); len(page) != 0 || errno != effect.Success {
		t.Errorf("an invented limit: %v, %d", page, errno)
	}
}

// To list a directory again needs no room beside the listing that it replaces, and to ask again for a
// first page does not read the directory again: a guest with room for one entry must not make the
// host read all of them each time.
func TestListingAgain(t *testing.T) {
	dir := folder(t)
	for i := range 100 {
		write(t, filepath.Join(dir, fmt.Sprintf("%02d", i)), "")
	}
	g, d, j := opened(t, dir, capabilities.ModeRead)
	first := func(h effect.Handle, want string) {
		t.Helper()
		if page, errno := g.ReadDir(h, 0, 1); errno != effect.Success || page[0].Name != want {
			t.Fatalf("%v, errno %d", page, errno)
		}
	}
	for range 1000 {
		first(d, "00")
	}
	if n := len(j.lines()); n != 1 {
		t.Errorf("the directory was read %d times", n)
	}
	// What rewinds: the end, a later page, a seek.
	os.Remove(filepath.Join(dir, "00"))
	first(d, "00")
	g.ReadDir(d, 1, 1)
	first(d, "01")
	os.Remove(filepath.Join(dir, "01"))
	if _, errno := g.Seek(d, 0, io.SeekStart); errno != effect.Success {
		t.Error(errno)
	}
	first(d, "02")
	g.ReadDir(d, 0, 1000)
	os.Remove(filepath.Join(dir, "02"))
	first(d, "03")
}

func TestReadDirTellsWhatStatTells(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "file"), "")
	mkdir(t, filepath.Join(dir, "sub", "deep"))
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	g, d, _ := opened(t, dir, capabilities.ModeRead)
	check := func(dir effect.Handle) {
		t.Helper()
		page, errno := g.ReadDir(dir, 0, 10)
		if errno != effect.Success || len(page) == 0 {
			t.Fatal(page, errno)
		}
		for _, e := range page {
			s, errno := g.StatAt(dir, e.Name, false)
			if errno != effect.Success || s.Type != e.Type || s.Inode != e.Inode {
				t.Errorf("%s: listed as %+v, described as %+v (%d)", e.Name, e, s, errno)
			}
		}
	}
	check(d)
	check(must(t, g, effect.Open{Dir: d, Path: "sub", Read: true}))
}

// Inode numbers are the call's: a guest cannot compare them with another call's.
func TestInodesDifferBetweenCalls(t *testing.T) {
	dir := folder(t)
	one, d, _ := opened(t, dir, capabilities.ModeRead)
	two, _, _ := opened(t, dir, capabilities.ModeRead)
	a, _ := one.Stat(d)
	b, _ := two.Stat(d)
	if a.Inode == b.Inode {
		t.Errorf("both %d", a.Inode)
	}
}

func TestQuotas(t *testing.T) {
	t.Run("64 files at once", func(t *testing.T) {
		dir := folder(t)
		write(t, filepath.Join(dir, "a"), "")
		g, d, _ := opened(t, dir, capabilities.ModeRead)
		var last effect.Handle
		for range 64 {
			last = must(t, g, effect.Open{Dir: d, Path: "a", Read: true})
		}
		for range 10 { // a refused open gives its place back
			if _, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "gone", Read: true}); errno != effect.ErrMFile {
				t.Fatalf("errno %d, want EMFILE", errno)
			}
		}
		g.Close(last)
		g.Open(t.Context(), effect.Open{Dir: d, Path: "gone", Read: true})
		must(t, g, effect.Open{Dir: d, Path: "a", Read: true})
		if _, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Read: true}); errno != effect.ErrMFile {
			t.Fatalf("errno %d, want EMFILE", errno)
		}
	})
	t.Run("bytes, however they grow", func(t *testing.T) {
		const quota = 256 << 20
		for intent, grow := range map[string]func(*guard.Guard, effect.Handle) effect.Errno{
			"resize": func(g *guard.Guard, h effect.Handle) effect.Errno { return g.SetSize(h, quota+1) },
			"8 TiB":  func(g *guard.Guard, h effect.Handle) effect.Errno { return g.SetSize(h, 8<<40) },
			"hole": func(g *guard.Guard, h effect.Handle) effect.Errno {
				_, errno := g.Write(h, []byte("x"), quota)
				return errno
			},
			"hole by seeking": func(g *guard.Guard, h effect.Handle) effect.Errno {
				g.Seek(h, quota, 0)
				_, errno := g.Write(h, []byte("x"), -1)
				return errno
			},
			"far hole": func(g *guard.Guard, h effect.Handle) effect.Errno {
				_, errno := g.Write(h, []byte("x"), 1<<62)
				return errno
			},
			"grow and cut again": func(g *guard.Guard, h effect.Handle) effect.Errno {
				for range 4 {
					if errno := g.SetSize(h, quota/4+1); errno != effect.Success {
						return errno
					}
					g.SetSize(h, 0)
				}
				return effect.Success
			},
			"rewrite": func(g *guard.Guard, h effect.Handle) effect.Errno {
				page := bytes.Repeat([]byte("x"), 16<<20)
				for range 17 {
					if _, errno := g.Write(h, page, 0); errno != effect.Success {
						return errno
					}
				}
				return effect.Success
			},
		} {
			t.Run(intent, func(t *testing.T) {
				dir := folder(t)
				g, d, _ := opened(t, dir, capabilities.ModeFull)
				h := must(t, g, effect.Open{Dir: d, Path: "a", Write: true, Create: true})
				if errno := grow(g, h); errno != effect.ErrDQuot && errno != effect.ErrFBig {
					t.Errorf("errno %d, want EDQUOT or EFBIG", errno)
				}
				if info, _ := os.Stat(filepath.Join(dir, "a")); info.Size() > quota {
					t.Errorf("the file has %d bytes", info.Size())
				}
			})
		}
	})
	t.Run("files created", func(t *testing.T) {
		g, d, _ := opened(t, folder(t), capabilities.ModeFull)
		for i := range 10_000 {
			errno := g.Mkdir(d, "x")
			if errno != effect.Success {
				t.Fatalf("after %d: errno %d", i, errno)
			}
			g.Rmdir(d, "x")
		}
		if errno := g.Mkdir(d, "x"); errno != effect.ErrDQuot {
			t.Errorf("mkdir: errno %d, want EDQUOT", errno)
		}
		if _, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "x", Write: true, Create: true}); errno != effect.ErrDQuot {
			t.Errorf("create: errno %d, want EDQUOT", errno)
		}
	})
}

// Many goroutines of one call, and its end in the middle. Run with -race.
func TestConcurrentUse(t *testing.T) {
	dir := folder(t)
	for i := range 8 {
		write(t, filepath.Join(dir, fmt.Sprint(i)), "text")
	}
	g, d, _ := opened(t, dir, capabilities.ModeFull)
	shared := must(t, g, effect.Open{Dir: d, Path: "0", Read: true, Write: true})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint(i)
			for n := range 200 {
				h, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: name, Read: true, Write: true, Create: true})
				if errno != effect.Success && errno != effect.ErrBadFD && errno != effect.ErrAccess {
					t.Errorf("open: errno %d", errno)
				}
				g.Write(h, []byte(name), -1)
				g.Read(shared, make([]byte, 4), -1)
				g.Write(shared, []byte("x"), int64(n))
				g.ReadDir(d, 0, 100)
				g.StatAt(d, name, true)
				g.Rename(d, name, d, name+"b")
				g.Rename(d, name+"b", d, name)
				g.Config(t.Context(), name)
				g.Effects()
				g.Close(h)
				if i == 0 && n == 150 {
					g.End()
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the goroutines did not end")
	}
}
