package sandbox

import (
	"context"
	"errors"
	"sync"

	"github.com/writ-run/writ/host/wasm"
)

// Code is a compiled servlet. Any number of calls may run at a time.
type Code struct {
	engine    *Engine
	machine   *machine
	blank     blank
	file      string // of its program in the cache folder; empty: there is none
	shape     wasm.Shape
	memoryMin int64 // bytes that an instance starts with
	beside    int64 // bytes of the host's memory that each has beside, and that count as its own
	reseeds   bool  // exports servlet_reseed
	dialect   dialect
	best      Rung // that the module can be on
	why       string
	_         [64]byte // what each call changes lies on cache lines of its own
	pool      pool
	_         [64]byte
	captures  captures
	closing   sync.Once
	closeErr  error
}

// freeBeside is what an instance may take of the host's memory for its segments, tables and globals, bytes,
// before it counts as memory of the guest's own. A Go program of 9,000 functions has so much.
const freeBeside = 512 << 10

func (e *Engine) newCode(mach *machine, p program, d dialect) *Code {
	shape := p.metered.Shape()
	c := &Code{engine: e, machine: mach, file: p.file, shape: shape, memoryMin: int64(shape.MemoryMin) * wasm.PageSize, beside: max(shape.Beside-freeBeside, 0)}
	if _, reseeds := mach.compiled.ExportedFunctions()[reseedExport]; reseeds && !d.foreign {
		c.reseeds = true
	}
	c.dialect = d
	c.best, c.why = e.reachable(shape)
	c.blank.init(e.folder, p)
	c.pool.init()
	c.captures.init(c)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.codes[c] = true
	return c
}

// Close frees the code and its instances. No call may run.
func (c *Code) Close(ctx context.Context) error {
	c.closing.Do(func() {
		c.captures.close()
		c.pool.close()
		c.captures.drop()
		c.engine.mu.Lock()
		delete(c.engine.codes, c)
		c.engine.mu.Unlock()
		c.closeErr = errors.Join(c.blank.close(), c.engine.release(ctx, c.machine))
	})
	return c.closeErr
}
