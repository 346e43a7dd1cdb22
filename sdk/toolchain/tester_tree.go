package toolchain

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/writ-run/writ/sdk/toolchain/calls"
)

// Bounds of a folder of a test.
const (
	maxTreeFiles = 2000
	maxTreeBytes = 16 << 20
)

var errTree = errors.New("a folder of a test has at most 2,000 files, of 16 MB together, and no links")

// readTree is what a tree of a file of calls stands for. A link in the source that leads out of it is refused:
// a source from elsewhere must not show its servlet, or a terminal, what else is on this machine.
func readTree(dir string, t calls.Tree) (map[string]string, error) {
	if t.Files != nil {
		return t.Files, nil
	}
	source, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	root, err := source.OpenRoot(filepath.Join(callsFolder, filepath.FromSlash(t.Folder)))
	if err != nil {
		return nil, unreadable(path.Base(t.Folder), err)
	}
	defer root.Close()
	return treeIn(root)
}

// treeOf reads a folder as treeIn does.
func treeOf(dir string) (map[string]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unreadable(filepath.Base(dir), err)
	}
	defer root.Close()
	return treeIn(root)
}

// treeIn reads a folder: files by path, empty folders as "name/".
func treeIn(root *os.Root) (map[string]string, error) {
	files := map[string]string{}
	size := 0
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			inside, err := fs.ReadDir(root.FS(), name)
			if err == nil && len(inside) == 0 && name != "." {
				files[name+"/"] = ""
			}
			return err
		case !d.Type().IsRegular():
			return errTree
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if size += int(min(info.Size(), maxTreeBytes+1)); size > maxTreeBytes || len(files) >= maxTreeFiles {
			return errTree
		}
		data, err := fs.ReadFile(root.FS(), name)
		files[name] = string(data)
		return err
	})
	return files, err
}

// writeTree makes a folder that holds files.
func writeTree(dir string, files map[string]string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range files {
		folder, empty := strings.CutSuffix(name, "/")
		if !empty {
			folder = path.Dir(name)
		}
		if err := root.MkdirAll(filepath.FromSlash(folder), 0o700); err != nil {
			return err
		}
		if empty {
			continue
		}
		if err := root.WriteFile(filepath.FromSlash(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
