package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/sdk/toolchain"
)

// guest is a servlet of this folder, built.
type guest struct {
	module []byte
	file   []byte // signed
}

// key signs the servlets of the benchmarks.
var key = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// guest builds the servlet of a language, once.
func (b *bench) guest(language string) (guest, error) {
	return once(&b.made.guests, language, func() (guest, error) {
		switch language {
		case "c":
			return b.sealed(language, b.compileC)
		case "rust":
			return b.sealed(language, b.compileRust)
		case "js":
			if _, err := os.Stat(filepath.Join(b.root, "sdk/typescript")); err != nil {
				return guest{}, leftOut("this version of Writ builds no TypeScript")
			}
		}
		return b.built(filepath.Join(b.root, "testdata/bench", language), language)
	})
}

// built makes a servlet with the toolchain, as its author does.
func (b *bench) built(dir, name string) (guest, error) {
	out := filepath.Join(b.dir, name+".servlet.wasm")
	_, err := toolchain.Build(b.ctx, toolchain.Options{Dir: dir, Output: out, Key: key, CacheDir: b.cache})
	if errors.Is(err, toolchain.ErrCompiler) {
		return guest{}, leftOut(err.Error())
	}
	if err != nil {
		return guest{}, err
	}
	file, err := os.ReadFile(out)
	if err != nil {
		return guest{}, err
	}
	s, err := verified(file)
	if err != nil {
		return guest{}, err
	}
	return guest{s.Module(), file}, nil
}

func verified(file []byte) (capabilities.Servlet, error) {
	unverified, err := capabilities.Read(file)
	if err != nil {
		return capabilities.Servlet{}, err
	}
	return unverified.Verify()
}

// sealed makes a servlet of a module that another compiler made: the module says which tools it has.
func (b *bench) sealed(name string, compile func(out string) error) (guest, error) {
	out := filepath.Join(b.dir, name+".module.wasm")
	if err := compile(out); err != nil {
		return guest{}, err
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return guest{}, err
	}
	code, err := b.code(image.Scan, module)
	if err != nil {
		return guest{}, err
	}
	described := code.Run(b.ctx, sandbox.Call{Entry: sandbox.EntryDescribe, Limits: limits()})
	if described.Fault != nil {
		return guest{}, described.Fault
	}
	var tools struct{ Tools []json.RawMessage }
	if err := json.Unmarshal(described.Output, &tools); err != nil {
		return guest{}, err
	}
	file, err := capabilities.Seal(module, capabilities.Manifest{
		Schema: capabilities.Schema, Name: name, Version: "1.0.0", Tools: tools.Tools,
		Module: capabilities.Module{ABI: capabilities.ABI},
		Limits: capabilities.Limits{MemoryMB: 64, WallMS: 10_000},
	}, key)
	return guest{module, file}, err
}

// compileC uses the newest clang that has a C library for WASI.
func (b *bench) compileC(out string) error {
	flags := []string{"--target=wasm32-wasi", "-O2", "-mexec-model=reactor", "-s"}
	var names []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		found, _ := filepath.Glob(filepath.Join(dir, "clang-[0-9]*"))
		names = append(names, found...)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.TrimPrefix(filepath.Base(path), "clang-"))
		return n
	}
	slices.SortFunc(names, func(a, b string) int { return version(b) - version(a) })
	probe := filepath.Join(b.dir, "probe.c")
	if err := os.WriteFile(probe, []byte("#include <stdio.h>\n"), 0o644); err != nil {
		return err
	}
	why := "no clang was found"
	for _, name := range append(names, "clang") {
		if text, err := command(b.dir, name, append(flags, "-o", filepath.Join(b.dir, "probe.wasm"), probe)...); err != nil {
			if text != "" {
				why = fmt.Sprintf("%s: %s", filepath.Base(name), firstLine(text))
			}
			continue
		}
		text, err := command(b.root, name, append(flags, "-o", out, "testdata/bench/c/servlet.c")...)
		if err != nil {
			return fmt.Errorf("compiling C: %w: %s", err, text)
		}
		return nil
	}
	return leftOut("C for WASI needs clang, wasm-ld and wasi-libc: " + why)
}

// compileRust uses a Rust that has the standard library for wasm32-wasip1: the default one, or any that
// rustup knows.
func (b *bench) compileRust(out string) error {
	const target = "wasm32-wasip1"
	tools := [][]string{{"rustc"}}
	if list, err := command(b.dir, "rustup", "toolchain", "list"); err == nil {
		for line := range strings.Lines(list) {
			if name := strings.Fields(line); len(name) > 0 {
				tools = append(tools, []string{"rustup", "run", name[0], "rustc"})
			}
		}
	}
	for _, tool := range tools {
		dir, err := command(b.dir, tool[0], append(tool[1:len(tool):len(tool)], "--print", "target-libdir", "--target", target)...)
		if err != nil {
			continue
		}
		if std, _ := filepath.Glob(filepath.Join(strings.TrimSpace(dir), "libstd-*.rlib")); len(std) == 0 {
			continue
		}
		text, err := command(b.root, tool[0], append(tool[1:len(tool):len(tool)], "--edition=2021", "--target", target, "--crate-type=cdylib",
			"-Copt-level=3", "-Cpanic=abort", "-Clto=fat", "-Cstrip=symbols", "-o", out, "testdata/bench/rust/servlet.rs")...)
		if err != nil {
			return fmt.Errorf("compiling Rust: %w: %s", err, text)
		}
		return nil
	}
	return leftOut("no rustc with the target " + target + " was found")
}

// goModule compiles a Go program to a wasip1 reactor without the toolchain.
func (b *bench) goModule(dir, pkg, name string) (string, error) {
	out := filepath.Join(b.dir, name+".module.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Dir = filepath.Join(b.root, dir)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %s", pkg, bytes.TrimSpace(text))
	}
	return out, nil
}

// command runs a program in a folder and returns what it printed.
func command(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
