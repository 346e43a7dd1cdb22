package main

import (
	"fmt"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/testdata/bench/job"
)

// shapes are the operations of the Go servlet that never end: a loop, calls, operations on much memory
// at once, allocation and its collector, host calls, and sleep.
var shapes = []string{"spin", "recurse", "fill", "alloc", "log", "sleep"}

// deadlines is how long guests of each shape run on after a deadline of 20 ms.
func (b *bench) deadlines() error {
	const wall = 20 * time.Millisecond
	rows, err := b.rows(b.wanted("deadline/"), func(promise) (sampler, error) {
		g, err := b.guest("go")
		if err != nil {
			return nil, err
		}
		code, err := b.code(image.Scan, g.module)
		if err != nil {
			return nil, err
		}
		l := limits()
		l.Wall, l.HostCalls = wall, 1<<40
		return func(first, _ int) (over []float64, err error) {
			for _, shape := range shapes {
				out := code.Run(b.ctx, sandbox.Call{Entry: sandbox.EntryCall, Input: job.Request(shape, first), Limits: l})
				if out.Fault == nil || out.Fault.Kind != sandbox.FaultDeadline {
					return nil, fmt.Errorf("%s was not ended by its deadline: %v", shape, out.Fault)
				}
				over = append(over, float64((out.Wall-wall).Nanoseconds())/1e6)
			}
			return over, nil
		}, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(20, rows)
}
