package guard_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// What is mounted inside a granted directory was not what the operator saw. A bind mount even has the
// device number of the directory around it.
func TestMountsInsideAreNotGranted(t *testing.T) {
	for intent, mount := range map[string]func(outside, at string) error{
		"bind mount":        func(outside, at string) error { return syscall.Mount(outside, at, "", syscall.MS_BIND, "") },
		"other file system": func(_, at string) error { return syscall.Mount("tmpfs", at, "tmpfs", 0, "size=1m") },
	} {
		t.Run(intent, func(t *testing.T) {
			p := newPrison(t, map[string]string{"link": "mnt/secret", "linkdir": "mnt"})
			at := mkdir(t, filepath.Join(p.inside, "mnt"))
			if err := mount(p.outside, at); err != nil {
				t.Skip("mounting needs more rights:", err)
			}
			defer syscall.Unmount(at, syscall.MNT_DETACH)
			os.WriteFile(filepath.Join(at, "secret"), []byte(canary), 0o644)
			opens := func(path string, req effect.Open) effect.Errno {
				req.Dir, req.Path, req.Follow = p.dir, path, true
				_, errno := p.g.Open(t.Context(), req)
				return errno
			}
			_, stat := p.g.StatAt(p.dir, "mnt/secret", true)
			for what, errno := range map[string]effect.Errno{
				"read": opens("mnt/secret", effect.Open{Read: true}), "by a link": opens("link", effect.Open{Read: true}),
				"by a folder link": opens("linkdir/secret", effect.Open{Read: true}), "list": opens("mnt", effect.Open{Read: true}),
				"write": opens("mnt/secret", effect.Open{Write: true}), "create": opens("mnt/new", effect.Open{Write: true, Create: true}),
				"stat": stat, "mkdir": p.g.Mkdir(p.dir, "mnt/new"), "unlink": p.g.Unlink(p.dir, "mnt/secret"),
				"rename out": p.g.Rename(p.dir, "mnt/secret", p.dir, "stolen"), "rename in": p.g.Rename(p.dir, "file", p.dir, "mnt/new"),
			} {
				if errno != effect.ErrXDev {
					t.Errorf("%s: errno %d, want EXDEV", what, errno)
				}
			}
			if names, _ := os.ReadDir(at); len(names) != 1 {
				t.Errorf("the mounted directory now holds %v", names)
			}
		})
	}
}

// The kernel's own trees are known by what they are, not by where they are.
func TestKernelTreesMountedElsewhere(t *testing.T) {
	for _, kind := range []string{"proc", "sysfs"} {
		t.Run(kind, func(t *testing.T) {
			at := folder(t)
			if err := syscall.Mount(kind, at, kind, syscall.MS_RDONLY, ""); err != nil {
				t.Skip("mounting needs more rights:", err)
			}
			defer syscall.Unmount(at, syscall.MNT_DETACH)
			policy := granting(capabilities.FSRight{Path: filepath.Join(at, "fs"), Mode: capabilities.ModeRead})
			if _, err := guard.New(guard.Config{Policy: policy, Recorder: &journal{}}); !errors.Is(err, guard.ErrDirectoryUnsafe) {
				t.Errorf("got %v", err)
			}
		})
	}
}
