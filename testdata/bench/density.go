package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/bench/job"
)

// Live sandboxes are counted in two steps. An engine keeps at most 16 instances of a servlet that wait
// for a call, so that the servlet is loaded several times; its machine code is there once.
const (
	loads  = 13
	fewer  = 8  // instances of each at the first step: 104 together
	most   = 16 // at the second: 208
	settle = 16 * time.Second
)

// occupancy is what a process with live instances takes, bytes of its proportional set. Hot is right after
// the calls; idle when the engine has given back what instances keep resident for speed, which it does
// after settle at the latest.
type occupancy struct {
	Live      int
	Hot, Idle float64
}

// density is what one more live sandbox of the Go servlet takes. It is taken in a process of its own,
// with nothing else in it.
func (b *bench) density() error {
	promises := b.wanted("pss/")
	if len(promises) == 0 {
		return nil
	}
	var steps [2]occupancy
	rows, err := b.rows(promises, func(p promise) (sampler, error) {
		if _, err := sizeOf(os.Getpid(), "smaps_rollup", "Pss:"); err != nil {
			return nil, err
		}
		if steps[1].Live == 0 {
			if err := b.populate(&steps); err != nil {
				return nil, err
			}
		}
		return func(int, int) ([]float64, error) {
			more := float64(steps[1].Live - steps[0].Live)
			if p.name == "pss/go-hot" {
				return []float64{(steps[1].Hot - steps[0].Hot) / more}, nil
			}
			return []float64{(steps[1].Idle - steps[0].Idle) / more}, nil
		}, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(1, rows)
}

func (b *bench) populate(steps *[2]occupancy) error {
	g, err := b.guest("go")
	if err != nil {
		return err
	}
	module := filepath.Join(b.dir, "pss.wasm")
	if err := os.WriteFile(module, g.module, 0o644); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "-part", "pss", module, b.cache, fmt.Sprint(b.quick))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the process of live instances: %w", err)
	}
	return json.Unmarshal(out, steps)
}

// runPart is another process of the benchmarks.
func runPart(part string, args []string) error {
	if part != "pss" || len(args) != 3 {
		return fmt.Errorf("there is no part %q with %d arguments", part, len(args))
	}
	quick, err := strconv.ParseBool(args[2])
	if err != nil {
		return err
	}
	steps, err := crowd(args[0], args[1], quick)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(steps)
}

// crowd makes this process one with many live instances.
func crowd(path, cache string, quick bool) (steps [2]occupancy, err error) {
	module, err := os.ReadFile(path)
	if err != nil {
		return steps, err
	}
	ctx := context.Background()
	engine, err := sandbox.New(ctx, sandbox.Config{CacheDir: cache})
	if err != nil {
		return steps, err
	}
	defer engine.Close(ctx)
	admitted, err := sandbox.Admit(module, capabilities.ABI, nil)
	if err != nil {
		return steps, err
	}
	n, each, wait := loads, [2]int{fewer, most}, settle
	if quick {
		n, each, wait = 2, [2]int{1, 3}, 0
	}
	codes := make([]*sandbox.Code, n)
	for i := range codes {
		if codes[i], err = engine.Compile(ctx, admitted); err != nil {
			return steps, err
		}
		if err = codes[i].Prepare(ctx, nil, limits().Memory); err != nil {
			return steps, err
		}
	}
	for i := range steps {
		if err = together(codes, each[i]); err != nil {
			return steps, err
		}
		steps[i].Live = n * each[i]
		if steps[i].Hot, err = proportional(); err != nil {
			return steps, err
		}
		time.Sleep(wait)
		if steps[i].Idle, err = proportional(); err != nil {
			return steps, err
		}
	}
	return steps, nil
}

// together runs calls of each code that are all under way at the same time, so that each has an
// instance of its own. All instances wait for a call afterwards.
func together(codes []*sandbox.Code, each int) error {
	var arrived, done sync.WaitGroup
	arrived.Add(len(codes) * each)
	leave := make(chan struct{})
	errs := make(chan error, len(codes)*each)
	for c, code := range codes {
		for i := range each {
			done.Go(func() {
				here := sync.OnceFunc(arrived.Done)
				defer here() // a call that fails before it reports
				call := c*each + i
				out := code.Run(context.Background(), sandbox.Call{
					Entry: sandbox.EntryCall, Input: job.Request("report", call), Limits: limits(),
					Progress: func(float64, float64, string) { here(); <-leave },
				})
				switch {
				case out.Fault != nil:
					errs <- out.Fault
				case out.Rung != sandbox.RungReset:
					errs <- fmt.Errorf("it ran on rung %q", out.Rung)
				default:
					errs <- job.Check(out.Output, call)
				}
			})
		}
	}
	arrived.Wait()
	close(leave)
	done.Wait()
	for range len(codes) * each {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// proportional is this process's proportional set, without garbage.
func proportional() (float64, error) {
	runtime.GC()
	debug.FreeOSMemory()
	return sizeOf(os.Getpid(), "smaps_rollup", "Pss:")
}
