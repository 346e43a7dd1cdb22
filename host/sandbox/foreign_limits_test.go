package sandbox_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// calling passes the same argument, or pair, to a function of the host and does no more.
func calling(name string, args ...[]byte) func(e env) [][]byte {
	return func(e env) [][]byte {
		f := e.fn(name)
		body := [][]byte{w.Code(args...), w.Call(f)}
		for _, o := range sandbox.Offered() {
			if o.Name == name && o.Result {
				body = append(body, w.Drop())
			}
		}
		return append(body, w.I32(0))
	}
}

// An offset at which nothing of the call's is ends the call. What it could reach otherwise is the host's
// memory, or another call's.
func TestForeignOffsetsEndTheCall(t *testing.T) {
	for _, f := range []struct {
		name string
		more []byte
	}{
		{"load_u8", nil}, {"load_u64", nil}, {"store_u8", w.I32(1)}, {"store_u64", w.I64(1)},
		{"input_load_u8", nil}, {"input_load_u64", nil}, {"input_set", w.I64(1)}, {"output_set", w.I64(1)}, {"error_set", nil},
		{"config_get", nil}, {"var_get", nil}, {"var_set", w.I64(0)}, {"http_request", w.I64(0)},
		{"log_trace", nil}, {"log_debug", nil}, {"log_info", nil}, {"log_warn", nil}, {"log_error", nil},
	} {
		for _, at := range []int64{7, 72, 1 << 20, 1 << 32, math.MaxInt64, -1, -8} {
			out := compileForeign(t, foreignModule(calling(f.name, w.I64(at), f.more))).Run(t.Context(), callForeign("input"))
			if want := "the plug-in passed an offset outside its host memory to " + f.name; out.Fault == nil || out.Fault.Kind != sandbox.FaultABI || out.Fault.Text != want {
				t.Errorf("%s(%d): %v, want %s", f.name, at, out.Fault, want)
			}
		}
	}
	// The second of two, too, and a length that goes round.
	for _, c := range [][]byte{w.Code(w.I64(0), w.I64(-1)), w.Code(w.I64(64), w.I64(-1)), w.Code(w.I64(64), w.I64(1<<32)), w.Code(w.I64(-1), w.I64(2))} {
		out := compileForeign(t, foreignModule(calling("output_set", c))).Run(t.Context(), callForeign("input"))
		if out.Fault == nil || out.Fault.Kind != sandbox.FaultABI {
			t.Errorf("output_set: %v", out.Fault)
		}
	}
	for _, name := range []string{"free", "length", "length_unsafe"} { // which other hosts answer for any offset
		out := compileForeign(t, foreignModule(calling(name, w.I64(1<<40)))).Run(t.Context(), callForeign("input"))
		wantFault(t, out, sandbox.FaultABI, "call returned without an output")
	}
}

// forever calls a function again and again with what args push.
func forever(name string, args func(e env) []byte) func(e env) [][]byte {
	return func(e env) [][]byte {
		var pushed []byte
		if args != nil {
			pushed = args(e)
		}
		f := calling(name, pushed)(e)
		return [][]byte{w.Loop(f[:len(f)-1]...), w.I32(0)}
	}
}

func TestForeignLimits(t *testing.T) {
	i64 := func(v int64) func(env) []byte { return func(env) []byte { return w.I64(v) } }
	taken := func(n int64) func(env) []byte { // a new block each time
		return func(e env) []byte { alloc := e.fn("alloc"); return w.Code(w.I64(n), w.Call(alloc)) }
	}
	input := func(e env) []byte { at := e.fn("input_offset"); return w.Call(at) }
	const memory = "the servlet ended after it wanted more than the 1 MiB of memory that are granted"
	const calls = "the servlet made more than 1000 host calls"
	cases := []struct {
		name  string
		code  func(e env) [][]byte
		limit sandbox.Limit
		want  string
	}{
		{"a block of 1 GiB", forever("alloc", i64(1<<30)), sandbox.LimitMemory, memory},
		{"a block larger than offsets reach", forever("alloc", i64(1<<40)), sandbox.LimitMemory, "the plug-in wanted a block of host memory that is larger than any can be"},
		{"a block of all there is", forever("alloc", i64(-1)), sandbox.LimitMemory, "the plug-in wanted a block of host memory that is larger than any can be"},
		{"many blocks", forever("alloc", i64(100<<10)), sandbox.LimitMemory, memory},
		{"very many small blocks", forever("alloc", i64(1)), sandbox.LimitHostCalls, calls},
		{"empty blocks", forever("alloc", i64(0)), sandbox.LimitHostCalls, calls},
		{"frees", forever("free", i64(64)), sandbox.LimitHostCalls, calls},
		{"resets", forever("reset", nil), sandbox.LimitHostCalls, calls},
		{"settings", forever("config_get", input), sandbox.LimitHostCalls, calls},
		{"logs", forever("log_info", taken(1000)), sandbox.LimitHostCalls, calls},
		{"variables", forever("var_set", func(e env) []byte {
			names := taken(100)(e)
			return w.Code(names, taken(900<<10)(e))
		}), sandbox.LimitMemory, memory},
		{"loads", forever("load_u8", i64(64)), sandbox.LimitHostCalls, calls},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out := compileForeign(t, foreignModule(c.code)).Run(t.Context(), callForeign(strings.Repeat("input ", 100)))
			if out.Fault == nil || out.Fault.Kind != sandbox.FaultLimit || out.Fault.Limit != c.limit || out.Fault.Text != c.want {
				t.Errorf("fault %v, want %s", out.Fault, c.want)
			}
			logged := 0
			for _, line := range out.Logs {
				logged += len(line.Text)
			}
			if logged > 64<<10 || c.name == "logs" && out.Dropped == 0 {
				t.Errorf("%d bytes of logs, %d dropped", logged, out.Dropped)
			}
		})
	}
	used := engine.UsedMemory()
	compileForeign(t, foreignModule(forever("alloc", i64(100<<10)))).Run(t.Context(), callForeign(""))
	if now := engine.UsedMemory(); now > used+1<<20 { // an image of the new module
		t.Errorf("%d bytes are counted after the call, %d before", now, used)
	}
}

// Variables have a quota of their own below the call's memory.
func TestForeignVariablesQuota(t *testing.T) {
	code := compileForeign(t, foreignModule(func(e env) [][]byte {
		alloc, set, get, length := e.fn("alloc"), e.fn("var_set"), e.fn("var_get"), e.fn("length")
		name := w.Code(w.I64(8), w.Call(alloc))
		return [][]byte{
			name, w.I64(1<<20 - 1000), w.Call(alloc), w.Call(set),
			name, w.Call(get), w.Call(length), w.I64(1<<20 - 1000), w.Op(0x52), w.If(w.Unreachable()),
			name, w.I64(1000), w.Call(alloc), w.Call(set), w.I32(0),
		}
	}))
	call := callForeign("")
	call.Limits.Memory = 16 << 20
	out := code.Run(t.Context(), call)
	wantFault(t, out, sandbox.FaultLimit, "the plug-in keeps more than 1 MiB in variables")
}

// Reads and writes are counted by the thousand; they end at the deadline like all work.
func TestForeignReadsEndAtTheDeadline(t *testing.T) {
	code := compileForeign(t, foreignModule(forever("load_u8", func(env) []byte { return w.I64(64) })))
	call := callForeign("input")
	call.Limits.HostCalls, call.Limits.Wall = math.MaxInt, 100*time.Millisecond
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultDeadline, "the servlet did not answer within 100ms")

}

// failing is a Host that panics when it is asked, or answers with more than there is room for.
type failing struct {
	sandbox.Host
	body int
}

func (failing) Preopens() []effect.Preopen { return nil }

func (h failing) Fetch(ctx context.Context, _ effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	if h.body == 0 {
		panic("a mistake of the host")
	}
	return effect.HTTPResponse{Status: 200, Body: make([]byte, h.body)}, nil
}

func TestForeignRequestsThatFailTheHost(t *testing.T) {
	code := compileForeign(t, foreignModule(inputTo("http_request", w.I64(0))))
	call := callForeign(`{"url":"https://a.test/"}`)
	call.Host = failing{}
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultHost, "the host failed while it served the call")
	call.Host = failing{body: 2 << 20}
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultTool,
		"an HTTP request of the plug-in was refused: the answers that this call holds are larger than its memory limit")
	call.Host = failing{body: 1000 << 10}
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultLimit, "the servlet ended after it wanted more than the 1 MiB of memory that are granted")
	// The next call is as good as any.
	call.Host = failing{body: 100}
	if out := code.Run(t.Context(), call); out.Fault != nil || len(out.Output) != 100 {
		t.Errorf("%d bytes, %v", len(out.Output), out.Fault)
	}
}

// foreignPuppet is a plug-in that calls host functions as its input says: a byte for the function, by its
// place in sandbox.Offered, and eight bytes for each argument; a byte that is no function ends it. An
// argument whose highest byte is 0xff is replaced by the last result and its lowest byte.
func foreignPuppet() []byte {
	m := &w.Module{}
	offered := sandbox.Offered()
	index := map[string]uint32{}
	for _, f := range offered {
		index[f.Name] = m.Import(f.Module, f.Name, f.Params, sandbox.Returns(f))
	}
	m.Memory(w.Range(4, 4))
	const op, last, p = 0, 1, 2 // locals: an i32 and two i64: the function, the last result, the place in the input
	byteAt := w.Code(w.Get(p), w.Call(index["input_load_u8"]), w.Get(p), w.I64(1), w.Op(0x7c), w.Set(p))
	word := w.Code(w.Get(p), w.Call(index["input_load_u64"]), w.Get(p), w.I64(8), w.Op(0x7c), w.Set(p))
	const arg = 3
	var calls []byte
	for i, f := range offered {
		var one []byte
		for _, c := range f.Params {
			one = append(one, w.Code(word, w.Op(0x22, w.U32(arg)), w.I64(56), w.Op(0x88), w.I64(255), w.Op(0x51),
				w.If(w.Get(last), w.Get(arg), w.I64(255), w.Op(0x83), w.Op(0x7c), w.Set(arg)), w.Get(arg))...)
			if c == 'i' {
				one = append(one, w.Op(0xa7)...)
			}
		}
		one = append(one, w.Call(uint32(i))...)
		switch sandbox.Returns(f) {
		case "i":
			one = append(one, w.Code(w.Op(0xad), w.Set(last))...)
		case "I":
			one = append(one, w.Set(last)...)
		}
		one = append(one, w.Br(1)...)
		calls = append(calls, w.Code(w.Get(op), w.I32(int32(i)), w.Op(0x46), w.If(one))...)
	}
	m.FuncLocals("call", "", "i", w.Code([]byte{2, 1, 0x7f, 3, 0x7e}),
		w.Op(0x03, []byte{0x40}), byteAt, w.Set(op), calls, []byte{0x0b}, w.I32(0))
	return m.Bytes()
}

// foreignOrder is a call of a function as the puppet reads it.
func foreignOrder(name string, args ...uint64) []byte {
	for i, f := range sandbox.Offered() {
		if f.Name != name {
			continue
		}
		order := []byte{byte(i)}
		for _, a := range args {
			order = binary.LittleEndian.AppendUint64(order, a)
		}
		return order
	}
	panic(fmt.Sprint("no function ", name))
}

// What the fuzz target relies on: the puppet does what it is told.
func TestForeignPuppet(t *testing.T) {
	const lastResult = 0xff << 56
	input := slices.Concat(foreignOrder("alloc", 8), foreignOrder("store_u64", lastResult, 7), foreignOrder("store_u8", lastResult+1, 9),
		foreignOrder("output_set", lastResult, 8), []byte{0xff})
	out := compileForeign(t, foreignPuppet()).Run(t.Context(), callForeign(string(input)))
	if want := []byte{7, 9, 0, 0, 0, 0, 0, 0}; out.Fault != nil || !bytes.Equal(out.Output, want) {
		t.Errorf("output % x, fault %v", out.Output, out.Fault)
	}
}

// FuzzForeignCalls calls what plug-ins may call, in any order and with any arguments. The host stays whole,
// and what was counted for the call is given back.
func FuzzForeignCalls(f *testing.F) {
	const lastResult = 0xff << 56
	script := func(orders ...[]byte) []byte {
		var all []byte
		for _, o := range orders {
			all = append(all, o...)
		}
		return append(all, 0xff)
	}
	f.Add(script(foreignOrder("alloc", 8), foreignOrder("store_u64", lastResult, 7), foreignOrder("output_set", lastResult, 8)))
	f.Add(script(foreignOrder("input_offset"), foreignOrder("http_request", lastResult, 0), foreignOrder("http_headers")))
	f.Add(script(foreignOrder("alloc", 100), foreignOrder("var_set", lastResult, lastResult), foreignOrder("reset"), foreignOrder("input_length")))
	f.Add(script(foreignOrder("alloc", 1<<40)))
	f.Add(script(foreignOrder("input_set", 64, 1<<63), foreignOrder("load_u64", math.MaxUint64)))
	f.Add(script(foreignOrder("input_offset"), foreignOrder("log_info", lastResult), foreignOrder("error_set", 0), foreignOrder("memory_bytes")))
	code := compileForeign(f, foreignPuppet())
	f.Fuzz(func(t *testing.T, input []byte) {
		call := callForeign(string(input))
		call.Host = &asked{}
		call.Limits.Wall = 5 * time.Second
		out := code.Run(t.Context(), call)
		if out.Fault != nil && (out.Fault.Kind == sandbox.FaultHost || out.Fault.Text == "") {
			t.Fatalf("fault %v", out.Fault)
		}
		if len(out.Output) > call.Limits.Output {
			t.Errorf("%d bytes of output", len(out.Output))
		}
		if out.Memory > call.Limits.Memory {
			t.Errorf("%d bytes of memory", out.Memory)
		}
	})
}
