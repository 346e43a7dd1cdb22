package sandbox_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

// occupied is what this process has of a kind of memory, bytes, without garbage: "Pss:" counts what
// processes share in proportion, "Rss:" in full.
func occupied(b *testing.B, kind string) float64 {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		b.Skip(err) // another system
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if _, err := fmt.Sscanf(line, kind+" %f kB", &kb); err == nil {
			return kb * 1024
		}
	}
	b.Fatal("the system does not say")
	return 0
}

// BenchmarkLive is what one more live instance of a Go servlet takes, from the 100th to the 200th: hot
// right after a call, idle when it waited for a while.
func BenchmarkLive(b *testing.B) {
	for name, idle := range map[string]bool{"hot": false, "idle": true} {
		b.Run(name, func(b *testing.B) {
			code := compileWith(b, newEngine(b, sandbox.Config{}), guests.Build(b, "plain"))
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
			for b.Loop() {
				endFirst, err := code.Live(b.Context(), 100, call, idle)
				if err != nil {
					b.Fatal(err)
				}
				before := occupied(b, "Pss:")
				endSecond, err := code.Live(b.Context(), 100, call, idle)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric((occupied(b, "Pss:")-before)/100/1000, "KB/instance")
				endFirst()
				endSecond()
			}
		})
	}
}

// script is a servlet of the engine that scripts share, all of them: the same code, and half a megabyte of
// its own data.
func script(i int) []byte {
	m := &w.Module{}
	write := m.Import("writ1", "output_write", "ii", "i")
	m.Memory(w.Range(24, 100))
	m.Data(0, fmt.Appendf(nil, "%08d", i))
	m.Data(64<<10, bytes.Repeat(fmt.Appendf(nil, "%08d", i), 64<<10))
	// It writes to 40 pages, as a script engine does in a small call.
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
		[]byte{0x03, 0x40}, w.Get(0), w.Get(0), w.Op(0x36, []byte{2}, w.U32(64<<10)), w.Get(0), w.I32(4096), w.Add(), w.Op(0x22, w.U32(0)), w.I32(40*4096), w.Op(0x49), []byte{0x0d, 0, 0x0b},
		w.I32(0), w.I32(8), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// load makes servlet i of an engine and calls it.
func load(tb testing.TB, engine *sandbox.Engine, i int) *sandbox.Code {
	tb.Helper()
	code := compileWith(tb, engine, script(i))
	call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
	for range 2 {
		if out := code.Run(tb.Context(), call); out.Fault != nil || string(out.Output) != fmt.Sprintf("%08d", i) {
			tb.Fatalf("script %d: output %s, fault %v", i, out.Output, out.Fault)
		}
	}
	return code
}

// However many servlets have the same code: it is compiled once, and each runs with its own data.
func TestManyServletsShareOneCompilation(t *testing.T) {
	engine := newEngine(t, sandbox.Config{})
	for i := range 50 {
		load(t, engine, i)
		if n := engine.Machines(); n != 1 {
			t.Fatalf("%d compilations of %d servlets", n, i+1)
		}
	}
}

// Near the limit of all memory the instances that wait longest are given up, and no others.
func TestOldestInstancesMakeRoom(t *testing.T) {
	const limit = 32 << 20
	engine := newEngine(t, sandbox.Config{MaxMemory: limit})
	var codes []*sandbox.Code
	for i := range 24 {
		codes = append(codes, load(t, engine, i))
		if used := engine.Used(); used > limit/4*3 {
			t.Errorf("%d bytes are used after %d servlets", used, i+1)
		}
	}
	waiting := 0
	for i, code := range codes {
		n, differs := code.Waiting()
		if differs != "" || n < waiting {
			t.Errorf("servlet %d: %d instances wait, of an older one %d; %s", i, n, waiting, differs)
		}
		waiting = n
	}
	if first, _ := codes[0].Waiting(); first != 0 || waiting != 1 {
		t.Errorf("%d instances of the first servlet wait, %d of the last", first, waiting)
	}
}

// BenchmarkShared is what one more of 200 servlets takes that share their code, each after two calls.
func BenchmarkShared(b *testing.B) {
	for b.Loop() {
		engine := newEngine(b, sandbox.Config{})
		for i := range 100 {
			load(b, engine, i)
		}
		before := occupied(b, "Rss:")
		for i := range 100 {
			load(b, engine, 100+i)
		}
		b.ReportMetric((occupied(b, "Rss:")-before)/100/1000, "KB/servlet")
	}
}
