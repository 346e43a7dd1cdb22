package wasm_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// longSegment is a data segment of several chunks, none like another.
func longSegment() []byte {
	p := make([]byte, 4<<20+12345)
	random := rand.New(rand.NewPCG(5, 6))
	for i := range p {
		p[i] = byte(random.Uint32())
	}
	return p
}

// bulkGuest exports the bulk operations on 5 MiB of memory.
func bulkGuest() []byte {
	return with(func(m *w.Module) {
		m.Memory(w.Range(80, 80))
		m.Func("fill", "iii", "", w.Get(0), w.Get(1), w.Get(2), w.Fill())
		m.Func("copy", "iii", "", w.Get(0), w.Get(1), w.Get(2), w.Copy())
		m.Func("init", "iii", "", w.Get(0), w.Get(1), w.Get(2), w.Init(1))
		m.Func("long", "iii", "", w.Get(0), w.Get(1), w.Get(2), w.Init(2))
		m.Func("empty", "iii", "", w.Get(0), w.Get(1), w.Get(2), w.Init(0))
		m.Func("drop", "", "", []byte{0xfc, 9, 1, 0xfc, 9, 2})
		m.Data(100, []byte("active"))
		m.Passive(bytes.Repeat([]byte("passive "), 1000))
		m.Passive(longSegment())
	})
}

// Bulk operations that were split into chunks do what the instruction does: each of many ranges, of a
// few bytes and of several chunks, overlapping or not, inside the memory and out of it, has the same
// result plain and metered. Nothing is written when the range does not fit.
func TestBulkOperationsStayExact(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigCompiler())
	module := bulkGuest()
	plain, err := m.InstantiateWithConfig(t.Context(), module, anonymous)
	if err != nil {
		t.Fatal(err)
	}
	both := []api.Module{plain, metered(t, m, module, 1<<50, plenty)}
	const size = 80 << 16
	random := rand.New(rand.NewPCG(1, 2))
	pattern := make([]byte, size)
	for i := range pattern {
		pattern[i] = byte(random.Uint32())
	}
	for _, mod := range both {
		mod.Memory().Write(1000, pattern[1000:])
	}
	trapped := 0
	for i := range 800 {
		name := []string{"fill", "copy", "copy", "copy", "init", "long", "long", "empty"}[i%8]
		if i == 700 {
			name = "drop"
		}
		args := []uint64{random.Uint64N(size + 10), random.Uint64N(size + 10), random.Uint64N(size >> (i % 4 * 6))}
		switch {
		case i%7 == 0:
			args[1] = args[0] + random.Uint64N(3<<20) // overlaps
		case i%7 == 1:
			args[0] = args[1] + random.Uint64N(3<<20)
		case i%50 == 2:
			args[2] = 0xffff_ffff - random.Uint64N(2)
		}
		switch name {
		case "init":
			args[1], args[2] = args[1]%8000, args[2]%9000
		case "long":
			args[0], args[1] = args[0]%(3<<20), args[1]>>(i%3*8)
		case "empty":
			args[1], args[2] = 0, 0 // the runtime keeps active segments, which metering cannot tell from dropped ones
		}
		if name == "drop" {
			args = nil
		}
		var texts [2]string
		for k, mod := range both {
			if _, err := mod.ExportedFunction(name).Call(t.Context(), args...); err != nil {
				texts[k] = trapText(err)
			}
		}
		if texts[0] != "" {
			trapped++
		}
		one, _ := both[0].Memory().Read(0, size)
		two, _ := both[1].Memory().Read(0, size)
		if texts[0] != texts[1] || !bytes.Equal(one, two) {
			t.Fatalf("%s(%d): plain %q, metered %q; memories equal: %v", name, args, texts[0], texts[1], bytes.Equal(one, two))
		}
	}
	if trapped < 100 || trapped > 600 {
		t.Errorf("%d of 800 trapped: this test sees one kind alone", trapped)
	}
}

// Between two looks at the fuel no more than a chunk is moved.
func TestBulkOperationsYieldOnTheWay(t *testing.T) {
	for engine, config := range engines() {
		for name, args := range map[string][]uint64{"fill": {0, 7, 5 << 20}, "copy": {0, 1 << 19, 4 << 20}, "long": {0, 1000, 4 << 20}} {
			t.Run(engine+"/"+name, func(t *testing.T) {
				m := newMachine(t, config)
				m.refill = 1
				mod := metered(t, m, bulkGuest(), 0, plenty)
				m.yields = 0
				if _, err := mod.ExportedFunction(name).Call(t.Context(), args...); err != nil {
					t.Fatal(err)
				}
				if want := 1 + int(args[2]>>20); m.yields != want {
					t.Errorf("%d yields, want %d: one at the entry, one a chunk", m.yields, want)
				}
			})
		}
	}
}

// Data segments are the host's to write: in order, the last wins, and one that does not fit is an error.
func TestWriteData(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigInterpreter())
	module := with(func(m *w.Module) {
		m.Memory(w.Range(1, 1))
		m.Data(10, []byte("first"))
		m.Data(12, []byte("second"))
		m.Data(-3, []byte("out"))
	})
	form, err := m.meter(module, openRules(module))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(form.Code(), []byte("second")) {
		t.Error("the code has the data")
	}
	mod, err := m.InstantiateWithConfig(t.Context(), form.Code(), anonymous)
	if err != nil {
		t.Fatal(err)
	}
	err = form.WriteData(mod.Memory().Write)
	if want := "writing data segment 2: 3 bytes at 4294967293 lie outside the memory"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if p, _ := mod.Memory().Read(10, 8); string(p) != "fisecond" {
		t.Errorf("memory has %q", p)
	}
}
