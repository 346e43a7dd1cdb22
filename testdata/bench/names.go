package main

import "strings"

// promise is a figure that a run of the benchmarks has, measured or left out with a reason.
type promise struct {
	name string
	unit string
	n    int // samples of a round
}

// promised are all figures, in the order in which they are printed.
//
// fresh is a call in a fresh sandbox: a guard is made for the call's policy and records, metered code runs
// with a deadline in a sandbox that starts from the image, and the guard ends. Calls follow each other
// without a pause, so that one waits where the reset after the one before is not done. The gate and the
// compiler ran when the servlet was loaded, as they do for any call but the first. In fresh/*/portable no
// system call helps to find the changed pages: what macOS, Windows and old kernels have.
//
// call is that with everything around it, through Host.CallTool: lookup, policy, argument check, audit
// record before and after, and the check of the result. throughput/go counts calls like fresh, throughput/call those like call, by
// one caller and by two at a time.
//
// Yardsticks: same is the same metered code in one instance that is never made fresh; plain is the
// module as it is in a new instance of the runtime, initialised for the call, which nothing can
// interrupt; extism and wasmtime are those SDKs with a timeout; spawn is a new process of the same tool.
var promised = []promise{
	{"fresh/c", "us", 100}, {"fresh/rust", "us", 100}, {"fresh/js", "us", 100}, {"fresh/go", "us", 100},
	{"fresh/go-dirty-1m", "us", 20}, {"fresh/js-alloc", "us", 10},
	{"fresh/c/portable", "us", 50}, {"fresh/rust/portable", "us", 50}, {"fresh/js/portable", "us", 50}, {"fresh/go/portable", "us", 50},
	{"call/c", "us", 100}, {"call/rust", "us", 100}, {"call/js", "us", 100}, {"call/go", "us", 100},
	{"same/c", "us", 100}, {"same/rust", "us", 100}, {"same/js", "us", 100}, {"same/go", "us", 100},
	{"plain/c", "us", 50}, {"plain/rust", "us", 50}, {"plain/js", "us", 8}, {"plain/go", "us", 5},
	{"extism/go", "us", 5},
	{"wasmtime/go", "us", 20}, {"wasmtime/go/plain", "us", 5},
	{"spawn/go", "us", 5},

	{"throughput/go/1", "1/s", 1}, {"throughput/go/2", "1/s", 1},
	{"throughput/call/1", "1/s", 1}, {"throughput/call/2", "1/s", 1},

	{"fuel/sha256", "%", 12}, {"fuel/json", "%", 12}, {"fuel/regexp", "%", 12}, {"fuel/sort", "%", 12}, {"fuel/mandelbrot", "%", 12},
	{"fuel/geomean", "%", 1}, {"fuel/worst", "%", 1},

	{"deadline/overrun", "ms", 1},

	{"stdio/call", "us", 30}, {"stdio/floor", "us", 30}, {"http/call", "us", 30}, {"http/floor", "us", 30},
	{"install/go", "us", 1}, {"restart/50", "ms", 1}, {"first/answer", "ms", 3}, {"newcomer/seconds", "s", 1},
	{"size/writ", "bytes", 1}, {"size/filesystem.wasm", "bytes", 1},
	{"rss/1", "bytes", 1}, {"rss/50", "bytes", 1}, {"rss/js-200", "bytes", 1},
	{"pss/go-idle", "bytes", 1}, {"pss/go-hot", "bytes", 1},
}

// wants tells whether a figure was asked for: its name, or the beginning of it up to a slash.
func (b *bench) wants(name string) bool {
	if len(b.only) == 0 {
		return true
	}
	for _, only := range b.only {
		if name == only || strings.HasPrefix(name, only+"/") {
			return true
		}
	}
	return false
}

// wanted are the promises of names that begin so and were asked for.
func (b *bench) wanted(prefixes ...string) (list []promise) {
	for _, p := range promised {
		for _, prefix := range prefixes {
			if strings.HasPrefix(p.name, prefix) && b.wants(p.name) {
				list = append(list, p)
			}
		}
	}
	return list
}
