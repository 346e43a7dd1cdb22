package differential

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/tetratelabs/wazero"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// tally is what a test ran.
type tally struct {
	modules, calls, traps, cut, differences int
	left                                    map[string]int // what was left out, by reason
}

func (c *tally) leave(reason string) {
	if c.left == nil {
		c.left = map[string]int{}
	}
	c.left[reason]++
}

func (c *tally) print(t *testing.T, what string) {
	t.Logf("%s: %d modules, %d calls (%d ended in a trap, %d ran out of fuel or stack), %d differences", what, c.modules, c.calls, c.traps, c.cut, c.differences)
	for _, reason := range slices.Sorted(maps.Keys(c.left)) {
		t.Logf("  left out: %d %s", c.left[reason], reason)
	}
}

// runtimes are all of them. The first form of the first is what the others are compared with.
func runtimes(t *testing.T) []engine {
	compiler, err := newOurs("compiler", wazero.NewRuntimeConfigCompiler())
	if err != nil {
		t.Fatal(err)
	}
	interpreter, err := newOurs("interpreter", wazero.NewRuntimeConfigInterpreter())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		compiler.Close(context.Background())
		interpreter.Close(context.Background())
	})
	return []engine{compiler, interpreter, newTheirs()}
}

// outcome is what one call came to.
type outcome struct {
	results []uint64
	trap    string
	state   string
	cause   error // why it does not start; each runtime has its own words
}

func (o outcome) equal(p outcome) bool {
	return o.trap == p.trap && o.state == p.state && same(o.results, p.results)
}

func (o outcome) String() string {
	return fmt.Sprintf("%x %s %v; %s", o.results, o.trap, o.cause, o.state)
}

// run makes an instance, calls a function and writes down what came of it.
func (f form) run(function string, args ...uint64) (o outcome, err error) {
	in, err := f.begin()
	if err != nil {
		return outcome{trap: "does not start", cause: err}, nil
	}
	defer in.close()
	results, err := in.call(function, args)
	if errors.Is(err, errNoFunction) {
		return o, err
	}
	o = outcome{results: results, state: state(in)}
	if err != nil {
		o.trap = err.Error()
	}
	return o, nil
}

// compare holds every form to the first; where fuel or stack ran out only metered ones to each other,
// which happens at the same instruction everywhere. It returns the first difference, and false when the
// module has no such function.
func (c *tally) compare(list []form, function string, args ...uint64) (difference string, found bool) {
	metered, err := list[1].run(function, args...)
	if err != nil {
		return "", false
	}
	c.calls++
	cut, first, want := metered.trap == trapExhausted, 0, outcome{}
	switch {
	case cut:
		c.cut++
		first, want = 1, metered
	case metered.trap != "":
		c.traps++
	}
	for i, f := range list {
		if cut && i%2 == 0 { // it might never end
			continue
		}
		o, err := f.run(function, args...)
		if i == 0 {
			want = o
		}
		if err != nil || !o.equal(want) {
			c.differences++
			return fmt.Sprintf("%s%x\n%30s: %v\n%30s: %v %v", function, args, list[first].text, want, f.text, o, err), true
		}
	}
	return "", true
}

// Programs made of random numbers come to the same in every runtime, plain and metered.
func TestRandomPrograms(t *testing.T) {
	programs := 300
	if n, err := strconv.Atoi(os.Getenv("WRIT_DIFFERENTIAL_PROGRAMS")); err == nil {
		programs = n
	}
	var c tally
	engines := runtimes(t)
	random := rand.New(rand.NewPCG(7, 8))
	for range programs {
		entropy := make([]byte, random.IntN(600))
		for i := range entropy {
			entropy[i] = byte(random.Uint32())
		}
		module, err := exposed(w.Random(entropy))
		if err != nil {
			t.Fatal(err)
		}
		list, refused, err := forms(engines, module, 50_000, 512<<10)
		if refused != nil || err != nil {
			t.Fatalf("entropy %x: %v, %v", entropy, refused, err)
		}
		c.modules++
		for i := range 4 {
			difference, found := c.compare(list, fmt.Sprint("f", i), 3, 5)
			if !found {
				break
			}
			if difference != "" {
				t.Errorf("entropy %x: %s", entropy, difference)
			}
		}
		for _, f := range list {
			f.program.close()
		}
	}
	c.print(t, "random programs")
	if c.modules < programs || c.calls < programs || c.traps < programs/10 || c.cut < programs/20 {
		t.Error("too few calls of one kind to tell anything")
	}
}

// The control: a program that is another in one runtime is found out, by its result, its trap, its memory
// or a global.
func TestDifferencesAreFound(t *testing.T) {
	engines := runtimes(t)
	program := func(body ...[]byte) []form {
		m := &w.Module{}
		m.Memory(w.Range(1, 1))
		m.Global(1)
		m.Func("f", "", "i", body...)
		module, err := exposed(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		list, refused, err := forms(engines, module, 1000, 1<<20)
		if refused != nil || err != nil {
			t.Fatal(refused, err)
		}
		return list
	}
	plain := program(w.I32(1))
	for what, other := range map[string][]form{
		"the same":          nil,
		"a result":          program(w.I32(2)),
		"a trap":            program(w.Unreachable()),
		"memory":            program(w.I32(0), w.I32(7), w.Store32(), w.I32(1)),
		"a global":          program(w.I64(9), w.Op(0x24, []byte{0}), w.I32(1)),
		"fuel that ran out": program(w.Loop(), w.I32(1)),
	} {
		for i := range plain {
			list := slices.Clone(plain)
			if other != nil {
				list[i] = other[i]
			}
			if i%2 == 0 && what == "fuel that ran out" {
				continue // it would never end
			}
			var c tally
			if difference, _ := c.compare(list, "f"); (difference != "") != (other != nil) {
				t.Errorf("%s, %s: difference %q", what, plain[i].text, difference)
			}
		}
	}
}

// The modules of the specification's tests do as their scripts say, in every runtime and form alike.
func TestSpecification(t *testing.T) {
	root, err := w.SpecFolder()
	if err != nil {
		t.Skip(err)
	}
	scripts, err := w.SpecScripts(root)
	if err != nil {
		t.Fatal(err)
	}
	var c tally
	engines := runtimes(t)
	for _, script := range scripts {
		commands, err := w.ReadSpec(script)
		if err != nil {
			t.Fatal(err)
		}
		run := &specRun{t: t, tally: &c, engines: engines, script: filepath.Base(script), folder: filepath.Dir(script), modules: map[string]*specModule{}}
		for _, command := range commands {
			run.command(command)
		}
		run.end()
	}
	c.print(t, "specification")
	if c.modules < 1_000 || c.calls < 40_000 {
		t.Error("too few ran")
	}
}
