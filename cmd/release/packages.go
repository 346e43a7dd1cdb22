package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5" // what dpkg compares installed files with; nothing here trusts it
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
	"strings"
	"text/template"
	"time"
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
func packages(_ context.Context, e edition, args []string, stdout io.Writer) error {
	var out, image, certificates string
	rest, err := flagsOf("packages", args, func(f *flag.FlagSet) {
		f.StringVar(&out, "o", "", "")
		f.StringVar(&image, "image", "", "") // folder to make for building a container image; "": none
		f.StringVar(&certificates, "certificates", "/etc/ssl/certs/ca-certificates.crt", "")
	})
	if err != nil {
		return err
	}
	if out == "" || len(rest) > 0 {
		return errors.New("packages: want -o DIR, and nothing else")
	}
	var made []platform
	for _, arch := range []string{"amd64", "arm64"} {
		p := platform{"linux", arch}
		files, err := unpack(filepath.Join(out, e.archive(p)+".tar.gz"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = e.debian(p, files, out)
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

// debVersion sorts a version before a release below it, as dpkg does with a tilde.
func (e edition) debVersion() string { return strings.Replace(e.Version, "-", "~", 1) }

func (e edition) debName(p platform) string {
	return fmt.Sprintf("writ_%s_%s.deb", e.debVersion(), p.arch)
}

// debian writes a binary package.
// Source: deb(5), deb-control(5), deb-md5sums(5).
func (e edition) debian(p platform, files map[string][]byte, out string) error {
	const doc = "usr/share/doc/writ/"
	// Nothing starts by itself: the service is there to be enabled by whoever serves others.
	service, err := packaging.ReadFile("packaging/writ.service")
	if err != nil {
		return err
	}
	installed := []entry{
		{name: "usr/bin/writ", mode: 0o755, data: files["writ"]},
		{name: "usr/lib/systemd/system/writ.service", mode: 0o644, data: service},
		{name: doc + "copyright", mode: 0o644, data: append(append(files["NOTICE"][:len(files["NOTICE"]):len(files["NOTICE"])], '\n'), files["LICENSE"]...)},
		{name: doc + "README.md", mode: 0o644, data: files["README.md"]},
		{name: doc + "SECURITY.md", mode: 0o644, data: files["SECURITY.md"]},
	}
	data := []entry{}
	for _, folder := range []string{".", "./usr", "./usr/bin", "./usr/lib", "./usr/lib/systemd", "./usr/lib/systemd/system", "./usr/share", "./usr/share/doc", "./usr/share/doc/writ"} {
		data = append(data, entry{name: folder, mode: fs.ModeDir | 0o755})
	}
	var sums bytes.Buffer
	size := 0
	for _, f := range installed {
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(f.data), f.name)
		size += len(f.data)
		f.name = "./" + f.name
		data = append(data, f)
	}
	control, err := fill("control", map[string]any{"Version": e.debVersion(), "Arch": p.arch, "KiB": (size + 1023) / 1024})
	if err != nil {
		return err
	}
	about := []entry{{name: ".", mode: fs.ModeDir | 0o755}, {name: "./control", mode: 0o644, data: control}, {name: "./md5sums", mode: 0o644, data: sums.Bytes()}}
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	if err := member(&b, "debian-binary", []byte("2.0\n"), e.Date); err != nil {
		return err
	}
	for _, part := range []struct {
		name  string
		files []entry
	}{{"control.tar.gz", about}, {"data.tar.gz", data}} {
		var packed bytes.Buffer
		if err := tarball(&packed, part.files, e.Date); err != nil {
			return err
		}
		if err := member(&b, part.name, packed.Bytes(), e.Date); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(out, e.debName(p)), b.Bytes(), 0o644)
}

// member adds a file to an ar archive.
func member(w io.Writer, name string, data []byte, date time.Time) error {
	if _, err := fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", name, date.Unix(), 0, 0, 0o100644, len(data)); err != nil {
		return err
	}
	if len(data)%2 == 1 {
		data = append(data[:len(data):len(data)], '\n')
	}
	_, err := w.Write(data)
	return err
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
