package sandbox

import (
	"errors"
	"sync"
	"time"

	"github.com/writ-run/writ/host/sandbox/codecache"
	"github.com/writ-run/writ/host/wasm"
)

// blank is what a memory starts with before anything runs in it: the data segments of a module, which
// metering took out of its code. Taking an image needs them, and rung plain; they are half of what a
// servlet keeps in memory, so that they are read again where the cache folder has them.
type blank struct {
	held *codecache.Held // nil: the segments stay in memory

	mu      sync.Mutex
	metered wasm.Metered // guarded by mu
	there   bool         // guarded by mu; metered is set
	used    time.Time    // guarded by mu
}

var errBlank = errors.New("its program in the cache folder is damaged")

func (b *blank) init(folder *codecache.Folder, p program) {
	b.metered, b.there = p.metered, true
	if folder == nil || p.file == "" {
		return
	}
	if held, err := folder.Hold(p.file); err == nil {
		b.held = held
	}
}

// get returns the module with its segments.
func (b *blank) get() (wasm.Metered, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used = time.Now()
	if b.there {
		return b.metered, nil
	}
	p, ok := parseProgram(b.held.Get(), "")
	if !ok {
		return wasm.Metered{}, errBlank
	}
	b.metered, b.there = p.metered, true
	return b.metered, nil
}

// drop lets go of the segments, if they can be had again.
func (b *blank) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held != nil {
		b.metered, b.there = wasm.Metered{}, false
	}
}

// sweep drops the segments when they were not used for a while.
func (b *blank) sweep(now time.Time) {
	b.mu.Lock()
	unused := now.Sub(b.used) > idleFor
	b.mu.Unlock()
	if unused {
		b.drop()
	}
}

func (b *blank) close() error {
	if b.held == nil {
		return nil
	}
	return b.held.Close()
}

// write puts the data segments into a new instance.
func (r *run) write(in *instance) bool {
	metered, err := in.code.blank.get()
	if err != nil {
		r.logger.Error("instance was not made", "error", err)
		r.fault = &Fault{Kind: FaultHost, Text: "the host failed: the servlet's compiled code is damaged; start Writ again"}
		return false
	}
	if err := metered.WriteData(in.module.Memory().Write); err != nil {
		r.fault = &Fault{Kind: FaultTrap, Text: segmentText}
		return false
	}
	return true
}
