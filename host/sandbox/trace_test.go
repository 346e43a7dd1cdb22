package sandbox_test

import (
	"slices"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// traced is a guest that computes until it is asked to end, and then logs whether the host still gives it
// anything. deaf: it never hears.
func traced(deaf bool) []byte {
	const asked, refused, here = 0, 64, 96
	return guest(func(m *w.Module) [][]byte {
		log := m.Import("writ1", "log", "iii", "i")
		config := m.Import("writ1", "config_get", "iiii", "i")
		m.Data(refused, []byte("refused KEY"))
		m.Data(here, []byte("here"))
		hear := [][]byte{w.I32(asked), w.Get(0), w.Store32()}
		if deaf {
			hear = nil
		}
		m.Func("servlet_trace", "i", "", hear...)
		say := func(at, n int32) []byte { return slices.Concat(w.I32(3), w.I32(at), w.I32(n), w.Call(log), w.Drop()) }
		equal, leave := w.Op(0x46), w.Op(0x0f)
		return [][]byte{w.Loop(w.I32(asked), w.Load32(), w.I32(2), equal, w.If(
			w.I32(refused+8), w.I32(3), w.I32(128), w.I32(64), w.Call(config), w.I32(-1), equal, w.If(say(refused, 11)),
			say(here, 4), w.I32(1), leave,
		)), w.I32(0)}
	})
}

// A guest that is traced says where it was when its time or fuel is over; the fault stays what it was, and
// nothing is given to it any more. Without Trace it is never asked.
func TestTracedGuestSaysWhereItWas(t *testing.T) {
	host := newMemory()
	host.config = map[string]string{"KEY": "value"}
	code := compile(t, traced(false))
	fuel := enough()
	fuel.Fuel = 1_000_000
	for name, c := range map[string]struct {
		limits sandbox.Limits
		kind   sandbox.FaultKind
		text   string
	}{
		"deadline": {soon(), sandbox.FaultDeadline, "the servlet did not answer within 50ms"},
		"fuel":     {fuel, sandbox.FaultLimit, "the servlet used up the 1000000 units of fuel that are granted"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, trace := range []bool{false, true, false} { // no call learns of the one before
				out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Host: host, Limits: c.limits, Trace: trace})
				wantFault(t, out, c.kind, c.text)
				var said []string
				for _, l := range out.Logs {
					said = append(said, l.Text)
				}
				var want []string
				if trace {
					want = []string{"refused KEY", "here"}
				}
				if !slices.Equal(said, want) {
					t.Errorf("traced: %v: it said %q, want %q", trace, said, want)
				}
			}
		})
	}
}

// A guest that is asked to end and does not is ended a little later, as every other.
func TestTracedGuestThatDoesNotHearIsEnded(t *testing.T) {
	limits := enough()
	limits.Fuel = 1_000_000
	out := compile(t, traced(true)).Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits, Trace: true})
	wantFault(t, out, sandbox.FaultLimit, "the servlet used up the 1000000 units of fuel that are granted")
	if len(out.Logs) > 0 || out.Wall > 10*time.Second {
		t.Errorf("%v after %v", out.Logs, out.Wall)
	}
}

// Functions have the numbers of the module as it was admitted, whatever metering adds to it.
func TestFramesOfATracedCall(t *testing.T) {
	var inner uint32
	module := func(body ...[]byte) []byte {
		return guest(func(m *w.Module) [][]byte {
			m.Import("writ1", "log", "iii", "i")
			m.Func("", "", "") // is not in the way
			inner = m.Func("", "", "", body...)
			return [][]byte{w.Call(inner), w.I32(0)}
		})
	}
	for name, c := range map[string]struct {
		module []byte
		kind   sandbox.FaultKind
	}{
		"trap":     {module(w.Unreachable()), sandbox.FaultTrap},
		"deadline": {module(w.Loop()), sandbox.FaultDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			code := compile(t, c.module)
			out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: soon(), Trace: true})
			if out.Fault == nil || out.Fault.Kind != c.kind || !slices.Equal(out.Frames, []uint32{inner, inner + 1}) {
				t.Errorf("%v, frames %v, want %v", out.Fault, out.Frames, []uint32{inner, inner + 1})
			}
			if out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: soon()}); out.Frames != nil {
				t.Errorf("frames %v of a call that is not traced", out.Frames)
			}
		})
	}
}
