package resources

import (
	"bytes"
	"fmt"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// times chooses how often an attack is repeated.
func (b *bench) times(full, short int) int {
	if b.short {
		return short
	}
	return full
}

// touch writes to every page of localSize bytes of memory.
func touch() []byte {
	return w.Block(0x40, w.Loop(
		w.Get(localCount), w.Get(localSize), w.Op(0x4f), w.BrIf(1), // i32.ge_u
		w.Get(localCount), w.I32(1), w.Store32(),
		w.Get(localCount), w.I32(4096), w.Add(), w.Set(localCount),
	))
}

// memories: each call takes all that it may have, and more.
func (b *bench) memories() ([]trial, error) {
	const each = 32
	calls := b.times(64, 32)
	limits := capabilities.Limits{MemoryMB: each, WallMS: 10_000}
	done := []refusal{{"ok", "", "ok"}}
	filled := worker(1, func(m *w.Module) []byte {
		write := output(m)
		m.Data(0, []byte(ok))
		return w.Code(w.I32(each*pagesMiB-1), w.Grow(), w.Drop(),
			w.I32(page), w.Set(localCount), w.I32(each<<20), w.Set(localSize), touch(), answer(write, 0, int32(len(ok))))
	})
	var all []trial
	all = append(all,
		trial{
			name: "a minimum above the limit", calls: calls, parallel: 32, memory: 1,
			servlet: servlet{alias: "minimum", limits: limits, module: worker(each*pagesMiB+1, func(*w.Module) []byte { return w.I32(1) })},
			want:    limited("memory", fmt.Sprintf("the servlet needs %d KiB of memory to start; %d MiB are granted", each<<10+page>>10, each)),
		},
		trial{
			name: "growing for ever", calls: calls, parallel: 32, total: 8 * each << 20, memory: 4 * each << 20,
			servlet: servlet{alias: "growth", limits: limits, module: worker(1, func(*w.Module) []byte {
				return forever(w.I32(1), w.Grow(), w.I32(-1), w.Op(0x46), w.If(w.Unreachable())) // i32.eq
			})},
			want: limited("memory", fmt.Sprintf("the servlet ended after it wanted more than the %d MiB of memory that are granted", each)),
		},
		trial{
			name: "all of it, touched, from 32 calls at a time", calls: calls, parallel: 32, total: 8 * each << 20, memory: 4 * each << 20,
			servlet: servlet{alias: "touch", limits: limits, module: filled},
			want:    done,
		},
		trial{
			name: "all of it, until the deadline", calls: calls, parallel: 32, total: 8 * each << 20, memory: 4 * each << 20,
			servlet: servlet{alias: "hold", limits: capabilities.Limits{MemoryMB: each, WallMS: 500}, module: worker(1, func(*w.Module) []byte {
				return w.Code(w.I32(each*pagesMiB-1), w.Grow(), w.Drop(), w.I32(each<<20), w.Set(localSize), touch(), forever())
			})},
			want: append(deadline(500e6), refusal{"host failure", "caller_memory",
				fmt.Sprintf("hold is busy: your calls that are running may use all of the %d MB that one caller has. Try again later.", 4*each)}),
		},
		trial{
			name: "more than all calls together may have", calls: calls, parallel: 32, total: each << 20, memory: 1,
			servlet: servlet{alias: "large", limits: capabilities.Limits{MemoryMB: each + 1, WallMS: 1000}, module: filled},
			want: []refusal{{"tool error", "memory_total", fmt.Sprintf(
				"large_go may use %d MB of memory, and this Writ has %d MB for one call. Run it on a machine with more memory, or ask its publisher for a smaller limits.memory_mb.", each+1, each/4*3)}},
		},
	)
	return all, nil
}

// tables take memory of the host that no memory limit counts.
func (b *bench) tables() ([]trial, error) {
	grow := worker(1, func(m *w.Module) []byte {
		fail := failing(m)
		m.Table(w.AtLeast(1))
		refused := w.Code(refNull, w.I32(1), tableGrow, w.I32(-1), w.Op(0x46)) // i32.eq
		return w.Code(whileZero(refused), w.I32(0), w.Set(localErrno), report(fail))
	})
	references := guest(func(m *w.Module) []byte {
		f := m.Func("", "", "")
		m.Elements([]byte{1, 3, 0, 1, byte(f)})
		return forever(w.Op(0xd2, w.U32(f)), w.Drop())
	})
	// The runtime makes a reference each time, if it is asked to.
	return append(b.endless(1, shape{name: "function references", module: references}), trial{
		name: "table.grow", calls: b.times(64, 16), parallel: 16, want: []refusal{{"tool error", "", "00 065535"}},
		servlet: servlet{alias: "table", limits: capabilities.Limits{MemoryMB: 1, WallMS: 5000}, module: grow},
	}), nil
}

// recursions take the host's stack.
func (b *bench) recursions() ([]trial, error) {
	plain := guest(func(m *w.Module) []byte {
		f := m.Func("", "", "", w.Call(0))
		return w.Code(w.Call(f), w.I32(0))
	})
	wide := guest(func(m *w.Module) []byte {
		// Two hundred values wait on the stack while the next call runs.
		const kept = 200
		one := m.Func("", "", "i", w.I32(1))
		f := m.Func("", "", "", bytes.Repeat(w.Call(one), kept), w.Call(1), bytes.Repeat(w.Code(w.Add()), kept-1), w.Drop())
		return w.Code(w.Call(f), w.I32(0))
	})
	manyLocals := guest(func(m *w.Module) []byte {
		// All of a thousand locals are used after the call, so that each has a place on the stack.
		const n = 1000
		var before, after []byte
		for i := range uint32(n) {
			before = append(before, w.Code(w.I32(0), w.Load32(), w.Set(i))...)
			after = append(after, w.Code(w.Get(i), w.Drop(), w.I32(0), w.Get(i), w.Store32())...)
		}
		f := m.FuncLocals("", "", "", locals(n), before, w.Call(0), after)
		return w.Code(w.Call(f), w.I32(0))
	})
	results := guest(func(m *w.Module) []byte {
		// Results take stack beside the frames of both sides.
		const n = 60
		types := string(bytes.Repeat([]byte("I"), n))
		f := m.Func("", "", types, w.Call(0))
		return w.Code(w.Call(f), bytes.Repeat(w.Drop(), n), w.I32(0))
	})
	table := guest(func(m *w.Module) []byte {
		m.Table(w.AtLeast(1))
		f := m.Func("", "", "", w.I32(0), indirect(m))
		m.Elements(w.Code([]byte{1, 0}, w.I32(0), []byte{0x0b, 1, byte(f)}))
		return w.Code(w.Call(f), w.I32(0))
	})
	start := guest(func(m *w.Module) []byte {
		m.Start(m.Func("", "", "", w.Call(0)))
		return w.I32(1)
	})
	const enoughMB = 20 // for the whole stack, which counts as memory above its first 256 KiB
	var all []trial
	for i, s := range []shape{
		{name: "small frames", module: plain}, {name: "through the table", module: table, long: true}, {name: "values kept on the stack", module: wide, long: true},
		{name: "a thousand locals", module: manyLocals}, {name: "sixty results", module: results, long: true}, {name: "in the start function", module: start},
	} {
		if s.long && b.short {
			continue
		}
		all = append(all, trial{
			name: s.name, calls: b.times(128, 32), parallel: 32, want: limited("depth", "the servlet ended because its nested calls wanted more than the 4 MiB of stack that a call has"),
			servlet: servlet{alias: fmt.Sprint("deep", i), module: s.module, limits: capabilities.Limits{MemoryMB: enoughMB, WallMS: 10_000}},
		})
	}
	return append(all, trial{
		name: "in a megabyte of memory", calls: b.times(128, 32), parallel: 32, want: limited("memory", "the servlet ended after it wanted more than the 1 MiB of memory that are granted"),
		servlet: servlet{alias: "narrow", module: plain, limits: capabilities.Limits{MemoryMB: 1, WallMS: 10_000}},
	}), nil
}
