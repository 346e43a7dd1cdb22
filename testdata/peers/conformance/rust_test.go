package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
)

// rustTarget is what plug-ins in Rust are compiled for.
const rustTarget = "wasm32-wasip1"

// buildRust makes the plug-in in Rust with its own kit. Without a cargo that has the target the test is
// skipped; RUSTUP_TOOLCHAIN and CARGO_TARGET_DIR choose, as always.
func buildRust(t *testing.T) []byte {
	t.Helper()
	cargo, err := exec.LookPath("cargo")
	if err != nil {
		t.Skip("cargo is not in PATH")
	}
	into := os.Getenv("CARGO_TARGET_DIR")
	if into == "" {
		into = t.TempDir()
	}
	cmd := exec.Command(cargo, "build", "--quiet", "--locked", "--release", "--target", rustTarget, "--target-dir", into)
	cmd.Dir = "../plugin-rust"
	if text, err := cmd.CombinedOutput(); err != nil {
		if strings.Contains(string(text), "can't find crate for `core`") || strings.Contains(string(text), "may not be installed") {
			t.Skip("cargo has no target " + rustTarget)
		}
		t.Fatalf("building the plug-in in Rust: %v\n%s", err, text)
	}
	module, err := os.ReadFile(filepath.Join(into, rustTarget, "release", "plugin.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// What holds for the kit for Go holds for the one for Rust.
func TestRustAnswersAreTheReferences(t *testing.T) {
	module := buildRust(t)
	origin, network := upstream(t)
	theirs, ours := newReference(t, module), newWrit(t, module, network, origin)
	for name, input := range map[string]string{
		"a text":                 "echo\nhello <world> & ü 漢",
		"an empty text":          "echo\n",
		"a long text":            "echo\n" + strings.Repeat("0123456789", 10_000) + "!",
		"a setting":              "setting\nUNITS",
		"an empty setting":       "setting\nEMPTY",
		"no such setting":        "setting\nHOME",
		"a variable":             "variable\nname\nvalue",
		"an empty variable":      "variable\nname\n",
		"logs":                   "log\nline",
		"a post":                 "fetch\n" + origin + "/v1/a\nbody",
		"a page that is missing": "fetch\n" + origin + "/v1/missing\nbody",
		"a failure":              "fail\nit is Tuesday",
		"a crash":                "crash",
	} {
		t.Run(name, func(t *testing.T) {
			want := theirs.call(t, "call", []byte(input))
			got, out := ours.call(t, sandbox.EntryCall, []byte(input))
			if want.output == "" && !want.crashed && want.failure == "" {
				if out.Fault == nil || out.Fault.Kind != sandbox.FaultABI { // an answer of nothing is none here
					t.Errorf("writ %+v, reference %+v", got, want)
				}
				return
			}
			if got != want {
				t.Errorf("writ      %+v\nreference %+v", got, want)
			}
		})
	}
	want := theirs.call(t, "describe", nil)
	if got, _ := ours.call(t, sandbox.EntryDescribe, nil); got != want || want.output == "" {
		t.Errorf("describe: writ %+v, reference %+v", got, want)
	}
}
