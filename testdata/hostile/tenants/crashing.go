package tenants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var crashing = attack.Row{
	ID:      "L147",
	Title:   "a call that crashes in every way, while another call is in flight",
	Mutants: []string{"panic-in-operation", "panic-in-run", "meter-loop", "meter-refuel", "memory-own"},
	Run: func(r *attack.Report) {
		for _, way := range target.Ways(r) {
			for name, crash := range crashes() {
				r.Variant(name+", "+string(way), func() error { return survived(way, crash) })
			}
		}
		r.Skip("a crash of a worker process", "servlets run in the host's process; workers are not built yet")
	},
}

// crash is a hostile call.
type crash struct {
	module []byte
	call   sandbox.Call
}

func crashes() map[string]crash {
	guest := func(body ...[]byte) []byte { return target.Guest(func(*w.Module) [][]byte { return body }) }
	short := target.Call(nil)
	short.Limits.Wall = 5 * time.Millisecond
	const head = `{"capability":"api","method":"GET","path":"/"}`
	return map[string]crash{
		"a trap":              {guest(w.Unreachable()), target.Call(nil)},
		"memory out of reach": {guest(w.I32(-1), w.Load32()), target.Call(nil)},
		"proc_exit": {target.Guest(func(m *w.Module) [][]byte {
			return [][]byte{w.I32(1), w.Call(target.Import(m, "proc_exit")), w.I32(0)}
		}), target.Call(nil)},
		"endless recursion": {target.Guest(func(m *w.Module) [][]byte {
			return [][]byte{w.Call(m.Func("", "", "", w.Call(0))), w.I32(0)}
		}), target.Call(nil)},
		"a deadline":          {guest(w.Loop(), w.I32(0)), short},
		"memory without end":  {guest(w.Loop(w.I32(1), w.Grow(), w.I32(-1), []byte{0x46}, w.If(w.Unreachable())), w.I32(0)), target.Call(nil)},
		"a panic of its host": {target.Caller(target.Named("config_get"), "K"), target.Call(broken{}, target.Arguments(0, 1, 0, 0)...)},
		"a panic in Preopens": {guest(w.I32(1)), target.Call(struct{ sandbox.Host }{})},
		"a panic beside it": {target.Guest(func(m *w.Module) [][]byte {
			start, wait := target.Import(m, "http_start"), target.Import(m, "op_wait")
			m.Data(64, []byte(head))
			return [][]byte{w.I32(0), w.I32(64), w.I32(int32(len(head))), w.I32(0), w.I32(0), w.Call(start), w.Store32(),
				w.I32(0), w.I32(1), w.I64(-1), w.Call(wait)}
		}), target.Call(broken{})},
	}
}

// broken is a Host that panics when it is asked.
type broken struct{ sandbox.Host }

func (broken) Preopens() []effect.Preopen { return nil }

func (broken) Config(context.Context, string) (string, *effect.Error) { panic("broken") }

func (broken) Fetch(context.Context, effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
	panic("broken")
}

// survived has a call wait in its host while another one crashes in the same engine, and lets it go on.
func survived(way target.Way, c crash) error {
	waiting, err := target.Compile(way, target.Caller(target.Named("config_get"), "K"))
	if err != nil {
		return err
	}
	crashing, err := target.Compile(way, c.module)
	if err != nil {
		return err
	}
	inFlight, goOn := make(chan struct{}), make(chan struct{})
	host := target.NewWilling()
	host.OnConfig = func(context.Context, string) (string, *effect.Error) {
		close(inFlight)
		<-goOn
		return "fine", nil
	}
	ended := make(chan sandbox.Outcome)
	go func() {
		ended <- waiting.Run(context.Background(), target.Call(host, target.Arguments(0, 1, 64, 64)...))
	}()
	<-inFlight
	func() {
		defer close(goOn) // whatever the crash does
		for range 3 {
			if out := crashing.Run(context.Background(), c.call); out.Fault == nil {
				err = errors.Join(err, fmt.Errorf("the hostile call answered %q", out.Output))
			}
		}
	}()
	out := <-ended
	if n, wrong := target.Result(out); wrong != nil || n != int32(len("fine")) {
		err = errors.Join(err, wrong, fmt.Errorf("the other call came to %d", n))
	}
	return errors.Join(err, waiting.Close(context.Background()), crashing.Close(context.Background()))
}
