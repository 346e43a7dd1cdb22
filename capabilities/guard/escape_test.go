//go:build unix

package guard_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

const canary = "canary-5b1c0f"

// prison is a granted directory beside a secret one.
type prison struct {
	base, inside, outside string
	g                     *guard.Guard
	dir                   effect.Handle
	log                   *journal
}

// newPrison makes base/inside (granted) and base/outside/secret (not granted) and lets arrange put
// links into the first. BASE in a link's text stands for the base.
func newPrison(t testing.TB, links map[string]string) prison {
	t.Helper()
	p := prison{base: folder(t)}
	p.inside, p.outside = mkdir(t, filepath.Join(p.base, "inside")), mkdir(t, filepath.Join(p.base, "outside"))
	write(t, filepath.Join(p.outside, "secret"), canary)
	mkdir(t, filepath.Join(p.inside, "dir", "deep"))
	write(t, filepath.Join(p.inside, "file"), "inside")
	write(t, filepath.Join(p.inside, "dir", "file"), "inside")
	for name, to := range links {
		if err := os.Symlink(strings.ReplaceAll(to, "BASE", p.base), filepath.Join(p.inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	p.g, p.dir, p.log = opened(t, p.inside, capabilities.ModeFull)
	return p
}

// everyWay tries one path in every request that takes one, and returns what each answered.
func (p prison) everyWay(t testing.TB, path string) map[string]effect.Errno {
	t.Helper()
	answers := map[string]effect.Errno{}
	try := func(way string, req effect.Open) {
		req.Dir, req.Path = p.dir, path
		h, errno := p.g.Open(t.Context(), req)
		answers[way] = errno
		if errno == effect.Success {
			buf := make([]byte, 100)
			n, _ := p.g.Read(h, buf, 0)
			if bytes.Contains(buf[:n], []byte(canary)) {
				t.Errorf("%s of %q read the secret", way, path)
			}
			p.g.Write(h, []byte("overwritten"), 0)
			p.g.Close(h)
		}
	}
	for _, follow := range []bool{true, false} {
		suffix := map[bool]string{true: ", following", false: ""}[follow]
		try("read"+suffix, effect.Open{Read: true, Follow: follow})
		try("list"+suffix, effect.Open{Read: true, Directory: true, Follow: follow})
		try("write"+suffix, effect.Open{Read: true, Write: true, Follow: follow})
		try("append"+suffix, effect.Open{Write: true, Append: true, Follow: follow})
		try("truncate"+suffix, effect.Open{Write: true, Truncate: true, Follow: follow})
		try("create"+suffix, effect.Open{Write: true, Create: true, Follow: follow})
		_, answers["stat"+suffix] = p.g.StatAt(p.dir, path, follow)
	}
	_, answers["readlink"] = p.g.ReadLink(p.dir, path)
	answers["rename from"] = p.g.Rename(p.dir, path, p.dir, "stolen")
	answers["rename to"] = p.g.Rename(p.dir, "file", p.dir, path)
	answers["mkdir"] = p.g.Mkdir(p.dir, path)
	answers["rmdir"] = p.g.Rmdir(p.dir, path)
	answers["unlink"] = p.g.Unlink(p.dir, path)
	return answers
}

// intact fails when anything outside the granted directory was touched.
func (p prison) intact(t testing.TB) {
	t.Helper()
	secret, err := os.ReadFile(filepath.Join(p.outside, "secret"))
	if err != nil || string(secret) != canary {
		t.Errorf("the secret is now %q, %v", secret, err)
	}
	for dir, want := range map[string]int{p.outside: 1, p.base: 2} {
		if names, err := os.ReadDir(dir); err != nil || len(names) != want {
			t.Errorf("%s now holds %v, %v", dir, names, err)
		}
	}
}

func refused(errno effect.Errno) bool {
	return slices.Contains([]effect.Errno{
		effect.ErrPerm, effect.ErrAccess, effect.ErrLoop, effect.ErrInval, effect.ErrNoEnt, effect.ErrNotDir,
		effect.ErrIsDir, effect.ErrNameLong, effect.ErrExist,
	}, errno)
}

func TestPathsThatLeave(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, path := range []string{
		"..", "../", "../outside/secret", "../../../../../../../../etc/passwd", "dir/../../outside/secret",
		"dir/deep/../../../outside/secret", "./../outside/secret", ".//..//outside/secret", "../inside/../outside/secret",
		"dir/..//../outside/secret", "gone/../../outside/secret", "file/../../outside/secret",
		"/etc/passwd", "/proc/self/environ", "//etc/passwd", "/",
		"", "\x00", "file\x00", "../outside/secret\x00.txt", "dir\x00/../../outside/secret",
		`..\outside\secret`, `dir\..\..\outside\secret`, `\etc\passwd`, `\\server\share`, `\\?\C:\x`,
		"\xff\xfe", "dir/\xc0\xae\xc0\xae/outside", "\xed\xa0\x80",
		long, "dir/" + long, strings.Repeat("x/", 3000), strings.Repeat("../", 1500) + "etc/passwd", strings.Repeat("dir/../", 600) + "../outside/secret",
		"CON", "con", "con.txt", "NUL", "nul.tar.gz", "aux", "COM1", "lpt9.x", "COM¹", "CONIN$", "conout$", "prn ", "dir/NUL/x", "CON:x",
		"c:", "C:/Windows", "x:file", "file::$DATA", "file:$DATA", "secret.", "secret ", "dir /file", "dir./file", "...", ".. ", ".. /outside",
	} {
		t.Run(fmt.Sprintf("%.40q", path), func(t *testing.T) {
			p := newPrison(t, nil)
			for way, errno := range p.everyWay(t, path) {
				if !refused(errno) {
					t.Errorf("%s: errno %d", way, errno)
				}
			}
			p.intact(t)
		})
	}
}

func TestLinksThatLeave(t *testing.T) {
	links := map[string]string{
		"absolute":        "BASE/outside/secret",
		"absolute-dir":    "BASE/outside",
		"relative":        "../outside/secret",
		"relative-dir":    "../outside",
		"parent":          "..",
		"root":            "/",
		"self-and-back":   "BASE/inside/../outside",
		"through-inside":  "dir/../../outside",
		"dangling-out":    "../outside/new",
		"loop":            "loop",
		"loop-a":          "loop-b",
		"loop-b":          "loop-a",
		"to-link":         "relative-dir",
		"proc":            "/proc/self/root",
		"absolute-inside": "BASE/inside/file",
	}
	for i := range 40 {
		links[fmt.Sprintf("chain%02d", i)] = fmt.Sprintf("chain%02d", i+1)
	}
	links["chain40"] = "../outside/secret"
	var paths []string
	for name := range links {
		if strings.HasPrefix(name, "chain") && name != "chain00" && name != "chain39" {
			continue
		}
		for _, form := range []string{"%s", "%s/", "%s/.", "%s//", "%s/secret", "./%s", "dir/../%s/", "dir/../%s/secret", "%s/../outside/secret", "dir/deep/../../%s/new"} {
			paths = append(paths, fmt.Sprintf(form, name))
		}
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			p := newPrison(t, links)
			for way, errno := range p.everyWay(t, path) {
				name := strings.Trim(filepath.Clean(path), "/")
				_, isLink := links[name]
				switch {
				// A link itself may be looked at and removed; what it points to may not.
				case isLink && errno == effect.Success && (way == "stat" || way == "unlink"):
				case isLink && errno == effect.Success && way == "readlink" && filepath.IsLocal(links[name]):
				// A file may take a link's place: the link goes, its target stays.
				case isLink && errno == effect.Success && way == "rename to":
				case !refused(errno):
					t.Errorf("%s: errno %d", way, errno)
				}
			}
			p.intact(t)
		})
	}
}

// The refusals above are worth something only if links work at all, and only if the same paths do
// leave when nothing guards them.
func TestLinksInsideWork(t *testing.T) {
	p := newPrison(t, map[string]string{"link": "file", "deep": "dir/deep", "up": "dir/deep/../file"})
	for path, want := range map[string]effect.Errno{
		"link": effect.Success, "./link": effect.Success, "deep/../file": effect.Success, "up": effect.Success,
		"link/": effect.ErrNotDir, "deep/": effect.Success, "deep/.": effect.Success,
	} {
		if _, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: path, Read: true, Follow: true}); errno != want {
			t.Errorf("%s: errno %d, want %d", path, errno, want)
		}
	}
	if _, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: "link", Read: true}); errno != effect.ErrLoop {
		t.Errorf("a link was followed unasked: errno %d", errno)
	}
	if text, errno := p.g.ReadLink(p.dir, "link"); text != "file" || errno != effect.Success {
		t.Errorf("readlink: %q, %d", text, errno)
	}
	if err := os.Symlink("../outside/secret", filepath.Join(p.inside, "out")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(p.inside, "out")); err != nil || string(text) != canary {
		t.Errorf("without the guard the link does not leave: %q, %v", text, err)
	}
}

// Opening any of these for real would wait for another program, or act on a device.
func TestSpecialFiles(t *testing.T) {
	p := newPrison(t, map[string]string{"null": "/dev/null", "tofifo": "fifo"})
	if err := syscall.Mkfifo(filepath.Join(p.inside, "fifo"), 0o644); err != nil {
		t.Skip("no FIFOs here:", err)
	}
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	t.Chdir(p.inside) // a socket's path is short
	if err := syscall.Bind(socket, &syscall.SockaddrUnix{Name: "socket"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, path := range []string{"fifo", "tofifo", "socket", "null"} {
			for _, req := range []effect.Open{
				{Read: true}, {Write: true}, {Read: true, Write: true}, {Write: true, Truncate: true}, {Write: true, Create: true},
				{Write: true, Append: true}, {}, {Read: true, Directory: true},
			} {
				req.Dir, req.Path, req.Follow = p.dir, path, true
				if _, errno := p.g.Open(t.Context(), req); errno != effect.ErrAccess && errno != effect.ErrPerm && errno != effect.ErrIsDir {
					t.Errorf("%s %+v: errno %d", path, req, errno)
				}
			}
		}
		if s, errno := p.g.StatAt(p.dir, "fifo", true); errno != effect.Success || s.Type != effect.TypeUnknown {
			t.Errorf("stat: %+v, %d", s, errno)
		}
		if errno := p.g.Rename(p.dir, "fifo", p.dir, "fifo2"); errno != effect.ErrAccess {
			t.Errorf("rename: errno %d", errno)
		}
		if _, errno := p.g.StatAt(p.dir, "fifo/x", true); errno != effect.ErrNotDir {
			t.Errorf("a FIFO as folder: errno %d", errno)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("an open waits for the other end")
	}
}

// A second name of a file may lie anywhere on the volume, so what is written here is written there.
func TestHardLinks(t *testing.T) {
	p := newPrison(t, nil)
	if err := os.Link(filepath.Join(p.outside, "secret"), filepath.Join(p.inside, "second")); err != nil {
		t.Skip("no hard links here:", err)
	}
	for intent, req := range map[string]effect.Open{
		"write": {Write: true}, "append": {Write: true, Append: true}, "truncate": {Write: true, Truncate: true}, "create": {Write: true, Create: true},
	} {
		req.Dir, req.Path = p.dir, "second"
		if _, errno := p.g.Open(t.Context(), req); errno != effect.ErrPerm {
			t.Errorf("%s: errno %d, want EPERM", intent, errno)
		}
	}
	h := must(t, p.g, effect.Open{Dir: p.dir, Path: "second", Read: true})
	if errno := p.g.SetTimes(h, 1, 1); errno != effect.ErrPerm {
		t.Errorf("touch: errno %d, want EPERM", errno)
	}
	// The second name can come while the file is open.
	h = must(t, p.g, effect.Open{Dir: p.dir, Path: "file", Write: true})
	if err := os.Link(filepath.Join(p.inside, "file"), filepath.Join(p.base, "third")); err != nil {
		t.Fatal(err)
	}
	if _, errno := p.g.Write(h, []byte("x"), 0); errno != effect.ErrPerm {
		t.Errorf("write: errno %d, want EPERM", errno)
	}
	if errno := p.g.SetSize(h, 0); errno != effect.ErrPerm {
		t.Errorf("resize: errno %d, want EPERM", errno)
	}
	if text, _ := os.ReadFile(filepath.Join(p.base, "third")); string(text) != "inside" {
		t.Errorf("the file outside is now %q", text)
	}
	os.Remove(filepath.Join(p.base, "third"))
	p.intact(t)
}

// No guest chooses a mode: nothing it makes can be run.
func TestModes(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	p := newPrison(t, nil)
	must(t, p.g, effect.Open{Dir: p.dir, Path: "new", Write: true, Create: true})
	p.g.Mkdir(p.dir, "newdir")
	for name, want := range map[string]os.FileMode{"new": 0o666, "newdir": os.ModeDir | 0o777} {
		info, err := os.Lstat(filepath.Join(p.inside, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// The granted directory is replaced while the call runs: the call keeps the old one. And before it:
// the call does not start.
func TestGrantedDirectoryReplaced(t *testing.T) {
	p := newPrison(t, nil)
	moved := filepath.Join(p.base, "moved")
	if err := os.Rename(p.inside, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.outside, p.inside); err != nil {
		t.Fatal(err)
	}
	if _, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: "secret", Read: true}); errno != effect.ErrNoEnt {
		t.Errorf("errno %d, want ENOENT", errno)
	}
	if _, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: "file", Read: true}); errno != effect.Success {
		t.Errorf("the old directory: errno %d", errno)
	}
	policy := granting(capabilities.FSRight{Path: p.inside, Mode: capabilities.ModeRead})
	if _, err := guard.New(guard.Config{Policy: policy, Recorder: &journal{}}); err == nil {
		t.Error("a new call follows the link")
	}
}

// A folder that was opened and then moved out of the grant is out of reach.
func TestOpenFolderMovedOut(t *testing.T) {
	p := newPrison(t, nil)
	dir := must(t, p.g, effect.Open{Dir: p.dir, Path: "dir", Read: true})
	if err := os.Rename(filepath.Join(p.inside, "dir"), filepath.Join(p.base, "dir")); err != nil {
		t.Fatal(err)
	}
	if _, errno := p.g.Open(t.Context(), effect.Open{Dir: dir, Path: "file", Read: true}); errno != effect.ErrNoEnt {
		t.Errorf("errno %d, want ENOENT", errno)
	}
}

func TestLinksAreNotMoved(t *testing.T) {
	p := newPrison(t, map[string]string{"dir/link": "../file"})
	if errno := p.g.Rename(p.dir, "dir/link", p.dir, "link"); errno != effect.ErrPerm {
		t.Errorf("errno %d, want EPERM: from there the link would point outside", errno)
	}
}

func TestSystemTrees(t *testing.T) {
	for _, dir := range []string{"/", "/proc", "/proc/self", "/sys", "/sys/kernel", "/dev", "/dev/shm"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		g, err := guard.New(guard.Config{
			Policy: granting(capabilities.FSRight{Path: dir, Mode: capabilities.ModeRead}), Recorder: &journal{},
		})
		if err == nil {
			g.End()
			t.Errorf("%s was granted", dir)
		}
	}
}

// Names that no guest can write are left out of listings; the others come as they are, for whoever
// shows them to escape.
func TestHostileNames(t *testing.T) {
	p := newPrison(t, nil)
	shown := []string{"esc\x1b[2J", "line\nbreak", "bidi\u202e", "colon 10:30"}
	for _, name := range append([]string{"bad\xff", `back\slash`, "con", "dot."}, shown...) {
		if err := os.WriteFile(filepath.Join(p.inside, "dir", "deep", name), nil, 0o644); err != nil {
			t.Skip("this file system refuses the name:", err)
		}
	}
	deep := must(t, p.g, effect.Open{Dir: p.dir, Path: "dir/deep", Read: true})
	page, errno := p.g.ReadDir(deep, 0, 100)
	if errno != effect.Success {
		t.Fatal(errno)
	}
	var names []string
	for _, e := range page {
		names = append(names, e.Name)
		must(t, p.g, effect.Open{Dir: deep, Path: e.Name, Read: true})
	}
	slices.Sort(shown)
	if !slices.Equal(names, shown) {
		t.Errorf("got %q", names)
	}
}

// swap exchanges two entries of a directory, over and over, until stop.
func swap(dir, a, b string, stop *atomic.Bool) {
	a, b, parked := filepath.Join(dir, a), filepath.Join(dir, b), filepath.Join(dir, "parked")
	for !stop.Load() {
		os.Rename(a, parked)
		os.Rename(b, a)
		os.Rename(a, b)
		os.Rename(parked, a)
	}
}

// The race that path checks lose: the path is right when it is looked at and wrong when it is opened.
// The control does the same with a check and a plain open, and must leak.
func TestSwapAttack(t *testing.T) {
	attack := func(t *testing.T, read func(p prison) []byte, enough func(opens, leaks int) bool) (opens, leaks int) {
		p := newPrison(t, nil)
		write(t, filepath.Join(p.inside, "dir", "secret"), "inside")
		if err := os.Symlink(p.outside, filepath.Join(p.inside, "evil")); err != nil {
			t.Fatal(err)
		}
		var stop atomic.Bool
		var wg sync.WaitGroup
		wg.Go(func() { swap(p.inside, "dir", "evil", &stop) })
		defer wg.Wait()
		defer stop.Store(true)
		for !enough(opens, leaks) {
			opens++
			if bytes.Contains(read(p), []byte(canary)) {
				leaks++
			}
		}
		return opens, leaks
	}
	t.Run("guard", func(t *testing.T) {
		got, turned := 0, 0
		buf := make([]byte, 64)
		_, leaks := attack(t, func(p prison) []byte {
			h, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: "dir/secret", Read: true, Follow: true})
			if errno == effect.ErrPerm {
				turned++
			}
			if errno != effect.Success {
				return nil
			}
			defer p.g.Close(h)
			got++
			n, _ := p.g.Read(h, buf, 0)
			return buf[:n]
		}, func(opens, _ int) bool { return opens >= 20_000 && got > 0 && turned > 0 })
		if leaks != 0 {
			t.Errorf("%d opens gave the secret", leaks)
		}
		t.Logf("%d opens gave the file inside, %d were turned away at the link", got, turned)
	})
	t.Run("control", func(t *testing.T) {
		end := time.Now().Add(time.Minute)
		opens, leaks := attack(t, func(p prison) []byte {
			path := filepath.Join(p.inside, "dir", "secret")
			if real, err := filepath.EvalSymlinks(path); err != nil || !strings.HasPrefix(real, p.inside) {
				return nil
			}
			text, _ := os.ReadFile(path)
			return text
		}, func(_, leaks int) bool { return leaks > 0 || time.Now().After(end) })
		if leaks == 0 {
			t.Errorf("check and open did not leak in %d opens: this test shows nothing", opens)
		}
	})
}

// What takes a file's place between the look and the open is found out: a FIFO that would block the
// call for ever, and a link where none was to be followed.
func TestSwapOfTheLastName(t *testing.T) {
	for intent, place := range map[string]func(at, other string) error{
		"a FIFO": func(at, _ string) error { return syscall.Mkfifo(at, 0o644) },
		"a link": func(at, other string) error { return os.Symlink(filepath.Base(other), at) },
	} {
		t.Run(intent, func(t *testing.T) {
			p := newPrison(t, nil)
			write(t, filepath.Join(p.inside, "other"), canary)
			if err := place(filepath.Join(p.inside, "evil"), filepath.Join(p.inside, "other")); err != nil {
				t.Skip("not here:", err)
			}
			var stop atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() { swap(p.inside, "file", "evil", &stop) })
			done := make(chan struct{})
			go func() {
				defer close(done)
				buf := make([]byte, 64)
				for range 30_000 {
					h, errno := p.g.Open(t.Context(), effect.Open{Dir: p.dir, Path: "file", Read: true})
					if errno != effect.Success {
						continue
					}
					if n, _ := p.g.Read(h, buf, 0); string(buf[:n]) != "inside" {
						t.Errorf("read %q", buf[:n])
					}
					p.g.Close(h)
				}
			}()
			select {
			case <-done:
			case <-time.After(time.Minute):
				t.Error("an open waits for the other end of a FIFO")
			}
			stop.Store(true)
			wg.Wait()
		})
	}
}
