package sandbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// diver recurses n deep, asks its host for something at the bottom and on top, and answers.
func diver(n int32) []byte {
	return guest(func(m *w.Module) [][]byte {
		config := m.Import("writ1", "config_get", "iiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(0, []byte("{}"))
		ask := w.Code(w.I32(0), w.I32(1), w.I32(0), w.I32(0), w.Call(config), w.Drop())
		f := m.Func("", "i", "", w.Get(0), []byte{0x04, 0x40}, w.Get(0), w.I32(-1), w.Add(), w.Call(2), []byte{0x05}, ask, []byte{0x0b}, w.Get(0), w.Drop())
		return [][]byte{w.I32(n), w.Call(f), ask, w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0)}
	})
}

// slow is a host that takes its time.
type slow struct {
	*memory
	asked  chan struct{}
	answer chan struct{}
}

func (s slow) Config(ctx context.Context, _ string) (string, *effect.Error) {
	s.asked <- struct{}{}
	select {
	case <-s.answer:
	case <-ctx.Done():
	}
	return "", nil
}

// Guests with a deep stack, at the bottom of it or back from there, keep no other from one, however long
// they wait; and all that they take is counted, and given back.
func TestDeepStacksKeepNobodyWaiting(t *testing.T) {
	const deep, calls = 8000, 4
	e := newEngine(t, sandbox.Config{})
	code := compileWith(t, e, diver(deep))
	limits := enough()
	limits.Wall = 10 * time.Second
	before := e.Used()
	host := slow{newMemory(), make(chan struct{}), make(chan struct{})}
	call := sandbox.Call{Entry: sandbox.EntryCall, Host: host, Limits: limits, Caller: "a"}
	var all sync.WaitGroup
	for range calls {
		all.Go(func() {
			if out := code.Run(t.Context(), call); out.Fault != nil {
				t.Error(out.Fault)
			}
		})
	}
	for _, where := range []string{"at the bottom", "on top again"} {
		for range calls {
			<-host.asked
		}
		if used := e.Used() - before; used < calls*(1<<20) {
			t.Errorf("%s: %d guests with a deep stack count for %d bytes", where, calls, used)
		}
		call.Host = newMemory()
		if out := code.Run(t.Context(), call); out.Fault != nil {
			t.Errorf("beside %d that wait %s: %v", calls, where, out.Fault)
		}
		for range calls {
			host.answer <- struct{}{}
		}
	}
	all.Wait()
	if err := code.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if used := e.Used(); used != 0 {
		t.Errorf("%d bytes are still counted", used)
	}
}

// A deep stack is memory of the guest's own.
func TestDeepStackCountsAsMemory(t *testing.T) {
	for mib, depth := range map[int64]int32{1: 8000, 8: 1 << 30} {
		t.Run(fmt.Sprint(mib, " MiB"), func(t *testing.T) {
			limits := enough()
			limits.Memory = mib << 20
			out := compile(t, diver(depth)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: newMemory(), Limits: limits})
			wantFault(t, out, sandbox.FaultLimit, fmt.Sprintf("the servlet ended after it wanted more than the %d MiB of memory that are granted", mib))
			if out.Fault.Limit != sandbox.LimitMemory {
				t.Errorf("limit %q", out.Fault.Limit)
			}
		})
	}
	t.Run("what it takes cannot be grown by", func(t *testing.T) {
		limits := enough()
		limits.Memory = 8 << 20
		grow := func(depth int32) int64 {
			code := compile(t, guest(func(m *w.Module) [][]byte {
				write := m.Import("writ1", "output_write", "ii", "i")
				f := m.Func("", "i", "", w.Get(0), w.If(w.Get(0), w.I32(-1), w.Add(), w.Call(1), w.Get(0), w.Drop()))
				return [][]byte{
					w.I32(depth), w.Call(f), []byte{0x03, 0x40}, w.I32(1), w.Grow(), w.I32(0), []byte{0x4a}, w.BrIf(0), []byte{0x0b}, // loop, i32.gt_s
					w.I32(0), w.I32(2), w.Call(write), w.Drop(), w.I32(0),
				}
			}))
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits})
			if out.Fault != nil {
				t.Fatal(out.Fault)
			}
			return out.Memory
		}
		if shallow, deep := grow(10), grow(8000); shallow != limits.Memory || deep > shallow-1<<20 {
			t.Errorf("grown to %d bytes, after a deep recursion to %d, of %d", shallow, deep, limits.Memory)
		}
	})
}
