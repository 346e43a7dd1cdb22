package sandbox_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
)

// memory is a Host whose one directory lives in memory. It shows that the sandbox needs nothing of a
// Host but its messages.
type memory struct {
	config map[string]string
	fetch  func(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error)
	page   func(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error)
	keep   func(ctx context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error)

	mu      sync.Mutex
	nodes   map[string]*node // by clean path; "." is the root
	handles map[effect.Handle]*handle
	next    effect.Handle
	guest   []string // preopened directories; all are the root
}

type node struct {
	dir      bool
	data     []byte
	modified int64
	inode    uint64
}

type handle struct {
	path   string
	node   *node
	at     int64
	append bool
}

var _ sandbox.Host = (*memory)(nil)

func newMemory(preopens ...string) *memory {
	m := &memory{nodes: map[string]*node{".": {dir: true, inode: 1}}, handles: map[effect.Handle]*handle{}, next: effect.FirstHandle, guest: preopens}
	for range preopens {
		m.add(&handle{path: ".", node: m.nodes["."]})
	}
	return m
}

func (m *memory) add(h *handle) effect.Handle {
	m.handles[m.next] = h
	m.next++
	return m.next - 1
}

func (m *memory) Preopens() (list []effect.Preopen) {
	for i, g := range m.guest {
		list = append(list, effect.Preopen{Handle: effect.FirstHandle + effect.Handle(i), Guest: g})
	}
	return list
}

func (m *memory) Config(_ context.Context, key string) (string, *effect.Error) {
	if v, ok := m.config[key]; ok {
		return v, nil
	}
	return "", &effect.Error{Code: effect.NotFound, Text: "no such key"}
}

func (m *memory) Fetch(ctx context.Context, req effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	if m.fetch == nil {
		return effect.HTTPResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted"}
	}
	return m.fetch(ctx, req)
}

func (m *memory) FetchPage(ctx context.Context, req effect.WebRequest) (effect.WebResponse, *effect.Error) {
	if m.page == nil {
		return effect.WebResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted"}
	}
	return m.page(ctx, req)
}

func (m *memory) Keep(ctx context.Context, req effect.KVRequest) (effect.KVResponse, *effect.Error) {
	if m.keep == nil {
		return effect.KVResponse{}, &effect.Error{Code: effect.Denied, Text: "no capability is granted"}
	}
	return m.keep(ctx, req)
}

// find resolves a path below a directory handle. The caller holds mu.
func (m *memory) find(dir effect.Handle, p string) (string, *node, effect.Errno) {
	h := m.handles[dir]
	if h == nil {
		return "", nil, effect.ErrBadFD
	}
	full := path.Join(h.path, p)
	if full == ".." || strings.HasPrefix(full, "../") || path.IsAbs(p) {
		return "", nil, effect.ErrPerm
	}
	if up := m.nodes[path.Dir(full)]; up == nil {
		return full, nil, effect.ErrNoEnt
	} else if !up.dir {
		return full, nil, effect.ErrNotDir
	}
	return full, m.nodes[full], effect.Success
}

func (m *memory) Open(_ context.Context, req effect.Open) (effect.Handle, effect.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, n, errno := m.find(req.Dir, req.Path)
	switch {
	case errno != effect.Success:
		return 0, errno
	case n == nil && !req.Create:
		return 0, effect.ErrNoEnt
	case n != nil && req.Create && req.Exclusive:
		return 0, effect.ErrExist
	case n != nil && n.dir && req.Write:
		return 0, effect.ErrIsDir
	case n != nil && !n.dir && req.Directory:
		return 0, effect.ErrNotDir
	}
	if n == nil {
		n = &node{inode: uint64(len(m.nodes) + 1)}
		m.nodes[full] = n
	}
	if req.Truncate {
		n.data = nil
	}
	return m.add(&handle{path: full, node: n, append: req.Append}), effect.Success
}

// on runs do with an open handle.
func (m *memory) on(h effect.Handle, do func(*handle) effect.Errno) effect.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.handles[h] == nil {
		return effect.ErrBadFD
	}
	return do(m.handles[h])
}

func (m *memory) Close(h effect.Handle) effect.Errno {
	return m.on(h, func(*handle) effect.Errno { delete(m.handles, h); return effect.Success })
}

func (m *memory) Read(h effect.Handle, p []byte, offset int64) (n int, errno effect.Errno) {
	errno = m.on(h, func(f *handle) effect.Errno {
		if f.node.dir {
			return effect.ErrIsDir
		}
		at := offset
		if at < 0 {
			at = f.at
		}
		if at < int64(len(f.node.data)) {
			n = copy(p, f.node.data[at:])
		}
		if offset < 0 {
			f.at += int64(n)
		}
		return effect.Success
	})
	return n, errno
}

func (m *memory) Write(h effect.Handle, p []byte, offset int64) (int, effect.Errno) {
	return len(p), m.on(h, func(f *handle) effect.Errno {
		at := offset
		if f.append {
			at = int64(len(f.node.data))
		} else if at < 0 {
			at = f.at
		}
		if more := at + int64(len(p)) - int64(len(f.node.data)); more > 0 {
			f.node.data = append(f.node.data, make([]byte, more)...)
		}
		copy(f.node.data[at:], p)
		if offset < 0 {
			f.at = at + int64(len(p))
		}
		return effect.Success
	})
}

func (m *memory) Seek(h effect.Handle, offset int64, whence int) (at int64, errno effect.Errno) {
	errno = m.on(h, func(f *handle) effect.Errno {
		at = offset + []int64{0, f.at, int64(len(f.node.data))}[whence]
		if at < 0 {
			return effect.ErrInval
		}
		f.at = at
		return effect.Success
	})
	return at, errno
}

func (n *node) stat() effect.Stat {
	st := effect.Stat{Type: effect.TypeRegular, Size: int64(len(n.data)), Inode: n.inode, Links: 1, Modified: n.modified}
	if n.dir {
		st.Type = effect.TypeDirectory
	}
	return st
}

func (m *memory) Stat(h effect.Handle) (st effect.Stat, errno effect.Errno) {
	errno = m.on(h, func(f *handle) effect.Errno { st = f.node.stat(); return effect.Success })
	return st, errno
}

func (m *memory) StatAt(dir effect.Handle, p string, _ bool) (effect.Stat, effect.Errno) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, n, errno := m.find(dir, p)
	if errno == effect.Success && n == nil {
		errno = effect.ErrNoEnt
	}
	if errno != effect.Success {
		return effect.Stat{}, errno
	}
	return n.stat(), effect.Success
}

func (m *memory) children(dir string) (names []string) {
	for p := range m.nodes {
		if p != "." && path.Dir(p) == dir {
			names = append(names, p)
		}
	}
	slices.Sort(names)
	return names
}

func (m *memory) ReadDir(h effect.Handle, cookie uint64, most int) (list []effect.Entry, errno effect.Errno) {
	errno = m.on(h, func(f *handle) effect.Errno {
		for i, p := range m.children(f.path) {
			if uint64(i) >= cookie && len(list) < most {
				n := m.nodes[p]
				list = append(list, effect.Entry{Name: path.Base(p), Type: n.stat().Type, Inode: n.inode, Next: uint64(i + 1)})
			}
		}
		return effect.Success
	})
	return list, errno
}

func (m *memory) ReadLink(effect.Handle, string) (string, effect.Errno) { return "", effect.ErrInval }

func (m *memory) Mkdir(dir effect.Handle, p string) effect.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, n, errno := m.find(dir, p)
	if errno == effect.Success && n != nil {
		errno = effect.ErrExist
	}
	if errno == effect.Success {
		m.nodes[full] = &node{dir: true, inode: uint64(len(m.nodes) + 1)}
	}
	return errno
}

func (m *memory) remove(dir effect.Handle, p string, wantDir bool) effect.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	full, n, errno := m.find(dir, p)
	switch {
	case errno != effect.Success:
		return errno
	case n == nil:
		return effect.ErrNoEnt
	case wantDir && !n.dir:
		return effect.ErrNotDir
	case !wantDir && n.dir:
		return effect.ErrIsDir
	case len(m.children(full)) > 0:
		return effect.ErrNotEmpty
	}
	delete(m.nodes, full)
	return effect.Success
}

func (m *memory) Rmdir(dir effect.Handle, p string) effect.Errno  { return m.remove(dir, p, true) }
func (m *memory) Unlink(dir effect.Handle, p string) effect.Errno { return m.remove(dir, p, false) }

func (m *memory) Rename(from effect.Handle, oldPath string, to effect.Handle, newPath string) effect.Errno {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, n, errno := m.find(from, oldPath)
	b, _, errno2 := m.find(to, newPath)
	switch {
	case errno != effect.Success:
		return errno
	case errno2 != effect.Success:
		return errno2
	case n == nil:
		return effect.ErrNoEnt
	}
	delete(m.nodes, a)
	m.nodes[b] = n
	return effect.Success
}

func (m *memory) SetSize(h effect.Handle, size int64) effect.Errno {
	return m.on(h, func(f *handle) effect.Errno {
		if size > 1<<20 {
			return effect.ErrFBig
		}
		f.node.data = append(f.node.data, make([]byte, max(0, size-int64(len(f.node.data))))...)[:size]
		return effect.Success
	})
}

func (m *memory) SetTimes(h effect.Handle, _, modified int64) effect.Errno {
	return m.on(h, func(f *handle) effect.Errno {
		if modified >= 0 {
			f.node.modified = modified
		}
		return effect.Success
	})
}

func (m *memory) Sync(h effect.Handle) effect.Errno {
	return m.on(h, func(*handle) effect.Errno { time.Sleep(0); return effect.Success })
}
