package sandbox_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// A Go program that does all sorts of things, on all rungs, from two goroutines: what waits for the next
// call is the image, byte for byte.
func TestWaitingInstancesAreTheImage(t *testing.T) {
	for name, cfg := range ladders {
		if cfg.Best == sandbox.RungPlain {
			continue
		}
		t.Run(name, func(t *testing.T) {
			code := compileWith(t, newEngine(t, cfg), guests.Build(t, "probe"))
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					asks := []ask{{Do: "count"}, {Do: "grow", N: 3}, {Do: "random"}, {Do: "panic"}, {Do: "exit"}, {Do: "log", Text: "x"}, {Do: "dump"}, {Do: "output", N: 5}, {Do: "fail", Text: "no"}}
					for range 60 {
						code.Run(t.Context(), asks[rand.IntN(len(asks))].call(nil))
						if n := answer[int](t, code, ask{Do: "count"}.call(nil)); n != 1 {
							t.Errorf("call number %d in one instance", n)
						}
					}
				})
			}
			group.Wait()
			n, differs := code.Waiting()
			if n == 0 || differs != "" {
				t.Errorf("%d instances wait; %s", n, differs)
			}
		})
	}
}

// The instance of a call that did not end with an answer is not used again.
func TestDiscard(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), thief(false))
	if err := code.Prepare(t.Context(), nil, 8<<20); err != nil {
		t.Fatal(err)
	}
	for _, do := range []byte{trap, spin, exit, recurse, grow | trap} {
		code.Run(t.Context(), order(do, 1))
		if n, differs := code.Waiting(); n != 0 || differs != "" {
			t.Errorf("after %b: %d instances wait; %s", do, n, differs)
		}
	}
	code.Run(t.Context(), order(grow, 1)) // the control: an answer, also one after memory.grow
	if n, differs := code.Waiting(); n != 1 || differs != "" {
		t.Errorf("after an answer: %d instances wait; %s", n, differs)
	}
}

// Fuel is the same for the same work, whatever the rung and however often, and a budget ends a guest at
// the same unit.
func TestFuel(t *testing.T) {
	var want uint64
	for name, cfg := range ladders {
		code := compileWith(t, newEngine(t, cfg), thief(false))
		for range 3 {
			out := code.Run(t.Context(), order(scan, 7))
			if want == 0 {
				want = out.Fuel
			}
			if out.Fault != nil || out.Fuel != want || want < 2*65536/8 {
				t.Errorf("%s: %d units, want %d; fault %v", name, out.Fuel, want, out.Fault)
			}
		}
	}
	// However the work is cut into steps: a budget that is barely enough, or ends a step early.
	stepped := compile(t, thief(false))
	for _, budget := range []uint64{want + 1, want + 1000, 2 * want, 1 << 40} {
		call := order(scan, 7)
		call.Limits.Fuel = budget
		if out := stepped.Run(t.Context(), call); out.Fault != nil || out.Fuel != want {
			t.Errorf("with a budget of %d: %d units, want %d; fault %v", budget, out.Fuel, want, out.Fault)
		}
	}
	code := compile(t, guest(func(m *w.Module) [][]byte { return [][]byte{w.Loop(), w.I32(0)} }))
	limits := enough()
	limits.Fuel = 1_000_000
	for range 3 {
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
		wantFault(t, out, sandbox.FaultLimit, "the servlet used up the 1000000 units of fuel that are granted")
		if out.Fuel < limits.Fuel || out.Fuel > limits.Fuel+100 {
			t.Errorf("%d units", out.Fuel)
		}
	}
}

// endless are guests that no runtime's own check stops: recursion as wide as it is deep, straight chains
// of bulk operations, tables.
func endless() map[string]func(m *w.Module) [][]byte {
	const many = 200
	repeat := func(body []byte) []byte { return bytes.Repeat(body, many) }
	return map[string]func(m *w.Module) [][]byte{
		"exponential call tree": func(m *w.Module) [][]byte {
			f := m.Func("", "", "", w.Code())
			for range 45 {
				f = m.Func("", "", "", w.Call(f), w.Call(f))
			}
			return [][]byte{w.Call(f), w.I32(0)}
		},
		"chain of memory.fill": func(m *w.Module) [][]byte {
			f := m.Func("", "", "", repeat(w.Code(w.I32(0), w.I32(1), w.I32(48<<20), w.Op(0xfc, w.U32(11), []byte{0}))))
			g := m.Func("", "", "", repeat(w.Call(f)))
			return [][]byte{w.I32(800), w.Grow(), w.Drop(), w.Call(g), w.I32(0)}
		},
		"chain of memory.copy": func(m *w.Module) [][]byte {
			f := m.Func("", "", "", repeat(w.Code(w.I32(0), w.I32(8), w.I32(48<<20), w.Op(0xfc, w.U32(10), []byte{0, 0}))))
			g := m.Func("", "", "", repeat(w.Call(f)))
			return [][]byte{w.I32(800), w.Grow(), w.Drop(), w.Call(g), w.I32(0)}
		},
		"chain of table.fill": func(m *w.Module) [][]byte {
			m.Table(w.Range(65_536, 65_536))
			f := m.Func("", "", "", repeat(w.Code(w.I32(0), w.Op(0xd0, []byte{0x70}), w.I32(65_536), w.Op(0xfc, w.U32(17), []byte{0}))))
			g := m.Func("", "", "", repeat(w.Call(f)))
			h := m.Func("", "", "", repeat(w.Call(g)))
			return [][]byte{w.Call(h), w.I32(0)}
		},
		"memory.grow in a loop": func(m *w.Module) [][]byte { return [][]byte{w.Loop(w.I32(1), w.Grow(), w.Drop()), w.I32(0)} },
		"mutual recursion in a loop": func(m *w.Module) [][]byte {
			f := m.Func("", "i", "", w.Get(0), w.If(w.Get(0), w.I32(1), w.Op(0x6b), w.Call(0)))
			return [][]byte{w.Loop(w.I32(10_000), w.Call(f)), w.I32(0)}
		},
	}
}

// Each ends at its deadline.
func TestDeadlineOfEveryShape(t *testing.T) {
	for name, define := range endless() {
		t.Run(name, func(t *testing.T) {
			out := compile(t, guest(define)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: soon()})
			wantFault(t, out, sandbox.FaultDeadline, "the servlet did not answer within 50ms")
			if over := out.Wall - 50*time.Millisecond; over > 2*time.Second {
				t.Errorf("ended %v after its deadline", over)
			}
		})
	}
}

// While guests compute on every processor, the host's garbage collector does its work: the guests end
// only after it did.
func TestGuestsDoNotFreezeTheHost(t *testing.T) {
	code := compile(t, guest(func(m *w.Module) [][]byte { return [][]byte{w.Loop(), w.I32(0)} }))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			limits := enough()
			limits.Wall = time.Hour
			wantFault(t, code.Run(ctx, sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultCancelled, "the call was cancelled")
		})
	}
	start := time.Now()
	for range 3 {
		runtime.GC()
	}
	t.Logf("one collection took %v", time.Since(start)/3)
	cancel()
	group.Wait()
}

// All instances together stay below Config.MaxMemory; what waits is given up for what runs, and a call
// that finds no memory is told so.
func TestTotalMemory(t *testing.T) {
	engine := newEngine(t, sandbox.Config{MaxMemory: 16 << 20})
	waiting := compileWith(t, engine, thief(false))
	waiting.Run(t.Context(), order(grow, 1))
	if n, _ := waiting.Waiting(); n != 1 {
		t.Fatalf("%d instances wait", n)
	}
	hungry := compileWith(t, engine, guest(func(m *w.Module) [][]byte {
		return [][]byte{w.I32(200), w.Grow(), w.I32(-1), w.Op(0x46), w.If(w.Unreachable()), w.I32(1)}
	}))
	for range 3 {
		wantFault(t, hungry.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}), sandbox.FaultTool, "the servlet failed without a reason")
	}
	gone := compileWith(t, engine, guest(func(m *w.Module) [][]byte {
		return [][]byte{w.I32(300), w.Grow(), w.I32(-1), w.Op(0x46), w.If(w.Unreachable()), w.I32(1)}
	}))
	wantFault(t, gone.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}), sandbox.FaultLimit,
		"the memory that all servlets of this host may use together is used up; try again later")
}

// Servlets whose code is equal share one compilation; each has its own data and image.
func TestSharedCompilation(t *testing.T) {
	engine := newEngine(t, sandbox.Config{})
	say := func(text string) *sandbox.Code {
		return compileWith(t, engine, guest(func(m *w.Module) [][]byte {
			write := m.Import("writ1", "output_write", "ii", "i")
			m.Data(0, []byte(text))
			return [][]byte{w.I32(0), w.I32(5), w.Call(write), w.Drop(), w.I32(0)}
		}))
	}
	one, two := say("first"), say("other")
	if n := engine.Machines(); n != 1 {
		t.Errorf("%d compilations", n)
	}
	for range 3 {
		for code, want := range map[*sandbox.Code]string{one: "first", two: "other"} {
			if out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}); string(out.Output) != want {
				t.Errorf("output %s, fault %v, want %s", out.Output, out.Fault, want)
			}
		}
	}
	if err := one.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if out := two.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}); string(out.Output) != "other" || engine.Machines() != 1 {
		t.Errorf("output %s, fault %v", out.Output, out.Fault)
	}
	if err := two.Close(t.Context()); err != nil || engine.Machines() != 0 {
		t.Errorf("%d compilations are kept, %v", engine.Machines(), err)
	}
}

// An instance that waits for a while gives back what it keeps in memory for speed, and is as good as
// before; one that waits for long is given up.
func TestIdleInstances(t *testing.T) {
	for name, cfg := range ladders {
		if cfg.Best == sandbox.RungPlain {
			continue
		}
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, cfg)
			code := compileWith(t, engine, guests.Build(t, "seeds"))
			fresh := func() uint64 { return drawSeeds(t, code, 1)[0].Fixed }
			want := fresh()
			code.Waiting()
			engine.SweepAt(time.Now().Add(20 * time.Second))
			if n, differs := code.Waiting(); n != 1 || differs != "" {
				t.Errorf("%d instances wait; %s", n, differs)
			}
			if got := fresh(); got != want {
				t.Errorf("drew %d, want %d", got, want)
			}
			code.Waiting()
			engine.SweepAt(time.Now().Add(2 * time.Minute))
			if n, _ := code.Waiting(); n != 0 {
				t.Errorf("%d instances still wait", n)
			}
			if got := fresh(); got != want {
				t.Errorf("drew %d, want %d", got, want)
			}
		})
	}
}

// An image that holds randomness is taken again after so many calls; calls go on meanwhile, and later
// ones have the new one.
func TestImageIsTakenAgain(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), guests.Build(t, "seeds"))
	before := drawSeeds(t, code, 1)[0].Pool
	code.Age()
	for range 10_000 {
		if after := drawSeeds(t, code, 1)[0].Pool; after != before {
			if n, differs := code.Waiting(); differs != "" {
				t.Errorf("%d instances wait; %s", n, differs)
			}
			return
		}
	}
	t.Error("the image stayed the same")
}
