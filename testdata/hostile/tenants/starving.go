package tenants

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var starving = attack.Row{
	ID:      "L145",
	Title:   "a space that uses all it can, without pause, while another works",
	Mutants: []string{"lanes-caller", "lanes-name", "turns-caller-memory", "records-by-space", "meter-loop", "meter-refuel", "meter-fill"},
	Run: func(r *attack.Report) {
		calls := 20
		if r.Thorough {
			calls = 200
		}
		for name, f := range floods() {
			r.Variant(name, func() error { return f.leaves(r, name, calls) })
		}
	},
}

// Bounds of the attacked host, and how long a hostile and an honest call may take.
const (
	ofServlet = 2
	ofCaller  = 3
	ofAll     = 6
	hostileMS = 4_000
	honestMS  = 2_000
	honestMB  = 20 // more than is spare, and there beside what one caller may have
)

// flood is a hostile servlet, under so many aliases, called by so many at a time.
type flood struct {
	module   []byte
	aliases  int
	calls    int
	memoryMB int
}

func floods() map[string]flood {
	entry := func(pages uint32, define func(m *w.Module) [][]byte) []byte {
		m := &w.Module{}
		body := define(m)
		m.Memory(w.Range(pages, 1<<14))
		m.Func("servlet_call", "", "i", body...)
		return m.Bytes()
	}
	spin := entry(1, func(*w.Module) [][]byte { return [][]byte{w.Loop(), w.I32(0)} })
	return map[string]flood{
		"loops, of one servlet":          {spin, 1, 12, 1},
		"loops, of six servlets":         {spin, 6, 12, 1},
		"loops that may have all memory": {spin, 6, 12, 23},
		"crashes":                        {entry(1, func(*w.Module) [][]byte { return [][]byte{w.Unreachable()} }), 1, 4, 1},
		"recursion": {entry(1, func(m *w.Module) [][]byte {
			return [][]byte{w.Call(m.Func("", "", "", w.Call(0))), w.I32(0)}
		}), 1, 4, 1},
		"memory, taken and filled": {entry(1, func(*w.Module) [][]byte {
			return [][]byte{w.I32(20 << 4), w.Grow(), w.Drop(), w.Loop(w.I32(0), w.I32(1), w.I32(20<<20), w.Fill()), w.I32(0)}
		}), 1, 4, 24},
		"host calls": {entry(1, func(m *w.Module) [][]byte {
			log := target.Import(m, "log")
			return [][]byte{w.Loop(w.I32(1), w.I32(0), w.I32(1024), w.Call(log), w.Drop()), w.I32(0)}
		}), 1, 4, 1},
		"an exponential tree of calls": {entry(1, func(m *w.Module) [][]byte {
			f := m.Func("", "", "", w.Loop(w.Br(1)))
			for range 45 {
				f = m.Func("", "", "", bytes.Repeat(w.Call(f), 2))
			}
			return [][]byte{w.Call(f), w.I32(0)}
		}), 1, 4, 1},
	}
}

// leaves floods a host from one space and wants every call of the other one answered.
func (f flood) leaves(r *attack.Report, name string, calls int) error {
	h, err := target.NewHome(host.Config{Running: ofServlet, CallerRunning: ofCaller, MaxRunning: ofAll, Memory: 64 << 20})
	if err != nil {
		return err
	}
	for i := range f.aliases {
		m := target.Manifest("acme/flood")
		m.Limits = capabilities.Limits{MemoryMB: f.memoryMB, WallMS: hostileMS}
		if _, err := h.Install(yours, aliasOf(i), f.module, m); err != nil {
			return err
		}
		if _, err := h.Host.Prepare(context.Background(), target.Client(yours), aliasOf(i)); err != nil { // so that the flood begins at once
			return err
		}
	}
	honest := target.Manifest("acme/honest")
	honest.Limits = capabilities.Limits{MemoryMB: honestMB, WallMS: honestMS}
	if _, err := h.Install(mine, aliasOf(0), target.Saying("served"), honest); err != nil {
		return err
	}
	served := func() error { return h.Want(mine, aliasOf(0)+"_go", "{}", host.StatusOK, "served") }
	if err := served(); err != nil {
		return fmt.Errorf("before the flood: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var flooding sync.WaitGroup
	for i := range f.calls {
		flooding.Go(func() {
			for ctx.Err() == nil {
				// How it ends is not this row's question.
				_, _ = h.Host.CallTool(ctx, target.Client(yours), host.Request{Tool: aliasOf(i%f.aliases) + "_go"})
			}
		})
	}
	time.Sleep(20 * time.Millisecond) // so that the flood has all places that it can get
	var took []time.Duration
	for range calls {
		began := time.Now()
		err = errors.Join(err, served())
		if took = append(took, time.Since(began)); err != nil {
			break
		}
	}
	stop()
	flooding.Wait()
	slices.Sort(took)
	r.Detail("%s: the other space is answered in %v, half of the calls; the slowest of %d in %v", name,
		took[len(took)/2].Round(10*time.Microsecond), len(took), took[len(took)-1].Round(10*time.Microsecond))
	return err
}

// aliasOf is one alias in both spaces: what is counted by it must be counted by space.
func aliasOf(i int) string { return fmt.Sprintf("tool-%d", i) }
