package main

import (
	"math"
	"slices"
	"strings"
)

// fuel is the share of time that metering adds to work of several kinds, and that of all kinds together.
func (b *bench) fuel() error {
	if len(b.wanted("fuel/")) == 0 {
		return nil
	}
	var kinds, sums []promise
	for _, p := range promised {
		switch {
		case p.name == "fuel/geomean" || p.name == "fuel/worst":
			sums = append(sums, p)
		case strings.HasPrefix(p.name, "fuel/"):
			kinds = append(kinds, p)
		}
	}
	rows, err := b.rows(kinds, func(p promise) (sampler, error) { return b.beside(p.name, "") })
	if err != nil {
		return err
	}
	if err := b.interleave(12, rows); err != nil {
		return err
	}
	var taken []Figure
	for _, p := range kinds {
		f := b.figures[p.name]
		if f.LeftOut != "" {
			for _, sum := range sums {
				b.leave(sum, leftOut(f.LeftOut))
			}
			return nil
		}
		taken = append(taken, f)
	}
	b.add(combine("fuel/geomean", taken, geomean))
	b.add(combine("fuel/worst", taken, slices.Max))
	return nil
}

// combine makes a figure of the medians of others, and of their 99th percentiles.
func combine(name string, figures []Figure, of func([]float64) float64) Figure {
	var p50, p99 []float64
	for _, f := range figures {
		p50, p99 = append(p50, f.P50), append(p99, f.P99)
	}
	return Figure{Name: name, Unit: figures[0].Unit, P50: of(p50), P99: of(p99), N: figures[0].N}
}

// geomean is the geometric mean of overheads in percent.
func geomean(overheads []float64) float64 {
	logs := 0.0
	for _, o := range overheads {
		logs += math.Log(1 + o/100)
	}
	return 100 * (math.Exp(logs/float64(len(overheads))) - 1)
}
