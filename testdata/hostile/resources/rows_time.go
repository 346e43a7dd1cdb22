package resources

import (
	"bytes"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// pages of memory in bytes, and of a megabyte.
const (
	page     = 64 << 10
	pagesMiB = 1 << 20 / page
)

// deadline is how a call ends that does not end by itself.
func deadline(wall time.Duration) []refusal {
	return []refusal{{"tool error", "time", fmt.Sprintf("The tool did not answer within %v and was ended. What it had done by then was done. See `writ audit --call ID`.", wall)}}
}

// limited is how a call ends at a limit.
func limited(limit, text string) []refusal {
	return []refusal{{"tool error", limit, "The tool was ended at a limit: " + text + ". See `writ audit --call ID`."}}
}

// crashed is how a call ends that traps, exits or breaks the interface.
var crashed = []refusal{{"tool error", "", "The tool crashed. See `writ audit --call ID`."}}

// endless are trials of modules that would run for ever, eight calls at a time.
func (b *bench) endless(memoryMB int, modules ...shape) (all []trial) {
	wall := 250 * time.Millisecond
	calls := 32
	if b.short {
		wall, calls = 150*time.Millisecond, 8
	}
	for i, s := range modules {
		if s.long && b.short {
			continue
		}
		all = append(all, trial{
			name: s.name, calls: calls, parallel: 8, want: deadline(wall),
			servlet: servlet{
				alias: fmt.Sprint("endless", i), module: s.module,
				limits: capabilities.Limits{MemoryMB: memoryMB, WallMS: int(wall / time.Millisecond)},
			},
		})
	}
	return all
}

// shape is a module with what it tries.
type shape struct {
	name   string
	module []byte
	long   bool // left out of a short run
}

// trees: without a loop there is nothing that a runtime looks at by itself.
func (b *bench) trees() ([]trial, error) {
	direct := func(_ *w.Module, next uint32) []byte { return w.Call(next) }
	table := func(m *w.Module, next uint32) []byte { return w.Code(w.I32(int32(next)), indirect(m)) }
	return b.endless(1, shape{name: "direct calls", module: tree(45, direct)}, shape{name: "calls through the table", module: tree(45, table)}), nil
}

// chains: one instruction may move all memory.
func (b *bench) chains() ([]trial, error) {
	const mib = 16
	const all = mib << 20
	element := func(m *w.Module) {
		list := make([]byte, 60_000) // function 0, again and again
		m.Table(w.AtLeast(60_000))
		m.Func("", "", "")
		m.Elements(w.Code([]byte{1, 1, 0}, w.U32(60_000), list)) // passive
	}
	return b.endless(mib,
		shape{name: "memory.fill", module: chain(mib*pagesMiB, 2000, func(*w.Module) []byte { return w.Code(w.I32(0), w.I32(7), w.I32(all), w.Fill()) })},
		shape{name: "memory.copy", module: chain(mib*pagesMiB, 2000, func(*w.Module) []byte { return w.Code(w.I32(1), w.I32(0), w.I32(all-1), w.Copy()) })},
		shape{name: "memory.init", module: chain(mib*pagesMiB, 2000, func(m *w.Module) []byte {
			m.Passive(make([]byte, 4<<20))
			return w.Code(w.I32(0), w.I32(0), w.I32(4<<20), w.Init(0))
		})},
		shape{name: "table.fill", module: chain(1, 200, func(m *w.Module) []byte {
			element(m)
			return w.Code(w.I32(0), refNull, w.I32(60_000), tableFill)
		}), long: true},
		shape{name: "table.copy", module: chain(1, 200, func(m *w.Module) []byte {
			element(m)
			return w.Code(w.I32(1), w.I32(0), w.I32(59_999), tableCopy)
		}), long: true},
		shape{name: "table.init", module: chain(1, 200, func(m *w.Module) []byte {
			element(m)
			return w.Code(w.I32(0), w.I32(0), w.I32(60_000), tableInit(0))
		}), long: true},
		shape{name: "bytes that were never touched", module: chain(1, 200, func(*w.Module) []byte {
			// The pages of a memory that has grown are there when they are written.
			return w.Code(w.I32(mib*pagesMiB-1), w.Grow(), w.Drop(), w.I32(0), w.I32(1), w.I32(all), w.Fill())
		})},
	), nil
}

// loops in every place where guest code runs. The interface has no callback but servlet_reseed, which
// stands for the allocators of others.
func (b *bench) loops() ([]trial, error) {
	in := func(export, params, results string) []byte {
		return guest(func(m *w.Module) []byte {
			write := output(m)
			m.Data(0, []byte(ok))
			body := w.Loop()
			if results != "" {
				body = forever()
			}
			f := m.Func(export, params, results, body)
			if export == "" {
				m.Start(f)
			}
			return answer(write, 0, int32(len(ok)))
		})
	}
	cold := func(body []byte) []byte { return guest(func(*w.Module) []byte { return body }) }
	warm := b.endless(1,
		shape{name: "in the entry", module: cold(forever())},
		shape{name: "in the entry, of branches", module: cold(forever(w.Block(0x40, w.I32(0), w.Op(0x0e, w.U32(1), w.U32(0), w.U32(0))))), long: true},
		shape{name: "in the entry, of loads that miss every cache", module: worker(pagesMiB, func(*w.Module) []byte {
			return forever(w.Get(0), w.Load32(), w.Drop(), w.Get(0), w.I32(4160), w.Add(), w.I32(1<<20-8), remainder, w.Set(0))
		}), long: true},
		shape{name: "in the entry, of divisions", module: worker(1, func(*w.Module) []byte {
			return forever(w.I64(1<<62), w.I64(3), w.Op(0x7f), w.I64(7), w.Op(0x7f), w.Drop())
		}), long: true},
		shape{name: "in the start function", module: in("", "", "")},
		shape{name: "in _initialize", module: in("_initialize", "", ""), long: true},
		shape{name: "in servlet_reseed", module: in("servlet_reseed", "II", "")},
	)
	if b.short {
		return warm, nil
	}
	return append(warm, b.warmUp(in("servlet_warm", "", "i"))), nil
}

// warmUp is a servlet whose warm-up never ends: it is initialised for each call instead, and answers.
func (b *bench) warmUp(module []byte) trial {
	return trial{
		name: "in servlet_warm", calls: 32, parallel: 8, want: []refusal{{"ok", "", "ok"}},
		servlet: servlet{alias: "warm", module: module, limits: capabilities.Limits{MemoryMB: 1, WallMS: 2000}},
	}
}

// sleeps: nothing is computed, but a place is held.
func (b *bench) sleeps() ([]trial, error) {
	const hour = 3_600_000_000_000
	clock := func(m *w.Module) {
		m.Data(16, []byte{1})                                           // monotonic clock
		m.Data(24, []byte{0, 0xa0, 0xb8, 0x30, 0x46, 0x03, 0x00, 0x00}) // an hour of nanoseconds
		m.Data(1016, []byte{1})                                         // and far in the future,
		m.Data(1024, bytes.Repeat([]byte{0xff}, 7))                     // as an absolute time
		m.Data(1040, []byte{1})                                         // (the flag)
	}
	all := b.endless(1,
		shape{name: "poll_oneoff for an hour", module: guest(func(m *w.Module) []byte {
			poll := preview1(m, "poll_oneoff", "iiii")
			clock(m)
			return forever(w.I32(0), w.I32(200), w.I32(1), w.I32(300), w.Call(poll), w.Drop())
		})},
		shape{name: "poll_oneoff until the end of time", module: guest(func(m *w.Module) []byte {
			poll := preview1(m, "poll_oneoff", "iiii")
			clock(m)
			return forever(w.I32(1000), w.I32(2000), w.I32(1), w.I32(3000), w.Call(poll), w.Drop())
		}), long: true},
		shape{name: "op_wait for an hour", module: guest(func(m *w.Module) []byte {
			wait := m.Import("writ1", "op_wait", "iiI", "i")
			return forever(w.I32(0), w.I32(0), w.I64(hour/1_000_000), w.Call(wait), w.Drop())
		})},
	)
	for i := range all {
		all[i].calls, all[i].parallel = 64, 16 // as many as run at a time of one servlet
	}
	return all, nil
}
