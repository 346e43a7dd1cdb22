package wasm_test

import (
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// BenchmarkLongestInstruction runs each bulk operation as large as it can be, on memory that nobody has
// touched yet: what an instruction takes is the longest time for which no look at the fuel ends a guest.
// The memory is the runtime's own, so that memory.grow copies it.
func BenchmarkLongestInstruction(b *testing.B) {
	const entries, pages = 65_536, 2048
	module := with(func(m *w.Module) {
		m.Memory(w.Range(pages, pages+1))
		m.Table(w.AtLeast(entries))
		f := m.Func("", "", "")
		three := w.Code(w.Get(0), w.Get(1), w.Get(2))
		m.Func("table.fill", "iii", "", w.I32(0), w.Op(0xd2, w.U32(f)), w.I32(entries), []byte{0xfc, 17, 0})
		m.Func("table.copy", "iii", "", w.I32(0), w.I32(1), w.I32(entries-1), []byte{0xfc, 14, 0, 0})
		m.Func("table.init", "iii", "", w.I32(0), w.I32(0), w.I32(entries), []byte{0xfc, 12, 0, 0})
		m.Func("memory.fill, a chunk", "iii", "", three, w.Fill())
		m.Func("memory.copy, a chunk", "iii", "", three, w.Copy())
		m.Func("memory.init, a chunk", "iii", "", three, w.Init(0))
		items := w.Code(w.U32(entries))
		for range entries {
			items = append(items, byte(f))
		}
		m.Elements(w.Code([]byte{1, 1, 0}, items))
		m.Passive(longSegment())
	})
	grow := with(func(m *w.Module) {
		m.Memory(w.Range(1, 1024))
		m.Table(w.AtLeast(1))
		m.Func("memory.grow by 64 MiB", "iii", "", w.I32(1023), w.Grow(), w.Drop())
		m.Func("table.grow", "iii", "", w.Op(0xd0, []byte{0x70}), w.I32(entries-1), []byte{0xfc, 15, 0}, w.Drop())
	})
	m := newMachine(b, wazero.NewRuntimeConfigCompiler())
	m.refill = 1 << 40
	for name, module := range map[string][]byte{
		"table.fill": module, "table.copy": module, "table.init": module, "memory.fill, a chunk": module,
		"memory.copy, a chunk": module, "memory.init, a chunk": module, "memory.grow by 64 MiB": grow, "table.grow": grow,
	} {
		form, err := m.meter(module, openRules(module))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			least := time.Hour
			for b.Loop() {
				mod, err := m.start(form, anonymous, 1<<50, plenty)
				if err != nil {
					b.Fatal(err)
				}
				from := time.Now()
				if _, err := mod.ExportedFunction(name).Call(b.Context(), 64<<20, 0, 1<<20); err != nil {
					b.Fatal(err)
				}
				least = min(least, time.Since(from))
				mod.Close(b.Context())
			}
			b.ReportMetric(float64(least.Microseconds()), "least-us")
		})
	}
}
