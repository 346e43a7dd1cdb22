package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
)

// oldestGo is the first release with everything that the SDK needs.
const oldestGo = "go1.26.5"

// compileGo compiles the Go program in dir to a Wasm reactor. names is the name section that the linker gave
// it: a servlet goes without, its author needs it.
func compileGo(ctx context.Context, dir string) (module, names []byte, err error) {
	goTool, env, err := findGo(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := restoreSDK(dir); err != nil {
		return nil, nil, err
	}
	scratch, err := os.MkdirTemp("", "writ-build-")
	if err != nil {
		return nil, nil, fmt.Errorf("building: %w", err)
	}
	defer os.RemoveAll(scratch)
	file := filepath.Join(scratch, "module.wasm")
	// Paths, version control and the build id would differ between two machines with the same source.
	cmd := exec.CommandContext(ctx, goTool, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false",
		"-ldflags=-w -buildid=", "-o", file, ".")
	cmd.Dir = dir
	cmd.Env = env
	cmd.WaitDelay = 5 * time.Second // a compiler that the go tool started may hold the output open
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return nil, nil, explainCompiler(ctx, err, out.String())
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("building: %w", err)
	}
	if module, names, err = withoutNames(raw); err != nil {
		return nil, nil, fmt.Errorf("building: %w", err)
	}
	return module, names, nil
}

// kept are the variables of the caller's environment that a build sees: where things are, nothing that
// changes what comes out.
var kept = []string{
	"PATH", "HOME", "TMPDIR", "GOROOT", "GOPATH", "XDG_CACHE_HOME",
	"SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "APPDATA", "TEMP", "TMP", "PATHEXT", // Windows
}

// findGo finds the compiler and makes its environment.
func findGo(ctx context.Context) (string, []string, error) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", nil, fmt.Errorf("%w: \"go\" is not in PATH: install %s or newer", ErrCompiler, strings.Replace(oldestGo, "go", "Go ", 1))
	}
	// Asked with the caller's own settings, as the caches may be elsewhere; outside of any module, which
	// could ask for another toolchain.
	cmd := exec.CommandContext(ctx, goTool, "env", "-json", "GOVERSION", "GOMODCACHE", "GOCACHE")
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOWORK=off")
	out, err := cmd.Output()
	var found struct{ GOVERSION, GOMODCACHE, GOCACHE string }
	if err != nil || json.Unmarshal(out, &found) != nil {
		if ctx.Err() != nil {
			return "", nil, context.Cause(ctx)
		}
		return "", nil, fmt.Errorf("%w: %s does not answer \"go env\"", ErrCompiler, goTool)
	}
	if v, _, _ := strings.Cut(found.GOVERSION, " "); version.IsValid(v) && version.Compare(v, oldestGo) < 0 {
		return "", nil, fmt.Errorf("%w: %s is %s: install %s or newer", ErrCompiler, goTool, found.GOVERSION, strings.Replace(oldestGo, "go", "Go ", 1))
	}
	env := []string{
		"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0",
		"GOENV=off", "GOFLAGS=", "GOWORK=off", "GOTOOLCHAIN=local", "GOEXPERIMENT=", "GOWASM=", "GODEBUG=",
		"GOPROXY=off", "GOSUMDB=off", "GOVCS=*:off", // what is not in the module cache is not fetched
		"GOMODCACHE=" + found.GOMODCACHE, "GOCACHE=" + found.GOCACHE,
	}
	return goTool, append(env, environ(kept)...), nil
}

// environ are those of the caller's variables that have one of these names.
func environ(names []string) (env []string) {
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// compilerError is the compiler's own output, for the author to click on, or what it could not even begin with.
type compilerError struct{ output string }

func (e *compilerError) Error() string { return e.output }
func (e *compilerError) Unwrap() error { return ErrSource }

// explainCompiler keeps what the compiler said as it is, line by line, but for characters that a
// terminal would obey: source code comes from anywhere.
func explainCompiler(ctx context.Context, err error, output string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("building: %w", context.Cause(ctx))
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || strings.TrimSpace(output) == "" {
		return fmt.Errorf("building: go build: %v", err)
	}
	var lines []string
	offline := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "go: downloading ") {
			continue // the name of the one package, and an attempt that fails right after
		}
		offline = offline || strings.Contains(line, "GOPROXY=off")
		lines = append(lines, capabilities.Printable(strings.ReplaceAll(line, "\t", "    "), 500))
	}
	if offline {
		lines = append(lines, "a build uses no network: run \"go mod download\" in the source folder once")
	}
	return &compilerError{strings.Join(lines, "\n")}
}
