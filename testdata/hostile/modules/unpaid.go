package modules

import (
	"context"
	"errors"
	"fmt"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var unpaid = attack.Row{
	ID:    "A18",
	Title: "work that is not paid for: bulk operations of any length, growth, a loop that goes on when the budget is used up",
	Mutants: []string{
		"meter-fill", "meter-copy", "meter-init", "meter-grow", "meter-table", "meter-budget", "meter-loop", "meter-entry",
		"gate-module-size", "trap-reported",
	},
	Run: func(r *attack.Report) {
		for name, b := range bulk {
			r.Variant(name+" is charged by its length", b.charged)
			r.Variant(name+" ends at the budget", b.ends)
		}
		for name, body := range map[string]func(m *w.Module) []byte{
			"a loop":                func(*w.Module) []byte { return w.Loop() },
			"a tree of calls":       callTree,
			"a loop in a dead loop": func(*w.Module) []byte { return w.Loop(w.Br(0), w.Loop()) },
		} {
			for _, way := range target.Ways(r) {
				r.Variant(name+" ends at the budget, at the same unit each time, "+string(way), func() error { return atBudget(way, body) })
			}
		}
	},
}

// operation is an instruction whose work depends on its length.
type operation struct {
	most  int32 // length of the largest one
	units int64 // that it has to cost at least
	make  func(m *w.Module) (do func(n int32) []byte)
}

// bulk are the operations. Bytes cost an eighth of a unit, entries of a table one, pages 256.
var bulk = map[string]operation{
	"memory.fill": {8 << 20, 1 << 20, func(*w.Module) func(int32) []byte {
		return func(n int32) []byte { return w.Code(w.I32(0), w.I32(1), w.I32(n), w.Fill()) }
	}},
	"memory.copy": {8 << 20, 1 << 20, func(*w.Module) func(int32) []byte {
		return func(n int32) []byte { return w.Code(w.I32(8), w.I32(0), w.I32(n), w.Copy()) }
	}},
	"memory.init": {1 << 20, 1 << 17, func(m *w.Module) func(int32) []byte {
		m.Passive(make([]byte, 1<<20))
		return func(n int32) []byte { return w.Code(w.I32(0), w.I32(0), w.I32(n), w.Init(0)) }
	}},
	"memory.grow": {64, 64 << 8, func(*w.Module) func(int32) []byte {
		return func(n int32) []byte { return w.Code(w.I32(n), w.Grow(), w.Drop()) }
	}},
	"table.fill": {60_000, 60_000, func(m *w.Module) func(int32) []byte {
		m.Table(w.Range(60_000, 60_000))
		return func(n int32) []byte { return w.Code(w.I32(0), []byte{0xd0, 0x70}, w.I32(n), []byte{0xfc, 17, 0}) }
	}},
	"table.copy": {60_000, 60_000, func(m *w.Module) func(int32) []byte {
		m.Table(w.Range(60_000, 60_000))
		return func(n int32) []byte { return w.Code(w.I32(0), w.I32(0), w.I32(n), []byte{0xfc, 14, 0, 0}) }
	}},
	"table.init": {60_000, 60_000, func(m *w.Module) func(int32) []byte {
		m.Table(w.Range(60_000, 60_000))
		m.Elements(w.Code([]byte{1, 1, 0}, w.U32(60_000), make([]byte, 60_000))) // passive: function 0
		return func(n int32) []byte { return w.Code(w.I32(0), w.I32(0), w.I32(n), []byte{0xfc, 12, 0, 0}) }
	}},
	"table.grow": {60_000, 60_000, func(m *w.Module) func(int32) []byte {
		m.Table(w.Range(0, 60_000))
		return func(n int32) []byte { return w.Code([]byte{0xd0, 0x70}, w.I32(n), []byte{0xfc, 15, 0}, w.Drop()) }
	}},
}

// module does the operation once.
func (o operation) module(n int32) []byte {
	m := &w.Module{}
	write := target.Import(m, "output_write")
	m.Memory(w.Range(130, 200))
	do := o.make(m)
	m.Func("servlet_call", "", "i", do(n), w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// charged compares what the operation costs with and without its length.
func (o operation) charged() error {
	var fuel [2]int64
	for i, n := range []int32{0, o.most} {
		out, err := target.Run(target.Plain, o.module(n), target.Call(nil))
		if err != nil || out.Fault != nil {
			return errors.Join(err, fmt.Errorf("of length %d: %v", n, out.Fault))
		}
		fuel[i] = int64(out.Fuel)
	}
	if cost := fuel[1] - fuel[0]; cost < o.units {
		return fmt.Errorf("a length of %d costs %d units; want %d", o.most, cost, o.units)
	}
	return nil
}

// ends gives the call half of what the operation costs.
func (o operation) ends() error {
	call := target.Call(nil)
	call.Limits.Fuel = uint64(o.units / 2)
	out, err := target.Run(target.Plain, o.module(o.most), call)
	return errors.Join(err, target.Fault(out, sandbox.FaultLimit, usedUp(call.Limits.Fuel)))
}

func usedUp(budget uint64) string {
	return fmt.Sprintf("the servlet used up the %d units of fuel that are granted", budget)
}

// callTree is 2^45 calls, without a loop.
func callTree(m *w.Module) []byte {
	f := m.Func("", "", "", w.Code())
	for range 45 {
		f = m.Func("", "", "", w.Call(f), w.Call(f))
	}
	return w.Call(f)
}

// atBudget runs what has no end three times, in one engine.
func atBudget(way target.Way, body func(m *w.Module) []byte) error {
	m := &w.Module{}
	do := body(m)
	m.Memory(w.AtLeast(1))
	m.Func("servlet_call", "", "i", do, w.I32(0))
	code, err := target.Compile(way, m.Bytes())
	if err != nil {
		return err
	}
	call := target.Call(nil)
	call.Limits.Fuel = 1_000_000
	var fuel uint64
	for range 3 {
		out := code.Run(context.Background(), call)
		err = errors.Join(err, target.Fault(out, sandbox.FaultLimit, usedUp(call.Limits.Fuel)))
		if fuel != 0 && out.Fuel != fuel || out.Fuel < call.Limits.Fuel || out.Fuel > call.Limits.Fuel+1000 {
			err = errors.Join(err, fmt.Errorf("ended after %d units, before that after %d", out.Fuel, fuel))
		}
		fuel = out.Fuel
	}
	return errors.Join(err, code.Close(context.Background()))
}
