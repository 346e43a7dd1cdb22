package guard

import (
	"strings"
	"unicode/utf8"

	"github.com/writ-run/writ/capabilities/effect"
)

const (
	maxPath = 4096 // bytes of a path
	maxName = 255  // bytes of one name in it
)

// filePath is a path below an open directory that has passed parsePath.
type filePath struct {
	name string // relative, "/" between names, no empty and no "." name; "." alone is the directory itself
	dir  bool   // was written with a trailing "/" or "/.": what it leads to must be a directory
}

// parsePath accepts the paths that mean the same on every system and stay below their directory as
// far as text can tell; os.Root enforces the rest at each step. ".." is kept where it stands, as it
// must be resolved after the links before it.
//
// A trailing slash is taken off here, because it changes whether a last link is followed: Go's own
// os.Root has been escaped by it (CVE-2026-39822).
func parsePath(p string) (filePath, effect.Errno) {
	switch {
	case p == "":
		return filePath{}, effect.ErrNoEnt
	case len(p) > maxPath:
		return filePath{}, effect.ErrNameLong
	case !utf8.ValidString(p), strings.ContainsAny(p, "\x00\\"):
		return filePath{}, effect.ErrInval
	case p[0] == '/':
		return filePath{}, effect.ErrPerm
	}
	var names []string
	last, depth := "", 0
	for name := range strings.SplitSeq(p, "/") {
		last = name
		switch name {
		case "", ".":
			continue
		case "..":
			depth--
		default:
			if errno := checkName(name); errno != effect.Success {
				return filePath{}, errno
			}
			depth++
		}
		if depth < 0 {
			return filePath{}, effect.ErrPerm
		}
		names = append(names, name)
	}
	parsed := filePath{name: strings.Join(names, "/"), dir: last == "" || last == "." || last == ".."}
	if parsed.name == "" {
		parsed.name = "."
	}
	return parsed, effect.Success
}

// checkName refuses names that some system takes for something else than a file of that name, on
// every system: a servlet tested on one must not find a hole on another.
func checkName(name string) effect.Errno {
	if len(name) > maxName {
		return effect.ErrNameLong
	}
	if !utf8.ValidString(name) || strings.ContainsAny(name, "\x00\\/") {
		return effect.ErrInval
	}
	if end := name[len(name)-1]; end == '.' || end == ' ' { // Windows drops them: "secret. " opens "secret"
		return effect.ErrInval
	}
	if len(name) >= 2 && name[1] == ':' && isLetter(name[0]) { // a drive
		return effect.ErrInval
	}
	if strings.Contains(name, "::") || strings.Contains(name, ":$") { // an alternate data stream
		return effect.ErrInval
	}
	if strictNames && strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || strings.ContainsRune(`<>:"|?*`, r) }) {
		return effect.ErrInval
	}
	if isDevice(name) {
		return effect.ErrInval
	}
	return effect.Success
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isDevice reports the names that Windows takes for a device in every folder, whatever follows a dot
// or a colon.
func isDevice(name string) bool {
	if i := strings.IndexAny(name, ".:"); i >= 0 {
		name = name[:i]
	}
	name = strings.ToUpper(strings.TrimRight(name, " "))
	switch name {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	if port, ok := strings.CutPrefix(name, "COM"); ok {
		return isPort(port)
	}
	port, ok := strings.CutPrefix(name, "LPT")
	return ok && isPort(port)
}

// isPort reports one digit, superscripts included.
func isPort(s string) bool {
	switch s {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}

// below puts p under the directory named dir.
func (p filePath) below(dir string) string {
	switch {
	case dir == ".":
		return p.name
	case p.name == ".":
		return dir
	}
	return dir + "/" + p.name
}

// parent is the directory that holds the last name. A name that ends in ".." is a directory already.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	switch {
	case lastName(name) == "." || lastName(name) == "..":
		return name
	case i < 0:
		return "."
	}
	return name[:i] // not path.Dir: that would resolve ".." before the links
}

// lastName is what comes after the last "/".
func lastName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
