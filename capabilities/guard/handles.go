package guard

import (
	"errors"
	"os"
	"sync"

	"github.com/writ-run/writ/capabilities/effect"
)

// handle is an open file or directory of the call.
//
// A directory is its mount and the name below it, not a descriptor: each lookup walks down from the
// granted directory again, so that a folder which was moved out of it meanwhile is out of reach.
type handle struct {
	mount       *mount
	name        string // below the mount; "." is the granted directory itself
	kind        effect.FileType
	read, write bool
	append      bool
	preopen     bool
	file        *os.File // of a regular file; nil for a directory

	mu       sync.Mutex // guards what follows
	position int64
	listing  []effect.Entry // of a directory, since its first page was asked for
	begun    bool           // listing is there, and nothing behind its first page was asked for
}

// table numbers the open handles of one call. Numbers are the call's own: one kept from another call
// means nothing here.
type table struct {
	mu     sync.Mutex // guards what follows
	open   map[effect.Handle]*handle
	opened int // handles that are no preopen, reserved ones included
	next   effect.Handle
	ready  bool
}

func (t *table) start(mounts []*mount) {
	t.open = make(map[effect.Handle]*handle)
	t.next = effect.FirstHandle
	t.ready = true
	for _, m := range mounts {
		t.open[t.next] = &handle{mount: m, name: ".", kind: effect.TypeDirectory, read: true, preopen: true}
		t.next++
	}
}

// stop closes every file and refuses new ones.
func (t *table) stop() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = false
	var errs []error
	for number, h := range t.open {
		if h.file != nil {
			errs = append(errs, h.file.Close())
		}
		delete(t.open, number)
	}
	return errors.Join(errs...)
}

func (t *table) find(number effect.Handle) (*handle, effect.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.open[number]
	if !ok {
		return nil, effect.ErrBadFD
	}
	return h, effect.Success
}

// reserve takes one of the places before anything is opened, so that parallel opens cannot pass the
// limit together. Each is given back by release or used by add.
func (t *table) reserve() effect.Errno {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.ready:
		return effect.ErrBadFD
	case t.opened >= maxHandles:
		return effect.ErrMFile
	}
	t.opened++
	return effect.Success
}

func (t *table) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opened--
}

// add numbers h, for which a place was reserved. Numbers are not used twice: a closed one stays wrong.
func (t *table) add(h *handle) (effect.Handle, effect.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ready { // the call ended during the open
		if h.file != nil {
			h.file.Close()
		}
		return 0, effect.ErrBadFD
	}
	number := t.next
	t.next++
	t.open[number] = h
	return number, effect.Success
}

func (t *table) remove(number effect.Handle) (*handle, effect.Errno) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.open[number]
	if !ok {
		return nil, effect.ErrBadFD
	}
	delete(t.open, number)
	if !h.preopen {
		t.opened--
	}
	return h, effect.Success
}

// Preopens lists the manifest's directories in order, granted or not: what a guest captured at its
// start stays true whatever was granted. One without a grant answers ErrAccess.
func (g *Guard) Preopens() []effect.Preopen {
	preopens := make([]effect.Preopen, len(g.mounts))
	for i, m := range g.mounts {
		preopens[i] = effect.Preopen{Handle: effect.FirstHandle + effect.Handle(i), Guest: m.guest}
	}
	return preopens
}

// Close closes a handle. Preopens can be closed too, for this call.
func (g *Guard) Close(number effect.Handle) effect.Errno {
	h, errno := g.files.remove(number)
	if errno != effect.Success {
		return errno
	}
	h.mu.Lock()
	g.forget(h)
	h.mu.Unlock()
	if h.file == nil {
		return effect.Success
	}
	return toErrno(h.file.Close())
}
