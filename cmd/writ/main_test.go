package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// These tests drive the real binary. It and the servlets that the scripts use are built once.
var built struct {
	dir        string // a folder for PATH, with writ in it
	writ       string
	filesystem string // signed with key
	probe      string // the demonstration's, signed with key
	memory     string // keeps data
	weather    string // asks for an http origin and a config key
	small      string // a folder with the servlets of guests_test.go
	cache      string // compiled code of the others, which building them left
	key        string
}

func TestMain(m *testing.M) {
	// What a test of this process has to compile, it compiles as the command does: by another of itself.
	if len(os.Args) > 1 && os.Args[1] == "compile" {
		os.Exit(run(os.Args[1:], &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}))
	}
	code, err := buildAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "preparing the tests:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func buildAll(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "writ-test-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// One script runs as another user, who must reach the binary.
	if err := os.Chmod(dir, 0o755); err != nil {
		return 1, err
	}
	built.dir = filepath.Join(dir, "bin")
	built.writ = filepath.Join(built.dir, "writ")
	built.key = filepath.Join(dir, "publisher.key")
	if out, err := exec.Command("go", "build", "-o", built.writ, ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building writ: %s", out)
	}
	steps := [][]string{{"keygen", "-o", built.key}}
	for source, to := range map[string]*string{
		"../../servlets/filesystem": &built.filesystem,
		"../../testdata/probe":      &built.probe,
		"../../servlets/memory":     &built.memory,
		"testdata/weather":          &built.weather,
	} {
		*to = filepath.Join(dir, filepath.Base(source)+".wasm")
		steps = append(steps, []string{"build", source, "-o", *to}, []string{"sign", *to, "--key", built.key})
	}
	for _, step := range steps {
		cmd := exec.Command(built.writ, append([]string{"--home", filepath.Join(dir, "home")}, step...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("writ %v: %s", step, out)
		}
	}
	built.cache = filepath.Join(dir, "home", "cache", "code")
	key, err := readKey(built.key)
	if err != nil {
		return 1, err
	}
	built.small = filepath.Join(dir, "small")
	if err := os.Mkdir(built.small, 0o755); err != nil {
		return 1, err
	}
	if err := sealSmall(built.small, key); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// warm gives a home that is yet to be made the code of the servlets, so that not every test compiles
// them.
func warm(home string) error {
	to := filepath.Join(home, "cache", "code")
	return filepath.WalkDir(built.cache, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(built.cache, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		return os.Link(path, filepath.Join(to, name))
	})
}
