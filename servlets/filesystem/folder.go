package main

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"syscall"

	servlet "github.com/writ-run/writ/sdk/go"
)

// folder is the one directory of this servlet.
type folder struct {
	real  string // where package os finds it
	shown string // how the model writes it
}

// docs is what servlet.toml calls /docs. Tests put it elsewhere.
var docs = folder{real: "/docs", shown: "/docs"}

// place is a path below the folder.
type place struct {
	real  string
	shown string
	root  bool // the folder itself
}

// locate reads a path that a model wrote: below the folder in full, or relative to it. What leaves the
// folder is refused here only to say so in words; the sandbox refuses it as well.
func (d folder) locate(name string) (place, error) {
	if strings.ContainsRune(name, 0) {
		return place{}, errors.New("a path has no NUL character")
	}
	rest := name
	if strings.HasPrefix(name, "/") {
		inside, ok := strings.CutPrefix(path.Clean(name)+"/", d.shown+"/")
		if !ok {
			return place{}, d.outside(name)
		}
		rest = inside
	}
	rest = path.Clean(rest)
	if rest == ".." || strings.HasPrefix(rest, "../") {
		return place{}, d.outside(name)
	}
	return d.join(rest), nil
}

// join is the place of a clean relative path.
func (d folder) join(rest string) place {
	return place{real: path.Join(d.real, rest), shown: path.Join(d.shown, rest), root: rest == "." || rest == ""}
}

func (d folder) outside(name string) error {
	return servlet.Errorf("%s is outside of %s, the only folder here", name, d.shown)
}

// explain words an error of package os about p. The path inside the error is left out: the model knows
// the file by the name that it used.
func (d folder) explain(err error, p place) error {
	if err == nil {
		return nil
	}
	reasons := []struct {
		is   error
		text string
	}{
		{fs.ErrNotExist, "does not exist; list_directory and search_files show what does"},
		{fs.ErrExist, "exists already"},
		{syscall.EROFS, "cannot be changed: the folder is read-only"},
		{syscall.EPERM, "leads out of the folder, or may not be touched"},
		{fs.ErrPermission, "is not allowed: this tool was not given the folder, or not for that; whoever runs Writ can give it with `writ grant`"},
		{syscall.EISDIR, "is a directory, not a file"},
		{syscall.ENOTDIR, "is not a directory, or leads through a file"},
		{syscall.ENOTEMPTY, "is not empty"},
		{syscall.ENAMETOOLONG, "has a name that is too long"},
		{syscall.ELOOP, "is a link that leads nowhere, or in a circle"},
		{syscall.ENOSPC, "does not fit: the disk is full"},
		{syscall.EDQUOT, "does not fit: this call has written as much as it may"},
		{syscall.EXDEV, "is on another disk than its destination"},
		{syscall.EINVAL, "has a name that cannot be used"},
	}
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return servlet.Errorf("%s %s", p.shown, r.text)
		}
	}
	var inPath *fs.PathError
	if errors.As(err, &inPath) {
		err = inPath.Err
	}
	return servlet.Errorf("%s: %v", p.shown, err)
}
