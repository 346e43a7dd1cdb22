package wasm_test

import (
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/writ-run/writ/testdata/guests"
)

// computeGuest makes the plain and the metered form of a Go program.
func computeGuest(b *testing.B) (plain, metered api.Module) {
	m := newMachine(b, wazero.NewRuntimeConfigCompiler())
	m.refill = 1 << 22
	wasi_snapshot_preview1.MustInstantiate(b.Context(), m)
	module := guests.Build(b, "compute")
	form, err := m.meter(module, openRules(module))
	if err != nil {
		b.Fatal(err)
	}
	if plain, err = m.InstantiateWithConfig(b.Context(), module, anonymous); err != nil {
		b.Fatal(err)
	}
	if metered, err = m.start(form, anonymous, 1<<22, plenty); err != nil {
		b.Fatal(err)
	}
	for _, mod := range []api.Module{plain, metered} {
		if _, err := mod.ExportedFunction("_initialize").Call(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d yields", m.yields)
	return plain, metered
}

// BenchmarkMeter compares a Go program with its metered form, one round each in turn, so that noise
// meets both: "overhead" is the share of time that metering adds.
func BenchmarkMeter(b *testing.B) {
	plain, metered := computeGuest(b)
	for name, rounds := range map[string]uint64{"sha256": 20, "json": 100, "regexp": 30, "sort": 3, "mandelbrot": 5} {
		b.Run(name, func(b *testing.B) {
			times := [2]time.Duration{time.Hour, time.Hour}
			var sums [2]uint64
			for b.Loop() {
				for i, mod := range []api.Module{plain, metered} {
					from := time.Now()
					out, err := mod.ExportedFunction(name).Call(b.Context(), rounds)
					times[i] = min(times[i], time.Since(from))
					if err != nil {
						b.Fatal(err)
					}
					sums[i] = out[0]
				}
				if sums[0] != sums[1] {
					b.Fatalf("plain %d, metered %d", sums[0], sums[1])
				}
			}
			b.ReportMetric(100*(times[1].Seconds()/times[0].Seconds()-1), "%overhead")
		})
	}
}
