// Bench measures Writ, each figure beside its yardstick and its target, all in one run. Machines are
// noisy: rounds of what is compared alternate in time, so read ratios and medians. It writes a list of
// {"name","unit","p50","p99","n"}, and on request the medians in Go's benchmark format.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// bench is one run.
type bench struct {
	ctx        context.Context
	root       string // of the project
	writ       string // the binary
	filesystem string // a servlet file
	dir        string // throw-away folder
	cache      string // folder of compiled code that all engines of the run share
	quick      bool
	only       []string
	figures    map[string]Figure

	made    workshop
	closing []func()
}

func main() {
	log.SetFlags(0)
	writ := flag.String("writ", "out/writ", "writ binary")
	servlet := flag.String("servlet", "out/filesystem.wasm", "servlet file whose size is a figure")
	out := flag.String("o", "out/bench.json", "file to write")
	text := flag.String("text", "out/bench.txt", "file to write in Go's benchmark format")
	cache := flag.String("cache", "", "folder that keeps compiled code between runs; empty: none is kept")
	only := flag.String("only", "", "measure these figures only: names or beginnings of names up to a slash, with commas")
	quick := flag.Bool("quick", false, "take next to no samples: shows that everything works, measures nothing")
	part := flag.String("part", "", "be the process of which one figure is taken")
	flag.Parse()
	if *part != "" {
		if err := runPart(*part, flag.Args()); err != nil {
			log.Fatal("bench: ", err)
		}
		return
	}
	b, err := newBench(*writ, *servlet, *cache, *only, *quick)
	if err != nil {
		log.Fatal("bench: ", err)
	}
	err = b.run()
	b.end()
	if err != nil {
		log.Fatal("bench: ", err)
	}
	figures := b.list()
	if err = writeJSON(*out, figures); err == nil {
		err = writeBench(*text, figures)
	}
	if err != nil {
		log.Fatal("bench: ", err)
	}
	table(os.Stdout, figures)
	if *quick {
		log.Print("bench: a quick run: these figures mean nothing")
	}
}

func newBench(writ, servlet, cache, only string, quick bool) (*bench, error) {
	b := &bench{quick: quick, figures: map[string]Figure{}}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	b.ctx = ctx
	b.onEnd(stop)
	if only != "" {
		b.only = strings.Split(only, ",")
	}
	for _, name := range b.only {
		known := func(p promise) bool { return p.name == name || strings.HasPrefix(p.name, name+"/") }
		if !slices.ContainsFunc(promised, known) {
			return nil, fmt.Errorf("no figure has the name %q", name)
		}
	}
	var err error
	if b.root, err = os.Getwd(); err == nil {
		b.writ, err = filepath.Abs(writ)
	}
	if err == nil {
		b.filesystem, err = filepath.Abs(servlet)
	}
	if err == nil {
		b.dir, err = os.MkdirTemp("", "writ-bench-")
	}
	b.onEnd(func() { os.RemoveAll(b.dir) })
	if b.cache = cache; cache == "" {
		b.cache = filepath.Join(b.dir, "code")
	}
	return b, err
}

// run takes all figures that were asked for.
func (b *bench) run() error {
	for _, step := range []func() error{b.density, b.calls, b.throughput, b.fuel, b.deadlines, b.protocol, b.install, b.restart, b.first, b.size, b.memory} {
		if err := step(); err != nil {
			return err
		}
	}
	for _, p := range promised {
		if _, ok := b.figures[p.name]; !ok && b.wants(p.name) {
			return fmt.Errorf("BUG: %s is promised and was not measured", p.name)
		}
	}
	return nil
}

// onEnd does something when the run is over, in the opposite order.
func (b *bench) onEnd(do func()) { b.closing = append(b.closing, do) }

func (b *bench) end() {
	for _, do := range slices.Backward(b.closing) {
		do()
	}
}

func (b *bench) add(f Figure) {
	if _, twice := b.figures[f.Name]; twice || unitOf(f.Name) != f.Unit || f.Unit == "" {
		panic("BUG: " + f.Name + " is not promised, or measured twice")
	}
	b.figures[f.Name] = f
}

// leave says why a figure is not there.
func (b *bench) leave(p promise, why leftOut) {
	b.add(Figure{Name: p.name, Unit: p.unit, LeftOut: string(why)})
}

// list are the figures in the promised order.
func (b *bench) list() (figures []Figure) {
	for _, p := range promised {
		if f, ok := b.figures[p.name]; ok {
			figures = append(figures, f)
		}
	}
	return figures
}
