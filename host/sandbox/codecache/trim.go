package codecache

import (
	"errors"
	"slices"
	"strings"
	"time"
)

const (
	// abandoned is how old a file must be that a killed process was writing.
	abandoned = time.Hour
	// fresh is how long what was just made or used is safe from Trim: a process that has it is about
	// to load it.
	fresh = time.Minute
)

// Trim drops what was not used for longest until the files have at most limit bytes together, and what
// killed processes left half written.
func (f *Folder) Trim(limit int64) error {
	now := time.Now()
	all, err := f.files()
	if err != nil {
		return err
	}
	entries, err := f.entries()
	if err != nil {
		return err
	}
	used := map[string]time.Time{}
	for _, e := range entries {
		for _, name := range e.Files {
			if e.used.After(used[name]) {
				used[name] = e.used
			}
		}
	}
	var errs []error
	total := int64(0)
	all = slices.DeleteFunc(all, func(one file) bool {
		halfWritten := strings.HasSuffix(one.name, unfinished)
		if halfWritten && now.Sub(one.used) > abandoned {
			errs = append(errs, f.Remove(one.name))
			return true
		}
		total += one.size
		return halfWritten || strings.HasPrefix(one.name, entryPrefix)
	})
	for i := range all {
		if at := used[all[i].name]; at.After(all[i].used) {
			all[i].used = at
		}
	}
	slices.SortFunc(all, func(a, b file) int { return a.used.Compare(b.used) })
	for _, one := range all {
		if total <= limit || now.Sub(one.used) < fresh {
			break
		}
		errs = append(errs, f.Remove(one.name))
		total -= one.size
	}
	// An entry of which no file is left says what may be true no more.
	for _, e := range entries {
		if !slices.ContainsFunc(e.Files, f.Has) {
			errs = append(errs, f.Remove(entryPrefix+e.servlet))
		}
	}
	return errors.Join(errs...)
}
