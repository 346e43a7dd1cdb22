package sandbox_test

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// What the thief of thief does in one call, as bits of its input's first byte.
const (
	scan    = 1 << iota // look for the canary in all that a guest can reach
	grow                // take two more pages first
	trap                // crash at the end
	spin                // never end
	exit                // leave by proc_exit
	recurse             // fill the stack with the canary
)

// thief hides a canary everywhere it can, or scans everything it can reach for one: each eight bytes of
// memory, its global and, with a table, whether an entry that it empties is filled. It answers the hits.
func thief(table bool) []byte {
	m := &w.Module{}
	inputRead := m.Import("writ1", "input_read", "iii", "i")
	outputWrite := m.Import("writ1", "output_write", "ii", "i")
	log := m.Import("writ1", "log", "iii", "i")
	exitWith := m.Import("wasi_snapshot_preview1", "proc_exit", "i", "")
	m.Memory(w.Range(2, 100))
	hidden := m.Global(0)
	m.Data(65536+100, []byte("the image is not all zeros"))
	globalGet, globalSet := w.Op(0x23, w.U32(hidden)), w.Op(0x24, w.U32(hidden))
	emptied := w.Code()
	var filled []byte
	if table {
		m.Table(w.Range(2, 2))
		m.Elements([]byte{1, 0, 0x41, 0, 0x0b, 1, 0}) // entry 0 is function 0
		emptied = w.Code(w.I32(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, w.U32(0)))
		filled = w.Code(w.I32(0), w.Op(0x25, w.U32(0)), w.Op(0xd1)) // 1 when it is still empty
	} else {
		filled = w.I32(0)
	}
	deep := m.FuncLocals("", "I", "", []byte{1, 4, 0x7e}, // keeps the canary in four locals of each frame
		w.Get(0), w.Set(1), w.Get(0), w.Set(2), w.Get(0), w.Set(3), w.Get(0), w.Set(4),
		w.Get(1), w.Call(4), w.Get(2), w.Drop(), w.Get(3), w.Drop(), w.Get(4), w.Drop())
	const canary, at, hits, do, end = 0, 1, 2, 3, 4
	set := func(bit int32) []byte { return w.Code(w.Get(do), w.I32(bit), w.Op(0x71)) }
	limit := w.Code(w.Op(0x3f, []byte{0}), w.I32(65536), w.Op(0x6c), w.I32(8), w.Op(0x6b), w.Set(end))
	upTo := func(step int32, body ...[]byte) []byte { // for at := 32; at < end; at += step
		return w.Code(w.I32(32), w.Set(at), []byte{0x03, 0x40}, w.Code(body...),
			w.Get(at), w.I32(step), w.Op(0x6a), w.Op(0x22, w.U32(at)), w.Get(end), w.Op(0x49), []byte{0x0d, 0, 0x0b})
	}
	hit := func(test ...[]byte) []byte {
		return w.Code(w.Code(test...), w.If(w.Get(hits), w.I32(1), w.Op(0x6a), w.Set(hits)))
	}
	m.FuncLocals("servlet_call", "", "i", []byte{2, 1, 0x7e, 4, 0x7f},
		w.I32(0), w.I32(16), w.I32(0), w.Call(inputRead), w.Drop(),
		w.I32(0), w.Load32(), w.Set(do), w.I32(8), w.Load64(), w.Set(canary),
		w.I32(0), w.I64(0), w.Store64(), w.I32(8), w.I64(0), w.Store64(), // the input is no residue
		set(grow), w.If(w.I32(2), w.Grow(), w.Drop()),
		limit,
		set(scan), w.If(
			upTo(8, hit(w.Get(at), w.Load64(), w.Get(canary), w.Op(0x51))),
			hit(globalGet, w.Get(canary), w.Op(0x51)),
			hit(filled),
			w.I32(16), w.Get(hits), w.Store32(), w.I32(16), w.I32(4), w.Call(outputWrite), w.Drop(), w.I32(0), w.Return()),
		upTo(1024, w.Get(at), w.Get(canary), w.Store64()),
		w.Get(canary), globalSet, emptied,
		w.I32(1), w.I32(32), w.I32(8), w.Call(log), w.Drop(),
		set(recurse), w.If(w.Get(canary), w.Call(deep)),
		set(trap), w.If(w.Unreachable()),
		set(spin), w.If(w.Loop()),
		set(exit), w.If(w.I32(0), w.Call(exitWith)),
		w.I32(32), w.I32(8), w.Call(outputWrite), w.Drop(), w.I32(0))
	return m.Bytes()
}

// order is a call of the thief.
func order(do byte, canary uint64) sandbox.Call {
	input := make([]byte, 16)
	input[0] = do
	binary.LittleEndian.PutUint64(input[8:], canary)
	limits := enough()
	if do&spin != 0 {
		limits.Wall = time.Millisecond
	}
	return sandbox.Call{Entry: sandbox.EntryCall, Input: input, Limits: limits}
}

// loot is how often a scan found the canary.
func loot(out sandbox.Outcome) (uint32, error) {
	if out.Fault != nil || len(out.Output) != 4 {
		return 0, fmt.Errorf("scan: %v, output %x", out.Fault, out.Output)
	}
	return binary.LittleEndian.Uint32(out.Output), nil
}

// ladders are all ways to a fresh instance that can be had here.
var ladders = map[string]sandbox.Config{
	"reset":             {},
	"reset/whole":       {Method: image.Whole},
	"reset/portable":    {Method: image.Portable},
	"instance":          {Best: sandbox.RungInstance},
	"instance/portable": {Best: sandbox.RungInstance, Method: image.Portable},
	"plain":             {Best: sandbox.RungPlain},
}

// Nothing of a call is left for the next one, on any rung, however the call ended, on one goroutine or
// on two: memory, grown memory, globals, tables, logs.
func TestZeroResidue(t *testing.T) {
	for name, cfg := range ladders {
		for _, table := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/table=%v", name, table), func(t *testing.T) {
				code := compileWith(t, newEngine(t, cfg), thief(table))
				ends := []byte{0, grow, grow, trap, exit, recurse, 0, grow | trap, grow | exit, spin, recurse | trap}
				var group sync.WaitGroup
				for thread := range 2 {
					group.Go(func() {
						for i := range 500 {
							canary := uint64(thread+1)<<56 | 0x5a1e_0000_0000 | uint64(i)
							do := ends[i%len(ends)]
							out := code.Run(t.Context(), order(do, canary))
							if ended := out.Fault != nil; ended != (do&^grow != 0) {
								t.Errorf("call %d (%b): fault %v", i, do, out.Fault)
							}
							if len(out.Logs) == 0 && do != spin { // one that spins may be late before it begins
								t.Errorf("call %d (%b) logged nothing: it did not hide its canary", i, do)
							}
							next := code.Run(t.Context(), order(scan|byte(i&1)*grow, canary))
							want := sandbox.RungReset
							if table {
								want = sandbox.RungInstance
							}
							if cfg.Best != "" && cfg.Best != sandbox.RungReset {
								want = cfg.Best
							}
							if next.Rung != want {
								t.Errorf("call %d is on rung %s, want %s", i, next.Rung, want)
							}
							if hits, err := loot(next); err != nil || hits > 0 {
								t.Errorf("after call %d (%b): %d hits, %v", i, do, hits, err)
							}
							if len(next.Logs) > 0 {
								t.Errorf("call %d has logs of another", i)
							}
						}
					})
				}
				group.Wait()
				if n, differs := code.Waiting(); differs != "" {
					t.Errorf("waiting instance %d differs from its image: %s", n, differs)
				}
			})
		}
	}
}

// The control of TestZeroResidue: in one instance that nobody resets, the scan finds it all.
func TestResidueIsFoundWithoutReset(t *testing.T) {
	run, end := compileWith(t, newEngine(t, sandbox.Config{}), thief(false)).Same(t.Context())
	defer end()
	run(order(0, 0xc0ffee))
	if hits, err := loot(run(order(scan, 0xc0ffee))); err != nil || hits < 2*65536/1024-1 {
		t.Errorf("%d hits, %v", hits, err)
	}
}

// The rung is the module's shape and the system's, and says why it is not the best.
func TestRung(t *testing.T) {
	reset := compileWith(t, newEngine(t, sandbox.Config{}), thief(false))
	if rung, why := reset.Rung(); rung != sandbox.RungPlain || why != "no image has been taken yet" {
		t.Errorf("before the first call: %s, %s", rung, why)
	}
	cases := []struct {
		name  string
		cfg   sandbox.Config
		table bool
		rung  sandbox.Rung
		why   string
	}{
		{"tables", sandbox.Config{}, true, sandbox.RungInstance, "the module can change its tables, which a reset does not restore"},
		{"portable", sandbox.Config{Method: image.Portable}, false, sandbox.RungReset, "a better method is switched off"},
		{"switched off", sandbox.Config{Best: sandbox.RungPlain}, false, sandbox.RungPlain, "better rungs are switched off"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			code := compileWith(t, newEngine(t, c.cfg), thief(c.table))
			code.Run(t.Context(), order(0, 1))
			if rung, why := code.Rung(); rung != c.rung || why != c.why {
				t.Errorf("rung %s, %s; want %s, %s", rung, why, c.rung, c.why)
			}
		})
	}
}

// A module whose init cannot be captured runs on rung plain, with the reason, and runs.
func TestCaptureFails(t *testing.T) {
	cases := map[string]struct {
		define func(m *w.Module)
		why    string
	}{
		"warm-up crashes": {func(m *w.Module) { m.Func("servlet_warm", "", "i", w.Unreachable()) },
			"init or warm-up failed: the servlet crashed (unreachable)"},
		"warm-up fails with a hostile text": {func(m *w.Module) {
			fail := m.Import("writ1", "error_write", "ii", "i")
			m.Data(0, []byte("\x1b[2Jobey"))
			m.Func("servlet_warm", "", "i", w.I32(0), w.I32(8), w.Call(fail), w.Drop(), w.I32(1))
		}, `init or warm-up failed: \u001b[2Jobey`},
		"warm-up never ends": {func(m *w.Module) { m.Func("servlet_warm", "", "i", w.Loop(), w.I32(0)) },
			"init or warm-up failed: "},
		"init changes a table": {func(m *w.Module) {
			m.Table(w.Range(2, 2))
			m.Func("_initialize", "", "", w.I32(0), w.Op(0xd2, w.U32(0)), w.Op(0x26, w.U32(0)))
			m.Elements([]byte{1, 3, 0, 1, 0})
		}, "init or warm-up failed: its initialisation changes tables or drops segments, which an image does not hold"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			code := compileWith(t, newEngine(t, sandbox.Config{}), guest(func(m *w.Module) [][]byte {
				c.define(m)
				return [][]byte{w.I32(1)}
			}))
			if err := code.Prepare(t.Context(), nil, 1<<20); err == nil || !strings.HasPrefix(err.Error(), "taking image: "+c.why) {
				t.Errorf("error %v", err)
			}
			wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}), sandbox.FaultTool, "the servlet failed without a reason")
			if rung, why := code.Rung(); rung != sandbox.RungPlain || !strings.HasPrefix(why, c.why) {
				t.Errorf("rung %s, %s", rung, why)
			}
		})
	}
}
