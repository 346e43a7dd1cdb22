package sandbox_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
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

// BenchmarkFreshParallel is throughput: run it with -cpu 1,2.
func BenchmarkFreshParallel(b *testing.B) {
	code := compileWith(b, newEngine(b, sandbox.Config{}), guests.Build(b, "plain"))
	call := sandbox.Call{Entry: sandbox.EntryCall, Input: []byte(hundred), Limits: enough()}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if out := code.Run(b.Context(), call); out.Fault != nil {
				b.Fatal(out.Fault)
			}
		}
	})
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
