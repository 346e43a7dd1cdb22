package wasm_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
	"github.com/writ-run/writ/testdata/guests"
)

// The gate reads a function as a list of instructions, and so does the runtime, by rules of its own. Where
// the two lists differ, a guest hides from its meter what it does. So modules are bent in all the ways in
// which a second reader may understand them otherwise, and three lists are compared: the gate's, that of a
// decoder which goes by the runtime's source, and what the runtime itself says of each byte.

// matters tells whether an instruction means anything to the meter, by its number in the specification.
func matters(op uint32) bool {
	switch {
	case op == 0x00, op >= 0x02 && op <= 0x05, op >= 0x0b && op <= 0x11, op == 0x26, op == 0x40, op == 0xd2, op >= 0xfc08 && op <= 0xfc0f, op == 0xfc11:
		return true
	}
	return false
}

// unlike tells where the gate's reading of a function is another one than a list; empty: nowhere. The
// number of a vector instruction above 127 has a second byte, which is a nop to the runtime.
func unlike(list []w.Placed, steps []wasm.Step) string {
	var whole []w.Placed
	for i, in := range list {
		if in.Op != 0x01 || i == 0 || list[i-1].Op < 0xfd80 || list[i-1].Op > 0xfdff {
			whole = append(whole, in)
		}
	}
	list = whole
	i := 0
	for _, s := range steps {
		for range s.Skipped {
			if i < len(list) && matters(list[i].Op) {
				return fmt.Sprintf("%#x at %d is passed over", list[i].Op, list[i].From)
			}
			i++
		}
		if i >= len(list) || list[i] != (w.Placed{Op: s.Op, From: s.From}) {
			return fmt.Sprintf("the gate has %#x at %d, the runtime %v", s.Op, s.From, list[min(i, len(list)):min(i+1, len(list))])
		}
		i++
	}
	if i != len(list) {
		return fmt.Sprintf("the gate has %d instructions, the runtime %d", i, len(list))
	}
	return ""
}

// readers compares what reads a module.
type readers struct {
	runtime wazero.Runtime

	valid, admitted, asked int // modules that the runtime took, that the gate took as well, bytes that were looked at
}

func newReaders(tb testing.TB) *readers {
	r := &readers{runtime: newMachine(tb, wazero.NewRuntimeConfigInterpreter()).Runtime}
	return r
}

// begins asks the runtime whether it reads an instruction at a byte of a function: it is given an
// instruction there that does not exist, and nothing else any more.
func (r *readers) begins(d w.Dissected, function, at int) bool {
	r.asked++
	code := append(slices.Clone(d.Code[function][:at]), 0xff, 0x0b)
	_, err := r.runtime.CompileModule(context.Background(), d.Module(function, code))
	return err != nil && strings.Contains(err.Error(), "invalid instruction 0xff")
}

// decoded tells where the runtime begins an instruction and the decoder does not, or the reverse; empty:
// nowhere.
func (r *readers) decoded(d w.Dissected, function int) string {
	const most = 400 // bytes of a function that the runtime is asked about
	code := d.Code[function]
	if len(code) > most {
		return ""
	}
	list := w.AsRuntime(code)
	for at := range code {
		_, listed := slices.BinarySearchFunc(list, at, func(p w.Placed, at int) int { return p.From - at })
		if begins := r.begins(d, function, at); begins != listed {
			return fmt.Sprintf("byte %d: an instruction begins in the runtime: %v, in the decoder that goes by its source: %v", at, begins, listed)
		}
	}
	return ""
}

// compare holds the three readings of a module's function against each other, if the runtime and the gate
// take it. What the gate refuses the runtime's validator and its compiler may even read in two ways: select
// with a reference type of a later proposal is one such instruction.
func (r *readers) compare(tb testing.TB, d w.Dissected, function int) {
	code := d.Code[function]
	module := d.Module(function, code)
	if validate(module) != nil {
		return
	}
	r.valid++
	if _, err := wasm.Gate(module, openRules(module)); err != nil {
		return
	}
	r.admitted++
	if difference := r.decoded(d, function); difference != "" {
		tb.Errorf("%s\n%x", difference, code)
	}
	steps, ok := wasm.Steps(code)
	if difference := unlike(w.AsRuntime(code), steps); !ok || difference != "" {
		tb.Errorf("admitted, and read in two ways: %s\n%x", difference, code)
	}
}

// bendable are modules to be bent.
func bendable(tb testing.TB) []w.Dissected {
	list, err := w.Bendable(func(module []byte) ([]byte, error) {
		gated, err := wasm.Gate(module, openRules(module))
		return gated.Code(), err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// No module that the gate admits is read in another way by the runtime.
func TestReadersAgree(t *testing.T) {
	r, list := newReaders(t), bendable(t)
	random := rand.New(rand.NewPCG(5, 6))
	bytes := make([]byte, 40)
	for range 4_000 {
		for i := range bytes {
			bytes[i] = byte(random.Uint32())
		}
		d, function := w.Bent(list, bytes)
		if r.compare(t, d, function); t.Failed() {
			return
		}
	}
	t.Logf("%d modules of %d kinds are valid, %d of them admitted; %d bytes were asked for", r.valid, len(list), r.admitted, r.asked)
	if len(list) < 60 || r.valid < 500 || r.admitted < 300 || r.valid == r.admitted {
		t.Error("too few to tell anything")
	}
}

// The same holds for programs that real compilers made, as they are.
func TestReadersAgreeOnRealPrograms(t *testing.T) {
	functions := 0
	for name, module := range map[string][]byte{"Go": guests.Build(t, "probe"), "Rust": realProgram(t, "cargo-wasi"), "TinyGo": realProgram(t, "tinygo"), "Zig": realProgram(t, "zig"), "C": realProgram(t, "zig-cc")} {
		gated, err := wasm.Gate(module, openRules(module))
		if err != nil {
			t.Fatal(err)
		}
		d, ok := w.Dissect(gated.Code())
		if !ok {
			t.Fatalf("%s: no functions", name)
		}
		for i, code := range d.Code {
			functions++
			steps, ok := wasm.Steps(code)
			if difference := unlike(w.AsRuntime(code), steps); !ok || difference != "" {
				t.Fatalf("%s: function %d: %s", name, i, difference)
			}
		}
	}
	if functions < 3_000 {
		t.Errorf("%d functions are too few to tell anything", functions)
	}
}

func realProgram(t *testing.T, compiler string) []byte {
	module, err := os.ReadFile(filepath.Join(specFolder(t), "..", "..", "..", "imports/wasi_snapshot_preview1/testdata", compiler, "wasi.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// FuzzReaders looks for such a module.
func FuzzReaders(f *testing.F) {
	r, list := newReaders(f), bendable(f)
	for i := range 100 {
		f.Add([]byte{0, 0, 0, 1, 0, 0, 0, byte(i), 0, 0, 0, byte(i)})
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		d, function := w.Bent(list, choices)
		r.compare(t, d, function)
	})
}

// The control: the two ways in which guests once hid code from the meter are read by the runtime as the
// decoder says, and a gate that reads on by the specification is found out.
func TestDifferentReadersAreFound(t *testing.T) {
	r := newReaders(t)
	for name, row := range map[string]struct {
		body  []byte
		naive []wasm.Step // by the specification
	}{
		"a vector instruction's number in long form": {
			w.Code(w.Unreachable(), []byte{0xfd, 0x8c, 0x00}, []byte{0x0b, 0x03, 0x40, 0x0c, 0x00, 0x0b, 0x02, 0x40}, bytes.Repeat([]byte{0x01}, 8)),
			[]wasm.Step{{Op: 0x00}, {Op: 0xfd0c, From: 1}, {Op: 0x0b, From: 20}},
		},
		"a reference type of a later proposal": {
			w.Code(w.Unreachable(), []byte{0x02, 0x63, 0x00, 0x00, 0x0b}, w.Drop()),
			[]wasm.Step{{Op: 0x00}, {Op: 0x02, From: 1}, {Op: 0x00, From: 3}, {Op: 0x00, From: 4}, {Op: 0x0b, From: 5}, {Op: 0x0b, From: 7, Skipped: 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, ok := w.Dissect(with(func(m *w.Module) { m.Memory(w.AtLeast(1)); m.Func("", "", "", w.Block(0x40, row.body)) }))
			if !ok {
				t.Fatal("the module has no functions")
			}
			if validate(d.Module(0, d.Code[0])) != nil {
				t.Error("the runtime does not take it: there is nothing to compare")
			}
			if difference := r.decoded(d, 0); difference != "" {
				t.Error(difference)
			}
			if _, ok := wasm.Steps(append(slices.Clone(row.body), 0x0b)); ok {
				t.Error("the gate admits it")
			}
			if unlike(w.AsRuntime(append(slices.Clone(row.body), 0x0b)), row.naive) == "" {
				t.Error("two readings are taken for one")
			}
		})
	}
}
