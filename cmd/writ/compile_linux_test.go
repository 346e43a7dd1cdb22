package main

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// compiler runs the other process below limits of a shell, with the module of a servlet.
func compiler(t *testing.T, limits, servlet, dir string) (*exec.Cmd, *head, error) {
	t.Helper()
	c, err := approval.Read(t.Context(), servlet)
	if err != nil {
		t.Fatal(err)
	}
	var said head
	cmd := exec.Command("sh", "-c", limits+"; exec "+built.writ+" compile "+dir+" --kind fs")
	cmd.Env, cmd.Stdin, cmd.Stderr = []string{}, bytes.NewReader(c.Servlet.Module()), &said
	return cmd, &said, cmd.Run()
}

// What the other process cannot do is told in one line, by how it ended.
func TestCompilerHasLimits(t *testing.T) {
	for _, row := range []struct {
		name, limits, want string
		may                compilerLimits
	}{
		{"time", "ulimit -t 1", "it takes more than 1s of a processor, the most that Writ gives", compilerLimits{time: time.Second}},
		{"memory", "ulimit -d 163840", "it takes more than 160 MiB of memory, the most that Writ gives", compilerLimits{time: time.Minute, hard: 160 << 20}},
		{"another end", "ulimit -t 1", "the compiler ended with signal: killed", compilerLimits{time: time.Minute}},
	} {
		t.Run(row.name, func(t *testing.T) {
			cmd, said, err := compiler(t, row.limits, built.filesystem, t.TempDir()+"/code")
			if err == nil {
				t.Fatal("it compiled all the same")
			}
			err = whyNotCompiled(t.Context(), row.may, cmd.ProcessState, said.String())
			if !errors.Is(err, sandbox.ErrCompile) || !strings.HasSuffix(err.Error(), ": "+row.want) {
				t.Errorf("error %q, want %q; it said %.200q", err, row.want, said)
			}
		})
	}
	// The control: below the real limits it compiles.
	if _, said, err := compiler(t, ":", built.filesystem, t.TempDir()+"/code"); err != nil {
		t.Errorf("%v: %s", err, said)
	}
}

// What is no matter of the module is none of a limit either: then this process tries, and says why not.
func TestCompilerThatCannotBegin(t *testing.T) {
	dir := t.TempDir()
	cmd, said, err := compiler(t, "chmod 777 "+dir, built.filesystem, dir)
	if err == nil || !strings.Contains(said.String(), "run chmod 700 on it") {
		t.Fatalf("it compiled into a folder of everybody: %v, %s", err, said)
	}
	if err := whyNotCompiled(t.Context(), compilerMay, cmd.ProcessState, said.String()); err != nil {
		t.Error(err)
	}
	if err := whyNotCompiled(t.Context(), compilerMay, cmd.ProcessState, "writ: compiling module: "+sandbox.ErrCompile.Error()); !errors.Is(err, sandbox.ErrCompile) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := whyNotCompiled(ctx, compilerMay, cmd.ProcessState, ""); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// What the other process refuses is refused here too, and never looked at again by this process, whatever
// the reason: it has no limits for it.
func TestCompilerThatRefuses(t *testing.T) {
	module := func(body ...[]byte) []byte {
		m := &w.Module{}
		m.Memory(w.AtLeast(1))
		m.Func("servlet_call", "", "i", body...)
		return m.Bytes()
	}
	for _, row := range []struct {
		name   string
		module []byte
		want   error // nil: it compiles
	}{
		{"invalid", module(w.I64(0)), sandbox.ErrInvalid},
		{"no module", []byte("\x7fELF"), sandbox.ErrCompile},
		{"the control", module(w.I32(0)), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			var said head
			cmd := exec.Command(built.writ, "compile", t.TempDir()+"/code")
			cmd.Env, cmd.Stdin, cmd.Stderr = []string{}, bytes.NewReader(row.module), &said
			if err := cmd.Run(); (err == nil) != (row.want == nil) {
				t.Fatalf("%v: %s", err, said.String())
			}
			if row.want == nil {
				return
			}
			if err := whyNotCompiled(t.Context(), compilerMay, cmd.ProcessState, said.String()); !errors.Is(err, row.want) {
				t.Errorf("error %v, want %v; it said %s", err, row.want, said.String())
			}
		})
	}
}

// The first call after a cache was lost compiles in the other process too; what a shell's limit ends
// there is an answer, and the next call without it works.
func TestServletThatCannotBeCompiled(t *testing.T) {
	home, notes := t.TempDir()+"/home", t.TempDir()
	sh := func(line string) (string, error) {
		out, err := exec.Command("sh", "-c", "export WRIT_HOME="+home+" PATH="+built.dir+":$PATH; "+line).CombinedOutput()
		return string(out), err
	}
	out, err := sh(`set -- ` + built.filesystem + ` --tools list_directory --dir docs=` + notes + `
d=$(writ install "$@" --plan --json | sed -n 's/^  "digest": "\(.*\)".*/\1/p')
ulimit -t 1; writ install "$@" --approve $d`)
	if err == nil || !strings.Contains(out, "installed filesystem") || !strings.Contains(out, "writ: filesystem is not ready: its code cannot be compiled: the compiler ended with signal: killed. Mend it with: writ remove filesystem") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := sh(`writ call filesystem_list_directory '{"path":"/docs"}'`); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
