package toolchain

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
)

// locked are the packages of a Cargo.lock by name, with all that is said of each.
func locked(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]string{}
	for _, one := range strings.Split(string(text), "[[package]]\n")[1:] {
		name, rest, _ := strings.Cut(one, "\n")
		packages[name] = strings.TrimSpace(rest)
	}
	return packages
}

// A new servlet is built with the crates that the SDK is tested with, and that a test's machine has.
func TestTemplateLocksTheCratesOfTheSDK(t *testing.T) {
	template := locked(t, "template/rust/Cargo.lock.tmpl")
	delete(template, `name = "servlet-{{short}}"`)
	if sdk := locked(t, "../rust/Cargo.lock"); !maps.Equal(template, sdk) {
		t.Errorf("the template locks %v, the SDK %v", template, sdk)
	}
}

func TestRustSDKComesBackWhereItIsNamed(t *testing.T) {
	for _, row := range []struct {
		name, manifest string
		want           bool
	}{
		{"the template's", `writ-servlet = { path = ".writ/sdk" }`, true},
		{"another", `writ-servlet = { path = "../sdk" }`, false},
		{"none", ``, false},
	} {
		dir := t.TempDir()
		if err := restoreRustSDK(dir, []byte(row.manifest)); err != nil {
			t.Fatal(err)
		}
		if found := isFile(filepath.Join(dir, ".writ/sdk/derive/src/lib.rs")); found != row.want {
			t.Errorf("%s: the SDK is there: %v", row.name, found)
		}
	}
}

func TestWhatCargoSaysIsPassedOn(t *testing.T) {
	failed := exec.Command("false").Run()
	rows := []struct{ name, said, want string }{
		{"a mistake", "   Compiling serde v1.0.0\nerror[E0425]: nosuch\n --> src/lib.rs:5:14\n  |\n5 |\tfn tally() {}\n", "error[E0425]: nosuch\n --> src/lib.rs:5:14\n  |\n5 |    fn tally() {}"},
		{"hostile text", "error: \x1b[2J\n", "error: \\u001b[2J"},
		{"no crates", "error: failed to download `serde v1.0.0`\n\nCaused by:\n  attempting to make an HTTP request, but --offline was specified\n",
			"error: failed to download `serde v1.0.0`\n\nCaused by:\n  attempting to make an HTTP request, but --offline was specified\na build uses no network: run \"cargo fetch\" in the source folder once"},
		{"no lock file", "error: cannot create the lock file /x/Cargo.lock because --locked was passed to prevent this\n",
			`Cargo.lock does not fit Cargo.toml, and a build keeps to it: run "cargo fetch" in the source folder once`},
		{"a crate that is not there", "error: no matching package named `x` found\nnote: offline mode (via `--offline`) can sometimes cause surprising resolution failures\n",
			"error: no matching package named `x` found\nnote: offline mode (via `--offline`) can sometimes cause surprising resolution failures\na build uses no network: run \"cargo fetch\" in the source folder once"},
		{"source that speaks of flags", "error: lock file\n --> src/lib.rs:5:14\n  |\n5 | (\"error: lock file --locked was passed, --offline was specified (--offline)\")\n",
			"error: lock file\n --> src/lib.rs:5:14\n  |\n5 | (\"error: lock file --locked was passed, --offline was specified (--offline)\")"},
		{"no library for Wasm", "error[E0463]: can't find crate for `core`\n  = note: the `wasm32-wasip1` target may not be installed\n",
			`no usable compiler: this Rust cannot compile for WebAssembly yet: run "rustup target add wasm32-wasip1"`},
		{"nothing", "", "building: cargo build: exit status 1"},
	}
	for _, row := range rows {
		if err := (cargo{}).explain(t.Context(), failed, row.said); err == nil || err.Error() != row.want {
			t.Errorf("%s: got %q, want %q", row.name, err, row.want)
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if err := (cargo{}).explain(ended, failed, "x"); err == nil || err.Error() != "building: interrupted" {
		t.Errorf("got %v", err)
	}
}

// A message of cargo's is one remark, at its first place, with what it quotes.
func TestCargosMessagesHaveTheirPlace(t *testing.T) {
	r := CheckReport{Language: "rust"}
	r.addLines("/s", "warning: unused variable: `a`\n --> src/lib.rs:2:9\n  |\n2 |     let a = 1;\n  |         ^\n\n"+
		"error[E0425]: cannot find value `nosuch` in this scope\n  --> src/deep/a.rs:15:14\n   |\n15 |     nosuch\n   |     ^^^^^^ not found\n  ::: src/b.rs:1:1\n   = note: look\nhelp: try\n\n"+
		"error: aborting due to 1 previous error; 1 warning emitted\n\nFor more information about this error, try `rustc --explain E0425`.\n"+
		"warning: `x` (lib) generated 1 warning\nerror: could not compile `x` (lib) due to 1 previous error; 1 warning emitted\n")
	r.addLines("/s", "error: failed to parse manifest at `/s/Cargo.toml`\n\nCaused by:\n  no targets\n")
	r.addLines("/s", "tests/a.json: no calls\n")
	want := []Remark{
		{File: "src/lib.rs", Line: 2, Hint: true, Text: "warning: unused variable: `a` 2 |     let a = 1; |         ^"},
		{File: "src/deep/a.rs", Line: 15, Text: "error[E0425]: cannot find value `nosuch` in this scope 15 |     nosuch |     ^^^^^^ not found ::: src/b.rs:1:1 = note: look help: try"},
		{File: "servlet.toml", Line: 1, Text: "error: failed to parse manifest at `/s/Cargo.toml` Caused by: no targets"},
		{File: "servlet.toml", Line: 1, Text: "tests/a.json: no calls"},
	}
	if !slices.Equal(r.Remarks, want) {
		t.Errorf("got %+v", r.Remarks)
	}
}

func TestTheModuleIsFoundAmongWhatCargoMade(t *testing.T) {
	const (
		dependency = `{"reason":"compiler-artifact","manifest_path":"/d/Cargo.toml","target":{"crate_types":["cdylib"]},"filenames":["/d.wasm"]}` + "\n"
		plain      = `{"reason":"compiler-artifact","manifest_path":"/s/Cargo.toml","target":{"crate_types":["cdylib"]},"filenames":["/s.wasm"]}` + "\n"
		both       = `{"reason":"compiler-artifact","manifest_path":"/s/Cargo.toml","target":{"crate_types":["cdylib","rlib"]},"filenames":["/s.rlib","/s.wasm"]}` + "\n"
		outside    = `{"reason":"compiler-artifact","package_id":"path+file:///x/y#1.0.0","manifest_path":"/x/y/Cargo.toml","target":{"name":"y","crate_types":["lib"]},"filenames":["/y.rlib"]}` + "\n"
		within     = `{"reason":"compiler-artifact","package_id":"path+file:///s/y#1.0.0","manifest_path":"/s/y/Cargo.toml","target":{"name":"y","crate_types":["lib"]},"filenames":["/y.rlib"]}` + "\n"
		library    = `{"reason":"compiler-artifact","manifest_path":"/s/Cargo.toml","target":{"crate_types":["lib"]},"filenames":["/s.rlib"]}` + "\n"
	)
	c := cargo{dir: "/s"}
	for _, row := range []struct {
		name, messages, want string
		notes                int
	}{
		{"a module", dependency + plain + "no JSON\n", "/s.wasm", 0},
		{"a module and a library", dependency + both, "/s.wasm", 1},
		{"a module of crates in two places", outside + within + plain, "/s.wasm", 1},
		{"a library", dependency + library, "", 0},
		{"nothing", "", "", 0},
	} {
		path, notes, err := c.library([]byte(row.messages))
		if path != row.want || len(notes) != row.notes || (err == nil) != (row.want != "") {
			t.Errorf("%s: %q, %q, %v", row.name, path, notes, err)
		}
		if err != nil && !strings.Contains(err.Error(), `crate-type = ["cdylib"]`) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestSourceOfTwoLanguagesIsRefused(t *testing.T) {
	for _, other := range []string{"go.mod", "main.ts"} {
		dir := t.TempDir()
		for _, name := range []string{other, "Cargo.toml"} {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		_, err := compile(t.Context(), dir, "", capabilities.Manifest{})
		if err == nil || !errors.Is(err, ErrSource) || !strings.Contains(err.Error(), "has both Cargo.toml and "+other+": keep one") {
			t.Errorf("%s: %v", other, err)
		}
	}
}

// A build sees where things are, and nothing that changes what comes out.
func TestCargoSeesNoFlagsOfTheCaller(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no shell to stand in for cargo")
	}
	dir := t.TempDir()
	tool := filepath.Join(dir, "cargo")
	if err := os.WriteFile(tool, []byte("#!/bin/sh\nenv\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CARGO", tool)
	t.Setenv("RUSTC", filepath.Join(dir, "none"))
	t.Setenv("RUSTFLAGS", "-Ctarget-cpu=native")
	t.Setenv("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
	t.Setenv("RUSTUP_TOOLCHAIN", "chosen")
	c, err := findCargo(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	for _, name := range []string{"RUSTFLAGS", "CARGO_PROFILE_RELEASE_OPT_LEVEL"} {
		if slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+"=") }) {
			t.Errorf("cargo sees %s", name)
		}
	}
	if !slices.Contains(lines, "RUSTUP_TOOLCHAIN=chosen") || !strings.Contains(string(out), "--remap-path-prefix="+dir+"=.") {
		t.Errorf("cargo sees %s", out)
	}
}

// A compiler that cannot do it is told from one that is told elsewhere what is wrong.
func TestCompilersThatCannotAreTold(t *testing.T) {
	dir := t.TempDir()
	old, bare, whole := filepath.Join(dir, "old"), filepath.Join(dir, "bare"), filepath.Join(dir, "whole")
	for path, does := range map[string]string{
		old:   "echo 'error: Error loading target specification: Could not find specification for target' >&2; exit 1",
		bare:  "echo " + filepath.Join(dir, "nowhere"),
		whole: "echo " + dir,
	} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "libstd-1.rlib"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, rustc, want string }{
		{"too old", old, "install Rust 1.85 or newer"},
		{"without the library", bare, "run \"rustup target add wasm32-wasip1\""},
		{"whole", whole, ""},
		{"none", filepath.Join(dir, "none"), ""},
	} {
		t.Setenv("RUSTC", row.rustc)
		err := cargo{dir: dir}.checkTarget(t.Context())
		if (err == nil) != (row.want == "") || err != nil && (!errors.Is(err, ErrCompiler) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	t.Setenv("CARGO", filepath.Join(dir, "none"))
	if _, err := findCargo(t.Context(), dir); !errors.Is(err, ErrCompiler) || !strings.Contains(err.Error(), "install Rust (https://rustup.rs)") {
		t.Error(err)
	}
}
