package wasm_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

func BenchmarkGateGo(b *testing.B) {
	module := guests.Build(b, "plain")
	r := rules()
	b.SetBytes(int64(len(module)))
	for b.Loop() {
		// Refused for its imports, after all of it was read.
		if _, err := wasm.Gate(module, r); err == nil || !strings.Contains(err.Error(), "imports") {
			b.Fatal(err)
		}
	}
}

// The largest module that can pass takes the gate's longest time.
func BenchmarkGate64MiB(b *testing.B) {
	module := good(func(m *w.Module) {
		for range 63 {
			m.Func("", "", "", bytes.Repeat([]byte{1}, 1<<20-2))
		}
	})
	r := rules()
	b.SetBytes(int64(len(module)))
	for b.Loop() {
		if _, err := wasm.Gate(module, r); err != nil {
			b.Fatal(err)
		}
	}
}
