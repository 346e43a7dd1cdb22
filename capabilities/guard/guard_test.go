package guard_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// host is the method set that the sandbox asks of a guard. It stands here in full, as the room above
// cannot be imported.
type host interface {
	Preopens() []effect.Preopen
	Open(ctx context.Context, req effect.Open) (effect.Handle, effect.Errno)
	Close(h effect.Handle) effect.Errno
	Read(h effect.Handle, p []byte, offset int64) (int, effect.Errno)
	Write(h effect.Handle, p []byte, offset int64) (int, effect.Errno)
	Seek(h effect.Handle, offset int64, whence int) (int64, effect.Errno)
	Stat(h effect.Handle) (effect.Stat, effect.Errno)
	StatAt(dir effect.Handle, path string, follow bool) (effect.Stat, effect.Errno)
	ReadDir(h effect.Handle, cookie uint64, max int) ([]effect.Entry, effect.Errno)
	ReadLink(dir effect.Handle, path string) (string, effect.Errno)
	Mkdir(dir effect.Handle, path string) effect.Errno
	Rmdir(dir effect.Handle, path string) effect.Errno
	Unlink(dir effect.Handle, path string) effect.Errno
	Rename(from effect.Handle, oldPath string, to effect.Handle, newPath string) effect.Errno
	SetSize(h effect.Handle, size int64) effect.Errno
	SetTimes(h effect.Handle, accessed, modified int64) effect.Errno
	Sync(h effect.Handle) effect.Errno
	Config(ctx context.Context, key string) (string, *effect.Error)
	Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error)
	FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error)
}

var _ host = (*guard.Guard)(nil)

// journal keeps events; fail makes it refuse them.
type journal struct {
	mu     sync.Mutex
	events []guard.Event
	fail   error
	before func(guard.Event)
}

func (j *journal) Record(_ context.Context, e guard.Event) error {
	if j.before != nil {
		j.before(e)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	j.events = append(j.events, e)
	return nil
}

// lines are the events as "decision action target".
func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines []string
	for _, e := range j.events {
		lines = append(lines, e.Decision+" "+e.Action+" "+e.Target)
	}
	return lines
}

// folder is a temporary folder without a link in its path, as approval stores it.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// granting is a policy with directories only; ids are "d0", "d1" ..., guest paths "/d0", "/d1" ...
func granting(rights ...capabilities.FSRight) capabilities.Policy {
	p := capabilities.Policy{Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{}}}
	for i, r := range rights {
		id := "d" + string(rune('0'+i))
		r.Guest = "/" + id
		p.Rights.FS[id] = r
		p.Preopens = append(p.Preopens, r)
	}
	return p
}

func open(t testing.TB, cfg guard.Config) *guard.Guard {
	t.Helper()
	if cfg.Recorder == nil {
		cfg.Recorder = &journal{}
	}
	g, err := guard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.End() })
	return g
}

// opened is a guard on one directory, and the number of that directory.
func opened(t testing.TB, dir string, mode capabilities.Mode) (*guard.Guard, effect.Handle, *journal) {
	t.Helper()
	j := &journal{}
	return open(t, guard.Config{Policy: granting(capabilities.FSRight{Path: dir, Mode: mode}), Recorder: j}), effect.FirstHandle, j
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, path string) string {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNewNeedsARecorder(t *testing.T) {
	if _, err := guard.New(guard.Config{}); !errors.Is(err, guard.ErrNoRecorder) {
		t.Fatalf("got %v", err)
	}
}

// Neither the zero policy nor the zero Guard lets anything pass, and neither crashes.
func TestZeroValuesRefuse(t *testing.T) {
	j := &journal{}
	for name, g := range map[string]*guard.Guard{
		"zero policy": open(t, guard.Config{Recorder: j}),
		"zero guard":  {},
	} {
		t.Run(name, func(t *testing.T) {
			if got := g.Preopens(); len(got) != 0 {
				t.Errorf("preopens: %v", got)
			}
			if _, errno := g.Open(t.Context(), effect.Open{Dir: effect.FirstHandle, Path: "x", Read: true}); errno != effect.ErrBadFD {
				t.Errorf("open: %v", errno)
			}
			if errno := g.Mkdir(effect.FirstHandle, "x"); errno != effect.ErrBadFD {
				t.Errorf("mkdir: %v", errno)
			}
			if v, err := g.Config(t.Context(), "KEY"); err == nil || v != "" {
				t.Errorf("config: %q, %v", v, err)
			}
			if _, err := g.Fetch(t.Context(), effect.HTTPRequest{Capability: "api", Method: "GET", Path: "/"}); err == nil || err.Code != effect.Denied {
				t.Errorf("fetch: %v", err)
			}
			if allowed, denied := g.Effects(); allowed != 0 || denied != 2 {
				t.Errorf("effects: %d allowed, %d denied", allowed, denied)
			}
			if err := g.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	base := folder(t)
	docs := mkdir(t, filepath.Join(base, "docs"))
	child := mkdir(t, filepath.Join(docs, "child"))
	state := mkdir(t, filepath.Join(base, "user", "writ"))
	inState := mkdir(t, filepath.Join(state, "blobs"))
	write(t, filepath.Join(base, "file"), "x")
	if err := os.Symlink(docs, filepath.Join(base, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	ro := func(path string) capabilities.FSRight {
		return capabilities.FSRight{Path: path, Mode: capabilities.ModeRead}
	}
	rw := func(path string) capabilities.FSRight {
		return capabilities.FSRight{Path: path, Mode: capabilities.ModeFull}
	}
	tests := []struct {
		intent string
		grants []capabilities.FSRight
		want   error
	}{
		{"allow a directory", []capabilities.FSRight{ro(docs)}, nil},
		{"allow the same directory twice, one mode", []capabilities.FSRight{ro(docs), ro(docs)}, nil},
		{"allow a child in the same mode", []capabilities.FSRight{rw(docs), rw(child)}, nil},
		{"deny one directory in two modes", []capabilities.FSRight{ro(docs), rw(docs)}, guard.ErrDirectoryUnsafe},
		{"deny a writable child of a read-only directory", []capabilities.FSRight{ro(docs), rw(child)}, guard.ErrDirectoryUnsafe},
		{"deny a read-only child of a writable directory", []capabilities.FSRight{ro(child), rw(docs)}, guard.ErrDirectoryUnsafe},
		{"deny a missing directory", []capabilities.FSRight{ro(filepath.Join(base, "gone"))}, guard.ErrDirectoryMissing},
		{"deny a file", []capabilities.FSRight{ro(filepath.Join(base, "file"))}, guard.ErrDirectoryUnsafe},
		{"deny a link", []capabilities.FSRight{ro(filepath.Join(base, "link"))}, guard.ErrDirectoryUnsafe},
		{"deny a directory below a link", []capabilities.FSRight{ro(filepath.Join(base, "link", "child"))}, guard.ErrDirectoryUnsafe},
		{"deny a relative path", []capabilities.FSRight{ro("docs")}, guard.ErrDirectoryUnsafe},
		{"deny an unclean path", []capabilities.FSRight{ro(docs + string(filepath.Separator) + "." + string(filepath.Separator) + "child")}, guard.ErrDirectoryUnsafe},
		{"deny an empty path", []capabilities.FSRight{ro("")}, guard.ErrDirectoryUnsafe},
		{"deny the state itself", []capabilities.FSRight{ro(state)}, guard.ErrDirectoryUnsafe},
		{"deny a folder in the state", []capabilities.FSRight{ro(inState)}, guard.ErrDirectoryUnsafe},
		{"deny a folder that holds the state", []capabilities.FSRight{ro(base)}, guard.ErrDirectoryUnsafe},
		{"deny an unknown mode", []capabilities.FSRight{{Path: docs, Mode: "rwx"}}, guard.ErrPolicy},
	}
	for _, tt := range tests {
		t.Run(tt.intent, func(t *testing.T) {
			g, err := guard.New(guard.Config{Policy: granting(tt.grants...), Recorder: &journal{}, State: []string{state}})
			if err == nil {
				g.End()
			}
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), base) || !strings.Contains(err.Error(), `fs "d`)) {
				t.Errorf("error names a path of the host, or not the capability: %v", err)
			}
		})
	}
}

// The home may be made after the guard was opened: a grant that will hold it is refused all the same.
func TestGrantOverStateThatDoesNotExistYet(t *testing.T) {
	base := folder(t)
	_, err := guard.New(guard.Config{
		Policy:   granting(capabilities.FSRight{Path: base, Mode: capabilities.ModeRead}),
		Recorder: &journal{},
		State:    []string{filepath.Join(base, "later", "writ")},
	})
	if !errors.Is(err, guard.ErrDirectoryUnsafe) {
		t.Fatalf("got %v", err)
	}
}

// Rights and preopens say the same thing twice. When they do not, neither is believed.
func TestPolicyMustAgreeWithItself(t *testing.T) {
	dir := folder(t)
	right := capabilities.FSRight{Guest: "/d", Path: dir, Mode: capabilities.ModeRead}
	wider := right
	wider.Mode = capabilities.ModeFull
	for intent, p := range map[string]capabilities.Policy{
		"deny a preopen without a right": {Preopens: []capabilities.FSRight{right}},
		"deny a right without a preopen": {Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{"d": right}}},
		"deny a preopen that is wider": {
			Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{"d": right}}, Preopens: []capabilities.FSRight{wider},
		},
	} {
		t.Run(intent, func(t *testing.T) {
			if _, err := guard.New(guard.Config{Policy: p, Recorder: &journal{}}); !errors.Is(err, guard.ErrPolicy) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

// A directory that was not granted keeps its number, so that those after it keep theirs, and answers
// nothing but that it is there.
func TestPreopenWithoutGrant(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	p := granting(capabilities.FSRight{Mode: capabilities.ModeNone}, capabilities.FSRight{Path: dir, Mode: capabilities.ModeFull})
	delete(p.Rights.FS, "d0")
	j := &journal{}
	g := open(t, guard.Config{Policy: p, Recorder: j})
	want := []effect.Preopen{{Handle: 3, Guest: "/d0"}, {Handle: 4, Guest: "/d1"}}
	if got := g.Preopens(); !slices.Equal(got, want) {
		t.Fatalf("preopens: %v", got)
	}
	if s, errno := g.Stat(3); errno != effect.Success || s.Type != effect.TypeDirectory {
		t.Errorf("stat: %+v, %v", s, errno)
	}
	_, err := g.Open(t.Context(), effect.Open{Dir: 3, Path: "a", Read: true})
	_, statErr := g.StatAt(3, ".", true)
	_, listErr := g.ReadDir(3, 0, 10)
	_, linkErr := g.ReadLink(3, "a")
	_, readErr := g.Read(3, make([]byte, 1), -1)
	for what, errno := range map[string]effect.Errno{
		"open": err, "stat": statErr, "list": listErr, "readlink": linkErr, "read": readErr,
		"mkdir": g.Mkdir(3, "x"), "rmdir": g.Rmdir(3, "x"), "unlink": g.Unlink(3, "a"),
		"rename out": g.Rename(3, "a", 4, "b"), "rename in": g.Rename(4, "a", 3, "b"), "touch": g.SetTimes(3, 1, 1),
		"parent of the other": func() effect.Errno { _, e := g.StatAt(3, "../d1/a", true); return e }(),
	} {
		if errno != effect.ErrAccess {
			t.Errorf("%s: errno %d, want EACCES", what, errno)
		}
	}
	if _, errno := g.StatAt(4, "a", true); errno != effect.Success {
		t.Errorf("granted neighbour: %v", errno)
	}
	if line := "deny open /d0/a"; !slices.Contains(j.lines(), line) {
		t.Errorf("no record %q in %q", line, j.lines())
	}
}

func TestConfig(t *testing.T) {
	j := &journal{}
	g := open(t, guard.Config{Recorder: j, Policy: capabilities.Policy{
		Rights: capabilities.Rights{Config: []string{"UNITS", "UNSET"}},
		Values: map[string]string{"UNITS": "metric", "OTHER": "of another servlet"},
	}})
	if v, err := g.Config(t.Context(), "UNITS"); err != nil || v != "metric" {
		t.Fatalf("got %q, %v", v, err)
	}
	_, unset := g.Config(t.Context(), "UNSET")
	if unset == nil || unset.Code != effect.NotFound {
		t.Fatalf("got %v", unset)
	}
	for _, key := range []string{"OTHER", "NEVER", "units", "UNITS\x00", "../UNITS", "", "ＵＮＩＴＳ", strings.Repeat("K", 1<<20)} {
		if v, err := g.Config(t.Context(), key); v != "" || err == nil || *err != *unset {
			t.Errorf("key %.20q: got %q, %v; want the answer of an unset key", key, v, err)
		}
	}
	if got := j.lines()[:3]; !slices.Equal(got, []string{"allow get UNITS", "allow get UNSET", "deny get OTHER"}) {
		t.Errorf("records: %q", got)
	}
}

// No record, no effect.
func TestNothingHappensUnrecorded(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	g, d, j := opened(t, dir, capabilities.ModeFull)
	h, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Read: true, Write: true})
	if errno != effect.Success {
		t.Fatal(errno)
	}
	j.fail = errors.New("disk full")
	_, read := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Read: true})
	_, create := g.Open(t.Context(), effect.Open{Dir: d, Path: "new", Write: true, Create: true})
	_, cut := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Write: true, Truncate: true})
	entries, list := g.ReadDir(d, 0, 10)
	described, stat := g.StatAt(d, "a", true)
	_, readlink := g.ReadLink(d, "a")
	_, missing := g.Open(t.Context(), effect.Open{Dir: d, Path: "gone", Read: true})
	_, statMissing := g.StatAt(d, "gone", true)
	if len(entries) != 0 || described != (effect.Stat{}) {
		t.Errorf("told %v, %+v", entries, described)
	}
	for what, errno := range map[string]effect.Errno{
		"open": read, "create": create, "truncate": cut, "mkdir": g.Mkdir(d, "dir"), "unlink": g.Unlink(d, "a"),
		"rename": g.Rename(d, "a", d, "b"), "resize": g.SetSize(h, 0), "touch": g.SetTimes(h, 1, 1),
		"list": list, "stat": stat, "readlink": readlink, "open a name that is not there": missing, "stat one": statMissing,
		"make a folder that is there": g.Mkdir(d, "a"), "remove a file as a folder": g.Rmdir(d, "a"), "move what is not there": g.Rename(d, "c", d, "b"),
	} {
		if errno != effect.ErrIO {
			t.Errorf("%s: errno %d, want EIO", what, errno)
		}
	}
	names, _ := os.ReadDir(dir)
	text, err := os.ReadFile(filepath.Join(dir, "a"))
	if len(names) != 1 || err != nil || string(text) != "text" {
		t.Errorf("something happened: %v, %q, %v", names, text, err)
	}
}

// What tells of names is recorded as well: a listing when the directory is read, a look at a name once
// in a call.
func TestLooksAreRecorded(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	write(t, filepath.Join(dir, "b"), "text")
	if err := os.Symlink("a", filepath.Join(dir, "link")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	g, d, j := opened(t, dir, capabilities.ModeFull)
	for range 3 {
		g.StatAt(d, "a", true)
		g.StatAt(d, "./b", true)
		g.ReadLink(d, "link")
		g.StatAt(d, "gone", true)
		g.Open(t.Context(), effect.Open{Dir: d, Path: "gone", Read: true})
		g.Open(t.Context(), effect.Open{Dir: d, Path: "none", Read: true})
		g.Mkdir(d, "a")
	}
	for range 2 {
		g.ReadDir(d, 0, 1) // too little room for the guest
		g.ReadDir(d, 0, 2)
		g.ReadDir(d, 2, 10)
	}
	want := []string{
		"allow stat d0:/d0/a", "allow stat d0:/d0/b", "allow readlink d0:/d0/link", "allow stat d0:/d0/gone", "allow stat d0:/d0/none",
		"allow list d0:/d0", "allow list d0:/d0",
	}
	if got := j.lines(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Records name what the guest asked for in the guest's words.
func TestRecords(t *testing.T) {
	dir := folder(t)
	g, d, j := opened(t, dir, capabilities.ModeFull)
	if _, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "./sub/../a//", Write: true, Create: true}); errno == effect.Success {
		t.Fatal("a file was created under a directory's name")
	}
	h, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: ".//a", Write: true, Create: true})
	if errno != effect.Success {
		t.Fatal(errno)
	}
	g.SetSize(h, 10)
	g.SetTimes(h, -1, 5)
	g.Mkdir(d, "sub/")
	g.Rename(d, "a", d, "sub/b")
	g.Open(t.Context(), effect.Open{Dir: d, Path: "sub/b", Read: true})
	g.Open(t.Context(), effect.Open{Dir: d, Path: "sub/b", Write: true})
	g.Unlink(d, "sub/b")
	g.Rmdir(d, "sub")
	g.Open(t.Context(), effect.Open{Dir: d, Path: "../\x1b[2J", Read: true})
	want := []string{
		"allow create d0:/d0/a", "allow resize d0:/d0/a", "allow touch d0:/d0/a", "allow mkdir d0:/d0/sub",
		"allow rename d0:/d0/a -> d0:/d0/sub/b", "allow open d0:/d0/sub/b", "allow write d0:/d0/sub/b",
		"allow unlink d0:/d0/sub/b", "allow rmdir d0:/d0/sub", `deny open d0:/d0/../\u001b[2J`,
	}
	if got := j.lines(); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if allowed, denied := g.Effects(); allowed != 9 || denied != 1 {
		t.Errorf("effects: %d, %d", allowed, denied)
	}
}

// After the end nothing answers any more, and no file stays open.
func TestEnd(t *testing.T) {
	dir := folder(t)
	write(t, filepath.Join(dir, "a"), "text")
	policy := granting(capabilities.FSRight{Path: dir, Mode: capabilities.ModeFull})
	policy.Rights.Config, policy.Values = []string{"K"}, map[string]string{"K": "value"}
	g, d := open(t, guard.Config{Policy: policy}), effect.FirstHandle
	h, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Read: true})
	if errno != effect.Success {
		t.Fatal(errno)
	}
	if _, err := g.Config(t.Context(), "K"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.End(); err != nil {
			t.Fatal(err)
		}
	}
	if _, errno := g.Read(h, make([]byte, 1), -1); errno != effect.ErrBadFD {
		t.Errorf("read: %v", errno)
	}
	if _, errno := g.Open(t.Context(), effect.Open{Dir: d, Path: "a", Read: true}); errno != effect.ErrBadFD {
		t.Errorf("open: %v", errno)
	}
	if _, err := g.Config(t.Context(), "K"); err == nil {
		t.Error("config answered")
	}
}
