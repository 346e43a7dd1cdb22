package wasm_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"github.com/tetratelabs/wazero"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

func TestStoredMeteredModule(t *testing.T) {
	m := newMachine(t, wazero.NewRuntimeConfigInterpreter())
	for name, module := range map[string][]byte{
		"data, globals and a start function": with(func(m *w.Module) {
			m.Memory(w.AtLeast(1))
			m.Start(m.Func("", "", ""))
			m.Global(7)
			m.Data(16, []byte("first"))
			m.Data(4096, bytes.Repeat([]byte{1}, 300))
		}),
		"tables and an unusual global": with(func(m *w.Module) {
			m.Memory(w.Range(1, 3))
			m.Table(w.AtLeast(2))
			m.GlobalOf(0x70, 1, []byte{0xd0, 0x70})
			m.Func("", "", "", w.I32(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, w.U32(0)))
		}),
		"nothing but a memory": with(func(m *w.Module) { m.Memory(w.AtLeast(1)) }),
	} {
		t.Run(name, func(t *testing.T) {
			metered, err := m.meter(module, openRules(module))
			if err != nil {
				t.Fatal(err)
			}
			stored, err := metered.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			read, err := wasm.ReadMetered(stored)
			if err != nil || !wasm.Same(read, metered) {
				t.Fatalf("read %+v, %v; stored %+v", read.Shape(), err, metered.Shape())
			}
			for n := range stored {
				if _, err := wasm.ReadMetered(stored[:n]); err == nil {
					t.Errorf("cut at %d of %d: it is read", n, len(stored))
				}
			}
		})
	}
}

func TestIdentityIsThatOfTheSource(t *testing.T) {
	if wasm.Identity() == [32]byte{} {
		t.Error("the identity is empty")
	}
	if !wasm.Embeds("meter.go") || !wasm.Embeds("rewrite.go") || !wasm.Embeds("gate.go") {
		t.Error("a file that says what metering does is not in the identity")
	}
}

// What tests say changes nothing of what is made: an edit of one must not have every servlet compiled
// again. Any other file does.
func TestIdentityLeavesTestsOut(t *testing.T) {
	source := func(meter, test string) fstest.MapFS {
		return fstest.MapFS{"meter.go": {Data: []byte(meter)}, "meter_test.go": {Data: []byte(test)}}
	}
	was := wasm.IdentityOf(source("meter", "test"))
	if wasm.IdentityOf(source("meter", "another test")) != was {
		t.Error("an edit of a test is another identity")
	}
	if wasm.IdentityOf(source("another meter", "test")) == was {
		t.Error("an edit of the meter is the same identity")
	}
}
