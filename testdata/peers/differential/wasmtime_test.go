package differential

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/bytecodealliance/wasmtime-go/v44"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
)

// theirs is another runtime.
type theirs struct{ engine *wasmtime.Engine }

func newTheirs() *theirs {
	config := wasmtime.NewConfig()
	config.SetWasmReferenceTypes(true)
	config.SetWasmSIMD(true)
	config.SetWasmBulkMemory(true)
	config.SetWasmMultiValue(true)
	return &theirs{wasmtime.NewEngineWithConfig(config)}
}

func (t *theirs) name() string { return "wasmtime" }

func (t *theirs) load(module []byte) (program, error) {
	m, err := wasmtime.NewModule(t.engine, module)
	if err != nil {
		return nil, err
	}
	return theirProgram{t, m}, nil
}

type theirProgram struct {
	runtime *theirs
	module  *wasmtime.Module
}

func (p theirProgram) close() { p.module.Close() }

func (p theirProgram) start() (instance, error) {
	store := wasmtime.NewStore(p.runtime.engine)
	linker := wasmtime.NewLinker(p.runtime.engine)
	defer linker.Close()
	define := func(module, name string, params []api.ValueType, do func() *wasmtime.Trap) error {
		var types []*wasmtime.ValType
		for _, t := range params {
			types = append(types, wasmtime.NewValType(map[api.ValueType]wasmtime.ValKind{
				api.ValueTypeI32: wasmtime.KindI32, api.ValueTypeI64: wasmtime.KindI64, api.ValueTypeF32: wasmtime.KindF32, api.ValueTypeF64: wasmtime.KindF64,
			}[t]))
		}
		return linker.FuncNew(module, name, wasmtime.NewFuncType(types, nil), func(*wasmtime.Caller, []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			return nil, do()
		})
	}
	for name, params := range prints {
		if err := define("spectest", name, params, func() *wasmtime.Trap { return nil }); err != nil {
			return nil, err
		}
	}
	err := define(wasm.YieldModule, wasm.YieldName, nil, func() *wasmtime.Trap { return wasmtime.NewTrap(trapExhausted) })
	if err != nil {
		return nil, err
	}
	in, err := linker.Instantiate(store, p.module)
	if err != nil {
		store.Close()
		return nil, theirTrap(err)
	}
	return &theirInstance{store: store, instance: in}, nil
}

type theirInstance struct {
	store    *wasmtime.Store
	instance *wasmtime.Instance
}

func (in *theirInstance) close() { in.store.Close() }

func (in *theirInstance) call(function string, args []uint64) ([]uint64, error) {
	f := in.instance.GetFunc(in.store, function)
	if f == nil {
		return nil, errNoFunction
	}
	var values []any
	for i, t := range f.Type(in.store).Params() {
		values = append(values, goValue(t.Kind(), args[i]))
	}
	result, err := f.Call(in.store, values...)
	if err != nil {
		return nil, theirTrap(err)
	}
	var words []uint64
	switch result := result.(type) {
	case []wasmtime.Val:
		for _, v := range result {
			words = append(words, goWord(v.Get()))
		}
	default:
		if len(f.Type(in.store).Results()) == 1 {
			words = []uint64{goWord(result)}
		}
	}
	return words, nil
}

// goValue is the Go value that the runtime takes for a word.
func goValue(kind wasmtime.ValKind, v uint64) any {
	switch kind {
	case wasmtime.KindI32:
		return int32(uint32(v))
	case wasmtime.KindI64:
		return int64(v)
	case wasmtime.KindF32:
		return math.Float32frombits(uint32(v))
	case wasmtime.KindF64:
		return math.Float64frombits(v)
	case wasmtime.KindFuncref:
		return (*wasmtime.Func)(nil)
	}
	if v == 0 {
		return nil
	}
	return v
}

func goWord(v any) uint64 {
	switch v := v.(type) {
	case int32:
		return uint64(uint32(v))
	case int64:
		return uint64(v)
	case float32:
		return uint64(math.Float32bits(v))
	case float64:
		return math.Float64bits(v)
	case *wasmtime.Func:
		if v == nil {
			return 0
		}
		return 1
	case uint64:
		return v
	case nil:
		return 0
	}
	panic(fmt.Sprintf("a result of type %T", v))
}

func (in *theirInstance) global(name string) (uint64, bool) {
	e := in.instance.GetExport(in.store, name)
	if e == nil || e.Global() == nil {
		return 0, false
	}
	return goWord(e.Global().Get(in.store).Get()), true
}

func (in *theirInstance) setGlobal(name string, v uint64) {
	if err := in.instance.GetExport(in.store, name).Global().Set(in.store, wasmtime.ValI64(int64(v))); err != nil {
		panic(err)
	}
}

func (in *theirInstance) memory() []byte {
	return in.instance.GetExport(in.store, memoryExport).Memory().UnsafeData(in.store)
}

// theirTrap finds the reason.
func theirTrap(err error) error {
	if strings.HasSuffix(strings.TrimSpace(err.Error()), trapExhausted) { // the host's own
		return errExhausted
	}
	var trap *wasmtime.Trap
	if !errors.As(err, &trap) || trap.Code() == nil {
		return fmt.Errorf("unknown trap: %w", err)
	}
	reason, ok := map[wasmtime.TrapCode]string{
		wasmtime.StackOverflow:          trapExhausted,
		wasmtime.MemoryOutOfBounds:      trapMemory,
		wasmtime.TableOutOfBounds:       trapTable,
		wasmtime.IndirectCallToNull:     trapTable,
		wasmtime.BadSignature:           trapSignature,
		wasmtime.IntegerOverflow:        trapOverflow,
		wasmtime.IntegerDivisionByZero:  trapDivision,
		wasmtime.BadConversionToInteger: trapConversion,
		wasmtime.UnreachableCodeReached: trapUnreachable,
	}[*trap.Code()]
	if !ok {
		return fmt.Errorf("unknown trap: %w", err)
	}
	return errors.New(reason)
}
