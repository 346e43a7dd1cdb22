package modules

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/hostile/attack"
	"github.com/writ-run/writ/testdata/hostile/target"
)

var unapproved = attack.Row{
	ID:      "A5",
	Title:   "endless loops in start, _initialize, _start, warm-up and describe: whoever runs them before the approval hangs",
	Mutants: []string{"compile-runs-nothing", "meter-start", "command-never-started", "meter-refuel", "meter-loop", "trap-reported"},
	Run: func(r *attack.Report) {
		for _, moment := range []string{"start", "_initialize", "_start", "servlet_warm", "servlet_describe"} {
			r.Variant(moment+", from inspect to install", func() error { return soon(func() error { return approve(endless(moment)) }) })
			r.Variant(moment+", while compiling", func() error { return soon(func() error { return compileOnly(endless(moment)) }) })
			r.Variant(moment+", while listing tools", func() error { return soon(func() error { return list(endless(moment)) }) })
			looksThroughCommand(r, moment)
		}
		for _, way := range target.Ways(r) {
			r.Variant("a command's _start is never run, "+string(way), func() error { return never(way) })
			r.Variant("start and _initialize run once, in this order, "+string(way), func() error { return once(way) })
			for _, moment := range []string{"start", "_initialize"} {
				r.Variant(moment+" at the call ends at its deadline, "+string(way), func() error { return late(way, moment) })
			}
		}
	},
}

// endless is a module that hangs whoever runs one part of it.
func endless(moment string) []byte {
	m := &w.Module{}
	m.Memory(w.Range(1, 2))
	entry := w.Code(w.Loop(), w.I32(0))
	switch moment {
	case "start":
		m.Start(m.Func("", "", "", w.Loop()))
	case "_initialize", "_start":
		m.Func(moment, "", "", w.Loop())
	default:
		m.Func(moment, "", "i", entry)
	}
	m.Func("servlet_call", "", "i", entry)
	return m.Bytes()
}

// patience is how long what must not run a guest may take; it takes milliseconds.
const patience = 5 * time.Second

// soon wants do to end without a guest's help.
func soon(do func() error) error {
	began := time.Now()
	err := do()
	if took := time.Since(began); took > patience {
		err = errors.Join(err, fmt.Errorf("it took %v: a guest was run", took.Round(time.Millisecond)))
	}
	return err
}

// approve goes the whole way from a file to an installed servlet.
func approve(module []byte) error {
	ctx := context.Background()
	h, err := target.NewHome(host.Config{})
	if err != nil {
		return err
	}
	file, err := target.Signed(module, target.Release(target.Manifest("acme/attack"), 1))
	if err != nil {
		return err
	}
	path, err := target.WriteFile("attack.wasm", file)
	if err != nil {
		return err
	}
	c, err := approval.Read(ctx, path)
	if err != nil {
		return err
	}
	engine, err := target.Engine(target.Reset)
	if err != nil {
		return err
	}
	start, err := approval.Scanned(engine, c)
	if err != nil {
		return err
	}
	approval.Describe(c, nil, start)
	by := target.Client(capabilities.DefaultSpace)
	choice := approval.Choice{Tools: []string{approval.AllTools}}
	plan, err := approval.Propose(ctx, h.Registry, by, c, choice)
	if err != nil {
		return err
	}
	in, err := approval.Install(ctx, h.Registry, by, c, choice, plan.Digest)
	if err != nil {
		return err
	}
	if _, _, err := approval.Load(ctx, h.Registry, by, in.Alias); err != nil {
		return err
	}
	_, err = approval.ProposeGrant(ctx, h.Registry, by, in.Alias, choice)
	return err
}

func compileOnly(module []byte) error {
	code, err := target.Compile(target.Reset, module)
	if err != nil {
		return err
	}
	return code.Close(context.Background())
}

// list asks for the tools of an installed servlet, as every client does at once.
func list(module []byte) error {
	h, err := target.NewHome(host.Config{})
	if err != nil {
		return err
	}
	if _, err := h.Install(capabilities.DefaultSpace, "loop", module, target.Manifest("acme/loop")); err != nil {
		return err
	}
	tools, err := h.Host.Tools(context.Background(), target.Client(capabilities.DefaultSpace))
	if err == nil && (len(tools) != 1 || tools[0].Name != "loop_go" || !tools[0].Ready) {
		err = fmt.Errorf("listed %v", tools)
	}
	return err
}

// looksThroughCommand has the built command inspect, plan, install and list the module.
func looksThroughCommand(r *attack.Report, moment string) {
	if !r.Thorough {
		return
	}
	if why := target.NoCommand(); why != "" {
		r.Skip(moment+" through the command", why)
		return
	}
	r.Variant(moment+", through the command", func() error {
		file, err := target.Signed(endless(moment), target.Release(target.Manifest("acme/attack"), 1))
		if err != nil {
			return err
		}
		path, err := target.WriteFile("attack.wasm", file)
		if err != nil {
			return err
		}
		home := filepath.Join(filepath.Dir(path), "home")
		ok := func(args ...string) (string, error) {
			stdout, stderr, status, err := target.Command(home, args...)
			if err == nil && status != 0 {
				err = fmt.Errorf("writ %s: exit status %d: %.200s", strings.Join(args, " "), status, stderr)
			}
			return stdout, err
		}
		var plan string
		if err := soon(func() error {
			_, err := ok("inspect", path)
			if err == nil {
				plan, err = ok("install", path, "--tools", "*", "--plan", "--json")
			}
			return err
		}); err != nil {
			return err
		}
		_, digest, _ := strings.Cut(plan, `"digest": "`)
		digest, _, _ = strings.Cut(digest, `"`)
		// The approval is what initialisation waits for. It has its own end.
		for _, args := range [][]string{{"install", path, "--tools", "*", "--approve", digest}, {"list"}, {"tools"}, {"inspect", "attack"}, {"status"}} {
			if _, err := ok(args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// answering is a module that answers n bytes at an address, after define had its way with it. Imports come first.
func answering(at, n int32, define func(m *w.Module)) []byte {
	m := &w.Module{}
	write := target.Import(m, "output_write")
	m.Memory(w.AtLeast(1))
	define(m)
	m.Func("servlet_call", "", "i", w.I32(at), w.I32(n), w.Call(write), w.Drop(), w.I32(0))
	return m.Bytes()
}

// thrice calls a module three times and wants the same answer each time.
func thrice(way target.Way, module []byte, want string) error {
	code, err := target.Compile(way, module)
	if err != nil {
		return err
	}
	for range 3 {
		err = errors.Join(err, target.Output(code.Run(context.Background(), target.Call(nil)), []byte(want)))
	}
	return errors.Join(err, code.Close(context.Background()))
}

func never(way target.Way) error {
	return thrice(way, answering(64, 2, func(m *w.Module) {
		m.Data(64, []byte("ok"))
		m.Func("_start", "", "", w.Unreachable())
	}), "ok")
}

func once(way target.Way) error {
	appending := func(c rune) []byte { // memory[64 + count++] = c
		return w.Code(w.I32(0), w.Load32(), w.I32(int32(c)), w.Op(0x3a, []byte{0, 64}),
			w.I32(0), w.I32(0), w.Load32(), w.I32(1), w.Add(), w.Store32())
	}
	return thrice(way, answering(64, 8, func(m *w.Module) {
		m.Data(64, []byte("12345678"))
		m.Start(m.Func("", "", "", appending('S')))
		m.Func("_initialize", "", "", appending('I'))
	}), "SI345678")
}

// late calls a servlet whose beginning never ends.
func late(way target.Way, moment string) error {
	call := target.Call(nil)
	call.Limits.Wall = 20 * time.Millisecond
	out, err := target.Run(way, endless(moment), call)
	return errors.Join(err, target.Fault(out, sandbox.FaultDeadline, "the servlet did not answer within 20ms"))
}
