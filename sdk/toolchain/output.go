package toolchain

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// wasmMagic is how every Wasm file begins.
const wasmMagic = "\x00asm"

// outputError names the file that a person asked for and why it was not written.
type outputError struct {
	path, reason string
	err          error
}

func (e *outputError) Error() string { return fmt.Sprintf("writing %s: %s", e.path, e.reason) }
func (e *outputError) Unwrap() error { return e.err }

// WriteServlet writes a servlet file in one step: path has its old or its new content, never half of
// it. It replaces a Wasm file or an empty one and refuses whatever else has that name, such as the
// source that the servlet was built from. Errors name path and match those of package io/fs.
func WriteServlet(path string, file []byte) error {
	if err := checkOutput(path); err != nil {
		return err
	}
	if err := replaceFile(path, file); err != nil {
		return explainOutput(path, err)
	}
	return nil
}

// checkOutput refuses a path that WriteServlet would refuse, before anybody waits for a compiler.
func checkOutput(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		folder, err := os.Stat(filepath.Dir(path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return &outputError{path, "no such folder: make it first", fs.ErrNotExist}
		case err == nil && !folder.IsDir():
			return &outputError{path, filepath.Dir(path) + " is not a folder", syscall.ENOTDIR}
		}
		return nil // what else is wrong with the folder, writing will tell
	case err != nil:
		return explainOutput(path, err)
	case info.IsDir():
		return &outputError{path, "is a folder: name a file", syscall.EISDIR}
	case !info.Mode().IsRegular():
		return &outputError{path, "is not a regular file: choose another name", fs.ErrExist}
	case info.Size() == 0:
		return nil
	}
	f, err := openRegular(path)
	if err != nil {
		return explainOutput(path, err)
	}
	defer f.Close()
	start := make([]byte, len(wasmMagic))
	if _, err := io.ReadFull(f, start); err != nil || string(start) != wasmMagic {
		return &outputError{path, "exists and is not a Wasm file: choose another name, or remove it first", fs.ErrExist}
	}
	return nil
}

// explainOutput drops the name of whatever file an error of the system is about, a temporary one most
// of the time, and names the one that was asked for.
func explainOutput(path string, err error) error {
	var in *fs.PathError
	var link *os.LinkError
	reason := err
	switch {
	case errors.As(err, &in):
		reason = in.Err
	case errors.As(err, &link):
		reason = link.Err
	}
	return &outputError{path, reason.Error(), err}
}

// replaceFile replaces path by data in one step, and leaves nothing else behind.
func replaceFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".writ-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// openRegular opens a file to read it, and nothing else that has a path: a named pipe that nobody
// writes to would never end.
func openRegular(path string) (*os.File, error) {
	// Without O_NONBLOCK the opening itself would wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return onlyRegular(f, path)
}

// onlyRegular closes what is not a regular file.
func onlyRegular(f *os.File, path string) (*os.File, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// readSource reads a regular file of at most limit bytes.
func readSource(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return readOpen(f, path, limit)
}

// readInside reads a regular file of at most limit bytes that is below root: no link leads out of it.
func readInside(root *os.Root, path string, limit int64) ([]byte, error) {
	f, err := root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		f, err = onlyRegular(f, path)
	}
	if err != nil {
		return nil, err
	}
	return readOpen(f, path, limit)
}

// readOpen reads and closes a file of at most limit bytes.
func readOpen(f *os.File, path string, limit int64) ([]byte, error) {
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(raw)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("longer than %d bytes", limit)}
	}
	return raw, err
}
