package sandbox_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// caller is a guest that calls one host function with the arguments in its input, eight bytes each,
// and answers the four bytes of its result.
func caller(f sandbox.Function) []byte {
	return guest(func(m *w.Module) [][]byte {
		index := m.Import(f.Module, f.Name, f.Params, result(f))
		read, write := uint32(0), uint32(0)
		if read = index; f.Name != "input_read" {
			read = m.Import("writ1", "input_read", "iii", "i")
		}
		if write = index; f.Name != "output_write" {
			write = m.Import("writ1", "output_write", "ii", "i")
		}
		const at = 32_768 // the arguments; below it memory is the target of what the functions do
		body := [][]byte{w.I32(at), w.I32(128), w.I32(0), w.Call(read), w.Drop(), w.I32(at - 4)}
		for i, p := range f.Params {
			body = append(body, w.I32(int32(at+8*i)), map[rune][]byte{'i': {0x28, 2, 0}, 'I': {0x29, 3, 0}, 'F': {0x2b, 3, 0}}[p])
		}
		body = append(body, w.Call(index))
		if !f.Result {
			body = append(body, w.I32(0))
		}
		return append(body, w.Store32(), w.I32(at-4), w.I32(4), w.Call(write), w.Drop(), w.I32(0))
	})
}

func arguments(v []uint64) []byte {
	var p []byte
	for _, a := range v {
		p = binary.LittleEndian.AppendUint64(p, a)
	}
	return p
}

// vectors are argument lists: a plain one, and every value of a hostile set in each place, alone and
// with one of the worst in each place before it. In them pointers lie at the memory's start, end and beyond, lengths up to 2^32-1,
// descriptors and counts with them.
func vectors(params string) [][]uint64 {
	const end = 65_536
	odd := map[rune][]uint64{
		'i': {0, 1, 3, end - 1, end, end + 1, math.MaxInt32, 1 << 31, math.MaxUint32 - 15, math.MaxUint32},
		'I': {0, 1, math.MaxInt64, 1 << 63, math.MaxUint64},
		'F': {0, math.Float64bits(math.NaN()), math.Float64bits(math.Inf(-1))},
	}
	worst := map[rune][]uint64{'i': {0, end, math.MaxUint32}, 'I': {math.MaxInt64, math.MaxUint64}, 'F': {0}}
	plain := make([]uint64, len(params))
	for i := range plain {
		plain[i] = uint64([]int{3, 1024, 16, 2048, 1, 4096, 0, 0, 512}[i])
	}
	list := [][]uint64{plain}
	with := func(v []uint64, i int, x uint64) []uint64 {
		c := append([]uint64(nil), v...)
		c[i] = x
		return c
	}
	for i, p := range params {
		for _, x := range odd[p] {
			one := with(plain, i, x)
			list = append(list, one)
			for j, q := range params[:i] {
				for _, y := range worst[q] {
					list = append(list, with(one, j, y))
				}
			}
		}
	}
	return list
}

// Whatever a guest passes to whatever function, the call answers a code or ends with a fault of the
// guest: no panic, no fault of the host, and no host memory for a length that the guest made up.
func TestEveryFunctionWithEveryPointer(t *testing.T) {
	for _, f := range sandbox.Functions() {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			code := compile(t, caller(f))
			limits := enough()
			if sleeps := f.Name == "op_wait" || f.Name == "poll_oneoff"; sleeps {
				limits.Wall = 20 * time.Millisecond // some of the arguments ask for years
			}
			var before, after runtime.MemStats
			for n, args := range vectors(f.Params) {
				if testing.Short() && n%7 > 0 {
					continue
				}
				host := newMemory("/data", "/more")
				host.config = map[string]string{"a": "b"}
				host.nodes["f"] = &node{data: []byte("content")}
				call := sandbox.Call{Entry: sandbox.EntryCall, Input: arguments(args), Host: host, Limits: limits}
				runtime.ReadMemStats(&before)
				out := code.Run(t.Context(), call)
				runtime.ReadMemStats(&after)
				if out.Fault != nil && out.Fault.Kind != sandbox.FaultABI && out.Fault.Kind != sandbox.FaultExit && out.Fault.Kind != sandbox.FaultDeadline {
					t.Errorf("%s%x: %v", f.Name, args, out.Fault)
				}
				if out.Fault != nil && out.Fault.Kind == sandbox.FaultABI && out.Fault.Text != "the servlet passed a range outside its memory to "+f.Name {
					t.Errorf("%s%x: %v", f.Name, args, out.Fault)
				}
				// The largest honest cost is an instance; other tests run beside this one.
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
					t.Errorf("%s%x: allocated %d MiB", f.Name, args, grown>>20)
				}
			}
		})
	}
}

// The faults above are made by the bounds check and not by something before it: the last range that
// fits is served, the next one ends the call.
func TestPointersAtTheEdge(t *testing.T) {
	const end = 65_536
	edge := map[string]struct{ fits, not [][]uint64 }{
		"random_get":          {[][]uint64{{0, end}, {end - 8, 8}, {end, 0}}, [][]uint64{{0, end + 1}, {end - 8, 9}, {end + 1, 0}, {8, math.MaxUint32}, {math.MaxUint32, 1}}},
		"input_read":          {[][]uint64{{end - 4, 4, 0}, {end, 0, 0}}, [][]uint64{{end - 4, 5, 0}, {math.MaxUint32 - 15, 16, 0}}},
		"clock_time_get":      {[][]uint64{{0, 0, end - 8}}, [][]uint64{{0, 0, end - 7}, {0, 0, math.MaxUint32}, {9, 0, end}}},
		"fd_prestat_get":      {[][]uint64{{3, end - 8}}, [][]uint64{{3, end - 7}}},
		"fd_filestat_get":     {[][]uint64{{3, end - 64}}, [][]uint64{{3, end - 63}}},
		"op_wait":             {[][]uint64{{end - 256, 64, 0}}, [][]uint64{{end - 252, 64, 0}, {0, 1 << 30, 0}, {4, 0x4000_0001, 0}}},
		"poll_oneoff":         {[][]uint64{{0, 100, 1, end - 4}}, [][]uint64{{0, 100, 1, end - 3}, {end - 47, 0, 1, 0}, {0, end - 31, 1, 0}, {0, 0, 0x0555_5556, 0}}},
		"fd_readdir":          {[][]uint64{{3, end - 64, 64, 0, 0}}, [][]uint64{{3, end - 64, 65, 0, 0}, {3, 0, 64, 0, end - 3}}},
		"fd_prestat_dir_name": {[][]uint64{{3, end - 5, 5}}, [][]uint64{{3, end - 5, 6}}},
	}
	tested := 0
	for _, f := range sandbox.Functions() {
		c, ok := edge[f.Name]
		if !ok {
			continue
		}
		tested++
		code := compile(t, caller(f))
		run := func(args []uint64) sandbox.Outcome {
			return code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: arguments(args), Host: newMemory("/data"), Limits: enough()})
		}
		for _, args := range c.fits {
			if out := run(args); out.Fault != nil {
				t.Errorf("%s%v: %v", f.Name, args, out.Fault)
			}
		}
		for _, args := range c.not {
			t.Run(fmt.Sprint(f.Name, args), func(t *testing.T) {
				wantFault(t, run(args), sandbox.FaultABI, "the servlet passed a range outside its memory to "+f.Name)
			})
		}
	}
	if tested != len(edge) {
		t.Errorf("%d of %d functions exist", tested, len(edge))
	}
}

// The upper half of an i32's slot is the guest's garbage; a host that reads it gets pointers beyond
// any check. Here the upper half of every argument is set, as a compiler may leave it.
func TestUpperHalvesAreIgnored(t *testing.T) {
	for _, f := range sandbox.Functions() {
		if f.Name != "random_get" {
			continue
		}
		code := compile(t, guest(func(m *w.Module) [][]byte {
			random := m.Import(f.Module, f.Name, f.Params, "i")
			write := m.Import("writ1", "output_write", "ii", "i")
			wrapped := func(low int64) []byte { return w.Code(w.I64(low|0x7777_7777<<32), w.Op(0xa7)) } // i32.wrap_i64
			return [][]byte{wrapped(0), wrapped(8), w.Call(random), w.Drop(), w.I32(0), w.I32(8), w.Call(write), w.Drop(), w.I32(0)}
		}))
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
		if out.Fault != nil || bytes.Equal(out.Output, make([]byte, 8)) {
			t.Errorf("output %v, fault %v", out.Output, out.Fault)
		}
	}
}

// call1 calls one function once, with an input page below 32 KiB made by data, and returns its result.
func call1(t *testing.T, name string, host sandbox.Host, args ...uint64) (effect.Errno, sandbox.Outcome) {
	t.Helper()
	for _, f := range sandbox.Functions() {
		if f.Name == name {
			out := compile(t, caller(f)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Input: arguments(args), Host: host, Limits: enough()})
			if out.Fault != nil {
				t.Fatalf("%s%v: %v", name, args, out.Fault)
			}
			return effect.Errno(binary.LittleEndian.Uint32(out.Output)), out
		}
	}
	t.Fatalf("no function %s", name)
	return 0, sandbox.Outcome{}
}
