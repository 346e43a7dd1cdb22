package sandbox_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
)

// Once there is an image, the data segments of a module are read again from the cache folder whenever an
// instance is made without it: also when the folder has dropped the file, and never when it is damaged.
func TestSegmentsAreReadAgain(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"as it was": func(string) error { return nil },
		"dropped":   os.Remove,
		"damaged":   func(path string) error { return os.WriteFile(path, []byte("something else"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "code")
			code := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), script(1))
			if !code.KeepsSegments() {
				t.Error("they are not there before the image is taken")
			}
			if err := code.Prepare(t.Context(), nil, 64<<20); err != nil {
				t.Fatal(err)
			}
			if code.KeepsSegments() {
				t.Skip("this system does not drop open files: the segments stay in memory")
			}
			files, err := filepath.Glob(filepath.Join(dir, "program-*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("files %q, %v", files, err)
			}
			if err := change(files[0]); err != nil {
				t.Fatal(err)
			}
			// Init saw no such directory: there is no image for this call.
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: newMemory("/data"), Limits: enough()})
			if name == "damaged" {
				wantFault(t, out, sandbox.FaultHost, "the host failed: the servlet's compiled code is damaged; start Writ again")
			} else if out.Fault != nil || out.Rung != sandbox.RungPlain || string(out.Output) != "00000001" {
				t.Errorf("rung %s, output %s, fault %v", out.Rung, out.Output, out.Fault)
			}
		})
	}
}
