//go:build unix

package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func init() {
	parts["readonly"] = readOnly
	parts["full"] = fullDisk
}

func TestHomeIsPrivateWhateverTheUmask(t *testing.T) {
	for _, umask := range []int{0, 0o777} {
		home := filepath.Join(t.TempDir(), "home")
		old := syscall.Umask(umask)
		r, err := registry.Open(home, nil)
		if err == nil {
			file := fileOf("notes")
			_, err = r.Install(t.Context(), local, registrytest.Installation("notes", file), file)
			record(t, r, true, "c1")
			err = errors.Join(err, r.Close())
		}
		syscall.Umask(old)
		if err != nil {
			t.Fatalf("umask %03o: %v", umask, err)
		}
		err = filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
			// A folder that its owner cannot enter is as wrong as one that others can.
			if mode := must(d.Info()).Mode(); mode.Perm()&0o077 != 0 || d.IsDir() && mode.Perm() != 0o700 {
				t.Errorf("umask %03o: %s has mode %v", umask, path, mode)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		registrytest.OpenHome(t, home, nil)
	}
}

func TestUnsafeHomesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, home string) string // the home to open
		hint    string
	}{
		"world writable": {func(t *testing.T, home string) string { return chmod(t, home, 0o707) }, "chmod 700"},
		"group writable": {func(t *testing.T, home string) string { return chmod(t, home, 0o770) }, "chmod 700"},
		"link": {func(t *testing.T, home string) string {
			link := home + "-link"
			if err := os.Symlink(home, link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "symbolic link"},
		"file":         {func(t *testing.T, home string) string { return filepath.Join(home, "writ.db") }, "is a file: name a folder with --home or WRIT_HOME"},
		"below a file": {func(t *testing.T, home string) string { return filepath.Join(home, "writ.db", "home") }, "lies below a file: name a folder"},
		"another owner": {func(t *testing.T, home string) string {
			if os.Geteuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			if err := os.Chown(home, 12345, 12345); err != nil {
				t.Fatal(err)
			}
			return home
		}, "another user"},
	} {
		t.Run(name, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "home")
			closeHome(t, home)
			_, err := registry.Open(c.prepare(t, home), nil)
			wantError(t, err, registry.ErrUnsafe)
			if err == nil || !strings.Contains(err.Error(), c.hint) {
				t.Errorf("%v does not say %q", err, c.hint)
			}
		})
	}
}

func TestKeyThatOthersCanReadIsRefused(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	closeHome(t, home)
	chmod(t, filepath.Join(home, "keys", "home.key"), 0o640)
	_, err := registry.Open(home, nil)
	wantError(t, err, registry.ErrUnsafe)
}

func chmod(t *testing.T, path string, mode fs.FileMode) string {
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// closeHome makes a home with one installation in it.
func closeHome(t *testing.T, home string) {
	t.Helper()
	r, err := registry.Open(home, nil)
	if err != nil {
		t.Fatal(err)
	}
	install(t, r, "notes")
	record(t, r, true, "c1")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

// readOnly uses a home that its process cannot write.
func readOnly(home string, _ []string) error {
	ctx := context.Background()
	r, err := registry.Open(home, nil)
	if err != nil {
		return err
	}
	in, err := r.Lookup(ctx, local, "notes")
	if err != nil {
		return err
	}
	_, blob := r.Blob(ctx, in.Digest)
	_, list := r.List(ctx, local)
	entries, audit := r.Audit(ctx, local, registry.Filter{})
	report, verify := r.VerifyAudit(ctx)
	if err := errors.Join(blob, list, audit, verify); err != nil || len(entries) != 2 || len(report.Broken) != 0 {
		return fmt.Errorf("reading: %v, %d entries, %+v", err, len(entries), report)
	}
	file := fileOf("new")
	_, install := r.Install(ctx, local, registrytest.Installation("new", file), file)
	_, grant := r.SetGrant(ctx, local, "notes", in.Revision, in.Grant, true)
	_, key := r.DevelopmentKey(ctx)
	for what, err := range map[string]error{
		"install": install, "grant": grant, "key": key,
		"config":          r.SetConfig(ctx, local, "notes", "K", "V"),
		"remove":          r.Remove(ctx, local, "notes", false),
		"record":          r.Record(ctx, call("c2"), false),
		"open of a child": openError(filepath.Join(home, "new")),
	} {
		if !errors.Is(err, registry.ErrReadOnly) {
			return fmt.Errorf("%s: %v, want %v", what, err, registry.ErrReadOnly)
		}
	}
	return r.Close()
}

func openError(home string) error {
	_, err := registry.Open(home, nil)
	return err
}

func TestReadOnlyHome(t *testing.T) {
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	closeHome(t, home)
	cmd := child(t, "readonly", home)
	if os.Geteuid() == 0 {
		// Nothing is read-only for root, so another user does it, with a copy of this program in a
		// place that they can reach.
		const nobody = 65534
		cmd.Path = filepath.Join(dir, "registry.test")
		if err := copyFile(cmd.Path, cmd.Args[0]); err != nil {
			t.Fatal(err)
		}
		for path := range strings.SplitSeq(dir+"\n"+filepath.Dir(dir), "\n") {
			chmod(t, path, 0o755) // folders of this test
		}
		for path := dir; path != "/"; path = filepath.Dir(path) {
			if info := must(os.Stat(path)); info.Mode().Perm()&0o005 != 0o005 {
				t.Skipf("%s (mode %v) cannot be entered by another user; set TMPDIR to a folder that can", path, info.Mode())
			}
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir = dir
		eachFile(t, home, func(path string) error { return os.Chown(path, nobody, nobody) })
	}
	eachFile(t, home, func(path string) error {
		mode := must(os.Stat(path)).Mode().Perm() &^ 0o222
		return os.Chmod(path, mode)
	})
	t.Cleanup(func() { eachFile(t, home, func(path string) error { return os.Chmod(path, 0o700) }) })
	before := snapshot(t, home)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	wantUnchanged(t, home, before)
}

func eachFile(t *testing.T, home string, do func(path string) error) {
	t.Helper()
	var paths []string
	filepath.WalkDir(home, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	for _, path := range paths {
		if err := do(path); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// fullDisk uses a home whose disk is full for a while: no file can grow beyond a limit.
func fullDisk(home string, _ []string) error {
	ctx := context.Background()
	r, err := registry.Open(home, nil)
	if err != nil {
		return err
	}
	if err := r.Record(ctx, call("c2"), true); err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ) // a write beyond the limit fails instead of ending the process
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	full := old
	full.Cur = 1024
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
		return err
	}
	big := fileOf(strings.Repeat("big", 100_000))
	_, installing := r.Install(ctx, local, registrytest.Installation("big", big), big)
	config := r.SetConfig(ctx, local, "notes", "K", "V")
	var recording error
	for i := 0; recording == nil && i < 100; i++ {
		recording = r.Record(ctx, call(fmt.Sprintf("full-%d", i)), true)
	}
	after := r.Record(ctx, call("refused"), true)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		return err
	}
	for what, err := range map[string]error{"install": installing, "config": config, "record": recording, "record again": after} {
		if err == nil || errors.Is(err, registry.ErrDamaged) {
			return fmt.Errorf("%s on a full disk: %v", what, err)
		}
		fmt.Printf("%s: %v\n", what, err)
	}
	if err := r.Record(ctx, call("room again"), true); err != nil {
		return err
	}
	if err := r.SetConfig(ctx, local, "notes", "LATER", "V"); err != nil {
		return err
	}
	return r.Close()
}

// What would change a home on a full disk is refused, nothing is half there, and the home goes on
// when there is room again.
func TestFullDisk(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	closeHome(t, home)
	out, err := child(t, "full", home).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("on a full disk:\n%s", out)
	r := registrytest.OpenHome(t, home, nil)
	_, err = r.Lookup(t.Context(), local, "big")
	wantError(t, err, registry.ErrNotFound)
	if values := must(r.Config(t.Context(), local, "notes")); len(values) != 1 || values["LATER"] != "V" {
		t.Errorf("config %v", values)
	}
	if report := verify(t, r); len(report.Broken)+len(report.Torn) != 0 {
		t.Errorf("audit %+v", report)
	}
	for _, e := range must(r.Audit(t.Context(), local, registry.Filter{})) {
		if e.Call == "refused" {
			t.Error("the audit tells of a call that was refused")
		}
	}
}
