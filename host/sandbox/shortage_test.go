package sandbox_test

import (
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// A servlet whose image could not be taken because other servlets had all the memory is back on its rung
// when they have not. Until then it is tried again after ever longer pauses.
func TestShortageThatPasses(t *testing.T) {
	grow := func(refused ...[]byte) []byte {
		return guest(func(m *w.Module) [][]byte {
			write := m.Import("writ1", "output_write", "ii", "i")
			m.Func("_initialize", "", "", w.I32(160), w.Grow(), w.I32(-1), []byte{0x46}, w.If(refused...))
			return [][]byte{w.I32(0), w.I32(4), w.Call(write), w.Drop(), w.I32(0)}
		})
	}
	for name, module := range map[string][]byte{
		"it traps":              grow(w.Unreachable()),
		"it makes do with less": grow(),
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, sandbox.Config{MaxMemory: 64 << 20})
			code := compileWith(t, e, module)
			free, err := e.Fill(60 << 20)
			if err != nil {
				t.Fatal(err)
			}
			call := sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()}
			for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
				if out := code.Run(t.Context(), call); out.Rung == sandbox.RungReset {
					t.Fatalf("an image was taken without memory: %v", out.Fault)
				}
				if got := code.Retry(); got != pause {
					t.Errorf("tried again after %v, want %v", got, pause)
				}
			}
			free()
			out := code.Run(t.Context(), call)
			if rung, why := code.Rung(); out.Fault != nil || out.Rung != sandbox.RungReset || rung != sandbox.RungReset {
				t.Errorf("with memory: fault %v, rung %s of the call and %s of the servlet: %s", out.Fault, out.Rung, rung, why)
			}
			if code.Retry() != 0 {
				t.Error("it is tried again all the same")
			}
		})
	}
}

// An initialisation that did not end in time may do so when the machine has less to do; one that fails by
// itself does so again.
func TestWhichShortagesPass(t *testing.T) {
	for _, row := range []struct {
		fault sandbox.Fault
		want  bool
	}{
		{sandbox.Fault{Kind: sandbox.FaultCancelled}, true},
		{sandbox.Fault{Kind: sandbox.FaultDeadline}, true},
		{sandbox.Fault{Kind: sandbox.FaultLimit, Limit: sandbox.LimitMemoryTotal}, true},
		{sandbox.Fault{Kind: sandbox.FaultLimit, Limit: sandbox.LimitMemory}, false},
		{sandbox.Fault{Kind: sandbox.FaultLimit, Limit: sandbox.LimitFuel}, false},
		{sandbox.Fault{Kind: sandbox.FaultTrap}, false},
		{sandbox.Fault{Kind: sandbox.FaultTool}, false},
	} {
		if got := sandbox.Passing(row.fault); got != row.want {
			t.Errorf("%s %s: passing %v, want %v", row.fault.Kind, row.fault.Limit, got, row.want)
		}
	}
}
