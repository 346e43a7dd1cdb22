// Package differential runs modules in several runtimes, plain and metered, and compares all that can be
// seen of them: the product has one runtime, and these are its oracles.
package differential

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
)

// engine is a runtime.
type engine interface {
	name() string
	load(module []byte) (program, error)
}

// program is a compiled module. A start makes an instance in which nothing has run but what the runtime
// runs by itself.
type program interface {
	start() (instance, error)
	close()
}

// instance is a running module. Values are 64-bit words, as in the runtime of the product.
type instance interface {
	call(function string, args []uint64) ([]uint64, error)
	global(name string) (uint64, bool)
	setGlobal(name string, v uint64)
	memory() []byte
	close()
}

// Why a call ended, in words that all runtimes share.
const (
	trapUnreachable = "unreachable"
	trapMemory      = "memory access out of bounds"
	trapTable       = "table access out of bounds or null"
	trapSignature   = "signature of a table entry"
	trapDivision    = "division by zero"
	trapOverflow    = "integer overflow"
	trapConversion  = "conversion to integer"
	trapExhausted   = "stack or fuel exhausted"
)

// errExhausted is how the host ends a metered program whose fuel or stack ran out.
var errExhausted = errors.New(trapExhausted)

// prints are the functions that the specification's tests import. They do nothing.
var prints = map[string][]api.ValueType{
	"print":         nil,
	"print_i32":     {api.ValueTypeI32},
	"print_i64":     {api.ValueTypeI64},
	"print_f32":     {api.ValueTypeF32},
	"print_f64":     {api.ValueTypeF64},
	"print_i32_f32": {api.ValueTypeI32, api.ValueTypeF32},
	"print_f64_f64": {api.ValueTypeF64, api.ValueTypeF64},
}

// form is a module in one runtime, plain or metered.
type form struct {
	text    string
	program program
	data    func(write func(offset uint32, p []byte) bool) error // nil: plain
	starts  bool                                                 // metered, with a start function
	fuel    int64
	stack   int64
}

// forms takes a module through the gate and the meter and loads both forms into each runtime. A nil error
// with no forms says that the gate does not take the module, and why.
func forms(engines []engine, module []byte, fuel, stack int64) (list []form, refused error, err error) {
	rules := wasm.Rules{MaxMemoryPages: 65_536, Imports: map[[2]string]wasm.FuncType{}}
	for name, params := range prints {
		rules.Imports[[2]string{"spectest", name}] = wasm.FuncType{Params: params}
	}
	gated, err := wasm.Gate(module, rules)
	if err != nil {
		return nil, err, nil
	}
	valid, err := wasm.Validate(gated, validate)
	if err != nil {
		return nil, nil, err
	}
	metered, err := wasm.Meter(valid)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range engines {
		plain, err := e.load(module)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.name(), err)
		}
		list = append(list, form{text: e.name() + ", plain", program: plain})
		rewritten, err := e.load(metered.Code())
		if err != nil {
			return nil, nil, fmt.Errorf("%s, metered: %w", e.name(), err)
		}
		list = append(list, form{
			text: e.name() + ", metered", program: rewritten, data: metered.WriteData, starts: metered.Shape().Start,
			fuel: fuel, stack: stack,
		})
	}
	return list, nil, nil
}

// validate is the product's validator.
func validate(code []byte) error {
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithCoreFeatures(api.CoreFeaturesV2))
	_, err := r.CompileModule(ctx, code)
	return errors.Join(err, r.Close(ctx))
}

// begin makes an instance as a host does.
func (f form) begin() (instance, error) {
	in, err := f.program.start()
	if err != nil || f.data == nil {
		return in, err
	}
	in.setGlobal(wasm.FuelExport, uint64(f.fuel))
	in.setGlobal(wasm.StackExport, uint64(f.stack))
	err = f.data(func(offset uint32, p []byte) bool {
		memory := in.memory()
		if uint64(offset)+uint64(len(p)) > uint64(len(memory)) {
			return false
		}
		copy(memory[offset:], p)
		return true
	})
	if err == nil && f.starts {
		_, err = in.call(wasm.StartExport, nil)
	}
	if err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

// rewind gives an instance its stack back after a trap, where a host would throw the instance away.
func (f form) rewind(in instance) {
	if f.data != nil {
		in.setGlobal(wasm.StackExport, uint64(f.stack))
	}
}

// state writes down all that an instance holds: its memory's size and digest, and the globals that
// exposed gave names to.
func state(in instance) string {
	memory := in.memory()
	digest := sha256.Sum256(memory)
	text := fmt.Sprintf("memory %d %x, globals", len(memory), digest[:8])
	for i := 0; ; i++ {
		v, ok := in.global(fmt.Sprint(globalExport, i))
		if !ok {
			return text
		}
		text += fmt.Sprintf(" %x", v)
	}
}

// same tells whether two results are equal. Of a number that is none the specification leaves open which
// it is, in a float or in a lane of a vector.
func same(a, b []uint64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && quiet64(a[i]) != quiet64(b[i]) && quiet32(a[i]) != quiet32(b[i]) {
			return false
		}
	}
	return true
}

const nan32, nan64 = 0x7f80_0000, 0x7ff0_0000_0000_0000

func quiet64(v uint64) uint64 {
	if v&nan64 == nan64 && v<<12 != 0 {
		return nan64 | 1<<51
	}
	return v
}

// quiet32 looks at both halves: a float is in the lower one, and a vector's word has two lanes.
func quiet32(v uint64) uint64 {
	half := func(v uint32) uint64 {
		if v&nan32 == nan32 && v<<9 != 0 {
			return nan32 | 1<<22
		}
		return uint64(v)
	}
	return half(uint32(v>>32))<<32 | half(uint32(v))
}
