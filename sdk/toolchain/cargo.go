package toolchain

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// rustTarget is what a servlet in Rust is compiled for.
const rustTarget = "wasm32-wasip1"

// oldestRust is the first release with everything that the SDK needs.
const oldestRust = "1.85"

// cargo builds the package of one folder.
type cargo struct {
	tool string
	dir  string // absolute, without links
	env  []string
}

// keptForRust are variables that say where Rust is, which one to take, and where to build.
var keptForRust = []string{
	"CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTC", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS",
	"LD_LIBRARY_PATH", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMDATA", "SYSTEMDRIVE", "COMSPEC", // to link what runs at build time
}

// findCargo finds the compiler, as a person who types "cargo" in dir does, and makes its environment.
func findCargo(ctx context.Context, dir string) (cargo, error) {
	tool, err := exec.LookPath(cmp.Or(os.Getenv("CARGO"), "cargo"))
	if err != nil {
		return cargo{}, fmt.Errorf("%w: \"cargo\" is not in PATH: install Rust (https://rustup.rs), then run \"rustup target add %s\"", ErrCompiler, rustTarget)
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return cargo{}, fmt.Errorf("building: %w", err)
	}
	c := cargo{tool: tool, dir: dir}
	c.env = append(environ(slices.Concat(kept, keptForRust)), "CARGO_TERM_COLOR=never", "CARGO_TERM_PROGRESS_WHEN=never", "CARGO_INCREMENTAL=0", "CARGO_NET_OFFLINE=true",
		"RUSTUP_AUTO_INSTALL=0",
		"CARGO_PROFILE_RELEASE_STRIP=debuginfo", // the names of functions say whose code it is, and are dropped afterwards
		"CARGO_ENCODED_RUSTFLAGS="+strings.Join(c.samePaths(), "\x1f"))
	return c, c.checkTarget(ctx)
}

// samePaths are flags that have paths in messages of panics start in the same way on every machine.
func (c cargo) samePaths() []string {
	home := os.Getenv("CARGO_HOME")
	if user, err := os.UserHomeDir(); home == "" && err == nil {
		home = filepath.Join(user, ".cargo")
	}
	flags := []string{"--remap-path-prefix=" + c.dir + "=."}
	if home != "" {
		flags = append(flags, "--remap-path-prefix="+home+"=cargo")
		// The folder of a registry is named after how it is reached.
		registries, _ := filepath.Glob(filepath.Join(home, "registry", "src", "*"))
		for _, registry := range registries {
			flags = append(flags, "--remap-path-prefix="+registry+"=crates")
		}
	}
	if target := os.Getenv("CARGO_TARGET_DIR"); filepath.IsAbs(target) {
		flags = append(flags, "--remap-path-prefix="+target+"=target")
	}
	return flags
}

func (c cargo) command(ctx context.Context, tool string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Dir = c.dir
	cmd.Env = c.env
	endTogether(cmd)
	cmd.WaitDelay = 5 * time.Second // a compiler that cargo started may hold the output open
	return cmd
}

// checkTarget refuses a compiler without the library for Wasm, before it has compiled half of everything.
func (c cargo) checkTarget(ctx context.Context) error {
	rustc, err := exec.LookPath(cmp.Or(os.Getenv("RUSTC"), "rustc"))
	if err != nil {
		return nil // cargo knows where it is, or says that it does not
	}
	out, err := c.command(ctx, rustc, "--print", "target-libdir", "--target", rustTarget).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && bytes.Contains(bytes.ToLower(exit.Stderr), []byte("could not find specification")):
		return fmt.Errorf("%w: %s is older than the target %s: install Rust %s or newer", ErrCompiler, rustc, rustTarget, oldestRust)
	case err != nil:
		return nil // the same
	}
	if libraries, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "libstd-*.rlib")); len(libraries) == 0 {
		return errNoTarget()
	}
	return nil
}

func errNoTarget() error {
	return fmt.Errorf("%w: this Rust cannot compile for WebAssembly yet: run \"rustup target add %s\"", ErrCompiler, rustTarget)
}

// run runs cargo and returns what it wrote to standard output.
func (c cargo) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := c.command(ctx, c.tool, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, c.explain(ctx, err, said.String())
	}
	return out.Bytes(), nil
}

// What cargo itself says, and no source that the compiler quotes: that stands behind a line's number and a bar.
var (
	saysLocked  = regexp.MustCompile(`(?m)^error: [^|=]*lock file[^|=]*--locked was passed`)
	saysOffline = regexp.MustCompile(`(?m)^(?:error: |As a reminder, |note: | +)[^|=\n]*(?:--offline was specified|\(--offline\)|offline mode \(via)`)
)

// explain keeps what the compiler said as it is, line by line, but for characters that a terminal would obey
// and for what only says how far it was.
func (c cargo) explain(ctx context.Context, err error, said string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("building: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strings.TrimSpace(said) == "" {
		return fmt.Errorf("building: cargo build: %v", err)
	}
	if strings.Contains(said, "`"+rustTarget+"` target may not be installed") {
		return errNoTarget()
	}
	var lines []string
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\r\n")
		if !isStatus(line) {
			lines = append(lines, capabilities.Printable(strings.ReplaceAll(line, "\t", "    "), 500))
		}
	}
	switch {
	case saysLocked.MatchString(said):
		const advice = "Cargo.lock does not fit Cargo.toml, and a build keeps to it: run \"cargo fetch\" in the source folder once"
		if !strings.Contains(said, " --> ") {
			lines = nil // cargo itself refused, before any source was looked at, and has worse advice
		}
		lines = append(lines, advice)
	case saysOffline.MatchString(said):
		lines = append(lines, "a build uses no network: run \"cargo fetch\" in the source folder once")
	}
	return &compilerError{strings.TrimSpace(strings.Join(lines, "\n"))}
}

// isStatus tells whether a line is one of cargo's reports, which have their verb in the columns to the left.
func isStatus(line string) bool {
	const column = 12
	if len(line) <= column || line[column] != ' ' {
		return false
	}
	verb := strings.TrimLeft(line[:column], " ")
	return verb != "" && !strings.ContainsAny(verb, " |=-><") && 'A' <= verb[0] && verb[0] <= 'Z'
}
