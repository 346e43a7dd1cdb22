package wasm_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/writ-run/writ/host/wasm"
)

var (
	errFuel  = errors.New("out of fuel")
	errStack = errors.New("out of stack")
)

// plenty is stack for any honest program, bytes.
const plenty = 16 << 20

// openRules admit every import of the module and ask nothing of it but a memory.
func openRules(module []byte) wasm.Rules {
	rules := wasm.Rules{MaxMemoryPages: 65_536, Imports: map[[2]string]wasm.FuncType{}}
	for _, im := range wasm.Imports(module) {
		rules.Imports[[2]string{im.Module, im.Name}] = im.Type
	}
	return rules
}

// machine runs modules, plain and metered, in one of the runtime's engines.
type machine struct {
	wazero.Runtime
	refill int64 // what a yield adds; 0: a yield ends the call
	yields int
}

// newMachine offers yield.
func newMachine(tb testing.TB, config wazero.RuntimeConfig) *machine {
	m := &machine{Runtime: wazero.NewRuntimeWithConfig(context.Background(), config.WithCoreFeatures(api.CoreFeaturesV2)), refill: 1 << 20}
	tb.Cleanup(func() { m.Close(context.Background()) })
	yield := func(_ context.Context, mod api.Module, _ []uint64) {
		m.yields++
		if int64(mod.ExportedGlobal(wasm.StackExport).Get()) < 0 {
			panic(errStack)
		}
		if m.refill == 0 {
			panic(errFuel)
		}
		fuel := mod.ExportedGlobal(wasm.FuelExport).(api.MutableGlobal)
		fuel.Set(uint64(int64(fuel.Get()) + m.refill))
	}
	_, err := m.NewHostModuleBuilder(wasm.YieldModule).NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(yield), nil, nil).Export(wasm.YieldName).Instantiate(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// meter takes a module through the whole pipeline.
func (m *machine) meter(module []byte, rules wasm.Rules) (wasm.Metered, error) {
	gated, err := wasm.Gate(module, rules)
	if err != nil {
		return wasm.Metered{}, err
	}
	valid, err := wasm.Validate(gated, func(code []byte) error {
		c, err := m.CompileModule(context.Background(), code)
		if err == nil {
			err = c.Close(context.Background())
		}
		return err
	})
	if err != nil {
		return wasm.Metered{}, err
	}
	return wasm.Meter(valid)
}

// validate runs the runtime's validator alone, as the sandbox does.
func validate(code []byte) (err error) {
	r := wazero.NewRuntimeWithConfig(context.Background(), wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	defer r.Close(context.Background())
	defer func() {
		if p := recover(); p != nil && p != any(errValid) {
			panic(p)
		}
	}()
	_, err = r.CompileModule(experimental.WithFunctionListenerFactory(context.Background(), validOnly{}), code)
	return err
}

var errValid = errors.New("the module is valid")

// validOnly is asked for a listener when the module is valid, before anything is compiled.
type validOnly struct{}

func (validOnly) NewFunctionListener(api.FunctionDefinition) experimental.FunctionListener {
	panic(errValid)
}

var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions()

// start makes an instance of a metered module as a host does.
func (m *machine) start(metered wasm.Metered, config wazero.ModuleConfig, fuel, stack int64) (api.Module, error) {
	ctx := context.Background()
	mod, err := m.InstantiateWithConfig(ctx, metered.Code(), config)
	if err != nil {
		return nil, err
	}
	mod.ExportedGlobal(wasm.FuelExport).(api.MutableGlobal).Set(uint64(fuel))
	mod.ExportedGlobal(wasm.StackExport).(api.MutableGlobal).Set(uint64(stack))
	if err := metered.WriteData(func(at uint32, p []byte) bool { return mod.Memory().Write(at, p) }); err != nil {
		return nil, err
	}
	if metered.Shape().Start {
		_, err = mod.ExportedFunction(wasm.StartExport).Call(ctx)
	}
	return mod, err
}

// spent is the fuel that an instance used of what start gave it.
func spent(mod api.Module, given int64) int64 {
	return given - int64(mod.ExportedGlobal(wasm.FuelExport).Get())
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
