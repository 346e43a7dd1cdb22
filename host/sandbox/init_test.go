package sandbox_test

import (
	"strings"
	"testing"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// Initialisation is refused every request on every rung: on the others its memory is captured, and a
// value that it saw would be there in the calls of everybody.
func TestInitialisationReachesNothing(t *testing.T) {
	module := guest(func(m *w.Module) [][]byte {
		get := m.Import("writ1", "config_get", "iiii", "i")
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(0, []byte("KEY"))
		m.Data(64, []byte("nothing!"))
		m.Func("_initialize", "", "", w.I32(0), w.I32(3), w.I32(64), w.I32(32), w.Call(get), w.Drop())
		return [][]byte{w.I32(64), w.I32(8), w.Call(write), w.Drop(), w.I32(0)}
	})
	host := newMemory()
	host.config = map[string]string{"KEY": `"SECRET"`}
	for _, best := range []sandbox.Rung{sandbox.RungPlain, sandbox.RungReset} {
		code := compileWith(t, newEngine(t, sandbox.Config{Best: best}), module)
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough(), Host: host})
		if out.Fault != nil || strings.Contains(string(out.Output), "SECRET") || string(out.Output) != "nothing!" {
			t.Errorf("init read %q on rung %s, %v", out.Output, out.Rung, out.Fault)
		}
	}
}
