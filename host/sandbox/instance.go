package sandbox

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/host/wasm"
)

// instance is one instance of a module in a memory of its own. Nothing of a call is in it but what
// renew undoes: the host's side of a call is a run.
type instance struct {
	code    *Code
	module  api.Module
	memory  *image.Memory
	shot    *snapshot // what it starts as; nil: nothing, it is used once
	rung    Rung
	globals []api.MutableGlobal
	fuel    api.MutableGlobal
	stack   api.MutableGlobal
	entries []entry  // functions that were called
	view    []uint64 // of stackUsed
	uses    int
	since   time.Time // waits since then
	trimmed bool
}

// allocation hands a memory to the runtime, which asks for it once: a gated module has one memory.
type allocation struct{ memory *image.Memory }

func (a allocation) Allocate(_, _ uint64) experimental.LinearMemory { return a.memory }

// instantiate makes an instance in memory, which it owns from then on.
func (c *Code) instantiate(ctx context.Context, memory *image.Memory) (*instance, error) {
	in := &instance{code: c, memory: memory, rung: RungPlain}
	err := in.count()
	if err == nil {
		err = in.link(ctx)
	}
	if err != nil {
		memory.Close()
		return nil, err
	}
	c.engine.instances.Add(1)
	return in, nil
}

// count counts what the instance takes of the host's memory beside its own. The runtime makes a reference
// of each function in a table, and a list of all segments, for each instance: megabytes for a guest that
// wants them, whose memory may have no more than a page.
func (in *instance) count() error {
	if n := in.code.beside; n > 0 && !in.memory.Beside(n) {
		return fmt.Errorf("counting instance: %w", image.ErrFull)
	}
	return nil
}

// link makes a module instance of the code and finds its state.
func (in *instance) link(ctx context.Context) error {
	c := in.code
	mod, err := c.engine.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, allocation{in.memory}), c.machine.compiled, c.engine.instance)
	if err != nil {
		return err
	}
	in.module, in.entries = mod, nil
	in.fuel, in.stack = mutable(mod, wasm.FuelExport), mutable(mod, wasm.StackExport)
	in.globals = in.globals[:0]
	for _, name := range c.shape.Globals {
		in.globals = append(in.globals, mutable(mod, name))
	}
	return nil
}

// mutable finds a global that metering exported.
func mutable(mod api.Module, name string) api.MutableGlobal {
	g, ok := mod.ExportedGlobal(name).(api.MutableGlobal)
	if !ok {
		panic("BUG: a metered module exports no mutable global " + name)
	}
	return g
}

// fromImage makes an instance that starts as a snapshot, which is pinned.
func (c *Code) fromImage(shot *snapshot, limit int64) (*instance, error) {
	memory, err := c.engine.space.Map(shot.image, 0, limit)
	if err != nil {
		return nil, err
	}
	in, err := c.instantiate(context.Background(), memory)
	if err != nil {
		return nil, err
	}
	in.shot, in.rung = shot, c.best
	in.arm()
	return in, nil
}

// arm makes a restored instance ready for a call: its globals, and fresh seeds for the generators that
// the image has.
func (in *instance) arm() {
	for i, v := range in.shot.globals {
		in.globals[i].Set(v)
	}
	in.shot.reseed(in.memory.Bytes())
}

// renew makes the instance fresh again after a call that ended well.
func (in *instance) renew() error {
	in.trimmed = false
	in.wipe()
	grown := in.memory.Grown()
	if in.rung == RungInstance {
		if err := in.module.Close(context.Background()); err != nil {
			return err
		}
	}
	if err := in.memory.Restore(); err != nil {
		return err
	}
	if err := in.count(); err != nil {
		return err
	}
	switch {
	case in.rung == RungInstance:
		if err := in.link(context.Background()); err != nil {
			return err
		}
	case grown:
		if err := shrink(in.module.Memory(), in.memory.Size()); err != nil {
			return err
		}
	}
	if in.module.IsClosed() || int64(in.module.Memory().Size()) != in.memory.Size() {
		return fmt.Errorf("renewing instance: its memory has %d bytes, its image %d", in.module.Memory().Size(), in.memory.Size())
	}
	in.arm()
	return nil
}

// shrink sets a memory's length back. The runtime has no call for that; its memory has an exported
// field, and growing by a page makes the runtime read it again. When a later runtime differs, this
// fails and the instance is thrown away.
func shrink(memory api.Memory, size int64) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("shrinking memory: %v", p)
		}
	}()
	buffer := reflect.ValueOf(memory).Elem().FieldByName("Buffer")
	buffer.SetBytes(buffer.Bytes()[: size-wasm.PageSize : size-wasm.PageSize])
	if _, ok := memory.Grow(1); !ok || int64(memory.Size()) != size {
		return fmt.Errorf("shrinking memory: it has %d bytes, want %d", memory.Size(), size)
	}
	return nil
}

// discard ends the instance for good.
func (in *instance) discard() {
	if in.module != nil {
		// The runtime has nothing open for an instance that could fail to close.
		_ = in.module.Close(context.Background())
	}
	in.memory.Close()
	in.code.engine.instances.Add(-1)
}
