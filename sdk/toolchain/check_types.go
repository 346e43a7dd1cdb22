package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// typeCheckers are the compilers that know TypeScript's types, the faster one first.
var typeCheckers = []string{"tsgo", "tsc"}

// types has the language's own compiler look at the source.
func (r *CheckReport) types(ctx context.Context, dir string, built error) error {
	switch r.Language {
	case "typescript":
		return r.typeScript(ctx, dir)
	case "go":
		if built == nil || errors.Is(built, ErrDeclaration) { // what does not compile was told
			return r.vet(ctx, dir)
		}
	case "rust":
		if built == nil { // building it, cargo has looked at all
			r.Checked, r.Types = append(r.Checked, "types (cargo)"), true
		}
	}
	return nil
}

// vet runs go vet for this machine, on which the SDK compiles too: the servlet's own tests run here.
func (r *CheckReport) vet(ctx context.Context, dir string) error {
	goTool, env, err := findGo(ctx)
	if err != nil {
		return nil // the build has said so
	}
	cmd := exec.CommandContext(ctx, goTool, "vet", ".")
	cmd.Env = append(env, "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH)
	return r.run(ctx, cmd, dir, "types (go build) and go vet")
}

// typeScript runs the first compiler that is found. The bundler reads types and does not check them.
func (r *CheckReport) typeScript(ctx context.Context, dir string) error {
	if !isFile(filepath.Join(dir, "tsconfig.json")) {
		r.Unchecked = append(r.Unchecked, `types: the folder has no tsconfig.json ("writ new typescript" makes one)`)
		return nil
	}
	program, name := findTypeChecker(dir)
	if program == "" {
		r.Unchecked = append(r.Unchecked, `types: neither tsgo nor tsc is in PATH or node_modules/.bin: "npm install --save-dev typescript" in the folder gets tsc`)
		return nil
	}
	if err := restoreTypes(dir); err != nil {
		r.Unchecked = append(r.Unchecked, "types: "+oneLine(err))
		return nil
	}
	cmd := exec.CommandContext(ctx, program, "--noEmit", "--pretty", "false", "-p", "tsconfig.json")
	// The program may be the folder's own, from wherever that is: it sees no token that is in the environment.
	cmd.Env = environ(kept)
	return r.run(ctx, cmd, dir, "types ("+name+")")
}

func findTypeChecker(dir string) (program, name string) {
	for _, name := range typeCheckers {
		local := filepath.Join(dir, "node_modules", ".bin", name)
		if runtime.GOOS == "windows" {
			local += ".cmd"
		}
		if absolute, err := filepath.Abs(local); err == nil && isFile(absolute) {
			return absolute, name
		}
	}
	for _, name := range typeCheckers {
		if found, err := exec.LookPath(name); err == nil {
			return found, name
		}
	}
	return "", ""
}

// run runs a compiler in the folder and takes its messages. One that fails without a word is told as such.
func (r *CheckReport) run(ctx context.Context, cmd *exec.Cmd, dir, what string) error {
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var exit *exec.ExitError
	switch said := strings.TrimSpace(out.String()); {
	case err == nil:
	case errors.As(err, &exit) && said != "":
		r.addLines(dir, out.String())
	default:
		r.Unchecked = append(r.Unchecked, fmt.Sprintf("%s: %s", what, oneLine(err)))
		return nil
	}
	r.Checked, r.Types = append(r.Checked, what), true
	return nil
}
