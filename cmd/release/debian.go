package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5" // what dpkg compares installed files with; nothing here trusts it
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// debVersion sorts a version before a release below it, as dpkg does with a tilde.
func (e edition) debVersion() string { return strings.Replace(e.Version, "-", "~", 1) }

func (e edition) debName(p platform) string {
	return fmt.Sprintf("writ_%s_%s.deb", e.debVersion(), p.arch)
}

// debian writes a binary package.
// Source: deb(5), deb-control(5), deb-md5sums(5).
func (e edition) debian(p platform, files map[string][]byte, manual []entry, out string) error {
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
	installed = append(installed, manual...)
	data := folders(installed)
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

// folders are those that files lie in, each before what it holds.
func folders(files []entry) []entry {
	all := []entry{{name: ".", mode: fs.ModeDir | 0o755}}
	known := map[string]bool{".": true}
	var add func(folder string)
	add = func(folder string) {
		if known[folder] {
			return
		}
		known[folder] = true
		add(path.Dir(folder))
		all = append(all, entry{name: "./" + folder, mode: fs.ModeDir | 0o755})
	}
	for _, f := range files {
		add(path.Dir(f.name))
	}
	return all
}

// manualOf has a program write its manual and what shells complete with, and says where a package puts
// them.
func manualOf(ctx context.Context, program string) ([]entry, error) {
	dir, err := os.MkdirTemp("", "writ-manual-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	said := func(args ...string) ([]byte, error) {
		text, err := exec.CommandContext(ctx, program, args...).Output()
		if err != nil {
			return nil, fmt.Errorf("packages: %s %s: %w", program, strings.Join(args, " "), err)
		}
		return text, nil
	}
	if _, err := said("man", dir); err != nil {
		return nil, err
	}
	pages, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(pages) == 0 {
		return nil, fmt.Errorf("packages: %s wrote no manual", program)
	}
	var all []entry
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(dir, page.Name()))
		if err != nil {
			return nil, err
		}
		if text, err = compressed(text); err != nil {
			return nil, err
		}
		all = append(all, entry{name: "usr/share/man/man1/" + page.Name() + ".gz", mode: 0o644, data: text})
	}
	for _, shell := range []struct{ name, file string }{
		{"bash", "bash-completion/completions/writ"}, {"zsh", "zsh/vendor-completions/_writ"}, {"fish", "fish/vendor_completions.d/writ.fish"},
	} {
		text, err := said("completion", shell.name)
		if err != nil {
			return nil, err
		}
		if len(text) == 0 {
			return nil, fmt.Errorf("packages: %s has nothing for %s to complete with", program, shell.name)
		}
		all = append(all, entry{name: "usr/share/" + shell.file, mode: 0o644, data: text})
	}
	return all, nil
}

// compressed is a manual page as Debian wants it. It names no file and no time.
// Source: Debian Policy 12.1.
func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
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
