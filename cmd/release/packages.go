package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"text/template"
)

//go:embed packaging
var packaging embed.FS

// fill fills in one of the templates.
func fill(name string, data any) ([]byte, error) {
	t, err := template.ParseFS(packaging, "packaging/"+name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, data)
	return b.Bytes(), err
}

// packages makes what package tools want of the archives in a folder: the programs in them are not
// built again.
func packages(ctx context.Context, e edition, args []string, stdout io.Writer) error {
	var out, image, certificates, program string
	rest, err := flagsOf("packages", args, func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "")
		f.StringVar(&image, "image", "", "")  // folder to make for building a container image; "": none
		f.StringVar(&program, "writ", "", "") // of this edition, and for this machine: it writes the manual
		f.StringVar(&certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "")
	})
	if err != nil {
		return err
	}
	if out == "" || program == "" || len(rest) > 0 {
		return errors.New("packages: want -o DIR -writ PROGRAM, and nothing else")
	}
	manual, err := manualOf(ctx, program)
	if err != nil {
		return err
	}
	var made []platform
	for _, arch := range []string{"amd64", "arm64"} {
		p := platform{"linux", arch}
		files, err := unpack(filepath.Join(out, e.archive(p)+".tar.gz"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = e.debian(p, files, manual, out)
		}
		if err == nil && image != "" {
			err = writeFile(filepath.Join(image, "linux", arch, "writ"), files["writ"], 0o755)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		made = append(made, p)
		fmt.Fprintf(stdout, "made %s\n", e.debName(p))
	}
	if len(made) == 0 {
		return fmt.Errorf("packages: %s has no archive of Writ %s for Linux: run \"release archives\" first", out, e.Version)
	}
	if image != "" {
		if err := imageFolder(image, certificates); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "made %s, to build an image from\n", image)
	}
	if err := e.formula(out); err != nil {
		return err
	}
	return writeSums(out)
}

// unpack reads an archive that tarball made: its files by their names without the folder.
func unpack(archive string) (map[string][]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	uncompress, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for r := tar.NewReader(uncompress); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if header.Typeflag == tar.TypeReg {
			if files[path.Base(header.Name)], err = io.ReadAll(r); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range append([]string{"writ"}, beside...) {
		if len(files[name]) == 0 {
			return nil, fmt.Errorf("%s has no %s", archive, name)
		}
	}
	return files, nil
}

// download is where the files of a release are found.
const download = "https://github.com/writ-run/writ/releases/download/v"

// formula writes the Homebrew formula, once there are the archives of all four systems that it names.
func (e edition) formula(out string) error {
	type archive struct{ Name, URL, SHA256 string }
	type system struct {
		Name     string
		Archives []archive
	}
	var systems []system
	for _, s := range []struct{ os, name string }{{"darwin", "macos"}, {"linux", "linux"}} {
		sys := system{Name: s.name}
		for _, a := range []struct{ arch, name string }{{"arm64", "arm"}, {"amd64", "intel"}} {
			file := e.archive(platform{s.os, a.arch}) + ".tar.gz"
			data, err := os.ReadFile(filepath.Join(out, file))
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			sys.Archives = append(sys.Archives, archive{a.name, download + e.Version + "/" + file, fmt.Sprintf("%x", sha256.Sum256(data))})
		}
		systems = append(systems, sys)
	}
	text, err := fill("writ.rb", map[string]any{"Version": e.Version, "Systems": systems})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, "writ.rb"), text, 0o644)
}

// imageFolder adds what an image holds besides the program: the certificates of the sites that servlets
// may reach, and a home that its user owns.
func imageFolder(dir, certificates string) error {
	trusted, err := os.ReadFile(certificates)
	if err != nil {
		return fmt.Errorf("the certificates for the image: %w (install ca-certificates, or name a file with -certificates)", err)
	}
	recipe, err := packaging.ReadFile("packaging/Containerfile")
	if err != nil {
		return err
	}
	compose, err := packaging.ReadFile("packaging/compose.yaml")
	if err != nil {
		return err
	}
	for _, f := range []entry{
		{name: "Containerfile", mode: 0o644, data: recipe},
		{name: "compose.yaml", mode: 0o644, data: compose},
		{name: "rootfs/etc/ssl/certs/ca-certificates.crt", mode: 0o644, data: trusted},
		{name: "rootfs/etc/passwd", mode: 0o644, data: []byte("writ:x:65532:65532:Writ:/var/lib/writ:/sbin/nologin\n")},
	} {
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(f.name)), f.data, f.mode); err != nil {
			return err
		}
	}
	home := filepath.Join(dir, "home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	return os.Chmod(home, 0o700)
}

// writeFile writes a file with its folders, and with exactly that mode.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, data, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
