package clients

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// BackupSuffix is added to a file's name for its one copy from before.
const BackupSuffix = ".writ-backup"

// snapshot is a file as it was read.
type snapshot struct {
	path   string // as the client names it
	target string // what is written: where links lead
	data   []byte
	info   fs.FileInfo // nil: there is no file
}

// take reads a file of at most limit bytes. Links are followed, as people who keep their settings in
// one folder have them; within, when it is not empty, is the folder that they may not lead out of.
func take(path, within string, limit int64) (snapshot, error) {
	s := snapshot{path: path, target: path}
	target, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && exists(path):
		return s, refuse(ErrPlace, "%s is a link to nothing", path)
	case errors.Is(err, fs.ErrNotExist):
		return s, s.confine(within)
	case err != nil:
		return s, refuse(ErrPlace, "%v", err)
	}
	s.target = target
	if err := s.confine(within); err != nil {
		return s, err
	}
	// A pipe or a device would be waited for, or never end.
	info, err := os.Stat(target)
	if err != nil || !info.Mode().IsRegular() {
		return s, refuse(ErrPlace, "%s is no regular file", path)
	}
	f, err := os.Open(target)
	if err != nil {
		return s, refuse(ErrPlace, "%v", err)
	}
	defer f.Close()
	if s.info, err = f.Stat(); err != nil {
		return s, fmt.Errorf("reading %s: %v", path, err)
	}
	if s.data, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
		return s, fmt.Errorf("reading %s: %v", path, err)
	}
	if int64(len(s.data)) > limit {
		return s, refuse(ErrPlace, "%s has more than %d bytes, and no more are read", path, limit)
	}
	return s, nil
}

// confine refuses a file of a project whose links lead out of it: a folder that somebody else made
// must not choose which of the user's own files is edited.
func (s snapshot) confine(within string) error {
	if within == "" {
		return nil
	}
	root, err := filepath.EvalSymlinks(within)
	if err != nil {
		return refuse(ErrPlace, "%v", err)
	}
	target := s.target
	for s.info == nil && !exists(target) && target != filepath.Dir(target) {
		target = filepath.Dir(target) // the deepest folder that is there
	}
	if target, err = filepath.EvalSymlinks(target); err != nil {
		return refuse(ErrPlace, "%v", err)
	}
	if rel, err := filepath.Rel(root, target); err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return refuse(ErrPlace, "%s leads out of %s through a link", s.path, within)
	}
	return nil
}

// same says that the file is still what was read.
func (s snapshot) same(limit int64) bool {
	now, err := take(s.path, "", limit)
	return err == nil && now.target == s.target && (now.info == nil) == (s.info == nil) && bytes.Equal(now.data, s.data)
}

// backup is the name of the copy from before, beside the name that the client uses.
func (s snapshot) backup() string { return s.path + BackupSuffix }

// writable refuses to take the place of a file whose owner closed it to writing.
func (s snapshot) writable() error {
	if s.info != nil && s.info.Mode().Perm()&0o200 == 0 {
		return refuse(ErrPlace, "%s may not be written: if it is yours to change, chmod u+w it first", s.path)
	}
	return nil
}

// replace puts data in the place of the file in one step: no reader and no crash ever sees a part of
// it. Mode and owner stay.
func (s snapshot) replace(data []byte, limit int64, mode fs.FileMode) error {
	if s.info != nil {
		mode = s.info.Mode().Perm()
	} else if err := os.MkdirAll(filepath.Dir(s.target), 0o755); err != nil {
		return fmt.Errorf("making the folder of %s: %v", s.path, err)
	}
	return install(s.target, data, mode, s.info, func() error {
		if !s.same(limit) {
			return refuse(ErrChanged, "%s was changed by another program meanwhile: nothing was written; run the command again", s.path)
		}
		return nil
	})
}

// remove deletes the file, which must still be what was read.
func (s snapshot) remove(limit int64) error {
	if !s.same(limit) {
		return refuse(ErrChanged, "%s was changed by another program meanwhile: nothing was written; run the command again", s.path)
	}
	if err := os.Remove(s.target); err != nil {
		return fmt.Errorf("removing %s: %v", s.path, err)
	}
	return nil
}

// install writes a file beside path, asks last, and renames it to path. A link at path is replaced,
// not followed. like, when it is not nil, is the file whose owner the new one gets.
func install(path string, data []byte, mode fs.FileMode, like fs.FileInfo, last func() error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".writ-*")
	if err != nil {
		return fmt.Errorf("writing %s: %v", path, err)
	}
	defer os.Remove(f.Name()) // gone already when all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil && like != nil {
		err = keepOwner(f, like)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("writing %s: %v", path, err)
	}
	if err := last(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %v", path, err)
	}
	return nil
}
