package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

// answers makes a guest that answers with a word.
func answers(word string) []byte {
	return guest(func(m *w.Module) [][]byte {
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Data(64, []byte(word))
		return [][]byte{w.I32(64), w.I32(int32(len(word))), w.Call(write), w.Drop(), w.I32(0)}
	})
}

// says runs a guest of answers.
func says(t *testing.T, code *sandbox.Code, word string) {
	t.Helper()
	out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
	if out.Fault != nil || string(out.Output) != word {
		t.Errorf("answered %q, %v; want %q", out.Output, out.Fault, word)
	}
}

// cached lists the programs and the machine code in a cache folder.
func cached(t *testing.T, dir string) (programs, machines []string) {
	t.Helper()
	programs, err := filepath.Glob(filepath.Join(dir, "program-*"))
	if err == nil {
		machines, err = filepath.Glob(filepath.Join(dir, "wazero-*", "*", "*"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return programs, machines
}

func wantCached(t *testing.T, dir string, programs, machines int) {
	t.Helper()
	p, m := cached(t, dir)
	if len(p) != programs || len(m) != machines {
		t.Errorf("%d programs and %d pieces of machine code are kept, want %d and %d", len(p), len(m), programs, machines)
	}
}

func newCache(t *testing.T) string { return filepath.Join(t.TempDir(), "code") }

func TestWhatWasCompiledIsUsedAgain(t *testing.T) {
	dir := newCache(t)
	var files [2]os.FileInfo
	for i := range files { // two processes
		code := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one"))
		says(t, code, "one")
		info, err := os.Stat(filepath.Join(dir, code.Machine()))
		if err != nil {
			t.Fatal(err)
		}
		files[i] = info
		wantCached(t, dir, 1, 1)
	}
	if !os.SameFile(files[0], files[1]) {
		t.Error("the second compiled again")
	}
	// All of it can be told from what others put there.
	if err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && name != "." && !sandbox.MadeInCache(name, d.IsDir()) {
			t.Errorf("%s is not the engine's own", name)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestInvalidModulesAreNotKept(t *testing.T) {
	dir := newCache(t)
	engine := newEngine(t, sandbox.Config{CacheDir: dir})
	bad, err := sandbox.Admit(guest(func(m *w.Module) [][]byte { return [][]byte{w.Get(7)} }), "writ1", nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := engine.Compile(t.Context(), bad); err == nil {
			t.Error("an invalid module was compiled")
		}
	}
	wantCached(t, dir, 0, 0)
}

// Each of the four that machine code depends on is in its name, or in that of what it is made of: what
// another module, meter, runtime or processor left there is not used.
func TestCacheKeys(t *testing.T) {
	dir := newCache(t)
	first := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one"))

	t.Run("module", func(t *testing.T) {
		says(t, compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("two")), "two")
		// The word is data, which is no part of the code: both share the machine code.
		wantCached(t, dir, 2, 1)
		compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), grower(1))
		wantCached(t, dir, 3, 2)
	})
	t.Run("meter", func(t *testing.T) {
		defer sandbox.OtherMeter()()
		// What the first meter made is there, and is wrong for this one.
		code := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one"))
		if code.Program() == first.Program() {
			t.Error("the program of another meter is used")
		}
		wantCached(t, dir, 4, 2)
	})
	t.Run("runtime", func(t *testing.T) {
		// The program's name has it too, by TestValidatorNamesTheRuntime.
		if want := "wazero-v1.12.0-core-2.0" + string(filepath.Separator); !strings.HasPrefix(first.Machine(), want) || !strings.HasPrefix(want, strings.NewReplacer(" ", "-", ",", "").Replace(sandbox.Validator)) {
			t.Errorf("machine code lies in %s", first.Machine())
		}
	})
	t.Run("processor", func(t *testing.T) {
		own := filepath.Join(dir, first.Machine())
		other := ""
		for features := range uint64(1 << sandbox.FeatureBits) {
			if path := filepath.Join(dir, first.MachineFor(features)); path != own {
				other = path
			}
		}
		if err := os.Rename(own, other); err != nil {
			t.Fatal(err)
		}
		says(t, compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one")), "one")
		if _, err := os.Stat(own); err != nil {
			t.Error("the code of another processor was used:", err)
		}
	})
}

// What a crash or a bad disk left is made again, once and for all.
func TestDamagedCacheIsMadeAgain(t *testing.T) {
	dir := newCache(t)
	code := compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one"))
	for _, name := range []string{code.Program(), code.Machine()} {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(whole)
		flipped[len(flipped)/2] ^= 1
		for what, damaged := range map[string][]byte{"flipped": flipped, "cut": whole[:len(whole)/2], "empty": nil} {
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, compileWith(t, newEngine(t, sandbox.Config{CacheDir: dir}), answers("one")), "one")
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, whole) {
				t.Errorf("%s %s: not made again: %d bytes, %v", name, what, len(now), err)
			}
		}
	}
}

// A disk that is full or read-only is not the module's fault, and is said to be the cache's.
func TestCacheThatCannotBeWritten(t *testing.T) {
	dir := newCache(t)
	engine := newEngine(t, sandbox.Config{CacheDir: dir})
	folders, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	if err := os.Remove(folders[0]); err != nil {
		t.Fatal(err)
	}
	admitted, err := sandbox.Admit(answers("one"), "writ1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Compile(t.Context(), admitted); !errors.Is(err, sandbox.ErrCache) || errors.Is(err, sandbox.ErrCompile) {
		t.Error(err)
	}
}

func TestExpectLoadsAhead(t *testing.T) {
	dir := newCache(t)
	first := newEngine(t, sandbox.Config{CacheDir: dir})
	first.Expect("module")() // nothing is known yet
	code := compileWith(t, first, answers("one"))
	first.Remember("servlet", "module", code)

	e := newEngine(t, sandbox.Config{CacheDir: dir})
	end, again := e.Expect("module"), e.Expect("module")
	says(t, compileWith(t, e, answers("one")), "one")
	// A hint that was wrong changes nothing: what is used is made of the module that was admitted.
	says(t, compileWith(t, e, answers("two")), "two")
	end()
	again()
	if n := e.Machines(); n != 1 {
		t.Errorf("%d compilations are kept, want the one in use", n)
	}
	e.Expect("module")()
	e.ExpectLast()()
	other := newEngine(t, sandbox.Config{CacheDir: dir})
	end = other.ExpectLast()
	says(t, compileWith(t, other, answers("one")), "one")
	end()
	if n := other.Machines(); n != 1 {
		t.Errorf("%d compilations are kept, want the one in use", n)
	}
	newEngine(t, sandbox.Config{}).Expect("nothing is known of it")()

	// Without its files it is no hint, and nothing is compiled for it.
	if err := os.Remove(filepath.Join(dir, code.Machine())); err != nil {
		t.Fatal(err)
	}
	late := newEngine(t, sandbox.Config{CacheDir: dir})
	late.Expect("module")()
	wantCached(t, dir, 2, 0)
}

func TestRememberedStart(t *testing.T) {
	dir := newCache(t)
	e := newEngine(t, sandbox.Config{CacheDir: dir})
	if _, ok := e.Remembered("servlet"); ok {
		t.Error("remembered what was never loaded")
	}
	code := compileWith(t, e, answers("one"))
	if err := code.Prepare(t.Context(), nil, 8<<20); err != nil {
		t.Fatal(err)
	}
	e.Remember("servlet", "module", code)
	got, ok := newEngine(t, sandbox.Config{CacheDir: dir}).Remembered("servlet")
	if !ok || got != code.Start() || got.Rung == sandbox.RungPlain || got.Entropy == "" {
		t.Errorf("remembered %+v, %v; it is %+v", got, ok, code.Start())
	}
	if err := e.Forget("servlet"); err != nil {
		t.Fatal(err)
	}
	if _, ok := e.Remembered("servlet"); ok {
		t.Error("not forgotten")
	}
	wantCached(t, dir, 0, 0)
}

// Code that is not used any more makes room.
func TestCacheIsBounded(t *testing.T) {
	dir := newCache(t)
	big := newEngine(t, sandbox.Config{CacheDir: dir})
	big.Remember("old", "m1", compileWith(t, big, answers("one")))
	programs, machines := cached(t, dir)
	for _, path := range append(append(programs, machines...), filepath.Join(dir, "servlet-old"), filepath.Join(dir, "module-m1")) {
		long := time.Now().AddDate(-1, 0, 0)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	small := newEngine(t, sandbox.Config{CacheDir: dir, CacheBytes: 1})
	small.Remember("new", "m2", compileWith(t, small, grower(1)))
	wantCached(t, dir, 1, 1)
	if _, ok := small.Remembered("old"); ok {
		t.Error("the old one is remembered")
	}
	if _, ok := small.Remembered("new"); !ok {
		t.Error("the new one is not remembered")
	}
}

func TestCompilerInAnotherProcess(t *testing.T) {
	dir := newCache(t)
	var jobs []sandbox.Job
	fails := error(nil)
	cfg := sandbox.Config{CacheDir: dir, Compiler: func(ctx context.Context, job sandbox.Job) error {
		jobs = append(jobs, job)
		if fails != nil {
			return fails
		}
		return sandbox.CompileInto(ctx, job)
	}}
	for range 2 { // there the first time, found the second
		says(t, compileWith(t, newEngine(t, cfg), answers("one")), "one")
		if len(jobs) != 1 || jobs[0].CacheDir != dir {
			t.Errorf("jobs %v", jobs)
		}
		wantCached(t, dir, 1, 1) // what the other process made is what this one looks for
	}
	// Only one of the two is there.
	_, machines := cached(t, dir)
	if err := os.Remove(machines[0]); err != nil {
		t.Fatal(err)
	}
	says(t, compileWith(t, newEngine(t, cfg), answers("one")), "one")
	wantCached(t, dir, 1, 1)
	if len(jobs) != 2 {
		t.Errorf("%d jobs", len(jobs))
	}

	fails = errors.New("it wants too much")
	admitted, err := sandbox.Admit(grower(1), "writ1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newEngine(t, cfg).Compile(t.Context(), admitted); !errors.Is(err, fails) {
		t.Errorf("error %v", err)
	}
	if err := sandbox.CompileInto(t.Context(), sandbox.Job{CacheDir: dir, Module: []byte("\x00asm")}); err == nil {
		t.Error("a job that the gate refuses was done")
	}
}

func TestScanRunsNothing(t *testing.T) {
	for name, row := range map[string]struct {
		module []byte
		rung   sandbox.Rung
		why    string
	}{
		"plain code":     {answers("one"), sandbox.RungReset, ""},
		"sets its table": {thief(true), sandbox.RungInstance, "the module can change its tables, which a reset does not restore"},
		"loops in init":  {guest(func(m *w.Module) [][]byte { m.Func("_initialize", "", "", w.Loop()); return [][]byte{w.I32(0)} }), sandbox.RungReset, ""},
	} {
		t.Run(name, func(t *testing.T) {
			admitted, err := sandbox.Admit(row.module, "writ1", everyKind)
			if err != nil {
				t.Fatal(err)
			}
			rung, why, err := engine.Scan(admitted)
			if _, slow := engine.MemoryMethod(); row.why == "" {
				row.why = slow
			}
			if err != nil || rung != row.rung || why != row.why {
				t.Errorf("%s %q, %v; want %s %q", rung, why, err, row.rung, row.why)
			}
		})
	}
	if _, _, err := engine.Scan(sandbox.Admitted{}); err == nil {
		t.Error("scanned what was not admitted")
	}
}

func TestNamesOfOthersInACacheFolder(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for name, folder := range map[string]bool{
		"notes.txt": false, "mine": true, "program-x": false, "program-" + digest + ".bak": false, digest: true,
		"mine/" + digest: false, "wazero-v1/" + digest + ".c": false, "wazero-v1/mine": true, "wazero-v1": false, "wazero-a/wazero-b/wazero-c": true,
	} {
		if sandbox.MadeInCache(name, folder) {
			t.Errorf("%s is taken for the engine's own", name)
		}
	}
	for _, name := range []string{"program-" + digest, "valid-" + digest, "servlet-" + digest + ".17.tmp", "wazero-v1/" + digest, "wazero-v1/wazero-v1/" + digest + ".1.tmp"} {
		if !sandbox.MadeInCache(name, false) {
			t.Errorf("%s is the engine's own", name)
		}
	}
}
