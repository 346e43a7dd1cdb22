package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	lookEvery  = 200 * time.Millisecond // how often the source is looked at
	touchEvery = time.Minute            // how often the throw-away home is touched, so that nobody takes it for a left one
)

// unwatched are folders of a source that a build writes, or that it reads only by way of what it names.
var unwatched = map[string]bool{"node_modules": true, "target": true, "dist": true}

// look is what the source was at a moment: a stamp for each file below its folder and those that it builds
// upon, and for each one elsewhere that the last build named.
type look struct{ inside, named map[string]string }

func (d *dev) look() look {
	l := look{map[string]string{}, map[string]string{}}
	source := withoutLinks(d.source)
	for _, folder := range append(besides(source), source) {
		folder = withoutLinks(folder)
		_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil: // gone meanwhile: the next look tells
				return nil
			case e.IsDir() && path != folder && (unwatched[e.Name()] || strings.HasPrefix(e.Name(), ".")):
				return filepath.SkipDir
			}
			if e.IsDir() {
				return nil
			}
			if info, err := os.Lstat(path); !d.isSaid(info) {
				l.inside[path] = stamp(info, err)
			}
			return nil
		})
	}
	for _, path := range d.now.sources {
		l.named[path] = stamp(os.Stat(path))
	}
	return l
}

// withoutLinks is the folder that a path leads to: a walk does not enter a link.
func withoutLinks(folder string) string {
	if real, err := filepath.EvalSymlinks(folder); err == nil {
		return real
	}
	return folder // gone meanwhile: the walk tells
}

// isSaid tells whether a file is one that this command writes to, as with 2>dev.log in the folder: what a build
// says would be what the next one has to build.
func (d *dev) isSaid(info fs.FileInfo) bool {
	for _, stream := range []any{d.stderr, d.stdout} {
		if f, ok := stream.(*os.File); ok && info != nil {
			if own, err := f.Stat(); err == nil && os.SameFile(info, own) {
				return true
			}
		}
	}
	return false
}

// localModule and localCrate find what go.mod and Cargo.toml name by a relative path.
var (
	localModule = regexp.MustCompile(`(?m)=>[ \t]+"?(\.\.?/[^\s"]+)`)
	localCrate  = regexp.MustCompile(`\bpath[ \t]*=[ \t]*"(\.\.?/[^"]+)"`)
)

// maxManifest is how much of go.mod and Cargo.toml is read, in bytes.
const maxManifest = 1 << 20

// besides are the folders outside of a source that are compiled with it.
func besides(source string) (folders []string) {
	for name, local := range map[string]*regexp.Regexp{"go.mod": localModule, "Cargo.toml": localCrate} {
		text, err := readLimited(filepath.Join(source, name), maxManifest)
		if err != nil {
			continue
		}
		for _, found := range local.FindAllSubmatch(text, -1) {
			folder := filepath.Join(source, filepath.FromSlash(string(found[1])))
			// A folder that the source is in would be all that is beside it, too.
			if rest, err := filepath.Rel(folder, source); err == nil && !filepath.IsLocal(rest) {
				folders = append(folders, folder)
			}
		}
	}
	return folders
}

// stamp is what changes when a file is written.
func stamp(info fs.FileInfo, err error) string {
	if err != nil {
		return "gone"
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano(), info.Mode())
}

// is tells whether nothing changed between two looks. A file that only one of them was told to look at says
// nothing.
func (l look) is(other look) bool {
	if len(l.inside) != len(other.inside) {
		return false
	}
	for path, stamp := range l.inside {
		if other.inside[path] != stamp {
			return false
		}
	}
	for path, stamp := range l.named {
		if also, ok := other.named[path]; ok && also != stamp {
			return false
		}
	}
	return true
}

// follow builds whenever the source is not what it was when it was seen, until ctx ends. An editor writes a
// file in several steps, and several files at once: a build waits until two looks agree.
func (d *dev) follow(ctx context.Context, seen look) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	touched := time.Now()
	before := seen
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if now.Sub(touched) >= touchEvery {
				touched = now
				_ = os.Chtimes(d.dir, now, now) // at worst another process thinks that it was left
			}
		}
		now := d.look()
		settled := now.is(before)
		before = now
		if settled && !now.is(seen) {
			seen = now // what changes while it is built is built next
			d.build(ctx)
		}
	}
}
