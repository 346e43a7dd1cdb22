package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

type writeInput struct {
	Path    string `json:"path" description:"The file, such as /docs/notes.md or notes.md"`
	Content string `json:"content" description:"Everything that the file shall hold"`
}

func writeFile(_ context.Context, in writeInput) (string, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	done := "Created"
	if info, err := os.Stat(p.real); err == nil {
		if info.IsDir() {
			return "", servlet.Errorf("%s is a directory", p.shown)
		}
		done = "Replaced"
	}
	if err := replace(p, []byte(in.Content)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s (%s).", done, p.shown, sizeText(int64(len(in.Content)))), nil
}

// replace puts data into a file in one step, so that nobody ever reads half of it: into a new file beside
// it, which then takes its place. What a link points to is written as it is, or the link would be lost.
func replace(p place, data []byte) error {
	if info, err := os.Lstat(p.real); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return docs.explain(os.WriteFile(p.real, data, 0o666), p)
	}
	f, err := createBeside(p.real)
	if errors.Is(err, fs.ErrNotExist) {
		return servlet.Errorf("there is no directory %s; create_directory makes it", path.Dir(p.shown))
	}
	if err != nil {
		return docs.explain(err, p)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), p.real)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return docs.explain(err, p)
}

// createBeside creates a file of a name that is not in use, in the same directory.
func createBeside(name string) (f *os.File, err error) {
	for i := range int64(20) {
		temporary := path.Join(path.Dir(name), fmt.Sprintf(".writ-%x.tmp", time.Now().UnixNano()+i))
		if f, err = os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return f, err
}

type newDirectoryInput struct {
	Path string `json:"path" description:"The directory, such as /docs/2026/november"`
}

func createDirectory(_ context.Context, in newDirectoryInput) (string, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(p.real); err == nil && info.IsDir() {
		return p.shown + " exists already.", nil
	}
	if err := os.MkdirAll(p.real, 0o777); err != nil {
		return "", docs.explain(err, p)
	}
	return "Created " + p.shown + ".", nil
}

type moveInput struct {
	Source      string `json:"source" description:"What to move"`
	Destination string `json:"destination" description:"Its new path, name included"`
}

func moveFile(_ context.Context, in moveInput) (string, error) {
	from, err := docs.locate(in.Source)
	if err != nil {
		return "", err
	}
	to, err := docs.locate(in.Destination)
	if err != nil {
		return "", err
	}
	if from.root || to.root {
		return "", servlet.Errorf("%s itself cannot be moved or replaced", docs.shown)
	}
	if _, err := os.Lstat(from.real); err != nil {
		return "", docs.explain(err, from)
	}
	if _, err := os.Lstat(to.real); err == nil {
		return "", servlet.Errorf("%s exists already: choose another destination", to.shown)
	}
	if err := os.Rename(from.real, to.real); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", servlet.Errorf("there is no directory %s; create_directory makes it", path.Dir(to.shown))
		}
		return "", docs.explain(err, to)
	}
	return fmt.Sprintf("Moved %s to %s.", from.shown, to.shown), nil
}

// indented is JSON as people write it.
func indented(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}
