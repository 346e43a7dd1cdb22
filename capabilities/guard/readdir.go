package guard

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/writ-run/writ/capabilities/effect"
)

// ReadDir returns up to limit entries from cookie on, sorted by name. The first page (cookie 0) reads
// the whole directory and later pages continue in what was read then, so that a listing neither
// repeats nor skips names when the directory changes between two pages. To ask for the first page
// again before any other (with more room for it) reads nothing anew; after another page, after the
// end or after a rewind by Seek it does.
//
// Names that no path of a guest can hold (not UTF-8, a backslash, a device's name) are left out, as
// are "." and "..". A directory of more than 100,000 entries is an error, not a part of the truth.
func (g *Guard) ReadDir(number effect.Handle, cookie uint64, limit int) ([]effect.Entry, effect.Errno) {
	h, errno := g.files.find(number)
	if errno != effect.Success {
		return nil, errno
	}
	if h.kind != effect.TypeDirectory {
		return nil, effect.ErrNotDir
	}
	r := g.ask("list")
	r.target = h.mount.target(h.name)
	if !h.mount.granted() {
		return nil, r.refuse(ruleNotGranted, effect.ErrAccess)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if cookie == 0 && !h.begun {
		g.forget(h) // first, so that there is room for what comes in its place
		listing, errno := r.list(h)
		if errno != effect.Success {
			return nil, errno
		}
		h.listing = listing
	}
	if cookie >= uint64(len(h.listing)) || limit <= 0 {
		h.begun = false
		return nil, effect.Success
	}
	rest := h.listing[cookie:]
	page := slices.Clone(rest[:min(len(rest), limit)])
	h.begun = cookie == 0 && len(page) < len(rest)
	return page, effect.Success
}

// forget drops the listing of a directory and gives its room back. It is called with h.mu held.
func (g *Guard) forget(h *handle) {
	g.spent.list(-len(h.listing))
	h.listing, h.begun = nil, false
}

// list reads the directory and takes room for its entries.
func (r *fileRequest) list(h *handle) ([]effect.Entry, effect.Errno) {
	at := location{mount: h.mount, name: h.name}
	f, err := at.root.OpenFile(at.name, os.O_RDONLY|openFlags|directoryFlag, 0)
	if err != nil {
		return nil, r.failed(err)
	}
	defer f.Close()
	if errno := r.fileOnVolume(at, f); errno != effect.Success {
		return nil, errno
	}
	if errno := r.allow(); errno != effect.Success {
		return nil, errno
	}
	var entries []effect.Entry
	for {
		page, err := f.ReadDir(1024)
		for _, entry := range page {
			info, err := entry.Info()
			if err != nil || !named(entry.Name()) { // gone meanwhile, or out of reach
				continue
			}
			name := filePath{name: entry.Name()}.below(h.name)
			entries = append(entries, effect.Entry{
				Name: entry.Name(), Type: kindOf(entry.Type()), Inode: r.guard.inode(h.mount, name, info),
			})
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, toErrno(err)
		}
		if len(entries) > maxListing {
			return nil, effect.ErrFBig
		}
		if !r.guard.spent.look(len(page)) {
			return nil, r.refuse(ruleQuota, effect.ErrDQuot)
		}
	}
	if !r.guard.spent.list(len(entries)) {
		return nil, effect.ErrDQuot
	}
	slices.SortFunc(entries, func(a, b effect.Entry) int { return strings.Compare(a.Name, b.Name) })
	for i := range entries {
		entries[i].Next = uint64(i) + 1
	}
	return entries, effect.Success
}
