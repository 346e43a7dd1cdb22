package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/writ-run/writ/servlets/builtin"
)

// sumsFile has a line for each other file of a release, in the form that sha256sum -c reads.
const sumsFile = "SHA256SUMS"

// beside are the files that every archive holds besides the binary.
var beside = []string{"LICENSE", "NOTICE", "README.md", "SECURITY.md"}

// platform is an operating system and an architecture, as Go calls them.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "/" + p.arch }

// program is what the binary is called there.
func (p platform) program() string {
	if p.os == "windows" {
		return "writ.exe"
	}
	return "writ"
}

// archive is the name of a platform's archive, without its ending.
func (e edition) archive(p platform) string {
	return fmt.Sprintf("writ-%s-%s-%s", e.Version, p.os, p.arch)
}

// archives builds Writ for some platforms and writes an archive and a bill of materials of each.
func archives(ctx context.Context, e edition, args []string, stdout io.Writer) error {
	var out string
	names, err := flagsOf("archives", args, func(f *flag.FlagSet) { f.StringVar(&out, "o", "", "") })
	if err != nil {
		return err
	}
	if out == "" || len(names) == 0 {
		return errors.New("archives: want -o DIR and platforms such as linux/amd64")
	}
	set, err := builtin.Shipped()
	if err != nil {
		return err
	}
	if len(set.Servlets()) == 0 {
		return errors.New("archives: no servlet is packed: run \"release servlets\" first")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for _, name := range names {
		var p platform
		var ok bool
		if p.os, p.arch, ok = strings.Cut(name, "/"); !ok {
			return fmt.Errorf("archives: %q: want a platform such as linux/amd64", name)
		}
		if err := e.platform(ctx, p, out, set); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		fmt.Fprintf(stdout, "made %s\n", e.archive(p))
	}
	return writeSums(out)
}

// platform builds Writ for one platform and writes what there is to hand out of it.
func (e edition) platform(ctx context.Context, p platform, out string, set *builtin.Set) error {
	dir, err := os.MkdirTemp("", "writ-release-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, p.program())
	if err := e.compile(ctx, p, binary); err != nil {
		return err
	}
	bill, err := e.bill(ctx, p, binary, set)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, e.archive(p)+".cdx.json"), bill, 0o644); err != nil {
		return err
	}
	files := []entry{{name: p.program(), from: binary, mode: 0o755}}
	for _, name := range beside {
		files = append(files, entry{name: name, from: name, mode: 0o644})
	}
	if err := readAll(files); err != nil {
		return err
	}
	pack, ending := tarball, ".tar.gz"
	if p.os == "windows" {
		pack, ending = zipped, ".zip"
	}
	var b bytes.Buffer
	if err := pack(&b, under(e.archive(p), files), e.Date); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, e.archive(p)+ending), b.Bytes(), 0o644)
}

// compile builds the static binary. What differs between two machines is set or left out.
func (e edition) compile(ctx context.Context, p platform, to string) error {
	flags := "-s -w -buildid= -X main.version=" + e.Version
	if e.Commit != "" {
		flags += " -X main.commit=" + e.Commit
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", to, "./cmd/writ")
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch,
		"CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w: %s", err, said)
	}
	return nil
}

// writeSums lists the files in dir with their digests, in the order of their names.
func writeSums(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var lines []string
	for _, entry := range entries {
		if entry.Name() == sumsFile || !entry.Type().IsRegular() {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), entry.Name()))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[66:], b[66:]) })
	return os.WriteFile(filepath.Join(dir, sumsFile), []byte(strings.Join(lines, "")), 0o644)
}
