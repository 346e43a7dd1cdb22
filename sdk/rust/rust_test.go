package rust_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/writ-run/writ/sdk/rust"
	"github.com/writ-run/writ/testdata/cargo"
)

// TestCrate has cargo run the crate's own tests, natively: those of its modules, of the folder tests, and
// the examples in its texts.
func TestCrate(t *testing.T) {
	cargo.Need(t)
	out, err := exec.CommandContext(t.Context(), "cargo", "test", "--quiet", "--locked", "--offline").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("test result: ok")) {
		t.Fatalf("%v\n%s", err, out)
	}
}

// What authors are given is the crate without its tests.
func TestSourceIsComplete(t *testing.T) {
	for _, folder := range []string{"src", "derive/src"} {
		err := fs.WalkDir(os.DirFS("."), folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			want, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if got, err := rust.Source.ReadFile(name); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Unsafe code is in the one file that calls the host.
func TestUnsafeIsInOneFile(t *testing.T) {
	err := fs.WalkDir(rust.Source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".rs") {
			return err
		}
		text, err := rust.Source.ReadFile(name)
		if has := bytes.Contains(text, []byte("unsafe {")) || bytes.Contains(text, []byte("unsafe fn")); has != (name == "src/abi/wasm.rs") {
			t.Errorf("%s: unsafe code: %v", name, has)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
