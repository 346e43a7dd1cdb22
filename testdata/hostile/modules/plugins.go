package modules

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var plugins = attack.Row{
	ID:    "A20",
	Title: "a plug-in made for Extism: offsets, lengths and blocks at every edge, more of the host's memory than it may have, something left for the next call",
	Mutants: []string{
		"plugin-offsets", "plugin-room", "plugin-block-size", "plugin-variables", "plugin-fresh", "plugin-kept", "plugin-namespaces",
	},
	Run: func(r *attack.Report) {
		for _, f := range offered {
			code, err := plug(target.Reset, pluginCaller(f))
			if err != nil {
				r.Variant(f.name, func() error { return err })
				continue
			}
			for i, args := range wildOffsets(len(f.params)) {
				if r.Among(i, 10) {
					r.Variant(fmt.Sprintf("%s%x", f.name, args), func() error { return harmless(code, args) })
				}
			}
			if err := code.Close(context.Background()); err != nil {
				r.Hits = append(r.Hits, err.Error())
			}
		}
		for name, v := range greedy() {
			r.Variant(name, func() error { return outgrows(v) })
		}
		for _, way := range target.Ways(r) {
			r.Variant("blocks of the last call, "+string(way), func() error { return blankBlocks(way) })
			r.Variant("blocks of initialisation, "+string(way), func() error { return ownBlocks(way) })
		}
		for _, f := range []target.Function{target.Named("output_write"), target.Named("http_start")} {
			r.Variant("a servlet's "+f.Name, func() error { return foreignTo(f) })
		}
	},
}

// service is one function of namespace extism:host/env, as sdk/EXTISM.md has it.
type service struct{ name, params, result string }

// offered are all of them, written down a second time.
var offered = []service{
	{"alloc", "I", "I"}, {"free", "I", ""}, {"length", "I", "I"}, {"length_unsafe", "I", "I"},
	{"load_u8", "I", "i"}, {"load_u64", "I", "I"}, {"store_u8", "Ii", ""}, {"store_u64", "II", ""},
	{"input_length", "", "I"}, {"input_offset", "", "I"}, {"input_load_u8", "I", "i"}, {"input_load_u64", "I", "I"}, {"input_set", "II", ""},
	{"output_set", "II", ""}, {"output_length", "", "I"}, {"output_offset", "", "I"}, {"error_set", "I", ""}, {"error_get", "", "I"},
	{"reset", "", ""}, {"memory_bytes", "", "I"}, {"config_get", "I", "I"}, {"var_get", "I", "I"}, {"var_set", "II", ""},
	{"http_request", "II", "I"}, {"http_status_code", "", "i"}, {"http_headers", "", "I"}, {"get_log_level", "", "i"},
	{"log_trace", "I", ""}, {"log_debug", "I", ""}, {"log_info", "I", ""}, {"log_warn", "I", ""}, {"log_error", "I", ""},
}

// imported imports a function for a plug-in.
func imported(m *w.Module, name string) uint32 {
	for _, f := range offered {
		if f.name == name {
			return m.Import("extism:host/env", f.name, f.params, f.result)
		}
	}
	panic("plug-ins have no function " + name)
}

// pluginModule is a plug-in whose call is what define returns, with two i64 locals.
func pluginModule(define func(m *w.Module) [][]byte) []byte {
	m := &w.Module{}
	body := define(m)
	m.Memory(w.AtLeast(1))
	m.FuncLocals("call", "", "i", []byte{1, 2, 0x7e}, body...)
	return m.Bytes()
}

func plug(way target.Way, module []byte) (*sandbox.Code, error) {
	e, err := target.Engine(way)
	if err != nil {
		return nil, err
	}
	admitted, err := sandbox.Admit(module, capabilities.ABIExtism, nil)
	if err != nil {
		return nil, err
	}
	return e.Compile(context.Background(), admitted)
}

// pluginCaller calls one function with the arguments in its input, eight bytes each, and answers its input.
func pluginCaller(f service) []byte {
	return pluginModule(func(m *w.Module) [][]byte {
		index := imported(m, f.name)
		load, at, n, out := imported(m, "input_load_u64"), imported(m, "input_offset"), imported(m, "input_length"), imported(m, "output_set")
		var body [][]byte
		for i, p := range f.params {
			body = append(body, w.I64(int64(8*i)), w.Call(load))
			if p == 'i' {
				body = append(body, w.Op(0xa7))
			}
		}
		body = append(body, w.Call(index))
		if f.result != "" {
			body = append(body, w.Drop())
		}
		return append(body, w.Call(at), w.Call(n), w.Call(out), w.I32(0))
	})
}

// wildOffsets are lists of n arguments, at and around every edge.
func wildOffsets(n int) [][]uint64 {
	const input = 64 // where the first block is
	odd := []uint64{0, 1, input - 1, input, input + 8, input + 16, input + 24, wasmPage, 1 << 20, math.MaxUint32, 1 << 32, 1<<32 + input, 1 << 63, math.MaxUint64 - 7, math.MaxUint64}
	list := [][]uint64{make([]uint64, n)}
	for i := range n {
		for _, v := range odd {
			for _, other := range odd[:1+min(i, 1)*(len(odd)-1)] {
				one := make([]uint64, n)
				for j := range one {
					one[j] = other
				}
				one[i] = v
				list = append(list, one)
			}
		}
	}
	return list
}

// harmless wants an answer or a fault of the plug-in: no fault of the host, and no memory of it for a length that the
// plug-in made up.
func harmless(code *sandbox.Code, args []uint64) error {
	input := append(target.Arguments(args...), 0)
	call := target.Call(target.NewWilling(), input...)
	call.Limits.Memory = 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	out := code.Run(context.Background(), call)
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 4<<20 {
		return fmt.Errorf("it took %d KiB of the host's memory", took>>10)
	}
	if f := out.Fault; f != nil && f.Kind != sandbox.FaultABI && f.Kind != sandbox.FaultTool && f.Limit != sandbox.LimitMemory {
		return f
	}
	return nil
}

// greed is a plug-in that wants too much for ever, and how it ends with 4 MiB.
type greed struct {
	module []byte
	want   string
}

func greedy() map[string]greed {
	const (
		memory    = "the servlet ended after it wanted more than the 4 MiB of memory that are granted"
		reach     = "the plug-in wanted a block of host memory that is larger than any can be"
		variables = "the plug-in keeps more than 1 MiB in variables"
	)
	// Each block is read, so that one without bytes is found out.
	blocks := func(n int64) []byte {
		return pluginModule(func(m *w.Module) [][]byte {
			alloc, length, output := imported(m, "alloc"), imported(m, "length"), imported(m, "output_set")
			return [][]byte{w.Loop(w.I64(n), w.Call(alloc), w.Set(0), w.Get(0), w.Get(0), w.Call(length), w.Call(output)), w.I32(0)}
		})
	}
	return map[string]greed{
		"blocks of 100 kB":      {blocks(100_000), memory},
		"a block of 1 GiB":      {blocks(1 << 30), memory},
		"a block of 4 GiB":      {blocks(1 << 32), reach},
		"a block of everything": {blocks(-1), reach},
		"very many variables": {pluginModule(func(m *w.Module) [][]byte {
			alloc, store, set := imported(m, "alloc"), imported(m, "store_u64"), imported(m, "var_set")
			return [][]byte{w.Loop(w.I64(8), w.Call(alloc), w.Set(0), w.Get(0), w.Get(1), w.I64(1), w.Op(0x7c), w.Op(0x22, w.U32(1)), w.Call(store),
				w.Get(0), w.I64(20_000), w.Call(alloc), w.Call(set)), w.I32(0)}
		}), variables},
	}
}

// outgrows wants a plug-in to end at the limit of its memory, and for the reason that it is.
func outgrows(g greed) error {
	code, err := plug(target.Reset, g.module)
	if err != nil {
		return err
	}
	call := target.Call(target.NewWilling())
	call.Limits.Memory, call.Limits.HostCalls = 4<<20, 600
	out := code.Run(context.Background(), call)
	if err := code.Close(context.Background()); err != nil {
		return err
	}
	return target.Fault(out, sandbox.FaultLimit, g.want)
}

// blankBlocks wants what a call wrote into the host's memory to be gone in the next.
func blankBlocks(way target.Way) error {
	code, err := plug(way, pluginModule(func(m *w.Module) [][]byte {
		alloc, load, store, out := imported(m, "alloc"), imported(m, "load_u64"), imported(m, "store_u64"), imported(m, "output_set")
		return [][]byte{w.I64(64), w.Call(alloc), w.Set(0), w.I64(8), w.Call(alloc), w.Set(1),
			w.Get(1), w.Get(0), w.Call(load), w.Call(store), w.Get(0), w.I64(-1), w.Call(store), w.Get(1), w.I64(8), w.Call(out), w.I32(0)}
	}))
	if err != nil {
		return err
	}
	defer code.Close(context.Background())
	for range 3 {
		out := code.Run(context.Background(), target.Call(target.NewWilling()))
		if out.Fault != nil || !bytes.Equal(out.Output, make([]byte, 8)) {
			return fmt.Errorf("it found % x (%v)", out.Output, out.Fault)
		}
	}
	return nil
}

// ownBlocks wants a block that initialisation made to be the same call's: in an image it would be an offset without a
// block.
func ownBlocks(way target.Way) error {
	m := &w.Module{}
	alloc, store, out := imported(m, "alloc"), imported(m, "store_u64"), imported(m, "output_set")
	m.Memory(w.AtLeast(1))
	at := m.Global(0)
	m.Func("_initialize", "", "", w.I64(4096), w.Call(alloc), w.Op(0x24, w.U32(at)), w.Op(0x23, w.U32(at)), w.I64('x'), w.Call(store))
	m.Func("call", "", "i", w.Op(0x23, w.U32(at)), w.I64(1), w.Call(out), w.I32(0))
	code, err := plug(way, m.Bytes())
	if err != nil {
		return err
	}
	defer code.Close(context.Background())
	for range 2 {
		res := code.Run(context.Background(), target.Call(target.NewWilling()))
		if res.Fault != nil || string(res.Output) != "x" {
			return fmt.Errorf("it found %q (%v)", res.Output, res.Fault)
		}
	}
	return nil
}

// foreignTo wants a plug-in with an import of servlets to be refused.
func foreignTo(f target.Function) error {
	_, err := plug(target.Reset, pluginModule(func(m *w.Module) [][]byte { f.Import(m); return [][]byte{w.I32(0)} }))
	want := "gating module: imports that are not allowed: writ1." + f.Name + " (unknown)"
	if err == nil || err.Error() != want {
		return fmt.Errorf("error %v, want %s", err, want)
	}
	return nil
}
