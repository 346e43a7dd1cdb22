// Bench measures Writ at its doors and prints each figure beside its yardstick from the same run.
// Machines are noisy: read ratios and medians. It writes a list of {"name","unit","p50","p99","n"}.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// Figure is one measured thing.
type Figure struct {
	Name string  `json:"name"`
	Unit string  `json:"unit"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	N    int     `json:"n"`
}

// bench is one run.
type bench struct {
	ctx        context.Context
	writ       string // the binary
	filesystem string // a servlet file
	dir        string // throw-away folder
	figures    []Figure
}

func main() {
	writ := flag.String("writ", "out/writ", "writ binary")
	servlet := flag.String("servlet", "out/filesystem.wasm", "servlet to install, signed by the development key of -home")
	out := flag.String("o", "out/bench.json", "file to write")
	flag.Parse()
	dir, err := os.MkdirTemp("", "writ-bench-")
	if err != nil {
		log.Fatal(err)
	}
	b := &bench{ctx: context.Background(), writ: absolute(*writ), filesystem: absolute(*servlet), dir: dir}
	for _, step := range []func() error{b.sandboxed, b.protocol, b.install, b.size, b.memory} {
		if err = step(); err != nil {
			break
		}
	}
	os.RemoveAll(dir)
	if err == nil {
		err = b.write(*out)
	}
	if err != nil {
		log.Fatal(err)
	}
	b.print()
}

func absolute(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		log.Fatal(err)
	}
	return abs
}

// add records the distribution of samples.
func (b *bench) add(name, unit string, samples []float64) {
	slices.Sort(samples)
	at := func(q float64) float64 { return samples[min(len(samples)-1, int(q*float64(len(samples))))] }
	b.figures = append(b.figures, Figure{name, unit, at(0.50), at(0.99), len(samples)})
}

// time runs f n times after warm runs that are not counted, and records it in microseconds.
func (b *bench) time(name string, warm, n int, f func(i int) error) error {
	samples := make([]float64, 0, n)
	for i := range warm + n {
		start := time.Now()
		if err := f(i); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if i >= warm {
			samples = append(samples, float64(time.Since(start).Nanoseconds())/1e3)
		}
	}
	b.add(name, "us", samples)
	return nil
}

func (b *bench) write(path string) error {
	data, err := json.MarshalIndent(b.figures, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// yardsticks pairs a figure with what it is to be read against.
var yardsticks = map[string]string{
	"plain/go":   "spawn/go",
	"fresh/go":   "spawn/go",
	"stdio/call": "stdio/floor",
	"http/call":  "http/floor",
}

func (b *bench) print() {
	byName := map[string]Figure{}
	for _, f := range b.figures {
		byName[f.Name] = f
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "figure\tp50\tp99\tunit\tn\tyardstick\tp50\tratio\t")
	for _, f := range b.figures {
		row := fmt.Sprintf("%s\t%.4g\t%.4g\t%s\t%d\t", f.Name, f.P50, f.P99, f.Unit, f.N)
		if y, ok := byName[yardsticks[f.Name]]; ok {
			row += fmt.Sprintf("%s\t%.4g\t%.2f\t", y.Name, y.P50, f.P50/y.P50)
		} else {
			row += "\t\t\t"
		}
		fmt.Fprintln(w, row)
	}
	w.Flush()
}
