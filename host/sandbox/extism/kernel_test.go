package extism_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/writ-run/writ/host/sandbox/extism"
)

// account counts what a kernel holds, up to a limit.
type account struct{ held, limit int64 }

func (a *account) hold(n int64) bool {
	if n < 0 || n > a.limit-a.held {
		return false
	}
	a.held += n
	return true
}

func newKernel(limit int64) (*extism.Kernel, *account) {
	a := &account{limit: limit}
	return &extism.Kernel{Hold: a.hold}, a
}

func alloc(t *testing.T, k *extism.Kernel, n uint64) uint64 {
	t.Helper()
	at, ok := k.Alloc(n)
	if !ok || at == 0 {
		t.Fatalf("no block of %d bytes", n)
	}
	return at
}

func TestBlocksAreApartAndZero(t *testing.T) {
	k, _ := newKernel(1 << 24)
	used := map[uint64]bool{}
	for n := uint64(1); n < 40_000; n = n*5/4 + 1 {
		at := alloc(t, k, n)
		if got := k.Length(at); got != n {
			t.Errorf("length %d, want %d", got, n)
		}
		if at%8 != 0 {
			t.Errorf("block at %d", at)
		}
		for i := range n {
			if used[at+i] {
				t.Fatalf("byte %d of a block of %d is another's", i, n)
			}
			used[at+i] = true
			if v, ok := k.Load8(at + i); !ok || v != 0 {
				t.Fatalf("byte %d of a block of %d: %d %v", i, n, v, ok)
			}
		}
	}
}

func TestReadsAreWhatWasWritten(t *testing.T) {
	k, _ := newKernel(1 << 24)
	p := make([]byte, 20_000) // over the edges of pages
	for i := range p {
		p[i] = byte(i * 7)
	}
	at, ok := k.Write(p)
	if !ok {
		t.Fatal("no room")
	}
	if got, ok := k.Read(at, len(p)); !ok || !bytes.Equal(got, p) {
		t.Error("read differs")
	}
	if got, ok := k.Read(at, 10); !ok || !bytes.Equal(got, p[:10]) {
		t.Errorf("a part: %v", got)
	}
	for _, i := range []uint64{0, 3, 8115, 8127, 8128, 8129, 19_992} {
		want := uint64(0)
		for j := range uint64(8) {
			want |= uint64(p[i+j]) << (8 * j)
		}
		if got, ok := k.Load64(at + i); !ok || got != want {
			t.Errorf("eight bytes at %d: %x, want %x", i, got, want)
		}
		if !k.Store64(at+i, math.MaxUint64-want) {
			t.Errorf("not stored at %d", i)
		}
		if got, _ := k.Load64(at + i); got != math.MaxUint64-want {
			t.Errorf("stored at %d: %x", i, got)
		}
		k.Store64(at+i, want)
	}
	if got, _ := k.Read(at, len(p)); !bytes.Equal(got, p) {
		t.Error("a store touched its neighbours")
	}
}

// Whatever a plug-in passes as an offset, it stays inside of what was handed out.
func TestOffsetsOutsideAreRefused(t *testing.T) {
	k, _ := newKernel(1 << 20)
	for range 2 { // before anything was handed out, and after
		end := k.Size()
		for _, at := range []uint64{0, 1, 63, end, end + 1, 1 << 20, 1 << 32, 1<<32 - 1, 1 << 63, math.MaxUint64, math.MaxUint64 - 7} {
			if _, ok := k.Load8(at); ok {
				t.Errorf("a byte at %d of %d", at, end)
			}
			if _, ok := k.Load64(at); ok {
				t.Errorf("eight bytes at %d of %d", at, end)
			}
			if k.Store8(at, 1) || k.Store64(at, 1) {
				t.Errorf("stored at %d of %d", at, end)
			}
			if _, ok := k.Read(at, 10); ok && at != 0 {
				t.Errorf("a block at %d of %d", at, end)
			}
			if k.SetError(at) && at != 0 || k.SetOutput(at, 1) || k.MoveInput(at, 1) || k.SetOutput(at, math.MaxUint64) {
				t.Errorf("set at %d of %d", at, end)
			}
			if k.Length(at) != 0 {
				t.Errorf("a length at %d", at)
			}
			k.Free(at)
		}
		alloc(t, k, 100)
	}
	end := k.Size()
	for n := range uint64(8) {
		if _, ok := k.Load64(end - n); ok {
			t.Errorf("eight bytes where %d are left", n)
		}
	}
	if k.SetOutput(end-4, 5) || !k.SetOutput(end-4, 4) {
		t.Error("the output is not bounded by what was handed out")
	}
}

func TestLimitsBoundBlocks(t *testing.T) {
	for _, n := range []uint64{1, 8, 1000, 1 << 20} {
		k, a := newKernel(4 << 20)
		total := uint64(0)
		for {
			if _, ok := k.Alloc(n); !ok {
				break
			}
			if total += n; total > 4<<20 {
				t.Fatalf("blocks of %d bytes: more than the limit", n)
			}
		}
		if a.held > a.limit || total > 0 && k.Size() > uint64(a.held) {
			t.Errorf("blocks of %d bytes: %d handed out, %d held", n, k.Size(), a.held)
		}
	}
	k, _ := newKernel(math.MaxInt64)
	for _, n := range []uint64{1<<32 + 1, 1 << 40, math.MaxUint64, math.MaxUint64 - 63, 1 << 63} {
		if at, ok := k.Alloc(n); ok {
			t.Errorf("a block of %d bytes at %d", n, at)
		}
	}
	if at, ok := (&extism.Kernel{}).Alloc(1); ok {
		t.Errorf("the zero Kernel has a block at %d", at)
	}
	if at, ok := (&extism.Kernel{}).Alloc(0); !ok || at != 0 {
		t.Errorf("an empty block: %d %v", at, ok)
	}
}

func TestFreedBlocksAreUsedAgain(t *testing.T) {
	k, a := newKernel(64 << 10)
	for range 100_000 { // a kit that takes and frees runs for as long as it likes
		k.Free(alloc(t, k, 1000))
	}
	if a.held > 32<<10 {
		t.Errorf("%d bytes are held", a.held)
	}
	at := alloc(t, k, 1000)
	k.Free(at)
	k.Free(at) // a kit that frees what the host has consumed
	if first, second := alloc(t, k, 1000), alloc(t, k, 1000); first == second {
		t.Error("one block was handed out twice")
	}
}

// A kit may free the block of its output or error right away: hosts read them when the call is over.
func TestOutputAndErrorOutliveTheirBlocks(t *testing.T) {
	k, _ := newKernel(1 << 20)
	out, _ := k.Write([]byte("answer"))
	failure, _ := k.Write([]byte("reason"))
	k.SetOutput(out, 6)
	k.SetError(failure)
	k.Free(out)
	k.Free(failure)
	for range 10 {
		at, _ := k.Write([]byte("other!"))
		if at == out || at == failure {
			t.Fatal("its block was handed out again")
		}
	}
	if p, ok := k.Output(6); !ok || string(p) != "answer" {
		t.Errorf("output %q %v", p, ok)
	}
	if p := k.Error(100); string(p) != "reason" {
		t.Errorf("error %q", p)
	}
	if _, ok := k.Output(5); ok {
		t.Error("an output above its limit")
	}
	k.SetError(0)
	if k.Error(100) != nil || k.ErrorAt() != 0 {
		t.Error("an error that was taken back")
	}
}

func TestInput(t *testing.T) {
	k, _ := newKernel(1 << 20)
	if _, ok := k.LoadInput8(0); ok {
		t.Error("a byte of no input")
	}
	p := []byte("0123456789")
	if !k.SetInput(p) {
		t.Fatal("no room")
	}
	p[0] = 'x' // the caller's own stays the caller's
	at, n := k.Input()
	if got, _ := k.Read(at, 100); string(got) != "0123456789" || n != 10 {
		t.Errorf("input %q", got)
	}
	for i, want := range map[uint64]bool{0: true, 2: true, 3: false, 9: false, 10: false, math.MaxUint64: false, math.MaxUint64 - 6: false} {
		if _, ok := k.LoadInput64(i); ok != want {
			t.Errorf("eight bytes at %d: %v", i, ok)
		}
		if _, ok := k.LoadInput8(i); ok != (i < 10) {
			t.Errorf("a byte at %d: %v", i, ok)
		}
	}
	if !k.MoveInput(at+2, 3) {
		t.Fatal("not moved")
	}
	if v, ok := k.LoadInput8(2); !ok || v != '4' {
		t.Errorf("moved input: %c %v", v, ok)
	}
	k.MoveInput(at, 10)
	k.Free(at)
	if _, n := k.Input(); n != 0 {
		t.Errorf("a freed input of %d bytes", n)
	}
}

func TestResetLeavesNothing(t *testing.T) {
	k, _ := newKernel(1 << 20)
	at, _ := k.Write(bytes.Repeat([]byte{0xaa}, 30_000))
	k.SetOutput(at, 30_000)
	k.SetError(at)
	k.SetInput([]byte("input"))
	k.Free(at)
	k.Reset()
	if _, n := k.Input(); n != 0 || k.ErrorAt() != 0 || k.Length(at) != 0 || k.Held() {
		t.Error("something was left")
	}
	if p, ok := k.Output(1 << 20); !ok || len(p) != 0 {
		t.Errorf("%d bytes of output", len(p))
	}
	again := alloc(t, k, 30_000)
	if p, _ := k.Read(again, 30_000); slices.Max(p) != 0 {
		t.Error("bytes were left")
	}
}

func TestVariables(t *testing.T) {
	k, a := newKernel(8 << 20)
	if _, ok := k.Var("a"); ok || k.Held() {
		t.Error("a variable from nowhere")
	}
	k.SetVar("a", []byte("1"))
	if v, ok := k.Var("a"); !ok || string(v) != "1" || !k.Held() {
		t.Errorf("%q %v", v, ok)
	}
	k.RemoveVar("a")
	k.RemoveVar("a")
	if _, ok := k.Var("a"); ok || k.Held() {
		t.Error("it was removed")
	}
	const most = extism.MaxVars - 41 - 1
	if k.SetVar("b", make([]byte, most+1)) {
		t.Error("one above the quota")
	}
	if !k.SetVar("b", make([]byte, most)) {
		t.Error("one that just fits")
	}
	if k.SetVar("c", nil) {
		t.Error("a second one, for which nothing is left")
	}
	k.RemoveVar("b")
	for i := range 1 << 20 { // names alone use the quota up, too
		if !k.SetVar(string(rune('A'+i%26))+string(rune(i)), nil) {
			break
		}
		if i > 30_000 {
			t.Fatal("names without an end")
		}
	}
	if a.held > extism.MaxVars {
		t.Errorf("%d bytes are held", a.held)
	}
	small, _ := newKernel(100)
	if small.SetVar("a", make([]byte, 200)) {
		t.Error("a variable above the call's memory")
	}
}
