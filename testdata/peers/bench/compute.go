package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tetratelabs/wazero/api"
)

// compute is a Go program that does work of several kinds, plain and metered.
type compute struct{ plain, metered api.Module }

// kinds are the exports of testdata/guests/compute, with as many rounds as take some milliseconds: what
// is short is more often undisturbed.
var kinds = map[string]uint64{"sha256": 5, "json": 8, "regexp": 1, "sort": 1, "mandelbrot": 2}

// openFuel samples how much longer the metered form takes for one kind of work, in percent: the best of
// n runs of each form, which take turns.
func (s *shop) openFuel(kind string) (sampler, error) {
	rounds, ok := kinds[kind]
	if !ok {
		return nil, errors.New("no such kind of work")
	}
	if s.compute == nil {
		if _, err := open(s.openCompute, s, "compute"); err != nil {
			return nil, err
		}
	}
	return func(_, n int) ([]float64, error) {
		best := [2]float64{math.Inf(1), math.Inf(1)}
		for range n {
			var sums [2]uint64
			for i, mod := range []api.Module{s.compute.plain, s.compute.metered} {
				took, sum, err := timed(mod.ExportedFunction(kind), rounds)
				if err != nil {
					return nil, err
				}
				best[i], sums[i] = min(best[i], took), sum
			}
			if sums[0] != sums[1] {
				return nil, fmt.Errorf("%s: plain %d, metered %d", kind, sums[0], sums[1])
			}
		}
		return []float64{100 * (best[1]/best[0] - 1)}, nil
	}, nil
}

// openCompute makes both forms ready.
func (s *shop) openCompute(module []byte) (call, error) {
	b, err := newBench(module)
	if err != nil {
		return nil, err
	}
	plain, err := b.runtime.InstantiateWithConfig(b.ctx, module, anonymous().WithStartFunctions(initialize))
	if err != nil {
		return nil, err
	}
	m, err := openMetered(module)
	if err != nil {
		return nil, err
	}
	s.compute = &compute{plain, m.instance}
	return nil, m.ready()
}

func timed(f api.Function, rounds uint64) (took float64, sum uint64, err error) {
	stack := [1]uint64{rounds}
	start := time.Now()
	err = f.CallWithStack(context.Background(), stack[:])
	return time.Since(start).Seconds(), stack[0], err
}
