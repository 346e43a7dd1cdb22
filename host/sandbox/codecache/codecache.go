// Package codecache is the folder in which compiled code outlives a process. What lies there is run as
// machine code, so nobody but its owner may reach it; beyond that nothing in it is precious: whatever is
// missing, cut or damaged is made again. Any number of processes share it without a lock: files appear
// whole or not at all, and who finds one gone makes it anew.
//
// It holds files, which it gives back as they were put or not at all, files that a runtime keeps there
// in folders of its own, and for each servlet an index entry: of which files its code is made, and what
// was learnt of it. The time of an entry is when its servlet was last loaded; that is what Trim goes by.
package codecache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is a cache. Only Open makes one.
type Folder struct{ dir string }

// Open makes the folder with mode 0700, or checks that the one that is there is private: one that is a
// link, belongs to another user or can be entered by others is refused, and one that others could put
// another in place of.
func Open(dir string) (*Folder, error) {
	dir, err := private(dir)
	if err != nil {
		return nil, fmt.Errorf("opening code cache: %w", err)
	}
	return &Folder{dir: dir}, nil
}

// Dir is the folder's path: absolute, and without links.
func (f *Folder) Dir() string { return f.dir }

// tableCRC finds what a crash or a bad disk did to a file. It is no defence: the folder is.
var tableCRC = crc32.MakeTable(crc32.Castagnoli)

// Get returns what was put under a name; nil: nothing, or something else than was put.
func (f *Folder) Get(name string) []byte {
	if !plain(name) {
		return nil
	}
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		return nil
	}
	return whole(data)
}

// whole returns a file's content without its checksum; nil: it is damaged.
func whole(data []byte) []byte {
	if len(data) < crc32.Size {
		return nil
	}
	end := len(data) - crc32.Size
	if crc32.Checksum(data[:end], tableCRC) != binary.LittleEndian.Uint32(data[end:]) {
		return nil
	}
	return data[:end:end]
}

// Put keeps data under a name, a plain file name. No reader ever sees a part of it.
func (f *Folder) Put(name string, data []byte) error {
	if !plain(name) {
		return fmt.Errorf("writing code cache: %q is no name of a file", name)
	}
	sum := binary.LittleEndian.AppendUint32(nil, crc32.Checksum(data, tableCRC))
	if err := f.write(name, data, sum); err != nil {
		return fmt.Errorf("writing code cache: %w", err)
	}
	return nil
}

// plain says that a name is one of a file, and no path.
func plain(name string) bool { return filepath.IsLocal(name) && filepath.Base(name) == name }

// write does not sync: what a crash leaves cut is found by its checksum, and made again.
func (f *Folder) write(name string, parts ...[]byte) (err error) {
	file, err := os.CreateTemp(f.dir, name+".*"+unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	for _, p := range parts {
		if _, err = file.Write(p); err != nil {
			break
		}
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(f.dir, name))
}

// Has says whether a file is there; name is relative to the folder.
func (f *Folder) Has(name string) bool {
	info, err := os.Lstat(filepath.Join(f.dir, name))
	return err == nil && info.Mode().IsRegular()
}

// Remove deletes a file, if it is there; name is relative to the folder.
func (f *Folder) Remove(name string) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("removing from code cache: %q is outside", name)
	}
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing from code cache: %w", err)
	}
	return nil
}
