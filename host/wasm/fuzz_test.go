package wasm_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// FuzzGate feeds the gate anything. What it admits it admits again unchanged, and what the runtime
// then finds valid comes out of the meter valid.
func FuzzGate(f *testing.F) {
	for _, change := range []func(*w.Module){
		nil,
		func(m *w.Module) { m.Table(w.Range(8, 8)); m.Elements(everyElementForm()) },
		func(m *w.Module) { m.Global(-1); m.Data(3, []byte("data")); m.Custom("name", []byte("x")) },
		func(m *w.Module) { m.Start(m.Func("", "", "", w.Loop())) },
		func(m *w.Module) { m.FuncLocals("", "", "", w.Code([]byte{1}, w.U32(9), []byte{wasm.F64})) },
		func(m *w.Module) { m.Func("", "i", "ii", w.Get(0), w.Get(0), w.Get(0), w.BrIf(0), w.Call(1)) },
		func(m *w.Module) { m.Passive([]byte("x")); m.Func("", "", "", w.I32(0), w.I32(0), w.I32(0), w.Init(0)) },
		func(m *w.Module) { m.Func("", "", "", w.Op(0xfd, []byte{12}, make([]byte, 16)), w.Drop()) },
	} {
		f.Add(good(change))
	}
	f.Add(imports(func(m *w.Module) { m.ImportRaw("env", "m", 2, 1, 1, 1); m.ImportRaw("env", "g", 3, wasm.I32, 0) }))
	f.Add(raw(w.Section(12, []byte{2})))
	f.Add(w.Random([]byte("a module of some size, made of whatever these bytes say it is made of")))
	m := newMachine(f, wazero.NewRuntimeConfigInterpreter())
	f.Fuzz(func(t *testing.T, module []byte) {
		open := openRules(module)
		gated, err := wasm.Gate(module, open)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 20_000 {
				t.Errorf("error %q is not one clean line", err)
			}
			return
		}
		if len(gated.Code()) > len(module)+8 {
			t.Errorf("%d bytes became %d", len(module), len(gated.Code()))
		}
		again, err := wasm.Gate(gated.Code(), open)
		if err != nil || !bytes.Equal(again.Code(), gated.Code()) {
			t.Errorf("gating the gated module: %v", err)
		}
		form, err := m.meter(module, open)
		if errors.Is(err, wasm.ErrInvalid) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		c, err := m.CompileModule(context.Background(), form.Code())
		if err != nil {
			t.Fatalf("the metered form is not valid: %v", err)
		}
		c.Close(context.Background())
	})
}

// FuzzReadMetered reads anything as a stored module: what it takes it writes again as it was.
func FuzzReadMetered(f *testing.F) {
	m := newMachine(f, wazero.NewRuntimeConfigInterpreter())
	for _, module := range [][]byte{bulkGuest(), w.Random([]byte("a module")), with(func(m *w.Module) { m.Memory(w.AtLeast(1)) })} {
		form, err := m.meter(module, openRules(module))
		if err != nil {
			f.Fatal(err)
		}
		stored, err := form.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(stored[:min(len(stored), 10_000)])
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		form, err := wasm.ReadMetered(stored)
		if err != nil {
			return
		}
		again, err := form.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := wasm.ReadMetered(again); err != nil || !wasm.Same(read, form) {
			t.Errorf("read again: %v", err)
		}
	})
}

// FuzzMeter runs random programs plain and metered: results, traps, memory and globals are the same,
// and the fuel is the same each time.
func FuzzMeter(f *testing.F) {
	for _, seed := range []string{"", "\x01\x02\x03", "a program that calls itself", strings.Repeat("\x07\xf3\x21\x90\x44", 40)} {
		f.Add([]byte(seed))
	}
	d := newDifference(f, wazero.NewRuntimeConfigInterpreter())
	f.Fuzz(func(t *testing.T, entropy []byte) { d.compare(t, w.Random(entropy)) })
}

// The same for programs made of random numbers. Some run in the compiler as well, and come to the same
// there, to the last unit of fuel.
func TestMeterDifference(t *testing.T) {
	const programs, compiled = 800, 100
	interpreter, compiler := newDifference(t, wazero.NewRuntimeConfigInterpreter()), newDifference(t, wazero.NewRuntimeConfigCompiler())
	random := rand.New(rand.NewPCG(3, 4))
	for i := range programs {
		entropy := make([]byte, random.IntN(600))
		for i := range entropy {
			entropy[i] = byte(random.Uint32())
		}
		module := w.Random(entropy)
		states := interpreter.compare(t, module)
		if i < compiled {
			if others := compiler.compare(t, module); !slices.Equal(states, others) {
				t.Errorf("the interpreter: %q\nthe compiler: %q", states, others)
			}
		}
		if t.Failed() {
			t.Fatalf("entropy %x", entropy)
		}
	}
	for _, d := range []*difference{interpreter, compiler} {
		t.Logf("%+v", d)
		if d.Ended < d.Calls/4 || d.Trapped < d.Calls/20 || d.Cut < d.Calls/20 {
			t.Errorf("of %d calls %d ended and %d trapped: too few to tell anything", d.Calls, d.Ended, d.Trapped)
		}
	}
}

// difference compares plain with metered runs.
type difference struct {
	m                          *machine
	Calls, Ended, Trapped, Cut int
}

func newDifference(tb testing.TB, config wazero.RuntimeConfig) *difference {
	m := newMachine(tb, config.WithMemoryLimitPages(16))
	m.refill = 0
	return &difference{m: m}
}

// compare runs each function of a module and returns what each left. Programs that do not end are cut by
// their fuel, so the metered form goes first, and what it did not finish is not run plain.
func (d *difference) compare(t *testing.T, module []byte) (left []string) {
	const fuel, stack = 50_000, 512 << 10 // fewer calls than the interpreter has room for
	ctx := context.Background()
	form, err := d.m.meter(module, openRules(module))
	if err != nil {
		t.Fatalf("a random module is refused: %v", err)
	}
	for i := range 4 {
		name := fmt.Sprint("f", i)
		var states [2]string
		var cut bool
		for k := range states { // twice: the second time tells that fuel is deterministic
			mod, err := d.m.start(form, anonymous, fuel, stack)
			if err != nil {
				plain, plainErr := d.m.InstantiateWithConfig(ctx, module, anonymous)
				if plainErr == nil {
					plain.Close(ctx)
					t.Errorf("start: plain works, metered: %v", err)
				}
				return left
			}
			f := mod.ExportedFunction(name)
			if f == nil {
				mod.Close(ctx)
				return left
			}
			results, err := f.Call(ctx, 3, 5)
			if errors.Is(err, errFuel) || errors.Is(err, errStack) {
				cut = true
			}
			states[k] = fmt.Sprintf("%d %s", spent(mod, fuel), observe(mod, results, err))
			mod.Close(ctx)
		}
		if d.Calls++; states[0] != states[1] {
			t.Errorf("%s: %s the first time, %s the second", name, states[0], states[1])
		}
		left = append(left, states[0])
		if cut {
			d.Cut++
			continue
		}
		plain, err := d.m.InstantiateWithConfig(ctx, module, anonymous)
		if err != nil {
			t.Fatal(err)
		}
		results, err := plain.ExportedFunction(name).Call(ctx, 3, 5)
		if err != nil {
			d.Trapped++
		} else {
			d.Ended++
		}
		_, got, _ := strings.Cut(states[0], " ")
		if want := observe(plain, results, err); got != want {
			t.Errorf("%s: plain %s, metered %s", name, want, got)
		}
		plain.Close(ctx)
	}
	return left
}

// observe writes down all that a call left.
func observe(mod api.Module, results []uint64, err error) string {
	memory, _ := mod.Memory().Read(0, mod.Memory().Size())
	text := fmt.Sprintf("%x %d %x", results, len(memory), sha256.Sum256(memory))
	for i := 0; mod.ExportedGlobal(fmt.Sprint("g", i)) != nil; i++ {
		text += fmt.Sprintf(" %x", mod.ExportedGlobal(fmt.Sprint("g", i)).Get())
	}
	if err != nil {
		text += " " + trapText(err)
	}
	return text
}
