package codecache

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Entry is what the index says of one servlet.
type Entry struct {
	Program string          `json:"program"`        // the file that holds its metered module
	Files   []string        `json:"files"`          // all files that are there for its code, relative to the folder
	Note    json.RawMessage `json:"note,omitempty"` // what its owner learnt of it
}

const (
	entryPrefix = "servlet-"
	unfinished  = ".tmp" // ends the names of files being written
)

// stale is how old an entry's time may be before a use renews it: the order in which code is dropped
// needs no more, and a folder is not written to at each start.
const stale = time.Hour

// Remember keeps the entry of a servlet, named by the digest of its file, and notes that it is in use.
// It tells whether its files are others than before.
func (f *Folder) Remember(servlet string, e Entry) (others bool, err error) {
	name := entryPrefix + servlet
	data, err := json.Marshal(e)
	if err != nil {
		return false, fmt.Errorf("writing code cache: %w", err)
	}
	if have := f.Get(name); have == nil || string(have) != string(data) {
		before, _ := f.Recall(servlet)
		return !slices.Equal(before.Files, e.Files), f.Put(name, data)
	}
	path := filepath.Join(f.dir, name)
	if info, err := os.Lstat(path); err == nil && time.Since(info.ModTime()) < stale {
		return false, nil
	}
	now := time.Now()
	if err := os.Chtimes(path, now, now); err != nil {
		return false, fmt.Errorf("writing code cache: %w", err)
	}
	return false, nil
}

// Recall returns the entry of a servlet, if there is one. Its files may be gone.
func (f *Folder) Recall(servlet string) (e Entry, ok bool) {
	data := f.Get(entryPrefix + servlet)
	if data == nil || json.Unmarshal(data, &e) != nil {
		return Entry{}, false
	}
	return e, true
}

// Latest returns the entry that was in use last, as far as the times tell, which are renewed by the hour.
func (f *Folder) Latest() (e Entry, ok bool) {
	names, err := filepath.Glob(filepath.Join(f.dir, entryPrefix+"*"))
	if err != nil {
		return Entry{}, false
	}
	var last string
	var used time.Time
	for _, path := range names {
		if info, err := os.Lstat(path); err == nil && info.ModTime().After(used) && !strings.HasSuffix(path, unfinished) {
			last, used = strings.TrimPrefix(filepath.Base(path), entryPrefix), info.ModTime()
		}
	}
	return f.Recall(last)
}

// Forget drops a servlet's entry, and the files that no other entry names.
func (f *Folder) Forget(servlet string) error {
	gone, ok := f.Recall(servlet)
	if err := f.Remove(entryPrefix + servlet); err != nil || !ok {
		return err
	}
	left, err := f.entries()
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range gone.Files {
		if !slices.ContainsFunc(left, func(e indexed) bool { return slices.Contains(e.Files, name) }) {
			errs = append(errs, f.Remove(name))
		}
	}
	return errors.Join(errs...)
}

// indexed is an entry with its time.
type indexed struct {
	Entry
	servlet string
	used    time.Time
}

func (f *Folder) entries() ([]indexed, error) {
	names, err := filepath.Glob(filepath.Join(f.dir, entryPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("reading code cache: %w", err)
	}
	var all []indexed
	for _, path := range names {
		servlet := strings.TrimPrefix(filepath.Base(path), entryPrefix)
		info, err := os.Lstat(path)
		if err != nil || strings.HasSuffix(servlet, unfinished) {
			continue
		}
		if e, ok := f.Recall(servlet); ok {
			all = append(all, indexed{e, servlet, info.ModTime()})
		}
	}
	return all, nil
}

// file is one file of the folder.
type file struct {
	name string
	size int64
	used time.Time
}

func (f *Folder) files() ([]file, error) {
	var all []file
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return skipGone(err)
		}
		info, err := d.Info()
		if err != nil {
			return skipGone(err)
		}
		name, err := filepath.Rel(f.dir, path)
		all = append(all, file{name, info.Size(), info.ModTime()})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading code cache: %w", err)
	}
	return all, nil
}

// skipGone lets a walk go on past what another process removed meanwhile.
func skipGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
