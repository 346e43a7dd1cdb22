package sandbox

import (
	"context"

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
	result       bool   // one i32
	kind         capabilities.Kind
	do           func(r *run, a args) uint32
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

// service describes a function of namespace writ1. It returns a count or handle, or a negated code.
func service(name, params string, kind capabilities.Kind, do func(*run, args) int32) function {
	return function{module: writ1, name: name, params: params, result: true, kind: kind,
		do: func(r *run, a args) uint32 { return uint32(do(r, a)) }}
}

// preview1 describes a function of WASI preview 1 that returns an errno.
func preview1(name, params string, do func(*run, args) effect.Errno) function {
	return function{module: wasi, name: name, params: params, result: true,
		do: func(r *run, a args) uint32 { return uint32(do(r, a)) }}
}

func (f function) signature() wasm.FuncType {
	t := wasm.FuncType{}
	for _, c := range f.params {
		t.Params = append(t.Params, map[rune]byte{'i': wasm.I32, 'I': wasm.I64, 'F': wasm.F64}[c])
	}
	if f.result {
		t.Results = []byte{wasm.I32}
	}
	return t
}

// serve is what the runtime calls.
func (f function) serve(ctx context.Context, mod api.Module, stack []uint64) {
	r := ctx.Value(runKey{}).(*run)
	res := r.serve(f, mod.Memory(), stack)
	if f.result {
		stack[0] = uint64(res)
	}
}

// failed negates a code.
func failed(c effect.Code) int32 { return -int32(c) }
