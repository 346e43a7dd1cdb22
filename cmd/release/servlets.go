package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/sdk/toolchain"
	"github.com/writ-run/writ/servlets/builtin"
)

// servlets builds the servlets in some folders and packs them into one that Writ embeds.
func servlets(ctx context.Context, _ edition, args []string, stdout io.Writer) error {
	var into, probe, cache string
	folders, err := flagsOf("servlets", args, func(f *flag.FlagSet) {
		f.StringVar(&into, "into", "", "")
		f.StringVar(&probe, "probe", "", "") // the demonstration's
		f.StringVar(&cache, "cache", "", "") // of compiled code
	})
	if err != nil {
		return err
	}
	if into == "" || len(folders) == 0 {
		return errors.New("servlets: want -into DIR and the folders of servlets")
	}
	var packed []builtin.Packed
	for _, folder := range folders {
		p, err := makeServlet(ctx, folder, cache)
		if err != nil {
			return err
		}
		packed = append(packed, p)
	}
	var hostile builtin.Packed
	if probe != "" {
		if hostile, err = makeServlet(ctx, probe, cache); err != nil {
			return err
		}
	}
	files, err := builtin.Pack(packed, hostile)
	if err != nil {
		return err
	}
	if err := replaceAll(into, files); err != nil {
		return err
	}
	for _, p := range packed {
		fmt.Fprintf(stdout, "packed %s %s: %d kB, in the binary %d kB\n", p.Name, p.Version, len(p.File)/1000, len(files[p.Name+builtin.FileTail])/1000)
	}
	return nil
}

// makeServlet builds the servlet in a folder, signed as a built-in one.
func makeServlet(ctx context.Context, folder, cache string) (builtin.Packed, error) {
	dir, err := os.MkdirTemp("", "writ-release-")
	if err != nil {
		return builtin.Packed{}, err
	}
	defer os.RemoveAll(dir)
	made, err := toolchain.Build(ctx, toolchain.Options{Dir: folder, Output: filepath.Join(dir, "servlet.wasm"), Key: capabilities.BuiltInKey(), CacheDir: cache})
	if err != nil {
		return builtin.Packed{}, fmt.Errorf("%s: %w", folder, err)
	}
	file, err := os.ReadFile(made.Output)
	if err != nil {
		return builtin.Packed{}, err
	}
	seq, err := seqOf(made.Version)
	if err != nil {
		return builtin.Packed{}, fmt.Errorf("%s: %w", folder, err)
	}
	// A built-in servlet is as new as the binary around it, which decides whether it is offered. Its own
	// dates are the same for ever, so that its digest changes only when it does.
	file, err = toolchain.Sign(file, toolchain.SignOptions{Key: capabilities.BuiltInKey(), Seq: seq, Issued: time.Unix(1, 0), Expires: forEver})
	if err != nil {
		return builtin.Packed{}, fmt.Errorf("%s: %w", folder, err)
	}
	return builtin.Packed{Name: made.Name, Version: made.Version, File: file}, nil
}

const forEver = 292 * 365 * 24 * time.Hour // the longest that a Duration takes

var plainVersion = regexp.MustCompile(`^([0-9]{1,4})\.([0-9]{1,5})\.([0-9]{1,5})$`)

// seqOf orders the releases of a built-in servlet by their version.
func seqOf(version string) (uint64, error) {
	parts := plainVersion.FindStringSubmatch(version)
	if parts == nil {
		return 0, fmt.Errorf("version %s: a servlet that ships with Writ has a version of three numbers", version)
	}
	var seq uint64
	for _, part := range parts[1:] {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return 0, err
		}
		seq = seq*100_000 + n
	}
	if seq == 0 {
		return 0, errors.New("version 0.0.0: a servlet that ships with Writ has a higher one")
	}
	return seq, nil
}

// replaceAll makes files the content of dir, but for names with a leading dot. The index goes first and
// comes last: a build of Writ that runs at the same time finds a whole set or none.
func replaceAll(dir string, files map[string][]byte) error {
	if err := os.Remove(filepath.Join(dir, builtin.IndexFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range old {
		if files[entry.Name()] == nil && !strings.HasPrefix(entry.Name(), ".") {
			if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	for name, data := range files {
		if name == builtin.IndexFile {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, builtin.IndexFile), files[builtin.IndexFile], 0o644)
}
