package sandbox_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"
)

var _ sandbox.Host = (*guard.Guard)(nil)

type recorder struct{}

func (recorder) Record(context.Context, guard.Event) error { return nil }

// guarded is the product's Host over one real directory, and a second that was not granted.
func guarded(t *testing.T, dir string, mode capabilities.Mode) *guard.Guard {
	t.Helper()
	granted := capabilities.FSRight{Guest: "/data", Path: dir, Mode: mode}
	g, err := guard.New(guard.Config{
		Policy: capabilities.Policy{
			Rights: capabilities.Rights{
				FS:     map[string]capabilities.FSRight{"data": granted},
				Config: []string{"KEY"},
			},
			Preopens: []capabilities.FSRight{granted, {Guest: "/other", Mode: capabilities.ModeNone}},
			Values:   map[string]string{"KEY": "value"},
			Limits:   capabilities.DefaultLimits,
		},
		Recorder: recorder{},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.End(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func TestGuardFilesOfGo(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	got := answer[[]string](t, probe(t), ask{Do: "files", Text: "/data", N: 300}.call(guarded(t, dir, capabilities.ModeFull)))
	want := slices.Clone(goFiles)
	want[19] = "readlink: not exist" // "x" was never made
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A directory that was not granted is there, and everything about it is denied.
func TestGuardDirectoryNotGranted(t *testing.T) {
	call := ask{Do: "read", Text: "/other/a"}.call(guarded(t, t.TempDir(), capabilities.ModeFull))
	wantFault(t, probe(t).Run(t.Context(), call), sandbox.FaultTool, "open /other/a: Permission denied")
}

func TestGuardReadOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := answer[[]string](t, probe(t), ask{Do: "files", Text: "/data"}.call(guarded(t, dir, capabilities.ModeRead)))
	if !slices.Contains(got, "read hello") {
		t.Errorf("cannot read: %q", got)
	}
	for _, line := range got {
		for _, done := range []string{"write", "append", "truncate", "times", "mkdir", "rename", "symlink", "link"} {
			if line == done {
				t.Errorf("%s went through a read-only grant", line)
			}
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a.txt")); err != nil || string(b) != "hello" {
		t.Errorf("file is %q, %v", b, err)
	}
}

// The ways out of a directory that a guest has tried elsewhere, through the whole sandbox.
func TestGuardEscapes(t *testing.T) {
	outside := t.TempDir()
	const canary = "canary-77e0"
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte(canary), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, target := range map[string]string{"absolute": outside, "relative": "../" + filepath.Base(outside), "file": filepath.Join(outside, "secret"), "loop": "loop"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "inside"), []byte("inside"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"absolute/secret", "relative/secret", "file", "loop", "../" + filepath.Base(outside) + "/secret", "absolute/../secret", "./absolute//secret", "inside/../../etc/passwd"} {
		out := probe(t).Run(t.Context(), ask{Do: "read", Text: "/data/" + path}.call(guarded(t, dir, capabilities.ModeFull)))
		if out.Fault == nil || out.Fault.Kind != sandbox.FaultTool || strings.Contains(out.Fault.Text, canary) || strings.Contains(out.Fault.Text, outside) {
			t.Errorf("%s: output %s, fault %v", path, out.Output, out.Fault)
		}
	}
	if got := answer[string](t, probe(t), ask{Do: "read", Text: "/data/inside"}.call(guarded(t, dir, capabilities.ModeFull))); got != "inside" {
		t.Errorf("control: %q", got)
	}
}

// An image that was taken for a manifest's directories serves every grant: the guard shows them all,
// granted or not. Another list of directories has no image.
func TestGuardShowsTheDirectoriesOfTheImage(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), guests.Build(t, "probe"))
	manifest := []effect.Preopen{{Handle: effect.FirstHandle, Guest: "/data"}, {Handle: effect.FirstHandle + 1, Guest: "/other"}}
	if err := code.Prepare(t.Context(), manifest, 64<<20); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		out := code.Run(t.Context(), ask{Do: "echo"}.call(guarded(t, t.TempDir(), capabilities.ModeRead)))
		if out.Fault != nil || out.Rung != sandbox.RungReset {
			t.Errorf("rung %s, fault %v", out.Rung, out.Fault)
		}
	}
	if out := code.Run(t.Context(), ask{Do: "echo"}.call(newMemory("/data"))); out.Fault != nil || out.Rung != sandbox.RungPlain {
		t.Errorf("with other directories: rung %s, fault %v", out.Rung, out.Fault)
	}
}

func TestGuardConfig(t *testing.T) {
	g := guarded(t, t.TempDir(), capabilities.ModeRead)
	if out := probe(t).Run(t.Context(), ask{Do: "config", Text: "KEY"}.call(g)); string(out.Output) != `["value",5]` {
		t.Errorf("output %s, fault %v", out.Output, out.Fault)
	}
}
