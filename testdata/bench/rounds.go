package main

import (
	"errors"
	"fmt"
	"time"
)

// sampler takes the samples of calls first to first+n-1.
type sampler func(first, n int) ([]float64, error)

// row is a figure on its way: what takes its samples, a round at a time.
type row struct {
	promise
	sample sampler
}

// rows makes a row for each promise. What cannot be measured on this machine is a figure at once, with
// the reason.
func (b *bench) rows(promises []promise, open func(promise) (sampler, error)) (rows []row, err error) {
	for _, p := range promises {
		sample, err := open(p)
		var left leftOut
		switch {
		case errors.As(err, &left):
			b.leave(p, left)
		case err != nil:
			return nil, fmt.Errorf("%s: %w", p.name, err)
		default:
			rows = append(rows, row{p, sample})
		}
	}
	return rows, nil
}

// interleave takes rounds of samples of all rows in turn, so that what disturbs the machine disturbs all
// of them. One round before them is not counted.
func (b *bench) interleave(rounds int, rows []row) error {
	if b.quick {
		rounds = 1
	}
	taken := make([][][]float64, len(rows))
	left := make([]leftOut, len(rows))
	call := 0
	for round := -1; round < rounds; round++ {
		for i, r := range rows {
			if left[i] != "" {
				continue
			}
			samples, err := b.round(r, &call)
			switch {
			case errors.As(err, &left[i]):
			case err != nil:
				return fmt.Errorf("%s: %w", r.name, err)
			case round >= 0:
				taken[i] = append(taken[i], samples)
			}
		}
	}
	for i, r := range rows {
		if left[i] != "" {
			b.leave(r.promise, left[i])
		} else {
			b.add(figure(r.name, r.unit, taken[i]))
		}
	}
	return nil
}

// round takes the samples of one round of a row, of calls that nobody was asked before.
func (b *bench) round(r row, call *int) ([]float64, error) {
	if b.ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	n := r.n
	if b.quick {
		n = min(n, 2)
	}
	samples, err := r.sample(*call, n)
	*call += n
	if err == nil && len(samples) == 0 {
		err = errors.New("no samples")
	}
	return samples, err
}

// timed is a sampler of one call right after the other, in microseconds. What prepare and check do is
// done before and after all of them: it is not timed, and leaves no pause in which something could be
// got ready for the next call.
func timed[T any](prepare func(i int) T, call func(T) ([]byte, error), check func(out []byte, i int) error) sampler {
	return func(first, n int) ([]float64, error) {
		inputs, outputs, samples := make([]T, n), make([][]byte, n), make([]float64, n)
		for k := range inputs {
			inputs[k] = prepare(first + k)
		}
		for k, in := range inputs {
			start := time.Now()
			out, err := call(in)
			samples[k] = float64(time.Since(start).Nanoseconds()) / 1e3
			if err != nil {
				return nil, err
			}
			outputs[k] = out
		}
		for k, out := range outputs {
			if err := check(out, first+k); err != nil {
				return nil, err
			}
		}
		return samples, nil
	}
}
