package sandbox_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/testdata/guests"

	w "github.com/writ-run/writ/host/wasm/wasmtest"
)

type seeds struct {
	Fresh     map[string]string
	Pool      string
	Fixed     uint64
	Map       int
	Backwards bool
}

// run draws from the guest's sources in calls that follow each other.
func drawSeeds(t *testing.T, code *sandbox.Code, calls int) []seeds {
	t.Helper()
	var all []seeds
	for range calls {
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
		if out.Fault != nil {
			t.Fatal(out.Fault)
		}
		var s seeds
		if err := json.Unmarshal(out.Output, &s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// Programs seed generators in init, and an image holds what they were seeded with. Every call draws
// other numbers all the same; a generator that a program seeded with a constant draws the constant
// numbers; and what cannot be helped is said.
func TestCapturedRandomness(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), guests.Build(t, "seeds"))
	if err := code.Prepare(t.Context(), nil, 64<<20); err != nil {
		t.Fatal(err)
	}
	all := drawSeeds(t, code, 50)
	seen := map[string]string{}
	for i, s := range all {
		for source, v := range s.Fresh {
			if other, ok := seen[v]; ok {
				t.Errorf("call %d: %s drew %s, as %s did", i, source, v, other)
			}
			seen[v] = source
		}
		if s.Fixed != all[0].Fixed || s.Map != 2000 || s.Backwards {
			t.Errorf("call %d: %+v", i, s)
		}
		// A pool that was filled in init is what it was: nobody can know what it is for.
		if s.Pool != all[0].Pool {
			t.Errorf("call %d: the pool was changed", i)
		}
	}
	text := code.Entropy()
	if !strings.HasPrefix(text, "3 generators get fresh seeds before each call; ") || !strings.Contains(text, " bytes stay as they were captured") {
		t.Errorf("entropy: %s", text)
	}
	t.Log(text)
}

// The control of TestCapturedRandomness: in an instance that nobody seeds anew the numbers come again.
func TestCapturedRandomnessRepeatsWithoutSeeds(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), guests.Build(t, "seeds"))
	if err := code.Prepare(t.Context(), nil, 64<<20); err != nil {
		t.Fatal(err)
	}
	code.ForgetGenerators()
	all := drawSeeds(t, code, 3)
	for _, source := range []string{"math/rand", "math/rand/v2", "own", "maphash"} {
		if all[0].Fresh[source] != all[2].Fresh[source] {
			t.Errorf("%s differs without seeds: %s and %s", source, all[0].Fresh[source], all[2].Fresh[source])
		}
	}
	if all[0].Fresh["crypto/rand"] == all[2].Fresh["crypto/rand"] {
		t.Error("crypto/rand came again")
	}
}

// A guest that exports servlet_reseed is given other bits before each call, on top of its image.
func TestReseedExport(t *testing.T) {
	code := compileWith(t, newEngine(t, sandbox.Config{}), guest(func(m *w.Module) [][]byte {
		write := m.Import("writ1", "output_write", "ii", "i")
		m.Func("servlet_reseed", "II", "", w.I32(0), w.Get(0), w.Store64(), w.I32(8), w.Get(1), w.Store64())
		return [][]byte{w.I32(0), w.I32(16), w.Call(write), w.Drop(), w.I32(0)}
	}))
	seen := map[string]bool{}
	for range 20 {
		out := code.Run(t.Context(), sandbox.Call{Entry: sandbox.EntryCall, Limits: enough()})
		if out.Fault != nil || len(out.Output) != 16 || seen[string(out.Output[:8])] || seen[string(out.Output[8:])] {
			t.Fatalf("seed %x, fault %v", out.Output, out.Fault)
		}
		seen[string(out.Output[:8])], seen[string(out.Output[8:])] = true, true
	}
	if text := code.Entropy(); text != "the servlet is given a fresh seed before each call" {
		t.Errorf("entropy: %s", text)
	}
}

// A guest without randomness has none to speak of; one that reads the clock in init is told apart by
// the second of its two captures, whose clock is an hour ahead.
func TestCapturedClock(t *testing.T) {
	engine := newEngine(t, sandbox.Config{})
	still := compileWith(t, engine, grower(0))
	if err := still.Prepare(t.Context(), nil, 1<<20); err != nil || still.Entropy() != "the image holds no randomness" {
		t.Errorf("entropy: %s, %v", still.Entropy(), err)
	}
	watch := compileWith(t, engine, guest(func(m *w.Module) [][]byte {
		clock := m.Import("wasi_snapshot_preview1", "clock_time_get", "iIi", "i")
		m.Func("_initialize", "", "", w.I32(0), w.I64(0), w.I32(64), w.Call(clock), w.Drop())
		return [][]byte{w.I32(1)}
	}))
	if err := watch.Prepare(t.Context(), nil, 1<<20); err != nil {
		t.Fatal(err)
	}
	if text := watch.Entropy(); !strings.Contains(text, " bytes stay as they were captured, until the image is taken again") {
		t.Errorf("entropy: %s", text)
	}
}

// A guest can fill its memory with what looks like generators, or with generators: neither costs the
// host more than a moment when it takes an image, nor each call its time.
func TestComparisonIsBounded(t *testing.T) {
	const size = 2 << 20
	random := rand.New(rand.NewPCG(1, 2))
	looks := func(p []byte) {
		for i := 0; i < len(p); i += 8 {
			binary.LittleEndian.PutUint64(p[i:], 32<<32|uint64(random.IntN(3)*4))
		}
	}
	generators := func(p []byte) {
		const each = 304 // outputs, seed, counts, and the rest of a word
		for at := 0; at+each <= len(p); at += each {
			seed := [32]byte{}
			binary.LittleEndian.PutUint64(seed[:], random.Uint64())
			g := rand.NewChaCha8(seed)
			for i := range 32 {
				binary.LittleEndian.PutUint64(p[at+8*i:], g.Uint64())
			}
			copy(p[at+256:], seed[:])
			binary.LittleEndian.PutUint32(p[at+292:], 32)
		}
	}
	e := newEngine(t, sandbox.Config{})
	for name, row := range map[string]struct {
		fill  func(p []byte)
		found int
	}{
		"words that look like one": {looks, 0},
		"true ones":                {generators, sandbox.MaxSuspects},
	} {
		one, two := make([]byte, size), make([]byte, size)
		row.fill(one)
		row.fill(two)
		found, frozen, suspects, err := e.Compare(t.Context(), one, two)
		if err != nil || found != row.found || suspects != sandbox.MaxSuspects || frozen < size/8/2 {
			t.Errorf("%s: %d generators, %d bytes, %d places looked at, %v", name, found, frozen, suspects, err)
		}
	}
	// The control: a few among much else are all found, and every other byte that differs is counted.
	one, two := make([]byte, size), make([]byte, size)
	generators(one[4096:5000])
	generators(two[4096:5000])
	one[7], one[size-1], two[9000] = 1, 1, 1
	if found, frozen, _, err := e.Compare(t.Context(), one, two); err != nil || found != 2 || frozen != 3 {
		t.Errorf("%d generators, %d bytes, %v", found, frozen, err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, _, _, err := e.Compare(ended, one, two); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context ended: %v", err)
	}
}

// It waits for its turn, as guests do.
func TestComparisonTakesTurns(t *testing.T) {
	e := newEngine(t, sandbox.Config{})
	memory := make([]byte, 64<<10)
	var leave []func()
	for range max(runtime.GOMAXPROCS(0)-1, 1) {
		leave = append(leave, e.Turn(t.Context(), "others"))
	}
	ctx, end := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer end()
	if _, _, _, err := e.Compare(ctx, memory, memory); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while others have all turns: %v", err)
	}
	for _, leave := range leave {
		leave()
	}
	if _, _, _, err := e.Compare(t.Context(), memory, memory); err != nil {
		t.Error(err)
	}
}
