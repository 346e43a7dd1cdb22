package wasm_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/writ-run/writ/host/wasm"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// What a module that passes the gate may take to be validated, and again to be compiled.
const (
	compileTime   = 10 * time.Second // of a processor
	compileMemory = 512              // MiB
)

// bomb is a kind of function that a compiler has a hard time with.
type bomb struct {
	prepare func(m *w.Module) // what the functions refer to; may be nil
	// one adds a function of a size: the larger, the harder.
	one func(m *w.Module, size int)
}

// TestGateLimitsCompile validates and compiles the hardest modules that the gate lets pass, each in a process
// of its own: of every kind the largest function, as many of them as fit, and all kinds in one. It takes
// minutes: make torture.
func TestGateLimitsCompile(t *testing.T) {
	needTorture(t)
	t.Run("servlet", func(t *testing.T) { tortureClass(t, wasm.ClassServlet) })
	t.Run("runtime", func(t *testing.T) { tortureClass(t, wasm.ClassRuntime) })
}

func needTorture(t *testing.T) {
	if os.Getenv("WRIT_TORTURE") == "" {
		t.Skip("WRIT_TORTURE is not set: make torture sets it")
	}
}

func tortureClass(t *testing.T, class wasm.Class) {
	kinds := bombs()
	sizes := map[string]int{}
	for _, name := range sortedKeys(kinds) {
		t.Run(name, func(t *testing.T) {
			size := largest(class, func(size int) []byte { return kinds[name].module(size, 1) })
			copies := largest(class, func(n int) []byte { return kinds[name].module(size, n) })
			sizes[name] = size
			check(t, class, fmt.Sprintf("%s: %d x size %d", name, copies, size), kinds[name].module(size, copies))
		})
	}
	if len(sizes) < len(kinds) {
		return // only some were asked for
	}
	all := func(rounds int) []byte {
		return with(func(m *w.Module) {
			furnish(m)
			for _, name := range sortedKeys(kinds) {
				if kinds[name].prepare == nil {
					for range rounds {
						kinds[name].one(m, sizes[name]/4)
					}
				}
			}
		})
	}
	check(t, class, "all kinds together", all(largest(class, all)))
	check(t, class, "64 MiB of data", with(func(m *w.Module) {
		m.Memory(w.AtLeast(1024))
		for i := range 63 {
			m.Data(int32(i<<20), make([]byte, 1<<20))
		}
	}))
}

// Large programs that people really have pass, and take half of that.
func TestLargeProgramsCompile(t *testing.T) {
	needTorture(t)
	for name, class := range map[string]wasm.Class{"cmd/gofmt": wasm.ClassServlet, "cmd/vet": wasm.ClassRuntime} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "program.wasm")
			cmd := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", out, name)
			cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("building %s: %v\n%s", name, err, text)
			}
			module, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			check(t, class, name, module)
		})
	}
}

func check(t *testing.T, class wasm.Class, name string, module []byte) {
	r := compileApart(t, class, module)
	t.Logf("%-50s %5.2f s, %3d MiB; validation %5.2f s, %3d MiB; gate %3d ms; %d KiB, metered %d KiB", name, r.Compile.Seconds(), r.Peak,
		r.Validate.Seconds(), r.ValidatePeak, r.Gate.Milliseconds(), r.Bytes>>10, r.Metered>>10)
	switch {
	case r.Error != "":
		t.Errorf("%s: %s", name, r.Error)
	case max(r.Compile, r.Validate) > compileTime || max(r.Peak, r.ValidatePeak) > compileMemory:
		t.Errorf("%s: want at most %v and %d MiB", name, compileTime, compileMemory)
	}
}

// largest returns the largest number of which the gate admits the module.
func largest(class wasm.Class, make func(n int) []byte) int {
	n := 1
	for n < 1<<17 && admitted(class, make(2*n)) {
		n *= 2
	}
	return n + sort.Search(n, func(more int) bool { return !admitted(class, make(n+more+1)) })
}

// most returns the largest number up to a limit of which the gate admits the module.
func most(limit int, make func(n int) []byte) int {
	return sort.Search(limit, func(n int) bool { return !admitted(wasm.ClassServlet, make(n+1)) })
}

func admitted(class wasm.Class, module []byte) bool {
	rules := openRules(module)
	rules.Class = class
	_, err := wasm.Gate(module, rules)
	return err == nil
}

// furnish gives a module what instructions refer to.
func furnish(m *w.Module) {
	m.Memory(w.AtLeast(1))
	m.Table(w.AtLeast(10))
	m.Passive([]byte("data"))
	m.Elements([]byte{1, 1, 0, 1, 0})
	m.Func("", "", "")
}

func (b bomb) module(size, copies int) []byte {
	return with(func(m *w.Module) {
		furnish(m)
		if b.prepare != nil {
			b.prepare(m)
		}
		for range copies {
			b.one(m, size)
		}
	})
}

// bombs are the kinds. Function 0 takes and returns nothing.
func bombs() map[string]bomb {
	locals := func(n int) []byte { return w.Code([]byte{1}, w.U32(uint32(n)), []byte{wasm.I32}) }
	// A body of n pieces after which all locals are used.
	body := func(m *w.Module, count int, pieces ...[]byte) {
		use := repeat(count+1, func(i int) []byte { return w.Code(w.I32(0), w.Get(uint32(i)), w.Store32()) })
		m.FuncLocals("", "i", "", locals(count), w.Code(pieces...), use)
	}
	set := func(i, count int) []byte { return w.Code(w.I32(int32(i)), w.Set(uint32(1+i*7%count))) }
	ifs := func(n, count int) []byte {
		return repeat(n, func(i int) []byte { return w.Code(w.Get(0), w.If(set(i, count))) })
	}
	loops := func(n, count int, nested bool) []byte {
		head := func(i int) []byte { return w.Code([]byte{0x03, 0x40}, set(i, count)) }
		foot := w.Code(w.Get(0), w.BrIf(0), []byte{0x0b})
		if nested {
			return w.Code(repeat(n, head), bytes.Repeat(foot, n))
		}
		return repeat(n, func(i int) []byte { return w.Code(head(i), foot) })
	}
	straight := func(code ...[]byte) bomb {
		return bomb{one: func(m *w.Module, n int) { body(m, 1, bytes.Repeat(w.Code(code...), n)) }}
	}
	return map[string]bomb{
		"empty functions": {one: func(m *w.Module, n int) { m.Func("", "", "") }},
		"additions":       straight(w.Get(0), w.I32(1), w.Add(), w.Set(0)),
		"loads":           straight(w.Get(0), w.Load32(), w.Set(0)),
		"conversions":     straight(w.Get(0), []byte{0xb8, 0xaa}, w.Set(0)),
		// What a compiler does nothing for, the validator looks at all the same.
		"nothing":          straight([]byte{0x01}),
		"values dropped":   straight(w.Get(0), w.Drop()),
		"never executed":   {one: func(m *w.Module, n int) { m.Func("", "", "", w.Unreachable(), bytes.Repeat(w.Drop(), n)) }},
		"never multiplied": {one: func(m *w.Module, n int) { m.Func("", "", "", w.Unreachable(), bytes.Repeat([]byte{0xa2}, n), w.Drop()) }},
		"1000 results, never returned": {one: func(m *w.Module, n int) {
			m.Func("", "", strings.Repeat("i", 1000), w.Unreachable(), bytes.Repeat(w.Return(), n))
		}},
		"1000 results, in small functions": {one: func(m *w.Module, n int) {
			m.Func("", "", strings.Repeat("i", 1000), w.Unreachable(), bytes.Repeat(w.Return(), min(n, 2000)))
		}},
		"divisions":      straight(w.Get(0), w.Get(1), []byte{0x6d}, w.Set(0)),
		"calls":          straight(w.Call(0)),
		"calls by table": straight(w.I32(0), w.Op(0x11, []byte{0, 0})),
		"table.fill":     straight(w.I32(0), w.Op(0xd0, []byte{0x70}), w.I32(0), []byte{0xfc, 17, 0}),
		"table.copy":     straight(w.I32(0), w.I32(0), w.I32(0), []byte{0xfc, 14, 0, 0}),
		"popcnt of vectors": {one: func(m *w.Module, n int) {
			m.FuncLocals("", "i", "", w.Code([]byte{1, 1, wasm.V128}), bytes.Repeat(w.Code(w.Get(1), w.Op(0xfd, []byte{98}), w.Set(1)), n),
				w.I32(0), w.Get(1), w.Op(0xfd, []byte{11, 0, 0}))
		}},
		"memory.init": straight(w.I32(0), w.I32(0), w.I32(0), w.Init(0)),
		"table.init":  straight(w.I32(0), w.I32(0), w.I32(0), []byte{0xfc, 12, 0, 0}),
		"table.grow":  straight(w.Op(0xd0, []byte{0x70}), w.I32(0), []byte{0xfc, 15, 0}, w.Set(0)),
		"table.get":   straight(w.Get(0), w.Op(0x25, []byte{0}), []byte{0xd1}, w.Set(0)),
		"table.set":   straight(w.Get(0), w.Op(0xd0, []byte{0x70}), w.Op(0x26, []byte{0})),
		"ref.func":    straight(w.Op(0xd2, []byte{0}), []byte{0xd1}, w.Set(0)),
		"memory.grow": straight(w.I32(0), w.Grow(), w.Set(0)),
		"branches": {one: func(m *w.Module, n int) {
			body(m, 1, repeat(n, func(int) []byte { return w.Code(w.Get(0), w.BrIf(0)) }))
		}},
		"ifs, 1 local":      {one: func(m *w.Module, n int) { body(m, 1, ifs(n, 1)) }},
		"ifs, 100 locals":   {one: func(m *w.Module, n int) { body(m, 100, ifs(n, 100)) }},
		"ifs, 1000 locals":  {one: func(m *w.Module, n int) { body(m, 1000, ifs(n, 1000)) }},
		"ifs, 9990 locals":  {one: func(m *w.Module, n int) { body(m, 9990, ifs(n, 9990)) }},
		"loops, 30 locals":  {one: func(m *w.Module, n int) { body(m, 30, loops(n, 30, false)) }},
		"nested, 30 locals": {one: func(m *w.Module, n int) { body(m, 30, loops(min(n, 2000), 30, true)) }},
		"nested, a call": {one: func(m *w.Module, n int) {
			body(m, 30, loops(min(n, 2000), 30, true), w.Call(0))
		}},
		"nested, 500 locals": {one: func(m *w.Module, n int) { body(m, 500, loops(min(n, 2000), 500, true)) }},
		"ifs in a loop":      {one: func(m *w.Module, n int) { body(m, 100, w.Loop(ifs(n, 100))) }},
		"locals":             {one: func(m *w.Module, n int) { m.FuncLocals("", "", "", locals(min(n, 9_999))) }},
		"parameters":         {one: func(m *w.Module, n int) { m.Func("", strings.Repeat("i", min(n, 1000)), "") }},
		"one switch":         {one: func(m *w.Module, n int) { m.Func("", "i", "", w.Block(0x40, wide(n, 1))) }},
		"switches out of 1000": {one: func(m *w.Module, n int) {
			m.Func("", "i", "", outOf(1000, repeat(n, func(int) []byte { return w.Block(0x40, wide(1000, 1000)) })))
		}},
		"values kept": {one: func(m *w.Module, n int) {
			m.Func("", "i", "", repeat(n, func(int) []byte { return w.Op(0x3f, []byte{0}) }), w.Call(0), repeat(n, func(int) []byte { return w.Drop() }))
		}},
		"1000 arguments": {
			prepare: func(m *w.Module) { m.Func("", strings.Repeat("i", 1000), strings.Repeat("i", 1000), w.Unreachable()) },
			one: func(m *w.Module, n int) {
				m.Func("", strings.Repeat("i", 1000), strings.Repeat("i", 1000), repeat(1000, func(i int) []byte { return w.Get(uint32(i)) }), bytes.Repeat(w.Call(1), n))
			},
		},
		"1000 arguments by table": {
			prepare: func(m *w.Module) { m.Func("", strings.Repeat("i", 1000), strings.Repeat("i", 1000), w.Unreachable()) },
			one: func(m *w.Module, n int) {
				m.Func("", strings.Repeat("i", 1000), strings.Repeat("i", 1000), repeat(1000, func(i int) []byte { return w.Get(uint32(i)) }), bytes.Repeat(w.Code(w.I32(0), w.Op(0x11, w.U32(m.TypeOf(strings.Repeat("i", 1000), strings.Repeat("i", 1000))), []byte{0})), n))
			},
		},
		"1000 results": {one: func(m *w.Module, n int) {
			m.Func("", "i", strings.Repeat("i", 1000), repeat(1000, func(i int) []byte { return w.Get(0) }), bytes.Repeat(w.Code(w.Get(0), w.BrIf(0)), n))
		}},
		"5000 globals, joined": {
			prepare: func(m *w.Module) { repeat(5000, func(int) []byte { m.Global(1); return nil }) },
			one: func(m *w.Module, n int) {
				n = min(n, 2000)
				m.Func("", "i", "", bytes.Repeat(w.Code(w.Get(0), []byte{0x04, 0x40}), n), w.Call(0), bytes.Repeat([]byte{0x0b}, n),
					repeat(5000, func(i int) []byte { return w.Code(w.I32(0), w.Op(0x23, w.U32(uint32(i))), w.Store64()) }))
			},
		},
		"5000 globals, loops": {
			prepare: func(m *w.Module) { repeat(5000, func(int) []byte { m.Global(1); return nil }) },
			one: func(m *w.Module, n int) {
				n = min(n, 2000)
				m.Func("", "i", "", bytes.Repeat([]byte{0x03, 0x40}, n), bytes.Repeat(w.Code(w.Get(0), w.BrIf(0), []byte{0x0b}), n),
					repeat(5000, func(i int) []byte { return w.Code(w.I32(0), w.Op(0x23, w.U32(uint32(i))), w.Store64()) }))
			},
		},
		"9998 globals, functions": {
			prepare: func(m *w.Module) { repeat(9998, func(int) []byte { m.Global(1); return nil }) },
			one:     func(m *w.Module, n int) { m.Func("", "", "") },
		},
		"9998 constants, functions": {
			prepare: func(m *w.Module) { repeat(9998, func(int) []byte { m.GlobalOf(wasm.I32, 0, w.I32(1)); return nil }) },
			one:     func(m *w.Module, n int) { m.Func("", "", "") },
		},
		"100 globals, calls": {
			prepare: func(m *w.Module) { repeat(100, func(int) []byte { m.Global(1); return nil }) },
			one:     func(m *w.Module, n int) { m.Func("", "", "", bytes.Repeat(w.Call(0), n)) },
		},
		"5000 globals, calls": {
			prepare: func(m *w.Module) { repeat(5000, func(int) []byte { m.Global(1); return nil }) },
			one:     func(m *w.Module, n int) { m.Func("", "", "", bytes.Repeat(w.Call(0), n)) },
		},
	}
}

// wide is a switch of n targets over that many labels.
func wide(n, labels int) []byte {
	return w.Code(w.Get(0), w.Op(0x0e, w.U32(uint32(n)), repeat(n+1, func(i int) []byte { return w.U32(uint32(i % labels)) })))
}

// outOf puts code inside n blocks.
func outOf(n int, code []byte) []byte {
	return w.Code(bytes.Repeat([]byte{0x02, 0x40}, n), code, bytes.Repeat([]byte{0x0b}, n))
}

// repeat joins n times what make returns.
func repeat(n int, make func(i int) []byte) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(make(i))
	}
	return b.Bytes()
}

// compileReport is what one module took.
type compileReport struct {
	Gate, Validate, Compile time.Duration
	Bytes, Metered          int
	ValidatePeak, Peak      int // MiB of memory at most while it was validated, and compiled
	Error                   string
}

const (
	compileEnv = "WRIT_TEST_COMPILE"
	classEnv   = "WRIT_TEST_CLASS"
)

// compileApart compiles a module in another process.
func compileApart(t *testing.T, class wasm.Class, module []byte) (r compileReport) {
	file := filepath.Join(t.TempDir(), "module.wasm")
	if err := os.WriteFile(file, module, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestCompileApart$")
	cmd.Env = append(os.Environ(), compileEnv+"="+file, fmt.Sprint(classEnv, "=", int(class)))
	out, err := cmd.CombinedOutput()
	_, line, _ := bytes.Cut(out, []byte(compileEnv))
	if json.Unmarshal(bytes.SplitN(line, []byte("\n"), 2)[0], &r) != nil {
		r.Error = fmt.Sprintf("%v: %.300s", err, out)
	}
	return r
}

// TestCompileApart is the other process.
func TestCompileApart(t *testing.T) {
	file := os.Getenv(compileEnv)
	if file == "" {
		t.Skip("run by TestGateLimitsCompile in a process of its own")
	}
	var r compileReport
	if err := r.compile(file); err != nil {
		r.Error = err.Error()
	}
	out, _ := json.Marshal(r)
	fmt.Printf("%s%s\n", compileEnv, out)
}

// processorTime is what the process used: unlike the clock it does not depend on what else the machine
// does. Compiling takes one thread, and some for the garbage collector.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (r *compileReport) compile(file string) error {
	ctx := context.Background()
	module, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	r.Bytes = len(module)
	open := openRules(module)
	class, err := strconv.Atoi(os.Getenv(classEnv))
	if err != nil {
		return err
	}
	open.Class = wasm.Class(class)
	from := time.Now()
	gated, err := wasm.Gate(module, open)
	r.Gate = time.Since(from)
	if err != nil {
		return err
	}
	var valid wasm.Validated
	r.Validate, r.ValidatePeak = measured(func() { valid, err = wasm.Validate(gated, validate) })
	if err != nil {
		return err
	}
	form, err := wasm.Meter(valid)
	if err != nil {
		return err
	}
	r.Metered = len(form.Code())
	r.Compile, r.Peak = measured(func() {
		_, err = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler()).CompileModule(ctx, form.Code())
	})
	return err
}

// measured tells what a task takes: the time of a processor, and the most memory that the process has
// meanwhile, MiB.
func measured(do func()) (took time.Duration, peak int) {
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		panic(err)
	}
	before := processorTime()
	do()
	took = processorTime() - before
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &peak); n == 1 {
			break
		}
	}
	return took, peak >> 10
}
