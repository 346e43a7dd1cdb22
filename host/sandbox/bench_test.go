package sandbox_test

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

// hundred is a request of 100 bytes.
const hundred = `{"nums":[1,2.5,3,4,5,6,7,8,9,10],"text":"0123456789012345678901234567890123456789012345678901234567"}`

// measure runs one call after the other and reports the median and the 99th percentile.
func measure(b *testing.B, run func()) {
	var took []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		run()
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-us")
}

// BenchmarkFresh is one call of a Go guest in a fresh sandbox, guard not included: fresh/go is the best
// rung, plain/go a new instance with its whole initialisation.
func BenchmarkFresh(b *testing.B) {
	for name, cfg := range map[string]sandbox.Config{
		"go":          {},
		"go/whole":    {Method: image.Whole},
		"go/portable": {Method: image.Portable},
		"go/instance": {Best: sandbox.RungInstance},
		"plain/go":    {Best: sandbox.RungPlain},
	} {
		b.Run(name, func(b *testing.B) {
			code := compileWith(b, newEngine(b, cfg), guests.Build(b, "plain"))
			call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
			if err := code.Prepare(b.Context(), nil, 64<<20); err != nil && cfg.Best != sandbox.RungPlain {
				b.Fatal(err)
			}
			measure(b, func() {
				if out := code.Run(b.Context(), call); out.Fault != nil {
					b.Fatal(out.Fault)
				}
			})
		})
	}
}

// BenchmarkSame is BenchmarkFresh in one instance that is never made fresh.
func BenchmarkSame(b *testing.B) {
	code := compileWith(b, newEngine(b, sandbox.Config{}), guests.Build(b, "plain"))
	run, end := code.Same(b.Context())
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
	measure(b, func() {
		if out := run(call); out.Fault != nil {
			b.Fatal(out.Fault)
		}
	})
	end()
}

// BenchmarkFreshGuarded is BenchmarkFresh/go with a guard made for each call, as the product does.
func BenchmarkFreshGuarded(b *testing.B) {
	code := compileWith(b, newEngine(b, sandbox.Config{}), guests.Build(b, "plain"))
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
	measure(b, func() {
		g, err := guard.New(guard.Config{Policy: capabilities.Policy{Limits: capabilities.DefaultLimits}, Recorder: recorder{}})
		if err != nil {
			b.Fatal(err)
		}
		call.Host = g
		if out := code.Run(b.Context(), call); out.Fault != nil {
			b.Fatal(out.Fault)
		}
		if err := g.End(); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkFreshDirty is a call that writes to each page of a megabyte, which the reset has to mend.
func BenchmarkFreshDirty(b *testing.B) {
	for name, cfg := range map[string]sandbox.Config{"scan": {}, "whole": {Method: image.Whole}, "portable": {Method: image.Portable}} {
		b.Run(name, func(b *testing.B) {
			m := &w.Module{}
			write := m.Import("writ1", "output_write", "ii", "i")
			m.Memory(w.Range(64, 64)) // 4 MiB
			m.Data(2<<20, bytes.Repeat([]byte("image"), 200_000))
			m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
				[]byte{0x03, 0x40}, w.Get(0), w.Get(0), w.Store32(), w.Get(0), w.I32(4096), w.Add(), w.Op(0x22, w.U32(0)), w.I32(1<<20), w.Op(0x49), []byte{0x0d, 0, 0x0b},
				w.I32(0), w.I32(1), w.Call(write), w.Drop(), w.I32(0))
			code := compileWith(b, newEngine(b, cfg), m.Bytes())
			call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
			measure(b, func() {
				if out := code.Run(b.Context(), call); out.Fault != nil {
					b.Fatal(out.Fault)
				}
			})
		})
	}
}

// BenchmarkThroughput is calls in a second from one goroutine and from two, in turn, so that what
// disturbs the machine disturbs both: x2 is the median of what the second brings. On a machine with other
// work look at the processor time of a call, which does not grow with the goroutines where nothing is
// shared that both want.
func BenchmarkThroughput(b *testing.B) {
	code := compileWith(b, newEngine(b, sandbox.Config{}), guests.Build(b, "plain"))
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
	const calls = 2000
	run := func(goroutines int) (rate float64) {
		var group sync.WaitGroup
		start := time.Now()
		for range goroutines {
			group.Go(func() {
				for range calls {
					if out := code.Run(b.Context(), call); out.Fault != nil {
						b.Error(out.Fault)
						return
					}
				}
			})
		}
		group.Wait()
		return float64(goroutines*calls) / time.Since(start).Seconds()
	}
	run(2)
	var one, two, gain []float64
	for b.Loop() {
		r1, r2 := run(1), run(2)
		one, two, gain = append(one, r1), append(two, r2), append(gain, r2/r1)
	}
	for name, list := range map[string][]float64{"1-calls/s": one, "2-calls/s": two, "x2": gain} {
		slices.Sort(list)
		b.ReportMetric(list[len(list)/2], name)
	}
}

// BenchmarkDeadline is how long guests of each shape run on after a deadline of 20 ms.
func BenchmarkDeadline(b *testing.B) {
	for name, define := range endless() {
		b.Run(name, func(b *testing.B) {
			code := compile(b, guest(define))
			limits := enough()
			limits.Wall, limits.HostCalls = 20*time.Millisecond, 1<<40
			var over []time.Duration
			for b.Loop() {
				out := code.Run(b.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
				if out.Fault == nil || out.Fault.Kind != sandbox.FaultDeadline {
					b.Fatal(out.Fault)
				}
				over = append(over, out.Wall-limits.Wall)
			}
			slices.Sort(over)
			b.ReportMetric(float64(over[len(over)/2])/1e6, "p50-over-ms")
			b.ReportMetric(float64(over[len(over)-1])/1e6, "max-over-ms")
		})
	}
}

// BenchmarkRunLeast is one call of the least guest: what a fresh instance costs by itself.
func BenchmarkRunLeast(b *testing.B) {
	code := compile(b, grower(0))
	call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
	measure(b, func() {
		if out := code.Run(b.Context(), call); out.Fault != nil {
			b.Fatal(out.Fault)
		}
	})
}

func BenchmarkAdmitGo(b *testing.B) {
	module := guests.Build(b, "plain")
	for b.Loop() {
		if _, err := sandbox.Admit(module, capabilities.ABI, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart is the first call of a Go servlet whose code is in the cache folder, in an engine of its
// own: load, image and call.
func BenchmarkStart(b *testing.B) {
	admitted, err := sandbox.Admit(guests.Build(b, "plain"), capabilities.ABI, nil)
	if err != nil {
		b.Fatal(err)
	}
	measure(b, func() {
		e, err := sandbox.New(context.Background(), sandbox.Config{CacheDir: cacheDir})
		if err != nil {
			b.Fatal(err)
		}
		code, err := e.Compile(context.Background(), admitted)
		if err != nil {
			b.Fatal(err)
		}
		if out := code.Run(context.Background(), sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}); out.Fault != nil {
			b.Fatal(out.Fault)
		}
		if err := e.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkCompileGo compiles in an engine of its own each time: an engine keeps what it compiled.
func BenchmarkCompileGo(b *testing.B) {
	admitted, err := sandbox.Admit(guests.Build(b, "plain"), capabilities.ABI, nil)
	if err != nil {
		b.Fatal(err)
	}
	for name, dir := range map[string]string{"anew": "", "cached": filepath.Join(b.TempDir(), "cache")} {
		b.Run(name, func(b *testing.B) {
			once := func() {
				e, err := sandbox.New(context.Background(), sandbox.Config{CacheDir: dir})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := e.Compile(context.Background(), admitted); err != nil {
					b.Fatal(err)
				}
				if err := e.Close(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			if dir != "" {
				once() // fills the folder
			}
			measure(b, once)
		})
	}
}
