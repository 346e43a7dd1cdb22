package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Figure is one measured thing, or the reason why it was not measured.
type Figure struct {
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	P50     float64 `json:"p50,omitzero"`
	P99     float64 `json:"p99,omitzero"`
	N       int     `json:"n,omitzero"`
	LeftOut string  `json:"left_out,omitempty"`

	rounds []float64 // median of each round
}

// leftOut is an error that says why something cannot be measured on this machine.
type leftOut string

func (e leftOut) Error() string { return string(e) }

// figure sums up the samples of all rounds. Rounds of different figures alternate in time, so the n-th
// rounds of two were measured under the same conditions.
func figure(name, unit string, rounds [][]float64) Figure {
	f := Figure{Name: name, Unit: unit}
	var all []float64
	for _, r := range rounds {
		f.rounds = append(f.rounds, quantile(r, 0.50))
		all = append(all, r...)
	}
	f.P50, f.P99, f.N = quantile(all, 0.50), quantile(all, 0.99), len(all)
	return f
}

func quantile(samples []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// ratio is how f compares with g: the median over pairs of rounds where both have as many, so that what
// slowed the machine down for a while slowed both down.
func ratio(f, g Figure) float64 {
	if len(f.rounds) != len(g.rounds) || len(f.rounds) == 0 {
		return f.P50 / g.P50
	}
	var r []float64
	for i := range f.rounds {
		r = append(r, f.rounds[i]/g.rounds[i])
	}
	return quantile(r, 0.50)
}

// writeJSON writes the figures as a list of {"name","unit","p50","p99","n"} or {"name","unit","left_out"}.
func writeJSON(path string, figures []Figure) error {
	data, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// benchUnits are the units of Go's benchmark format, with what one of ours is in them.
var benchUnits = map[string]struct {
	name  string
	times float64
}{
	"us": {"ns/op", 1e3}, "ms": {"ns/op", 1e6}, "s": {"ns/op", 1e9}, "bytes": {"B", 1}, "1/s": {"calls/s", 1}, "%": {"%overhead", 1},
}

// writeBench writes the medians in Go's benchmark format, a line for each figure: rounds of one process
// are no independent measurements.
func writeBench(path string, figures []Figure) error {
	var b strings.Builder
	fmt.Fprintf(&b, "goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
	for _, f := range figures {
		if f.LeftOut != "" {
			continue
		}
		unit := benchUnits[f.Unit]
		value := f.P50 * unit.times
		if math.Abs(value) >= 100 {
			value = math.Round(value)
		}
		fmt.Fprintf(&b, "Benchmark%s%s-%d\t%d\t%v %s\n", strings.ToUpper(f.Name[:1]), f.Name[1:], runtime.GOMAXPROCS(0), f.N, value, unit.name)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
