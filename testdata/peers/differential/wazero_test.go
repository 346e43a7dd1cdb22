package differential

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
)

// ours is the runtime of the product, with its compiler or its interpreter.
type ours struct {
	wazero.Runtime
	text string
}

func newOurs(text string, config wazero.RuntimeConfig) (*ours, error) {
	ctx := context.Background()
	o := &ours{wazero.NewRuntimeWithConfig(ctx, config.WithCoreFeatures(api.CoreFeaturesV2)), text}
	host := o.NewHostModuleBuilder("spectest")
	for name, params := range prints {
		host.NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), params, nil).Export(name)
	}
	_, err := host.Instantiate(ctx)
	if err != nil {
		return nil, err
	}
	_, err = o.NewHostModuleBuilder(wasm.YieldModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(context.Context, []uint64) { panic(errExhausted) }), nil, nil).Export(wasm.YieldName).Instantiate(ctx)
	return o, err
}

func (o *ours) name() string { return o.text }

func (o *ours) load(module []byte) (program, error) {
	c, err := o.CompileModule(context.Background(), module)
	if err != nil {
		return nil, err
	}
	return ourProgram{o, c}, nil
}

type ourProgram struct {
	runtime  *ours
	compiled wazero.CompiledModule
}

func (p ourProgram) start() (instance, error) {
	mod, err := p.runtime.InstantiateModule(context.Background(), p.compiled, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, ourTrap(err)
	}
	return ourInstance{mod}, nil
}

func (p ourProgram) close() { p.compiled.Close(context.Background()) }

type ourInstance struct{ api.Module }

func (in ourInstance) call(function string, args []uint64) ([]uint64, error) {
	f := in.ExportedFunction(function)
	if f == nil {
		return nil, errNoFunction
	}
	results, err := f.Call(context.Background(), args...)
	if err != nil {
		return nil, ourTrap(err)
	}
	for i, t := range f.Definition().ResultTypes() {
		results[i] = word(t, results[i])
	}
	return results, nil
}

// errNoFunction says that a module exports no function of a name.
var errNoFunction = errors.New("no such function")

// word is a value without the bits that its type does not have. Of a function nothing is known but that
// it is one.
func word(t api.ValueType, v uint64) uint64 {
	switch {
	case t == api.ValueTypeI32 || t == api.ValueTypeF32:
		return uint64(uint32(v))
	case t == funcRef && v != 0:
		return 1
	}
	return v
}

const funcRef api.ValueType = 0x70

func (in ourInstance) global(name string) (uint64, bool) {
	g := in.ExportedGlobal(name)
	if g == nil {
		return 0, false
	}
	return word(g.Type(), g.Get()), true
}

func (in ourInstance) setGlobal(name string, v uint64) {
	in.ExportedGlobal(name).(api.MutableGlobal).Set(v)
}

func (in ourInstance) memory() []byte {
	m := in.ExportedMemory(memoryExport)
	p, _ := m.Read(0, m.Size())
	return p
}

func (in ourInstance) close() { in.Close(context.Background()) }

// ourTrap finds the reason in the runtime's text.
func ourTrap(err error) error {
	if errors.Is(err, errExhausted) {
		return errExhausted
	}
	for text, reason := range map[string]string{
		"unreachable":                   trapUnreachable,
		"out of bounds memory access":   trapMemory,
		"invalid table access":          trapTable,
		"indirect call type mismatch":   trapSignature,
		"integer divide by zero":        trapDivision,
		"integer overflow":              trapOverflow,
		"invalid conversion to integer": trapConversion,
		"stack overflow":                trapExhausted,
	} {
		if first, _, _ := strings.Cut(err.Error(), "\n"); strings.Contains(first, text) {
			return errors.New(reason)
		}
	}
	return fmt.Errorf("unknown trap: %w", err)
}
