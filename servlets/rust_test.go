// Package servlets tests those servlets of this repository that are not written in Go: a Go module beside
// their source would test those.
package servlets_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/testdata/cargo"
)

// TestServletsInRust runs the tests of the source, makes the calls of the tests folder and tries hostile
// inputs. eval-py is left out: the gate refuses it.
func TestServletsInRust(t *testing.T) {
	cargo.Need(t)
	for _, name := range []string{"jq", "qr-code"} {
		t.Run(name, func(t *testing.T) {
			fetched(t, name)
			test := exec.CommandContext(t.Context(), "cargo", "test", "--quiet", "--locked", "--offline")
			test.Dir = name
			if said, err := test.CombinedOutput(); err != nil {
				t.Fatalf("cargo test: %v\n%s", err, said)
			}
			report, err := toolchain.Test(t.Context(), toolchain.TestOptions{Dir: name, CacheDir: filepath.Join(t.TempDir(), "code"), Hostile: 50, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Calls) == 0 || len(report.Hostile) == 0 {
				t.Fatal("no call was made")
			}
			for _, call := range report.Calls {
				if call.Failure != "" || call.Differences != nil || call.Denied != nil {
					t.Errorf("%s: %s %+v, denied %q", call.Name, call.Failure, call.Differences, call.Denied)
				}
			}
			for _, tool := range report.Hostile {
				for _, found := range tool.Findings {
					t.Errorf("%s: %s: %s: %s", tool.Tool, found.Why, found.What, found.Call)
				}
			}
		})
	}
}

// fetched skips where the crates of a servlet are not on this machine, as Need does for those of the SDK.
func fetched(t *testing.T, name string) {
	t.Helper()
	fetch := exec.CommandContext(t.Context(), "cargo", "fetch", "--locked", "--offline", "--quiet")
	fetch.Dir = name
	err := fetch.Run()
	const advice = "the crates of %s are not there: run \"cargo fetch --locked\" in its folder"
	switch {
	case err == nil:
	case os.Getenv(cargo.Require) != "":
		t.Fatalf(advice, name)
	default:
		t.Skipf(advice, name)
	}
}
