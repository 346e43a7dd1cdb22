package wasm_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

func BenchmarkGateGo(b *testing.B) {
	module := guests.Build(b, "plain")
	r := rules()
	b.SetBytes(int64(len(module)))
	for b.Loop() {
		// Refused for its imports, after all of it was read.
		if _, err := wasm.Gate(module, r); err == nil || !strings.Contains(err.Error(), "imports") {
			b.Fatal(err)
		}
	}
}

// The largest modules that can pass take the gate's longest time: of each kind of instruction as many as
// are admitted, up to 64 MiB.
func BenchmarkGate64MiB(b *testing.B) {
	kinds := map[string][]byte{
		"nop":         {1},
		"drop":        w.Code(w.Get(0), w.Drop()),
		"constants":   w.Code(w.Op(0x41, []byte{0x80, 0x80, 0x80, 0x80, 0}), w.Drop()),
		"additions":   w.Code(w.Get(0), w.Get(0), w.Add(), w.Drop()),
		"unreachable": w.Unreachable(),
		"memory.size": w.Code(w.Op(0x3f, []byte{0}), w.Drop()),
		"select":      w.Code(w.Get(0), w.Get(0), w.Get(0), w.Op(0x1c, []byte{1, wasm.I32}), w.Drop()),
		"calls":       w.Call(0),
		"ref.func":    w.Code(w.Op(0xd2, []byte{0}), w.Drop()),
		"ref.null":    w.Code(w.Op(0xd0, []byte{0x70}), w.Drop()),
		"table.set":   w.Code(w.Get(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, []byte{0})),
		"vectors":     w.Code(w.Op(0xfd, []byte{12}, make([]byte, 16)), w.Drop()),
		"switches":    w.Block(0x40, w.Get(0), w.Op(0x0e, []byte{2, 0, 0, 0})),
		"loads":       w.Code(w.Get(0), w.Load32(), w.Drop()),
	}
	for _, name := range sortedKeys(kinds) {
		one := bomb{one: func(m *w.Module, n int) { m.Func("", "i", "", bytes.Repeat(kinds[name], n)) }}
		size := most((1<<20-2)/len(kinds[name]), func(n int) []byte { return one.module(n, 1) })
		module := one.module(size, most(63, func(n int) []byte { return one.module(size, n) }))
		b.Run(name, func(b *testing.B) {
			open, least := openRules(module), time.Hour
			for b.Loop() {
				from := processorTime()
				if _, err := wasm.Gate(module, open); err != nil {
					b.Fatal(err)
				}
				least = min(least, processorTime()-from)
			}
			b.ReportMetric(float64(len(module))/(1<<20), "MiB")
			b.ReportMetric(float64(least.Microseconds())/1000, "least-ms")
		})
	}
}
