package approval

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities"
)

// maxPath is the longest directory path, in bytes.
const maxPath = 4096

// directories checks directories that an operator names.
type directories struct {
	state string   // Writ's home
	user  string   // the person's home directory; empty when there is none
	areas []area   // what needs the word DANGER
	broad []string // directories that hold too much to be given in passing, themselves only
}

// resolve returns the real absolute path of a directory that id would be given, and, when danger
// named it, a warning for it. A path that cannot be shown exactly is refused: a person could not
// know what they approve.
func (d directories) resolve(id, named string, danger bool) (path, warning string, err error) {
	path, err = d.real(named)
	if err != nil {
		return "", "", fmt.Errorf("directory %s for %s: %w", shown(named), id, err)
	}
	if overlap(path, d.state) {
		// A servlet that can write here can grant itself anything.
		return "", "", fmt.Errorf("directory %s for %s: it holds, or lies in, Writ's own state, which no servlet may see: choose another", shown(path), id)
	}
	what := d.sensitive(path)
	if what == "" {
		return path, "", nil
	}
	if !danger {
		return "", "", fmt.Errorf("directory %s for %s: %w: %s: choose a narrower one, or add --danger %s", shown(path), id, ErrDanger, what, id)
	}
	return path, fmt.Sprintf("DANGER: %s, given as %s: %s.", shownPath(path), id, what), nil
}

// real makes a path absolute, clean and free of symbolic links: the grant names the directory that
// was there when it was shown, not a link that can be pointed elsewhere later.
func (d directories) real(named string) (string, error) {
	if named == "" {
		return "", errors.New("no path given")
	}
	if named == "~" || strings.HasPrefix(named, "~/") {
		if d.user == "" {
			return "", errors.New("the home directory is not known: write the path in full")
		}
		named = filepath.Join(d.user, named[1:])
	}
	path, err := filepath.Abs(named)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("no such directory: make it first")
	case err != nil:
		return "", bare(err)
	case !info.IsDir():
		return "", errors.New("is not a directory")
	case len(path) > maxPath || !utf8.ValidString(path) || capabilities.Printable(path, maxPath+1) != path:
		return "", errors.New("its real path has characters that cannot be shown: rename it")
	}
	return path, nil
}

// overlap says that one of two directories lies in the other, or that they are the same. It asks the
// file system, since two paths can name one directory: by case, by a mount, by a link.
func overlap(a, b string) bool { return inside(a, b) || inside(b, a) }

// inside says that path is dir or lies below it. A dir that does not exist holds nothing.
func inside(path, dir string) bool {
	want, err := os.Stat(dir)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	for {
		if have, err := os.Stat(path); err == nil && os.SameFile(have, want) {
			return true
		}
		up := filepath.Dir(path)
		if up == path {
			return false
		}
		path = up
	}
}

// shownPath is a path in a sentence: quoted when its own characters could be read as part of it.
func shownPath(path string) string {
	if strings.ContainsAny(path, " \"'();:,") {
		return `"` + strings.ReplaceAll(path, `"`, `\"`) + `"`
	}
	return path
}
