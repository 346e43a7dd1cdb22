// Compare runs the benchmarks of this tree and of another commit in turn, several times each, and prints
// what benchstat makes of it. Both are measured by this tree's benchmarks and guests. The repository is
// only read: the other commit is unpacked into a temporary folder.
package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// benchstat compares figures in Go's benchmark format.
const benchstat = "golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da"

// measures are the folders that both sides have from this tree.
var measures = []string{"testdata/bench", "testdata/peers", "testdata/client", "testdata/guests"}

// side is a tree and what was measured of it.
type side struct {
	name    string
	root    string
	scratch string // has its programs, its code cache and its figures
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench-compare: ")
	ref := flag.String("ref", "", "commit to compare with")
	only := flag.String("only", "fresh,call,throughput,stdio,http", "figures to compare, as bench has them")
	count := flag.Int("count", 6, "runs of each side")
	flag.Parse()
	if err := compare(*ref, *only, *count); err != nil {
		log.Fatal(err)
	}
}

func compare(ref, only string, count int) error {
	if count < 1 {
		return errors.New("-count: at least one run is needed")
	}
	commit, err := resolve(ref)
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "writ-compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	there := filepath.Join(dir, "tree")
	if err := unpack(commit, there); err != nil {
		return fmt.Errorf("unpacking %s: %w", ref, err)
	}
	for _, folder := range measures {
		if err := replace(filepath.Join(there, folder), filepath.Join(here, folder)); err != nil {
			return err
		}
	}
	sides := []side{{ref, there, filepath.Join(dir, "there")}, {"here", here, filepath.Join(dir, "here")}}
	for _, s := range sides {
		if err := s.build(); err != nil {
			return err
		}
	}
	for run := range count {
		for i := range sides {
			s := sides[(i+run)%2] // neither side is always the first
			log.Printf("run %d of %d: %s", run+1, count, s.name)
			if err := s.measure(only); err != nil {
				return err
			}
		}
	}
	cmd := exec.Command("go", "run", benchstat, ref+"="+sides[0].figures(), "here="+sides[1].figures())
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// resolve finds the commit that a person named.
func resolve(ref string) (string, error) {
	if ref == "" {
		return "", errors.New("name the commit to compare with: make bench-compare REF=main")
	}
	out, err := exec.Command("git", "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}").Output()
	if err != nil {
		return "", fmt.Errorf("REF=%q names no commit of this repository (see git log)", ref)
	}
	return strings.TrimSpace(string(out)), nil
}

// unpack writes the files of a commit to a new folder.
func unpack(commit, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	out, err := exec.Command("git", "archive", "--format=tar", commit).Output()
	if err != nil {
		return fmt.Errorf("git archive: %w", err)
	}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if err := write(root, path.Clean(h.Name), r, h.FileInfo().Mode()); err != nil {
				return err
			}
		}
	}
}

func write(root *os.Root, name string, from io.Reader, mode fs.FileMode) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Close())
}

func replace(old, with string) error {
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	return os.CopyFS(old, os.DirFS(with))
}

// build compiles the binary, the benchmarks and the servlet whose size is a figure.
func (s side) build() error {
	if err := os.MkdirAll(s.scratch, 0o755); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"go", "build", "-trimpath", "-ldflags=-s -w", "-o", s.file("writ"), "./cmd/writ"},
		{"go", "build", "-o", s.file("bench"), "./testdata/bench"},
		{s.file("writ"), "--home", s.file("home"), "build", "servlets/filesystem", "-o", s.file("filesystem.wasm")},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir, cmd.Env = s.root, os.Environ()
		if args[len(args)-1] == "./cmd/writ" {
			cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
		}
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s cannot be measured by the benchmarks of this tree: %s", s.name, strings.Join(strings.Fields(string(text)), " "))
		}
	}
	return nil
}

func (s side) file(name string) string { return filepath.Join(s.scratch, name) }

func (s side) figures() string { return s.file("figures.txt") }

// measure runs the benchmarks once and keeps the figures. Code is compiled in the first run only.
func (s side) measure(only string) error {
	text := s.file("run.txt")
	cmd := exec.Command(s.file("bench"), "-writ", s.file("writ"), "-servlet", s.file("filesystem.wasm"), "-cache", s.file("code"),
		"-only", only, "-o", s.file("bench.json"), "-text", text)
	cmd.Dir, cmd.Stderr = s.root, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("measuring %s: %w", s.name, err)
	}
	run, err := os.ReadFile(text)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.figures(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(run)
	return errors.Join(err, f.Close())
}
