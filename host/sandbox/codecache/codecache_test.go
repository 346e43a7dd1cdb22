package codecache_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox/codecache"
)

func open(t *testing.T) *codecache.Folder {
	t.Helper()
	f, err := codecache.Open(filepath.Join(t.TempDir(), "code"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func put(t *testing.T, f *codecache.Folder, name string, size int, age time.Duration) {
	t.Helper()
	if err := f.Put(name, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	grow(t, f, name, age)
}

// grow makes a file older.
func grow(t *testing.T, f *codecache.Folder, name string, age time.Duration) {
	t.Helper()
	at := time.Now().Add(-age)
	if err := os.Chtimes(filepath.Join(f.Dir(), name), at, at); err != nil {
		t.Fatal(err)
	}
}

func remember(t *testing.T, f *codecache.Folder, servlet string, age time.Duration, files ...string) {
	t.Helper()
	if _, err := f.Remember(servlet, codecache.Entry{Program: files[0], Files: files}); err != nil {
		t.Fatal(err)
	}
	grow(t, f, "servlet-"+servlet, age)
}

// left lists the files of the folder.
func left(t *testing.T, f *codecache.Folder) string {
	t.Helper()
	entries, err := os.ReadDir(f.Dir())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// A file that is held outlives its name; what is damaged is not given back.
func TestHeldFilesOutliveTheirNames(t *testing.T) {
	f := open(t)
	if _, err := f.Hold("a"); err == nil {
		t.Error("held what nobody put")
	}
	want := bytes.Repeat([]byte("data"), 1000)
	if err := f.Put("a", want); err != nil {
		t.Fatal(err)
	}
	held, err := f.Hold("a")
	if err != nil {
		t.Skip(err) // a system that does not drop open files
	}
	if err := f.Remove("a"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := held.Get(); !bytes.Equal(got, want) {
			t.Errorf("got %d bytes", len(got))
		}
	}
	if err := held.Close(); err != nil || held.Get() != nil {
		t.Errorf("read after the end, %v", err)
	}
	if err := f.Put("b", want); err != nil {
		t.Fatal(err)
	}
	if held, err = f.Hold("b"); err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := os.WriteFile(filepath.Join(f.Dir(), "b"), want, 0o600); err != nil || held.Get() != nil {
		t.Errorf("a file that was overwritten is given back, %v", err)
	}
}

func TestWhatIsPutComesBackOrNothingDoes(t *testing.T) {
	f := open(t)
	if f.Get("a") != nil {
		t.Error("found what nobody put")
	}
	want := []byte("machine code")
	for range 2 { // again is no error
		if err := f.Put("a", want); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.Get("a"); !bytes.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	path := filepath.Join(f.Dir(), "a")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		flipped := slices.Clone(whole)
		flipped[i] ^= 1
		for name, data := range map[string][]byte{"flipped": flipped, "cut": whole[:i]} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := f.Get("a"); got != nil {
				t.Errorf("%s at %d: got %q", name, i, got)
			}
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left(t, f) != "a" {
		t.Errorf("left %s", left(t, f))
	}
}

// What lies there is run: whoever else could have put it there is kept out, and told apart.
func TestFolderOfOthersIsRefused(t *testing.T) {
	for name, row := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"group may write": {func(dir string) error { return os.Chmod(dir, 0o770) }, " has mode 0770; run chmod 700 on it"},
		"all may look":    {func(dir string) error { return os.Chmod(dir, 0o705) }, " has mode 0705; run chmod 700 on it"},
		"a file":          {func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) }, ": not a directory"},
		"a link": {func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"-real"), os.Symlink(dir+"-real", dir))
		}, " is not a folder (links are not followed); remove it"},
		"another user's": {func(dir string) error {
			return os.Chown(dir, 65534, 65534)
		}, " belongs to another user; remove it, and it is made again"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another user's" && os.Geteuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			dir := open(t).Dir()
			if err := row.spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := codecache.Open(dir); err == nil || !strings.HasPrefix(err.Error(), "opening code cache: ") || !strings.HasSuffix(err.Error(), dir+row.want) {
				t.Errorf("error %v, want %s", err, row.want)
			}
		})
	}
}

// Nor may others be able to put a folder of their own in its place later. What is refused stays as it was.
func TestFolderThatOthersCanReplaceIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a folder's access list is inherited there")
	}
	const replaced = ": others could replace the cache that is in it; run chmod go-w on it"
	chmod := func(mode fs.FileMode) func(string) error {
		return func(dir string) error { return os.Chmod(dir, mode) }
	}
	give := func(dir string) error { return os.Chown(dir, 65534, 65534) }
	for name, row := range map[string]struct {
		spoil func(above string) error
		want  string
	}{
		"allow one that all may look at":       {chmod(0o755), ""},
		"allow one that is sticky":             {chmod(0o777 | fs.ModeSticky), ""},
		"deny one that the group may write to": {chmod(0o775), " has mode 0775" + replaced},
		"deny one that all may write to":       {chmod(0o757), " has mode 0757" + replaced},
		"deny another user's":                  {give, " belongs to another user, who could replace the cache that is in it; choose a folder of your own"},
		"allow one that others do not get so far as": {func(above string) error {
			return errors.Join(os.Chmod(above, 0o777), os.Chmod(filepath.Dir(above), 0o700))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(name, "user") && os.Geteuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			top, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			above := filepath.Join(top, "above")
			link := filepath.Join(top, "link")
			// All may reach what is made here: the folder of a test is within one that is private.
			if err := errors.Join(os.Mkdir(above, 0o700), os.Symlink(above, link), os.Chmod(top, 0o755), os.Chmod(filepath.Dir(top), 0o755), row.spoil(above)); err != nil {
				t.Fatal(err)
			}
			for _, dir := range []string{filepath.Join(above, "code"), filepath.Join(above, "far", "below", "code"), filepath.Join(link, "code")} {
				f, err := codecache.Open(dir)
				switch {
				case row.want == "" && (err != nil || strings.Contains(f.Dir(), "link")):
					t.Errorf("%s: %v", dir, err)
				case row.want != "" && (err == nil || err.Error() != "opening code cache: "+above+row.want):
					t.Errorf("%s: error %v, want %s", dir, err, row.want)
				}
			}
			if entries, err := os.ReadDir(above); err != nil || row.want != "" && len(entries) > 0 {
				t.Errorf("%v were made in it, %v", entries, err)
			}
			// A cache that was there before is refused as well.
			if row.want != "" {
				dir := filepath.Join(above, "code")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if _, err := codecache.Open(dir); err == nil {
					t.Error("one that was there is taken")
				}
			}
		})
	}
}

func TestNamesAreNoPaths(t *testing.T) {
	f := open(t)
	for _, name := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd"} {
		if err := f.Put(name, []byte("x")); err == nil || f.Get(name) != nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestEntriesOfServlets(t *testing.T) {
	f := open(t)
	if _, ok := f.Recall("x"); ok {
		t.Error("recalled what nobody remembered")
	}
	e := codecache.Entry{Program: "p", Files: []string{"p", "sub/m"}, Note: json.RawMessage(`{"rung":"reset"}`)}
	for _, want := range []bool{true, false} {
		if others, err := f.Remember("x", e); err != nil || others != want {
			t.Errorf("others %v, %v; want %v", others, err, want)
		}
	}
	e.Note = json.RawMessage(`{"rung":"plain"}`)
	if others, err := f.Remember("x", e); err != nil || others {
		t.Errorf("another note: others %v, %v", others, err)
	}
	got, ok := f.Recall("x")
	if !ok || got.Program != "p" || !slices.Equal(got.Files, e.Files) || string(got.Note) != string(e.Note) {
		t.Errorf("recalled %+v", got)
	}
	// A use renews the time, but not at each start.
	for age, renewed := range map[time.Duration]bool{30 * time.Minute: false, 2 * time.Hour: true} {
		grow(t, f, "servlet-x", age)
		if _, err := f.Remember("x", e); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(f.Dir(), "servlet-x"))
		if err != nil || time.Since(info.ModTime()) < time.Minute != renewed {
			t.Errorf("after %v: renewed %v", age, time.Since(info.ModTime()) < time.Minute)
		}
	}
}

func TestLatestEntry(t *testing.T) {
	f := open(t)
	if _, ok := f.Latest(); ok {
		t.Error("an entry of an empty folder")
	}
	remember(t, f, "a", 3*time.Hour, "a")
	remember(t, f, "b", time.Hour, "b")
	remember(t, f, "c", 2*time.Hour, "c")
	if e, ok := f.Latest(); !ok || e.Program != "b" {
		t.Errorf("%+v, %v", e, ok)
	}
}

func TestForgettingKeepsWhatOthersShare(t *testing.T) {
	f := open(t)
	for _, name := range []string{"engine", "a", "b"} {
		put(t, f, name, 1, 0)
	}
	remember(t, f, "one", 0, "a", "engine")
	remember(t, f, "two", 0, "b", "engine")
	for _, row := range []struct{ servlet, left string }{
		{"none", "a b engine servlet-one servlet-two"},
		{"one", "b engine servlet-two"},
		{"one", "b engine servlet-two"},
		{"two", ""},
	} {
		if err := f.Forget(row.servlet); err != nil {
			t.Error(err)
		}
		if got := left(t, f); got != row.left {
			t.Errorf("after %s: %q, want %q", row.servlet, got, row.left)
		}
	}
}

// An entry is trusted with names of files, and still reaches nothing outside.
func TestForgettingStaysInside(t *testing.T) {
	f := open(t)
	outside := filepath.Join(filepath.Dir(f.Dir()), "outside")
	if err := os.WriteFile(outside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	remember(t, f, "x", 0, "../outside")
	if err := f.Forget("x"); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("a file outside is gone")
	}
}

func TestTrimDropsWhatWasNotUsedForLongest(t *testing.T) {
	const kb = 1 << 10
	make := func(t *testing.T) *codecache.Folder {
		f := open(t)
		put(t, f, "old", 10*kb, 50*time.Hour)
		put(t, f, "shared", 10*kb, 60*time.Hour)
		put(t, f, "new", 10*kb, 40*time.Hour)
		put(t, f, "orphan", 10*kb, 45*time.Hour)
		put(t, f, "made-now", 10*kb, 0)
		remember(t, f, "o", 50*time.Hour, "old", "shared")
		remember(t, f, "n", 2*time.Hour, "new", "shared") // loaded long after it was made
		put(t, f, "x.123.tmp", 10*kb, 2*time.Hour)
		put(t, f, "y.123.tmp", 10*kb, time.Minute)
		return f
	}
	for _, row := range []struct {
		limit int64
		left  string
	}{
		{100 * kb, "made-now new old orphan servlet-n servlet-o shared y.123.tmp"},
		{55 * kb, "made-now new orphan servlet-n servlet-o shared y.123.tmp"},
		{45 * kb, "made-now new servlet-n servlet-o shared y.123.tmp"},
		{25 * kb, "made-now y.123.tmp"},
		{0, "made-now y.123.tmp"},
	} {
		f := make(t)
		if err := f.Trim(row.limit); err != nil {
			t.Error(err)
		}
		if got := left(t, f); got != row.left {
			t.Errorf("limit %d: %q, want %q", row.limit, got, row.left)
		}
	}
}
