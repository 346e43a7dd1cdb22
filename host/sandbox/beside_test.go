package sandbox_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/writ-run/writ/host/sandbox"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// laden is a guest each instance of which takes as much of the host's memory beside its own as the gate
// allows.
func laden() []byte {
	return guest(func(m *w.Module) [][]byte {
		f := m.Func("", "", "")
		m.Table(w.Range(1, 1))
		for range 10_000 {
			m.Passive(nil)
		}
		empty := bytes.Repeat([]byte{1, 0, 0}, 9_999)
		m.Elements(w.Code(w.U32(10_000), empty, []byte{1, 0}, w.U32(65_536), bytes.Repeat(w.U32(f), 65_536)))
		for range 9_000 {
			m.Global(0)
		}
		return [][]byte{w.I32(0), w.I32(0), w.I32(0), w.Init(0), w.I32(0)}
	})
}

// What an instance takes of the host's memory for its segments, tables and globals is memory of the
// guest's: it is counted, and above what the call is granted there is no instance.
func TestMemoryBesideIsCounted(t *testing.T) {
	const instances = 8
	e := newEngine(t, sandbox.Config{})
	code := compileWith(t, e, laden())
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, used := heap(), e.Used()
	var ends []func()
	for range instances {
		_, end := code.Parts(t.Context())
		ends = append(ends, end)
	}
	took, counted := (heap()-before)/instances, (e.Used()-used)/instances
	for _, end := range ends {
		end()
	}
	t.Logf("an instance takes %d KiB of the host's memory; %d KiB are counted", took>>10, counted>>10)
	if took < 2<<20 {
		t.Errorf("an instance takes %d bytes: too few to tell anything", took)
	}
	if took > counted+640<<10 {
		t.Errorf("an instance takes %d bytes of the host's memory, and %d are counted", took, counted)
	}
	if left := e.Used() - used; left != 0 {
		t.Errorf("%d bytes are still counted", left)
	}
	limits := enough()
	limits.Memory = 1 << 20
	wantFault(t, code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: limits}), sandbox.FaultLimit, "the servlet needs 3.9 MiB of memory to start; 1 MiB are granted")
}
