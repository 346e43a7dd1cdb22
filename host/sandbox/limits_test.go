package sandbox_test

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

func soon() sandbox.Limits {
	l := enough()
	l.Wall = 50 * time.Millisecond
	return l
}

// A loop ends at the deadline wherever it runs: in the entry, in the start function, in init, inside
// host calls, asleep.
func TestDeadline(t *testing.T) {
	log := func(m *w.Module) uint32 { return m.Import("writ1", "log", "iii", "i") }
	cases := map[string]func(m *w.Module) [][]byte{
		"loop": func(m *w.Module) [][]byte { return [][]byte{w.Loop(), w.I32(0)} },
		"loop in the start function": func(m *w.Module) [][]byte {
			m.Start(m.Func("", "", "", w.Loop()))
			return [][]byte{w.I32(0)}
		},
		"loop in init": func(m *w.Module) [][]byte {
			m.Func("_initialize", "", "", w.Loop())
			return [][]byte{w.I32(0)}
		},
		"loop of host calls": func(m *w.Module) [][]byte {
			f := log(m)
			return [][]byte{w.Loop(w.I32(9), w.I32(0), w.I32(0), w.Call(f), w.Drop()), w.I32(0)}
		},
		"poll for an hour": func(m *w.Module) [][]byte {
			poll := m.Import("wasi_snapshot_preview1", "poll_oneoff", "iiii", "i")
			m.Data(16, []byte{1, 0, 0, 0})                                  // monotonic clock
			m.Data(24, []byte{0, 0xa0, 0xb8, 0x30, 0x46, 0x03, 0x00, 0x00}) // one hour
			return [][]byte{w.I32(0), w.I32(100), w.I32(1), w.I32(200), w.Call(poll)}
		},
		"wait for an hour": func(m *w.Module) [][]byte {
			wait := m.Import("writ1", "op_wait", "iiI", "i")
			return [][]byte{w.I32(0), w.I32(0), w.I64(3_600_000), w.Call(wait)}
		},
		"wait for longer than there are nanoseconds": func(m *w.Module) [][]byte {
			wait := m.Import("writ1", "op_wait", "iiI", "i")
			return [][]byte{w.I32(0), w.I32(0), w.I64(1<<63 - 1), w.Call(wait)}
		},
		"loop of yields": func(m *w.Module) [][]byte {
			yield := m.Import("wasi_snapshot_preview1", "sched_yield", "", "i")
			return [][]byte{w.Loop(w.Call(yield), w.Drop()), w.I32(0)}
		},
	}
	for name, define := range cases {
		t.Run(name, func(t *testing.T) {
			limits := soon()
			limits.HostCalls = 1 << 40
			out := compile(t, guest(define)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
			wantFault(t, out, sandbox.FaultDeadline, "the servlet did not answer within 50ms")
		})
	}
	t.Run("sleep in Go", func(t *testing.T) {
		call := ask{Do: "sleep", N: 3_600_000}.call(nil)
		call.Limits.Wall = 200 * time.Millisecond
		wantFault(t, probe(t).Run(t.Context(), call), sandbox.FaultDeadline, "the servlet did not answer within 200ms")
	})
}

func TestHostCallBudget(t *testing.T) {
	cases := map[string][]byte{
		"log":         w.Code(w.I32(0), w.I32(0), w.I32(0), w.Call(0)),
		"clock":       w.Code(w.I32(0), w.I64(0), w.I32(0), w.Call(1)),
		"random data": w.Code(w.I32(0), w.I32(8), w.Call(2)),
	}
	for name, body := range cases {
		code := compile(t, guest(func(m *w.Module) [][]byte {
			m.Import("writ1", "log", "iii", "i")
			m.Import("wasi_snapshot_preview1", "clock_time_get", "iIi", "i")
			m.Import("wasi_snapshot_preview1", "random_get", "ii", "i")
			return [][]byte{w.Loop(body, w.Drop()), w.I32(0)}
		}))
		limits := enough()
		limits.HostCalls = 1000
		t.Run(name, func(t *testing.T) {
			wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultLimit, "the servlet made more than 1000 host calls")
		})
	}
}

// A gigabyte of randomness is not one cheap call.
func TestRandomIsCharged(t *testing.T) {
	code := compile(t, guest(func(m *w.Module) [][]byte {
		random := m.Import("wasi_snapshot_preview1", "random_get", "ii", "i")
		return [][]byte{w.I32(160), w.Grow(), w.Drop(), w.I32(0), w.I32(10 << 20), w.Call(random)}
	}))
	limits := enough()
	limits.HostCalls = 100
	wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultLimit, "the servlet made more than 100 host calls")
	limits.HostCalls = 160 // the control: ten megabytes are 160 pieces
	wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultABI, "servlet_call returned without an output")
}

// grower asks for pages and answers what memory.grow said.
func grower(pages int32) []byte {
	return guest(func(m *w.Module) [][]byte {
		write := m.Import("writ1", "output_write", "ii", "i")
		return [][]byte{w.I32(0), w.I32(pages), w.Grow(), w.Store32(), w.I32(0), w.I32(4), w.Call(write), w.Drop(), w.I32(0)}
	})
}

func TestMemoryLimit(t *testing.T) {
	limits := enough()
	limits.Memory = 2 << 20 // 32 pages
	for pages, want := range map[int32][]byte{0: {1, 0, 0, 0}, 31: {1, 0, 0, 0}, 32: {255, 255, 255, 255}, 65_535: {255, 255, 255, 255}, -1: {255, 255, 255, 255}} {
		out := compile(t, grower(pages)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
		if out.Fault != nil || !bytes.Equal(out.Output, want) {
			t.Errorf("%d more pages: %v, fault %v; want %v", pages, out.Output, out.Fault, want)
		}
		if out.Memory > limits.Memory {
			t.Errorf("%d bytes of memory at the end", out.Memory)
		}
	}
	t.Run("a minimum above it", func(t *testing.T) {
		m := &w.Module{}
		m.Memory(w.AtLeast(48))
		m.Func("servlet_call", "", "i", w.I32(1))
		out := compile(t, m.Bytes()).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
		wantFault(t, out, sandbox.FaultLimit, "the servlet needs 3 MiB of memory to start; 2 MiB are granted")
	})
}

// A Go program that runs out of memory ends itself; its caller is told the limit.
func TestMemoryLimitOfGo(t *testing.T) {
	call := ask{Do: "grow", N: 100}.call(nil)
	call.Limits.Memory = 32 << 20
	wantFault(t, probe(t).Run(t.Context(), call), sandbox.FaultLimit, "the servlet ended after it wanted more than the 32 MiB of memory that are granted")
	call.Limits.Memory = 256 << 20 // the control
	if n := answer[int](t, probe(t), call); n != 100 {
		t.Errorf("kept %d", n)
	}
}

func TestMemoryLimitInParallel(t *testing.T) {
	code := compile(t, grower(15))
	limits := enough()
	limits.Memory = 1 << 20
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}); out.Fault != nil || out.Memory != 1<<20 {
				t.Errorf("memory %d, fault %v", out.Memory, out.Fault)
			}
		})
	}
	group.Wait()
}

// table.grow takes host memory that no memory limit counts: 62 bytes of it took 9 GiB. The gate's
// maximum stops it; a table may still grow up to there.
func TestTableGrowBomb(t *testing.T) {
	grow := func(n int32) []byte {
		return guest(func(m *w.Module) [][]byte {
			write := m.Import("writ1", "output_write", "ii", "i")
			m.Table(w.AtLeast(1))
			return [][]byte{w.I32(0), w.Op(0xd0, []byte{0x70}), w.I32(n), w.Op(0xfc, w.U32(15), w.U32(0)), w.Store32(),
				w.I32(0), w.I32(4), w.Call(write), w.Drop(), w.I32(0)}
		})
	}
	for n, want := range map[int32][]byte{65_535: {1, 0, 0, 0}, 65_536: {255, 255, 255, 255}, 1 << 27: {255, 255, 255, 255}} {
		out := compile(t, grow(n)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
		if out.Fault != nil || !bytes.Equal(out.Output, want) {
			t.Errorf("table.grow by %d: %v, fault %v; want %v", n, out.Output, out.Fault, want)
		}
	}
}

// ref.func would take host memory that no memory limit counts, 40 bytes each time. A guest that executes
// nothing else runs into its deadline, and the host's heap is as it was.
func TestReferenceBomb(t *testing.T) {
	bomb := compile(t, guest(func(m *w.Module) [][]byte {
		f := m.Func("", "", "")
		m.Elements([]byte{1, 3, 0, 1, byte(f)})
		return [][]byte{w.Loop(w.Op(0xd2, w.U32(f)), w.Drop()), w.I32(0)}
	}))
	limits := soon()
	limits.Wall = 500 * time.Millisecond
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	wantFault(t, bomb.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultDeadline, "the servlet did not answer within 500ms")
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d MiB were allocated", took>>20)
	}
}

func TestOutputLimit(t *testing.T) {
	code := probe(t)
	call := ask{Do: "output", N: 100}.call(nil)
	call.Limits.Output = 64 << 10
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultLimit, "the result is larger than the 64 KiB that are granted")
	// A guest that looks at the code can say it in its own words.
	call = ask{Do: "output", N: 100, Text: "too much weather"}.call(nil)
	call.Limits.Output = 64 << 10
	wantFault(t, code.Run(t.Context(), call), sandbox.FaultTool, "too much weather: -4")
}

// One region written a million times over by a list of iovecs is refused before a byte is copied.
func TestIovecBomb(t *testing.T) {
	for count, want := range map[int32]byte{1: 0, 1024: 0, 1025: 28, 1_000_000: 28} {
		code := compile(t, guest(func(m *w.Module) [][]byte {
			fdWrite := m.Import("wasi_snapshot_preview1", "fd_write", "iiii", "i")
			output := m.Import("writ1", "output_write", "ii", "i")
			m.Data(0, []byte{0, 0, 1, 0, 0, 0, 1, 0}) // the first: 64 KiB at 64 KiB
			return [][]byte{w.I32(160), w.Grow(), w.Drop(),
				w.I32(0), w.I32(1), w.I32(0), w.I32(count), w.I32(4096 * 4), w.Call(fdWrite), w.Store32(),
				w.I32(0), w.I32(1), w.Call(output), w.Drop(), w.I32(0)}
		}))
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
		if out.Fault != nil || len(out.Output) != 1 || out.Output[0] != want {
			t.Errorf("%d iovecs: errno %v, fault %v; want %d", count, out.Output, out.Fault, want)
		}
	}
}

// Thirty megabytes in one log message, and in one line of standard output, cost their caps.
func TestLogBomb(t *testing.T) {
	const n = 30 << 20
	for name, body := range map[string][]byte{
		"one message":     w.Code(w.I32(1), w.I32(0), w.I32(n), w.Call(0)),
		"standard output": w.Code(w.I32(1), w.I32(65_600), w.I32(1), w.I32(65_700), w.Call(1)),
	} {
		for fill, what := range map[int32]string{'x': "a line", '\n': "line ends"} {
			t.Run(name+" of "+what, func(t *testing.T) {
				code := compile(t, guest(func(m *w.Module) [][]byte {
					m.Import("writ1", "log", "iii", "i")
					m.Import("wasi_snapshot_preview1", "fd_write", "iiii", "i")
					iovec := []byte{0, 0, 0, 0, n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff, n >> 24 & 0xff}
					fillAll := w.Code(w.I32(0), w.I32(fill), w.I32(n), w.Op(0xfc, w.U32(11), []byte{0}))
					restore := w.Code()
					for i, b := range iovec {
						restore = w.Code(restore, w.I32(int32(65_600+i)), w.I32(int32(b)), w.Op(0x3a, []byte{0, 0}))
					}
					return [][]byte{w.I32(500), w.Grow(), w.Drop(), fillAll, restore, body, w.Drop(), w.I32(1)}
				}))
				out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
				wantFault(t, out, sandbox.FaultTool, "the servlet failed without a reason")
				total := 0
				for _, l := range out.Logs {
					total += len(l.Text)
				}
				if total > 64<<10 || out.Dropped < n-128<<10 {
					t.Errorf("%d bytes kept, %d dropped", total, out.Dropped)
				}
			})
		}
	}
}

// panicky is a Host whose every method but Preopens panics.
type panicky struct{ sandbox.Host }

func (panicky) Preopens() []effect.Preopen {
	return []effect.Preopen{{Handle: effect.FirstHandle, Guest: "/data"}}
}

// A panic in the host's own code fails the call it happened in: the process lives, and what the panic
// says goes to the operator's log only.
func TestHostPanicIsContained(t *testing.T) {
	const path, iovec = 100, 104 // in memory: "f", and one byte at 0
	one := func(name string, args ...[]byte) []byte {
		return guest(func(m *w.Module) [][]byte {
			var index uint32
			for _, f := range sandbox.Functions() {
				if f.Name == name {
					index = m.Import(f.Module, f.Name, f.Params, result(f))
				}
			}
			m.Data(path, []byte("f"))
			m.Data(iovec, []byte{0, 0, 0, 0, 1, 0, 0, 0})
			return append(append([][]byte{}, args...), w.Call(index))
		})
	}
	i := func(v int32) []byte { return w.I32(v) }
	modules := map[string][]byte{
		"Config":   one("config_get", i(path), i(1), i(0), i(0)),
		"Open":     one("path_open", i(3), i(0), i(path), i(1), i(0), w.I64(2), w.I64(0), i(0), i(0)),
		"Close":    one("fd_close", i(3)),
		"Read":     one("fd_read", i(3), i(iovec), i(1), i(0)),
		"Write":    one("fd_write", i(3), i(iovec), i(1), i(0)),
		"Stat":     one("fd_filestat_get", i(3), i(0)),
		"StatAt":   one("path_filestat_get", i(3), i(0), i(path), i(1), i(200)),
		"ReadDir":  one("fd_readdir", i(3), i(0), i(64), w.I64(0), i(200)),
		"ReadLink": one("path_readlink", i(3), i(path), i(1), i(0), i(9), i(200)),
		"Mkdir":    one("path_create_directory", i(3), i(path), i(1)),
		"Rmdir":    one("path_remove_directory", i(3), i(path), i(1)),
		"Unlink":   one("path_unlink_file", i(3), i(path), i(1)),
		"Rename":   one("path_rename", i(3), i(path), i(1), i(3), i(path), i(1)),
		"SetSize":  one("fd_filestat_set_size", i(3), w.I64(0)),
		"SetTimes": one("fd_filestat_set_times", i(3), w.I64(0), w.I64(0), i(1)),
		"Sync":     one("fd_sync", i(3)),
	}
	for method, module := range modules {
		t.Run(method, func(t *testing.T) {
			out := compile(t, module).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: panicky{}, Limits: enough()})
			wantFault(t, out, sandbox.FaultHost, "the host failed while it served the call")
		})
	}
	t.Run("Fetch", func(t *testing.T) {
		wantFault(t, probe(t).Run(t.Context(), ask{Do: "fetch", List: []string{request}}.call(panicky{})), sandbox.FaultHost, "the host failed while it served the call")
	})
	t.Run("Fetch, whose answer nobody waits for", func(t *testing.T) {
		code := compile(t, guest(func(m *w.Module) [][]byte {
			start := m.Import("writ1", "http_start", "iiii", "i")
			write := m.Import("writ1", "output_write", "ii", "i")
			m.Data(0, []byte(request))
			return [][]byte{i(0), i(int32(len(request))), i(0), i(0), w.Call(start), w.Drop(), i(0), i(2), w.Call(write), w.Drop(), i(0)}
		}))
		wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: panicky{}, Limits: enough()}), sandbox.FaultHost, "the host failed while it served the call")
	})
	t.Run("Preopens", func(t *testing.T) {
		wantFault(t, probe(t).Run(t.Context(), ask{Do: "echo"}.call(struct{ sandbox.Host }{})), sandbox.FaultHost, "the host failed while it served the call")
	})
	t.Run("Progress", func(t *testing.T) {
		call := ask{Do: "report", N: 1}.call(nil)
		call.Progress = func(float64, float64, string) { panic("canary") }
		wantFault(t, probe(t).Run(t.Context(), call), sandbox.FaultHost, "the host failed while it served the call")
	})
}

// Whatever a call started has ended when Run returns, also when the guest did not wait for it.
func TestRunLeavesNoGoroutine(t *testing.T) {
	code := compile(t, guest(func(m *w.Module) [][]byte {
		start := m.Import("writ1", "http_start", "iiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(0, []byte(request))
		var body [][]byte
		for range 10 {
			body = append(body, w.I32(0), w.I32(int32(len(request))), w.I32(0), w.I32(0), w.Call(start), w.Drop())
		}
		return append(body, w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0))
	}))
	ended := make(chan struct{}, 64)
	host := newMemory()
	host.fetch = func(ctx context.Context, _ effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		<-ctx.Done()
		ended <- struct{}{}
		return effect.HTTPResponse{}, &effect.Error{Code: effect.Cancelled, Text: "cancelled"}
	}
	before := runtime.NumGoroutine()
	for range 5 {
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: host, Limits: enough()})
		if out.Fault != nil || len(ended) != 10 {
			t.Errorf("fault %v; %d of 10 operations had ended when Run returned", out.Fault, len(ended))
		}
		for len(ended) > 0 {
			<-ended
		}
	}
	// The runtime's own watcher goroutines end a moment after their call.
	for i := 0; runtime.NumGoroutine() > before; i++ {
		if i == 10_000 {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

// However a call ends, its memory is free again: 400 calls of a megabyte each leave no trace.
func TestRunKeepsNoMemory(t *testing.T) {
	ends := map[string]func(m *w.Module, exit uint32) [][]byte{
		"trap":     func(*w.Module, uint32) [][]byte { return [][]byte{w.Unreachable()} },
		"exit":     func(_ *w.Module, exit uint32) [][]byte { return [][]byte{w.I32(0), w.Call(exit), w.I32(0)} },
		"error":    func(*w.Module, uint32) [][]byte { return [][]byte{w.I32(1)} },
		"deadline": func(*w.Module, uint32) [][]byte { return [][]byte{w.Loop(), w.I32(0)} },
		"trap in start": func(m *w.Module, _ uint32) [][]byte {
			m.Start(m.Func("", "", "", w.Unreachable()))
			return [][]byte{w.I32(0)}
		},
	}
	limits := enough()
	limits.Wall = 2 * time.Millisecond
	heap := func() uint64 {
		runtime.GC()
		runtime.GC() // what finalizers held goes with the second
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for name, define := range ends {
		m := &w.Module{}
		body := define(m, m.Import("wasi_snapshot_preview1", "proc_exit", "i", ""))
		m.Memory(w.AtLeast(16))
		m.Func("servlet_call", "", "i", body...)
		code := compile(t, m.Bytes())
		before := heap()
		for range 400 {
			if out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}); out.Fault == nil {
				t.Fatalf("%s: no fault", name)
			}
		}
		if after := heap(); after > before+32<<20 {
			t.Errorf("%s: the heap grew by %d MiB", name, (after-before)>>20)
		}
	}
}
