package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/writ-run/writ/host/wasm"
)

const (
	namespace   = "writ1"
	entry       = "servlet_call"
	warm        = "servlet_warm"
	initialize  = "_initialize"
	unsupported = -7
)

// bench is one module in a runtime of its own, with the least host that answers it. One call runs at a
// time, so that its input and output are simply here.
type bench struct {
	ctx     context.Context
	runtime wazero.Runtime
	imports []wasm.Import
	in, out []byte
}

// newBench offers what a module imports: WASI of the runtime, and of the servlet's interface what the
// work needs.
func newBench(module []byte) (*bench, error) {
	b := &bench{ctx: context.Background()}
	var err error
	if b.imports, err = importsOf(module); err != nil {
		return nil, err
	}
	b.runtime = wazero.NewRuntimeWithConfig(b.ctx, wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2))
	if _, err := wasi_snapshot_preview1.Instantiate(b.ctx, b.runtime); err != nil {
		return nil, err
	}
	builder := b.runtime.NewHostModuleBuilder(namespace)
	for _, im := range b.imports {
		if im.Module == namespace {
			builder.NewFunctionBuilder().WithGoModuleFunction(b.function(im.Name), im.Type.Params, im.Type.Results).Export(im.Name)
		}
	}
	_, err = builder.Instantiate(b.ctx)
	return b, err
}

// importsOf asks the runtime's interpreter, which makes no machine code.
func importsOf(module []byte) (imports []wasm.Import, err error) {
	ctx := context.Background()
	interpreter := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer func() { err = errors.Join(err, interpreter.Close(ctx)) }()
	compiled, err := interpreter.CompileModule(ctx, module)
	if err != nil {
		return nil, err
	}
	for _, f := range compiled.ImportedFunctions() {
		namespace, name, _ := f.Import()
		imports = append(imports, wasm.Import{
			Module: namespace, Name: name, Kind: wasm.KindFunc,
			Type: wasm.FuncType{Params: f.ParamTypes(), Results: f.ResultTypes()},
		})
	}
	return imports, nil
}

func (b *bench) function(name string) api.GoModuleFunc {
	switch name {
	case "input_len":
		return func(_ context.Context, _ api.Module, stack []uint64) { stack[0] = uint64(len(b.in)) }
	case "input_read":
		return func(_ context.Context, mod api.Module, stack []uint64) {
			p, ok := mod.Memory().Read(uint32(stack[0]), uint32(stack[1]))
			if !ok {
				panic("input_read: outside the memory")
			}
			stack[0] = uint64(copy(p, b.in[min(int(uint32(stack[2])), len(b.in)):]))
		}
	case "output_write":
		return func(_ context.Context, mod api.Module, stack []uint64) {
			p, ok := mod.Memory().Read(uint32(stack[0]), uint32(stack[1]))
			if !ok {
				panic("output_write: outside the memory")
			}
			b.out = append(b.out, p...)
			stack[0] = 0
		}
	}
	return func(_ context.Context, _ api.Module, stack []uint64) {
		if len(stack) > 0 {
			code := int32(unsupported)
			stack[0] = uint64(uint32(code))
		}
	}
}

// enter runs an exported function that returns a code.
func (b *bench) enter(f api.Function) error {
	if f == nil {
		return nil // optional
	}
	var stack [1]uint64
	if err := f.CallWithStack(b.ctx, stack[:]); err != nil {
		return err
	}
	if code := uint32(stack[0]); code != 0 {
		return fmt.Errorf("the servlet returned %d", code)
	}
	return nil
}

func (b *bench) call(f api.Function, request []byte) ([]byte, error) {
	b.in, b.out = request, b.out[:0]
	err := b.enter(f)
	return b.out, err
}

// A runtime's default source of randomness costs microseconds to make.
func anonymous() wazero.ModuleConfig {
	return wazero.NewModuleConfig().WithName("").WithStartFunctions().WithRandSource(rand.Reader)
}

// openPlain makes calls of a module as it is: each in a new instance, initialised for it. Nothing can
// interrupt them.
func openPlain(module []byte) (call, error) {
	b, err := newBench(module)
	if err != nil {
		return nil, err
	}
	compiled, err := b.runtime.CompileModule(b.ctx, module)
	if err != nil {
		return nil, err
	}
	config := anonymous().WithStartFunctions(initialize)
	return func(request []byte) ([]byte, error) {
		mod, err := b.runtime.InstantiateModule(b.ctx, compiled, config)
		if err != nil {
			return nil, err
		}
		out, err := b.call(mod.ExportedFunction(entry), request)
		return out, errors.Join(err, mod.Close(b.ctx))
	}, nil
}

// openSame makes calls of the metered module, all in one instance that was initialised and warmed up.
func openSame(module []byte) (call, error) {
	m, err := openMetered(module)
	if err != nil {
		return nil, err
	}
	if err := m.ready(); err != nil {
		return nil, err
	}
	f := m.instance.ExportedFunction(entry)
	return func(request []byte) ([]byte, error) {
		m.fill()
		return m.call(f, request)
	}, nil
}

// metered is a module that was gated and metered as the product does it, and an instance.
type metered struct {
	*bench
	gated    wasm.Gated
	form     wasm.Metered
	instance api.Module
	fuel     api.MutableGlobal
	stack    api.MutableGlobal
}

const (
	step   = 1 << 18 // the most fuel that the product gives at a time
	plenty = 1 << 30 // of stack: no work here nests deep
)

// stacks are the globals that bound how deep calls nest, in this version's metering and in earlier ones,
// which this program measures as well.
var stacks = []string{"writ.stack", "writ.depth"}

func openMetered(module []byte) (*metered, error) {
	b, err := newBench(module)
	if err != nil {
		return nil, err
	}
	m := &metered{bench: b}
	rules := wasm.Rules{MaxMemoryPages: 1 << 14, Imports: map[[2]string]wasm.FuncType{}}
	for _, im := range b.imports {
		rules.Imports[[2]string{im.Module, im.Name}] = im.Type
	}
	if m.gated, err = wasm.Gate(module, rules); err != nil {
		return nil, err
	}
	valid, err := wasm.Validate(m.gated, b.validate)
	if err != nil {
		return nil, err
	}
	if m.form, err = wasm.Meter(valid); err != nil {
		return nil, err
	}
	yield := func(context.Context, api.Module, []uint64) { m.fuel.Set(uint64(int64(m.fuel.Get()) + step)) }
	_, err = b.runtime.NewHostModuleBuilder(wasm.YieldModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(yield), nil, nil).Export(wasm.YieldName).Instantiate(b.ctx)
	if err != nil {
		return nil, err
	}
	if m.instance, err = b.runtime.InstantiateWithConfig(b.ctx, m.form.Code(), anonymous()); err != nil {
		return nil, err
	}
	m.fuel = mutable(m.instance, wasm.FuelExport)
	for _, name := range stacks {
		if g, ok := m.instance.ExportedGlobal(name).(api.MutableGlobal); ok {
			m.stack = g
		}
	}
	if m.stack == nil {
		return nil, fmt.Errorf("a metered module exports none of %v", stacks)
	}
	m.fill()
	return m, m.form.WriteData(m.instance.Memory().Write)
}

// validate compiles nothing: it is the runtime's interpreter.
func (b *bench) validate(code []byte) error {
	interpreter := wazero.NewRuntimeWithConfig(b.ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	_, err := interpreter.CompileModule(b.ctx, code)
	return errors.Join(err, interpreter.Close(b.ctx))
}

func mutable(mod api.Module, name string) api.MutableGlobal {
	g, ok := mod.ExportedGlobal(name).(api.MutableGlobal)
	if !ok {
		panic("BUG: a metered module exports no mutable global " + name)
	}
	return g
}

// fill gives the guest its fuel for a call.
func (m *metered) fill() {
	m.fuel.Set(step)
	m.stack.Set(plenty)
}

// ready initialises and warms the instance up.
func (m *metered) ready() error {
	for _, name := range []string{wasm.StartExport, initialize} {
		if f := m.instance.ExportedFunction(name); f != nil && (name == initialize || m.form.Shape().Start) {
			if err := f.CallWithStack(m.ctx, nil); err != nil {
				return err
			}
		}
	}
	return m.enter(m.instance.ExportedFunction(warm))
}

// snapshot is the instance's memory, and the values of its own mutable globals in order.
func (m *metered) snapshot() (memory []byte, globals []uint64) {
	p, _ := m.instance.Memory().Read(0, m.instance.Memory().Size())
	for _, name := range m.form.Shape().Globals {
		globals = append(globals, mutable(m.instance, name).Get())
	}
	return bytes.Clone(p), globals
}
