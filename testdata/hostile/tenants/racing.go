package tenants

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var racing = attack.Row{
	ID:      "L149",
	Title:   "a thousand at once race one budget: exchanges, descriptors, memory, places",
	Mutants: []string{"spend-requests", "spend-handles", "space-limit", "lanes-servlet", "lanes-caller", "lanes-total", "operations-counted", "trap-reported"},
	Run: func(r *attack.Report) {
		const n = 1000
		calls := 100
		switch {
		case r.Thorough:
			calls = n
		case r.First:
			calls = 40
		}
		r.Variant("1,000 exchanges of one call, of which 20 are granted", func() error { return raceExchanges(n) })
		r.Variant("1,000 files of one call, of which 64 may be open", func() error { return raceFiles(n) })
		r.Variant("1,000 operations of one call, of which 64 may run", raceOperations)
		r.Variant("1,000 calls that grow, in an engine of 8 MiB", func() error { return raceMemory(n) })
		for name, c := range map[string]places{
			"the places of one servlet":      {spaces: 1, aliases: 1, want: ofServlet},
			"the places of one caller":       {spaces: 1, aliases: 3, want: ofCaller},
			"the places of all":              {spaces: 3, aliases: 3, want: ofAll},
			"the places of one alias in two": {spaces: 2, aliases: 1, want: 2 * ofServlet},
		} {
			r.Variant(fmt.Sprintf("%d calls for %s", calls, name), func() error { return c.race(calls) })
		}
	},
}

// peak counts how many are inside at a time.
type peak struct{ now, most atomic.Int64 }

func (p *peak) enter() {
	now := p.now.Add(1)
	for {
		most := p.most.Load()
		if now <= most || p.most.CompareAndSwap(most, now) {
			return
		}
	}
}

func (p *peak) leave() { p.now.Add(-1) }

// atOnce runs do so often, all at the same time.
func atOnce(n int, do func(i int)) {
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			do(i)
		})
	}
	close(start)
	all.Wait()
}

func raceExchanges(n int) error {
	up := target.NewUpstream(nil)
	defer up.Stop()
	p := capabilities.Policy{Limits: capabilities.DefaultLimits}
	p.Rights.HTTP = map[string]capabilities.HTTPRight{"api": {Origin: up.Origin, Methods: []string{"GET"}, Paths: []string{"/"}}}
	g, err := target.Guard(p, up.Network)
	if err != nil {
		return err
	}
	defer g.End()
	var served, refused atomic.Int64
	atOnce(n, func(int) {
		_, failed := g.Fetch(context.Background(), effect.HTTPRequest{Capability: "api", Method: "GET", Path: "/"})
		switch {
		case failed == nil:
			served.Add(1)
		case failed.Code == effect.Limit:
			refused.Add(1)
		}
	})
	limit := int64(p.Limits.HTTPCalls)
	if served.Load() != limit || refused.Load() != int64(n)-limit || up.Hits.Load() != limit {
		return fmt.Errorf("%d served, %d refused, %d reached the server; the budget is %d", served.Load(), refused.Load(), up.Hits.Load(), limit)
	}
	return nil
}

func raceFiles(n int) error {
	dir, err := target.Dir()
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "f"), nil, 0o600)
	}
	if err != nil {
		return err
	}
	right := capabilities.FSRight{Guest: "/data", Path: dir, Mode: capabilities.ModeRead}
	g, err := target.Guard(capabilities.Policy{
		Limits: capabilities.DefaultLimits, Preopens: []capabilities.FSRight{right},
		Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{"data": right}},
	}, guard.Network{})
	if err != nil {
		return err
	}
	defer g.End()
	var opened, refused atomic.Int64
	atOnce(n, func(int) {
		switch _, errno := g.Open(context.Background(), effect.Open{Dir: effect.FirstHandle, Path: "f", Read: true}); errno {
		case effect.Success:
			opened.Add(1)
		case effect.ErrMFile:
			refused.Add(1)
		}
	})
	if opened.Load() != 64 || refused.Load() != int64(n)-64 {
		return fmt.Errorf("%d opened, %d refused; the budget is 64", opened.Load(), refused.Load())
	}
	return nil
}

// raceOperations starts a thousand exchanges from one guest, and counts how many its host works on.
func raceOperations() error {
	const head = `{"capability":"api","method":"GET","path":"/"}`
	m := &w.Module{}
	start, status, write := target.Import(m, "http_start"), target.Import(m, "op_close"), target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(64, []byte(head))
	// Each is forgotten as soon as it was started, which frees its number and not its place.
	m.FuncLocals("servlet_call", "", "i", []byte{1, 1, 0x7f},
		w.Block(0x40, w.Loop(w.Get(0), w.I32(1000), []byte{0x4e}, w.BrIf(1), // i32.ge_s
			w.I32(64), w.I32(int32(len(head))), w.I32(0), w.I32(0), w.Call(start), w.Call(status), w.Drop(),
			w.Get(0), w.I32(1), w.Add(), w.Set(0))),
		w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0))
	var inside peak
	host := target.NewWilling()
	host.OnFetch = func(ctx context.Context, _ effect.HTTPRequest) (effect.HTTPResponse, *effect.Error) {
		inside.enter()
		defer inside.leave()
		time.Sleep(200 * time.Millisecond) // it does not look at ctx, so that it is still there when the last is started
		return effect.HTTPResponse{}, &effect.Error{Code: effect.Cancelled, Text: "cancelled"}
	}
	out, err := target.Run(target.Reset, m.Bytes(), target.Call(host))
	if err == nil && out.Fault != nil {
		err = out.Fault
	}
	if most := inside.most.Load(); err == nil && most > 64 {
		err = fmt.Errorf("%d ran at a time; the budget is 64", most)
	}
	return err
}

// raceMemory has a thousand calls hold a megabyte each while they ask their host for something.
func raceMemory(n int) error {
	const budget = 8 << 20
	ctx := context.Background()
	engine, err := sandbox.New(ctx, sandbox.Config{MaxMemory: budget})
	if err != nil {
		return err
	}
	module := target.Guest(func(m *w.Module) [][]byte {
		get, write := target.Import(m, "config_get"), target.Import(m, "output_write")
		m.Data(0, []byte("K"))
		return [][]byte{
			w.I32(15), w.Grow(), w.I32(-1), []byte{0x46}, w.If(w.Unreachable()), // there was none: crash
			w.I32(0), w.I32(1), w.I32(0), w.I32(0), w.Call(get), w.Drop(), w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0),
		}
	})
	admitted, err := target.Admit(module)
	if err != nil {
		return err
	}
	code, err := engine.Compile(ctx, admitted)
	if err != nil {
		return err
	}
	var inside peak
	host := target.NewWilling()
	host.OnConfig = func(context.Context, string) (string, *effect.Error) {
		inside.enter()
		defer inside.leave()
		time.Sleep(time.Millisecond)
		return "", nil
	}
	var served atomic.Int64
	var mu sync.Mutex // guards err
	atOnce(n, func(int) {
		out := code.Run(ctx, target.Call(host))
		switch {
		case out.Fault == nil:
			served.Add(1)
		case out.Fault.Kind != sandbox.FaultLimit || out.Fault.Text != "the memory that all servlets of this host may use together is used up; try again later":
			mu.Lock()
			err = errors.Join(err, out.Fault)
			mu.Unlock()
		}
	})
	if most := inside.most.Load(); most > budget>>20 || served.Load() == 0 {
		err = errors.Join(err, fmt.Errorf("%d calls held a megabyte at a time, %d were served; the budget is %d", most, served.Load(), budget>>20))
	}
	return errors.Join(err, code.Close(ctx), engine.Close(ctx))
}

// places are servlets under the same aliases in some spaces, and how many of their calls may run at a time.
type places struct {
	spaces, aliases int
	want            int64
}

// race calls them all from all sides, and counts how many are at their upstream at a time.
func (p places) race(n int) error {
	var inside peak
	up := target.NewUpstream(func(http.ResponseWriter, *http.Request) {
		inside.enter()
		defer inside.leave()
		time.Sleep(10 * time.Millisecond)
	})
	defer up.Stop()
	h, err := target.NewHome(host.Config{Running: ofServlet, CallerRunning: ofCaller, MaxRunning: ofAll, Network: up.Network})
	if err != nil {
		return err
	}
	m := target.Manifest("acme/busy")
	m.Capabilities.HTTP = []capabilities.HTTP{{ID: "api", Origin: up.Origin, Methods: []string{"GET"}, Paths: []string{"/"}}}
	m.Uses["go"] = []string{"http:api"}
	space := func(i int) string { return fmt.Sprintf("space-%d", i) }
	for i := range p.spaces {
		for j := range p.aliases {
			if _, err := h.Install(space(i), aliasOf(j), busy(), m); err != nil {
				return err
			}
		}
	}
	var mu sync.Mutex         // guards err
	atOnce(n/4, func(i int) { // each is four calls
		for k := range 4 {
			wrong := h.Want(space(i%p.spaces), aliasOf(i/p.spaces%p.aliases)+"_go", "{}", host.StatusOK, "done")
			if wrong != nil {
				mu.Lock()
				err = errors.Join(err, fmt.Errorf("call %d: %w", 4*i+k, wrong))
				mu.Unlock()
				return
			}
		}
	})
	if most := inside.most.Load(); most > p.want {
		err = errors.Join(err, fmt.Errorf("%d ran at a time; there are %d places", most, p.want))
	}
	return err
}

// busy is a servlet that waits for its upstream.
func busy() []byte {
	const head = `{"capability":"api","method":"GET","path":"/"}`
	done := target.Text("done")
	m := &w.Module{}
	start, wait, write := target.Import(m, "http_start"), target.Import(m, "op_wait"), target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	m.Data(64, []byte(head))
	m.Data(1024, []byte(done))
	m.Func("servlet_call", "", "i", w.I32(0), w.I32(64), w.I32(int32(len(head))), w.I32(0), w.I32(0), w.Call(start), w.Store32(),
		w.I32(0), w.I32(1), w.I64(-1), w.Call(wait), w.Drop(), w.I32(1024), w.I32(int32(len(done))), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}
