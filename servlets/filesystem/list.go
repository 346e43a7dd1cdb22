package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	servlet "github.com/writ-run/writ/sdk/go"
)

const (
	maxEntries = 2000    // entries or matches in one answer
	maxVisited = 100_000 // entries that one walk looks at
	maxOpened  = 10_000  // directories that one walk opens; each is several calls of the host
	maxSized   = 20_000  // entries whose sizes are asked for
	maxDepth   = 40      // directories inside directories
)

type directoryInput struct {
	Path string `json:"path" default:"." description:"The directory, such as /docs or a path below it; the whole folder when left out"`
}

// entriesOf lists a directory by name.
func entriesOf(p place) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(p.real)
	if err != nil {
		return nil, docs.explain(err, p)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// mark is how a listing tells an entry's type. A link is not followed for it.
func mark(e fs.DirEntry) string {
	switch {
	case e.IsDir():
		return "[DIR]"
	case e.Type()&fs.ModeSymlink != 0:
		return "[LINK]"
	}
	return "[FILE]"
}

func listDirectory(_ context.Context, in directoryInput) (string, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	entries, err := entriesOf(p)
	if err != nil {
		return "", err
	}
	if len(entries) == 0 {
		return p.shown + " is empty.", nil
	}
	var b strings.Builder
	for _, e := range entries[:min(len(entries), maxEntries)] {
		fmt.Fprintf(&b, "%s %s\n", mark(e), e.Name())
	}
	if more := len(entries) - maxEntries; more > 0 {
		fmt.Fprintf(&b, "and %d more; search_files finds them by name\n", more)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

type sizesInput struct {
	Path   string `json:"path" default:"." description:"The directory, such as /docs or a path below it; the whole folder when left out"`
	SortBy string `json:"sortBy" enum:"name,size" default:"name" description:"Order by name, or by size with the largest first"`
}

func listDirectoryWithSizes(_ context.Context, in sizesInput) (string, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	entries, err := entriesOf(p)
	if err != nil {
		return "", err
	}
	if len(entries) > maxSized {
		return "", servlet.Errorf("%s has %d entries, too many for their sizes: use list_directory", p.shown, len(entries))
	}
	sizes := make(map[string]int64, len(entries))
	var files, directories int
	var total int64
	for _, e := range entries {
		if e.IsDir() {
			directories++
			continue
		}
		files++
		if info, err := e.Info(); err == nil { // it may be gone since
			sizes[e.Name()] = info.Size()
			total += info.Size()
		}
	}
	if in.SortBy == "size" {
		slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return int(min(max(sizes[b.Name()]-sizes[a.Name()], -1), 1)) })
	}
	var b strings.Builder
	for _, e := range entries[:min(len(entries), maxEntries)] {
		size := ""
		if !e.IsDir() {
			size = sizeText(sizes[e.Name()])
		}
		fmt.Fprintf(&b, "%-6s %10s  %s\n", mark(e), size, e.Name())
	}
	fmt.Fprintf(&b, "\nTotal: %d files, %d directories\nCombined size: %s", files, directories, sizeText(total))
	return b.String(), nil
}

// sizeText is a size for people.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, units := float64(n)/unit, "KMGTP"
	for value >= unit && len(units) > 1 {
		value, units = value/unit, units[1:]
	}
	return fmt.Sprintf("%.1f %cB", value, units[0])
}

type treeInput struct {
	Path            string   `json:"path" default:"." description:"Where to start; the whole folder when left out"`
	ExcludePatterns []string `json:"excludePatterns,omitempty" max:"50" description:"What to leave out: a name such as node_modules, or a glob such as **/*.log"`
}

// node is one entry of a tree. Directories have children, if only an empty list.
type node struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // "directory", "file" or "link"
	Children *[]*node `json:"children,omitempty"`
}

func directoryTree(_ context.Context, in treeInput) (string, error) {
	top := []*node{}
	nodes := map[string]*[]*node{".": &top}
	count := 0
	err := walk(in.Path, in.ExcludePatterns, func(rest string, e fs.DirEntry) error {
		if count++; count > maxEntries {
			return servlet.Errorf("there are more than %d entries: start further down, or give excludePatterns", maxEntries)
		}
		n := &node{Name: e.Name(), Type: map[string]string{"[DIR]": "directory", "[FILE]": "file", "[LINK]": "link"}[mark(e)]}
		if e.IsDir() {
			n.Children = &[]*node{}
			nodes[rest] = n.Children
		}
		siblings := nodes[path.Dir(rest)]
		*siblings = append(*siblings, n)
		return nil
	})
	if err != nil {
		return "", err
	}
	return indented(top)
}

// walk visits everything below a directory in the order of names, but for what the patterns exclude. rest
// is the path below the start. Links are visited, not followed.
func walk(start string, exclude []string, visit func(rest string, e fs.DirEntry) error) error {
	p, err := docs.locate(start)
	if err != nil {
		return err
	}
	excluded, err := compileExcludes(exclude)
	if err != nil {
		return err
	}
	visited, opened := 0, 0
	var descend func(rest string, depth int) error
	descend = func(rest string, depth int) error {
		if opened++; opened > maxOpened {
			return servlet.Errorf("there are more than %d directories below %s: start further down, or give excludePatterns", maxOpened, p.shown)
		}
		at := place{real: path.Join(p.real, rest), shown: path.Join(p.shown, rest)}
		entries, err := entriesOf(at)
		if err != nil {
			if depth > 0 {
				return nil // gone since, or not readable: its name was visited
			}
			return err
		}
		for _, e := range entries {
			inner := path.Join(rest, e.Name())
			if excluded(inner) {
				continue
			}
			if visited++; visited > maxVisited {
				return servlet.Errorf("there are more than %d entries below %s: start further down, or give excludePatterns", maxVisited, p.shown)
			}
			if err := visit(inner, e); err != nil {
				return err
			}
			if e.IsDir() && depth < maxDepth {
				if err := descend(inner, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return descend(".", 0)
}

type searchInput struct {
	Path            string   `json:"path" default:"." description:"Where to start; the whole folder when left out"`
	Pattern         string   `json:"pattern" min:"1" description:"Glob pattern: * and ? within a name, ** across directories, [a-z], {one,other}"`
	ExcludePatterns []string `json:"excludePatterns,omitempty" max:"50" description:"What to leave out: a name such as node_modules, or a glob such as **/*.log"`
}

var errEnough = errors.New("enough matches")

func searchFiles(_ context.Context, in searchInput) (string, error) {
	pattern, err := compileGlob(in.Pattern)
	if err != nil {
		return "", err
	}
	p, err := docs.locate(in.Path)
	if err != nil {
		return "", err
	}
	var found []string
	err = walk(in.Path, in.ExcludePatterns, func(rest string, e fs.DirEntry) error {
		if !pattern.match(rest) {
			return nil
		}
		if len(found) == maxEntries {
			return errEnough
		}
		found = append(found, path.Join(p.shown, rest))
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		found = append(found, fmt.Sprintf("There are more than %d matches: narrow the pattern.", maxEntries))
	case err != nil:
		return "", err
	case len(found) == 0:
		return "No matches. The pattern is matched with the path below " + p.shown + ": **/*.md finds at any depth.", nil
	}
	return strings.Join(found, "\n"), nil
}

type fileInfo struct {
	Path     string `json:"path"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
	Modified string `json:"modified"`
}

func getFileInfo(_ context.Context, in pathInput) (fileInfo, error) {
	p, err := docs.locate(in.Path)
	if err != nil {
		return fileInfo{}, err
	}
	info, err := os.Lstat(p.real)
	if err != nil {
		return fileInfo{}, docs.explain(err, p)
	}
	out := fileInfo{Path: p.shown, Type: "file", Size: info.Size(), Modified: info.ModTime().UTC().Format(time.RFC3339)}
	switch {
	case info.IsDir():
		out.Type = "directory"
	case info.Mode()&fs.ModeSymlink != 0:
		out.Type = "link"
	}
	return out, nil
}

func listAllowedDirectories(context.Context, struct{}) (string, error) {
	text := "Allowed directories:\n" + docs.shown
	if _, err := os.ReadDir(docs.real); err != nil {
		text += " (cannot be opened now: nobody granted it, or it is gone)"
	}
	return text, nil
}
