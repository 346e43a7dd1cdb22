package main

import (
	"errors"
	"fmt"

	"github.com/bytecodealliance/wasmtime-go/v44"
)

// tower is a module compiled by wasmtime, and the host that answers it. Each call has a store of its
// own, and can be interrupted by the engine's epoch.
type tower struct {
	engine  *wasmtime.Engine
	linker  *wasmtime.Linker
	module  *wasmtime.Module
	in, out []byte
}

func openTower(module []byte) (*tower, error) {
	config := wasmtime.NewConfig()
	config.SetEpochInterruption(true)
	t := &tower{engine: wasmtime.NewEngineWithConfig(config)}
	var err error
	if t.module, err = wasmtime.NewModule(t.engine, module); err != nil {
		return nil, err
	}
	t.linker = wasmtime.NewLinker(t.engine)
	if err := t.linker.DefineWasi(); err != nil {
		return nil, err
	}
	for _, im := range t.module.Imports() {
		if im.Module() != namespace || im.Name() == nil {
			continue
		}
		if err := t.define(*im.Name(), im.Type().FuncType()); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *tower) define(name string, signature *wasmtime.FuncType) error {
	switch name {
	case "input_len":
		return t.linker.FuncWrap(namespace, name, func() int32 { return int32(len(t.in)) })
	case "input_read":
		return t.linker.FuncWrap(namespace, name, func(c *wasmtime.Caller, p, n, offset int32) int32 {
			return int32(copy(view(c, p, n), t.in[min(int(uint32(offset)), len(t.in)):]))
		})
	case "output_write":
		return t.linker.FuncWrap(namespace, name, func(c *wasmtime.Caller, p, n int32) int32 {
			t.out = append(t.out, view(c, p, n)...)
			return 0
		})
	}
	return t.linker.FuncNew(namespace, name, signature, func(*wasmtime.Caller, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
		return []wasmtime.Val{wasmtime.ValI32(unsupported)}, nil
	})
}

// view is a range of the guest's memory; one outside of it panics, which ends the benchmark.
func view(c *wasmtime.Caller, p, n int32) []byte {
	from := int(uint32(p))
	return c.GetExport("memory").Memory().UnsafeData(c)[from : from+int(uint32(n))]
}

// call runs a request in a new store, after the functions that come first.
func (t *tower) call(request []byte, first ...string) ([]byte, error) {
	t.in, t.out = request, t.out[:0]
	store := wasmtime.NewStore(t.engine)
	defer store.Close()
	store.SetWasi(wasmtime.NewWasiConfig())
	store.SetEpochDeadline(1) // the epoch stands still unless a call is to be ended
	instance, err := t.linker.Instantiate(store, t.module)
	if err != nil {
		return nil, err
	}
	for _, name := range append(first, entry) {
		f := instance.GetFunc(store, name)
		if f == nil {
			return nil, fmt.Errorf("the module exports no %s", name)
		}
		code, err := f.Call(store)
		if err != nil {
			return nil, err
		}
		if n, ok := code.(int32); ok && n != 0 {
			return nil, fmt.Errorf("%s returned %d", name, n)
		}
	}
	return t.out, nil
}

// openWasmtime makes calls of a module as it is, each in a new instance that is initialised for it.
func openWasmtime(module []byte) (call, error) {
	t, err := openTower(module)
	if err != nil {
		return nil, err
	}
	return func(request []byte) ([]byte, error) { return t.call(request, initialize) }, nil
}

// openBaked makes calls of a module whose initialised and warmed-up state is part of it, each in a new
// instance, for which wasmtime maps that state copy-on-write.
func openBaked(module []byte) (call, error) {
	m, err := openMetered(module)
	if err != nil {
		return nil, err
	}
	if err := m.ready(); err != nil {
		return nil, err
	}
	if m.form.Shape().Passive {
		return nil, errors.New("the module drops data segments, which no snapshot holds")
	}
	memory, globals := m.snapshot()
	baked, err := bake(m.gated.Code(), memory, globals)
	if err != nil {
		return nil, err
	}
	if err := m.runtime.Close(m.ctx); err != nil {
		return nil, err
	}
	t, err := openTower(baked)
	if err != nil {
		return nil, err
	}
	return func(request []byte) ([]byte, error) { return t.call(request) }, nil
}
