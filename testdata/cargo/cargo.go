// Package cargo lets tests build servlets in Rust on machines that can. Where the compiler, its library for
// WebAssembly or the crates are missing, they are skipped with the reason, or fail when Require is set.
package cargo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Require is the environment variable that turns a skip into a failure, for machines that must have Rust.
// Any value but the empty one sets it.
const Require = "WRIT_REQUIRE_RUST"

// Need skips a test that builds with cargo, or fails it, when this machine cannot.
func Need(t testing.TB) {
	t.Helper()
	err := missing()
	switch {
	case err == nil:
	case os.Getenv(Require) != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
}

// Target is a folder for what cargo makes of sources that a test writes: what runs at build time is compiled
// once for all of them. Give them names of their own, so that none takes another's module.
func Target() string { return filepath.Join(root(), "out", "rust") }

// Environ are the variables, each as NAME=value, by which cargo is found where a test has another home.
func Environ() []string {
	env := []string{"CARGO_TARGET_DIR=" + Target()}
	user, err := os.UserHomeDir()
	for name, folder := range map[string]string{"CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"} {
		switch value := os.Getenv(name); {
		case value != "":
			env = append(env, name+"="+value)
		case err == nil:
			env = append(env, name+"="+filepath.Join(user, folder))
		}
	}
	for _, name := range []string{"RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// missing is asked once: the answer takes a quarter of a second.
var missing = sync.OnceValue(func() error {
	for _, tool := range []string{"cargo", "rustc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return errors.New(tool + " is not installed")
		}
	}
	const target = "wasm32-wasip1"
	libraries, err := exec.Command("rustc", "--print", "target-libdir", "--target", target).Output()
	if err != nil {
		return errors.New("rustc does not know " + target)
	}
	if found, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(libraries)), "libstd-*.rlib")); len(found) == 0 {
		return errors.New("rustc has no library for " + target + `: run "rustup target add ` + target + `"`)
	}
	fetch := exec.Command("cargo", "fetch", "--locked", "--offline")
	fetch.Dir = filepath.Join(root(), "sdk", "rust")
	if err := fetch.Run(); err != nil {
		return errors.New("the crates are not there: run \"cargo fetch --locked\" in sdk/rust")
	}
	return nil
})
