package sandbox

import (
	"context"
	"slices"

	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/wasm"
)

// The namespaces of ABI writ1.
const (
	writ1 = "writ1"
	wasi  = "wasi_snapshot_preview1"
)

// kindElicit has imports in the interface but no capability in manifest schema writ/1, so that a
// module which imports it is always refused.
const kindElicit capabilities.Kind = "elicit"

// function is one host function. This one description makes the gate's allow-list, the list of
// capability kinds and what a runtime links, so that they cannot come apart.
type function struct {
	module, name string
	params       string // a letter per parameter: i is i32, I i64, F f64
	result       byte   // a letter; 0: none
	kinds        []capabilities.Kind
	light        bool // takes a few nanoseconds: many calls count as one
	do           func(r *run, a args) uint64
}

// args are a function's arguments on the runtime's stack.
type args []uint64

// u32 reads an i32. Only the lower half of its slot is defined: the upper half is whatever the guest
// had there.
func (a args) u32(i int) uint32  { return uint32(a[i]) }
func (a args) i32(i int) int32   { return int32(uint32(a[i])) }
func (a args) u64(i int) uint64  { return a[i] }
func (a args) f64(i int) float64 { return api.DecodeF64(a[i]) }

// functions are all functions of ABI writ1, its WASI included.
func functions() []function { return append(writ1Functions(), wasiFunctions()...) }

// interfaces are the functions that a module of each ABI may import. There is nothing that a runtime
// links beside them.
func interfaces() map[string][]function {
	return map[string][]function{
		capabilities.ABI:       functions(),
		capabilities.ABIExtism: slices.Concat(extismFunctions(), wasiFunctions(), absentFunctions()),
	}
}

// service describes a function of namespace writ1. It returns a count or handle, or a negated code.
func service(name, params string, kind capabilities.Kind, do func(*run, args) int32) function {
	f := function{module: writ1, name: name, params: params, result: 'i',
		do: func(r *run, a args) uint64 { return uint64(uint32(do(r, a))) }}
	if kind != "" {
		f.kinds = []capabilities.Kind{kind}
	}
	return f
}

// preview1 describes a function of WASI preview 1 that returns an errno.
func preview1(name, params string, do func(*run, args) effect.Errno) function {
	return function{module: wasi, name: name, params: params, result: 'i',
		do: func(r *run, a args) uint64 { return uint64(do(r, a)) }}
}

func (f function) signature() wasm.FuncType {
	types := map[byte]byte{'i': wasm.I32, 'I': wasm.I64, 'F': wasm.F64}
	t := wasm.FuncType{}
	for _, c := range []byte(f.params) {
		t.Params = append(t.Params, types[c])
	}
	if f.result != 0 {
		t.Results = []byte{types[f.result]}
	}
	return t
}

// serve is what the runtime calls.
func (f function) serve(ctx context.Context, mod api.Module, stack []uint64) {
	r := ctx.Value(runKey{}).(*run)
	res := r.serve(f, mod.Memory(), stack)
	if f.result != 0 {
		stack[0] = res
	}
}

// failed negates a code.
func failed(c effect.Code) int32 { return -int32(c) }
