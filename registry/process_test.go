package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// The test binary is also the other processes of its tests: with childEnv set it plays the part
// named there, on the home given as the next word.
const childEnv = "REGISTRY_TEST_PART"

var parts = map[string]func(home string, args []string) error{
	"work":  work,
	"crash": crash,
	"hold":  hold,
	"key":   developmentKey,
	"keep":  keepAndDie,

	"upgrade": upgradeAndDie,
}

func TestMain(m *testing.M) {
	if words := strings.Split(os.Getenv(childEnv), "|"); len(words) > 1 {
		if err := parts[words[0]](words[1], words[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child is a command that plays a part.
func child(t testing.TB, part, home string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(append([]string{part, home}, args...), "|"))
	return cmd
}

// patient waits for the lock as long as a slow machine needs.
var patient = &registry.Options{LockTimeout: 2 * time.Minute}

const rounds = 8

// work is one of several processes that change one home at once.
func work(home string, args []string) error {
	me := args[0]
	r, err := registry.Open(home, patient)
	if err != nil {
		return err
	}
	ctx := context.Background()
	file := fileOf(me)
	for i := range rounds {
		own := registrytest.Installation("own-"+me, file)
		if _, err := r.Install(ctx, local, own, file); err != nil {
			return err
		}
		if _, err := r.Blob(ctx, own.Digest); err != nil {
			return err
		}
		if err := r.SetConfig(ctx, local, "shared", me+"-"+strconv.Itoa(i), "v"); err != nil {
			return err
		}
		if err := approveOneMore(ctx, r); err != nil {
			return err
		}
		if err := r.Record(ctx, call(me), i%3 == 0); err != nil {
			return err
		}
		if err := r.Remove(ctx, local, own.Alias, true); err != nil {
			return err
		}
	}
	return r.Close()
}

// approveOneMore adds a tool to the shared grant, again when another process was faster.
func approveOneMore(ctx context.Context, r *registry.Registry) error {
	for {
		in, err := r.Lookup(ctx, local, "shared")
		if err != nil {
			return err
		}
		in.Grant.Rights.Tools = append(in.Grant.Rights.Tools, "t")
		if _, err = r.SetGrant(ctx, local, "shared", in.Revision, in.Grant, false); !errors.Is(err, registry.ErrConflict) {
			return err
		}
	}
}

func TestProcessesShareAHome(t *testing.T) {
	r := registrytest.OpenHome(t, t.TempDir(), patient)
	install(t, r, "shared")
	const processes = 4
	var wg sync.WaitGroup
	for i := range processes {
		cmd := child(t, "work", r.Home(), fmt.Sprintf("p%d", i))
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
		})
	}
	wg.Wait()
	ctx := t.Context()
	values, err := r.Config(ctx, local, "shared")
	if err != nil || len(values) != processes*rounds {
		t.Errorf("%d config values, %v, want %d", len(values), err, processes*rounds)
	}
	in, err := r.Lookup(ctx, local, "shared")
	if err != nil || len(in.Grant.Rights.Tools) != 1+processes*rounds {
		t.Errorf("%d tools, %v, want %d", len(in.Grant.Rights.Tools), err, 1+processes*rounds)
	}
	list, err := r.List(ctx, local)
	if err != nil || len(list) != 1 {
		t.Errorf("%d installations, %v, want the shared one", len(list), err)
	}
	// Per round: install, config, grant, call, remove.
	wantIntact(t, r, 1+processes*rounds*5)
}

// die ends this process as a kill by another does.
func die() {
	self, _ := os.FindProcess(os.Getpid())
	self.Kill()
	select {}
}

// crash does one change and is killed at the nth time that it comes to a point.
func crash(home string, args []string) error {
	change, point := args[0], args[1]
	armed := false
	opts := registry.AtStep(func(at string) {
		if armed && at == point {
			die()
		}
	})
	r, err := registry.Open(home, opts)
	if err != nil {
		return err
	}
	ctx := context.Background()
	in, err := r.Lookup(ctx, local, "old")
	if err != nil {
		return err
	}
	armed = true
	switch change {
	case "install":
		file := fileOf("new")
		_, err = r.Install(ctx, local, registrytest.Installation("new", file), file)
	case "revoke":
		_, err = r.SetGrant(ctx, local, "old", in.Revision, capabilities.Grant{}, true)
	case "remove":
		err = r.Remove(ctx, local, "old", false)
	case "upgrade":
		next, file := newer(in, "new", 2)
		_, err = r.Upgrade(ctx, local, next, file)
	}
	if err == nil {
		fmt.Println("acknowledged")
	}
	return err
}

func TestKilledAnywhere(t *testing.T) {
	for _, c := range []struct {
		change, point string
		done          bool // the change is there afterwards
	}{
		{"install", "file written", false},
		{"install", "file renamed", false},
		{"install", "before commit", false},
		{"install", "after commit", true},
		{"install", "before acknowledgement", true},
		{"install", "never", true},
		{"revoke", "before commit", false},
		{"revoke", "after commit", true},
		{"revoke", "before acknowledgement", true},
		{"revoke", "never", true},
		{"remove", "before commit", false},
		{"remove", "after commit", true},
		{"remove", "before acknowledgement", true},
		{"remove", "never", true},
		{"upgrade", "file written", false},
		{"upgrade", "file renamed", false},
		{"upgrade", "before commit", false},
		{"upgrade", "after commit", true},
		{"upgrade", "before acknowledgement", true},
		{"upgrade", "never", true},
	} {
		t.Run(c.change+" "+c.point, func(t *testing.T) {
			// This process has the state of before in its memory.
			r := registrytest.Open(t)
			old := install(t, r, "old")
			for range 2 {
				if _, err := r.Lookup(t.Context(), local, "old"); err != nil {
					t.Fatal(err)
				}
			}
			out, err := child(t, "crash", r.Home(), c.change, c.point).CombinedOutput()
			if acknowledged := bytes.Contains(out, []byte("acknowledged")); acknowledged != (c.point == "never") || acknowledged != (err == nil) {
				t.Fatalf("the other process: %v\n%s", err, out)
			}
			wantState(t, r, old, c.change, c.done)
			again := registrytest.OpenHome(t, r.Home(), nil)
			wantState(t, again, old, c.change, c.done)

			entries := 1
			if c.done {
				entries = 2
			}
			wantIntact(t, r, entries)
			var blobs []string
			for _, in := range must(again.List(t.Context(), local)) {
				blobs = append(blobs, in.Digest)
			}
			if found := must(registry.StoreOf(r).Blobs(t.Context())); len(found) != len(blobs) {
				t.Errorf("blobs %q for installations of %q", found, blobs)
			}
			install(t, r, "after") // and the home goes on
		})
	}
}

// wantState checks that a change is there whole, or not at all.
func wantState(t *testing.T, r *registry.Registry, old registry.Installation, change string, done bool) {
	t.Helper()
	in, err := r.Lookup(t.Context(), local, "old")
	switch change {
	case "install":
		in, err = r.Lookup(t.Context(), local, "new")
		if done != (err == nil) {
			t.Errorf("installed: %v, want %v", err, done)
		}
		if err == nil {
			if blob, err := r.Blob(t.Context(), in.Digest); err != nil || !bytes.Equal(blob, fileOf("new")) {
				t.Errorf("blob %q, %v", blob, err)
			}
		}
	case "upgrade":
		want := fileOf("old")
		if done {
			want = fileOf("new")
		}
		blob, unread := r.Blob(t.Context(), in.Digest)
		if err != nil || unread != nil || !bytes.Equal(blob, want) || (in.Seq == 2) != done {
			t.Errorf("number %d with the file %q, %v, %v", in.Seq, blob, err, unread)
		}
	case "revoke":
		if err != nil || in.Revoked != done {
			t.Errorf("revoked: %v, %v, want %v", in.Revoked, err, done)
		}
	case "remove":
		if done != errors.Is(err, registry.ErrNotFound) {
			t.Errorf("removed: %v, want %v", err, done)
		}
		if _, err := r.Blob(t.Context(), old.Digest); !done && err != nil {
			t.Error(err)
		}
	}
}

// hold keeps the lock until its input ends.
func hold(home string, _ []string) error {
	s, err := registry.OpenStore(home, time.Minute)
	if err != nil {
		return err
	}
	return s.View(context.Background(), func(registry.Tx) error {
		fmt.Println("held")
		io.Copy(io.Discard, os.Stdin)
		return nil
	})
}

func TestLockNamesItsHolderAndEndsWithIt(t *testing.T) {
	home := t.TempDir()
	r := registrytest.OpenHome(t, home, &registry.Options{LockTimeout: 50 * time.Millisecond})
	install(t, r, "notes")
	if _, err := r.Lookup(t.Context(), local, "notes"); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "hold", home)
	stdin := must(cmd.StdinPipe())
	defer stdin.Close()
	stdout := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 5); must(io.ReadFull(stdout, line)) != 5 {
		t.Fatal("the other process does not hold the lock")
	}
	for range 3 {
		err := r.SetConfig(t.Context(), local, "notes", "K", "V")
		wantError(t, err, registry.ErrLocked)
		for _, want := range []string{home, strconv.Itoa(cmd.Process.Pid)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
	}
	// What is remembered is served meanwhile.
	if _, err := r.Lookup(t.Context(), local, "notes"); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	// The kernel ends a lock with its process: nothing stale is left to remove.
	for {
		err := r.SetConfig(t.Context(), local, "notes", "K", "V")
		if err == nil {
			break
		}
		if !errors.Is(err, registry.ErrLocked) {
			t.Fatal(err)
		}
	}
}

func developmentKey(home string, _ []string) error {
	r, err := registry.Open(home, patient)
	if err != nil {
		return err
	}
	text, err := r.DevelopmentKey(context.Background())
	fmt.Printf("%s", text)
	return err
}

func TestProcessesAgreeOnTheDevelopmentKey(t *testing.T) {
	home := t.TempDir() + "/new" // racing to make the home, too
	var wg sync.WaitGroup
	keys := make([]string, 6)
	for i := range keys {
		cmd := child(t, "key", home)
		wg.Go(func() {
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			keys[i] = string(out)
		})
	}
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] || key == "" {
			t.Errorf("one process has %q, another %q", keys[0], key)
		}
	}
	info := must(os.Stat(home + "/keys/development.key"))
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	key, err := capabilities.ParseKey([]byte(keys[0]))
	if err != nil || len(key) == 0 {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(home+"/keys/development.key", 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = registrytest.OpenHome(t, home, nil).DevelopmentKey(t.Context())
	wantError(t, err, registry.ErrUnsafe)
}

func TestDamagedDevelopmentKeyCanBeReplaced(t *testing.T) {
	home := t.TempDir()
	reg := registrytest.OpenHome(t, home, nil)
	if _, err := reg.DevelopmentKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(home, "keys", "development.key")
	if err := os.WriteFile(path, []byte("junk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := reg.DevelopmentKey(t.Context())
	wantError(t, err, registry.ErrDamaged)
	if want := "the development key " + path + " is damaged: remove that file, and the next build makes a new one"; err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.DevelopmentKey(t.Context()); err != nil {
		t.Errorf("after doing so: %v", err)
	}
}
