package main

import (
	"bytes"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/writ-run/writ/host/sandbox/image"
	"github.com/writ-run/writ/testdata/bench/job"
)

// calls are the figures of one small call, in a fresh sandbox and otherwise.
func (b *bench) calls() error {
	rows, err := b.rows(b.wanted("fresh/", "call/", "same/", "plain/", "extism/", "wasmtime/", "spawn/"), b.caller)
	if err != nil {
		return err
	}
	return b.interleave(40, rows)
}

// caller opens what one of these figures is sampled from.
func (b *bench) caller(p promise) (sampler, error) {
	kind, rest, _ := strings.Cut(p.name, "/")
	language, variant, _ := strings.Cut(rest, "/")
	switch kind {
	case "fresh":
		return b.fresh(language, variant)
	case "call":
		return b.whole(language)
	case "spawn":
		return b.spawned()
	}
	return b.beside(p.name, language)
}

// fresh samples calls of a language in fresh sandboxes, of one with a dash an operation of its own.
func (b *bench) fresh(language, variant string) (sampler, error) {
	op, method := job.Sum, image.Scan
	language, effect, _ := strings.Cut(language, "-")
	switch effect {
	case "dirty-1m":
		op = job.Dirty
	case "alloc":
		op = job.Alloc
	}
	if variant == "portable" {
		method = image.Portable
	}
	g, err := b.guest(language)
	if err != nil {
		return nil, err
	}
	code, err := b.code(method, g.module)
	if err != nil {
		return nil, err
	}
	return b.guarded(code, g, op)
}

// whole samples calls of a language through the product.
func (b *bench) whole(language string) (sampler, error) {
	g, err := b.guest(language)
	if err != nil {
		return nil, err
	}
	made, err := b.product()
	if err != nil {
		return nil, err
	}
	if err := made.install(language, g.file); err != nil {
		return nil, err
	}
	return timed(
		func(i int) []byte { return job.Arguments(job.Sum, i) },
		func(arguments []byte) ([]byte, error) { return made.call(language, arguments) },
		job.Check), nil
}

// spawned samples new processes of the same tool, which have no isolation of files or network.
func (b *bench) spawned() (sampler, error) {
	program, err := b.program("./testdata/bench/spawn")
	if err != nil {
		return nil, err
	}
	return timed(
		func(i int) *exec.Cmd {
			cmd := exec.Command(program)
			cmd.Stdin = bytes.NewReader(job.Request(job.Sum, i))
			return cmd
		},
		(*exec.Cmd).Output, job.Check), nil
}

// throughput is how many calls end in a second, by one caller and by two at a time.
func (b *bench) throughput() error {
	rows, err := b.rows(b.wanted("throughput/"), func(p promise) (sampler, error) {
		path, number, _ := strings.Cut(strings.TrimPrefix(p.name, "throughput/"), "/")
		callers, err := strconv.Atoi(number)
		if err != nil {
			return nil, err
		}
		if callers > runtime.GOMAXPROCS(0) {
			return nil, leftOut("it needs two processors")
		}
		call, err := b.repeated(path)
		if err != nil {
			return nil, err
		}
		return func(first, _ int) ([]float64, error) { return rate(call, callers, b.window()) }, nil
	})
	if err != nil {
		return err
	}
	return b.interleave(15, rows)
}

// repeated is a call of Go that several callers can make at a time: in fresh sandboxes, or through the
// whole product.
func (b *bench) repeated(path string) (func(i int) ([]byte, error), error) {
	if path == "call" {
		if _, err := b.whole("go"); err != nil {
			return nil, err
		}
		made, err := b.product()
		return func(i int) ([]byte, error) { return made.call("go", job.Arguments(job.Sum, i)) }, err
	}
	g, err := b.guest(path)
	if err != nil {
		return nil, err
	}
	code, err := b.code(image.Scan, g.module)
	if err != nil {
		return nil, err
	}
	call, err := b.behindGuard(code, g)
	return func(i int) ([]byte, error) { return call(job.Request(job.Sum, i)) }, err
}

// window is how long calls are counted.
func (b *bench) window() time.Duration {
	if b.quick {
		return 20 * time.Millisecond
	}
	return 300 * time.Millisecond
}

// rate counts the calls of so many callers for a while.
func rate(call func(i int) ([]byte, error), callers int, window time.Duration) ([]float64, error) {
	counts, errs := make([]int, callers), make(chan error, callers)
	start := time.Now()
	for k := range callers {
		go func() {
			errs <- func() error {
				for i := 0; time.Since(start) < window; i++ {
					number := i*callers + k
					out, err := call(number)
					if err == nil {
						err = job.Check(out, number)
					}
					if err != nil {
						return err
					}
					counts[k]++
				}
				return nil
			}()
		}()
	}
	total := 0
	for range callers {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	took := time.Since(start)
	for _, n := range counts {
		total += n
	}
	return []float64{float64(total) / took.Seconds()}, nil
}
