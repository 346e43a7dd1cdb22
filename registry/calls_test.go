package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// writer opens a home a second time, as another process does; it is closed by the test.
func writer(t testing.TB, home string, opts *registry.Options) *registry.Registry {
	t.Helper()
	return registrytest.OpenHome(t, home, opts)
}

func segments(t testing.TB, home string) []string {
	t.Helper()
	return must(filepath.Glob(filepath.Join(home, "audit", "*.jsonl")))
}

// waitSigned waits until a checkpoint covers entry seq of a segment, and fails when the next one that
// is due by time alone would be the one that does.
func waitSigned(t testing.TB, r *registry.Registry, path string, seq int) {
	t.Helper()
	chain := strings.TrimSuffix(filepath.Base(path), ".jsonl")
	for start := time.Now(); time.Since(start) < 30*time.Second; time.Sleep(time.Millisecond) {
		signed := false
		err := registry.StoreOf(r).View(t.Context(), func(tx registry.Tx) error {
			rec, err := tx.Get(registry.KindCheckpoint, chain)
			signed = bytes.Contains(rec.Value, fmt.Appendf(nil, `"seq":%d,`, seq))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if signed {
			return
		}
	}
	t.Fatalf("no checkpoint covers entry %d", seq)
}

// What an effect was let happen on is signed soon after, without an end of the process: then nobody
// without the key can cut it off unseen.
func TestDurableEntriesAreSoonSigned(t *testing.T) {
	r := registrytest.Open(t)
	w := writer(t, r.Home(), nil)
	record(t, w, true, "c1", "c2", "c3")
	path := segment(t, r.Home())
	waitSigned(t, r, path, 3)
	record(t, w, true, "c4")
	waitSigned(t, r, path, 4)
	report := verify(t, r)
	if len(report.Broken) != 0 || len(report.Torn) != 1 || !strings.Contains(report.Torn[0], "line 4: it ended without a checkpoint") {
		t.Errorf("while its process runs, or after it was killed: %+v", report)
	}
	text := must(os.ReadFile(path))
	for name, size := range map[string]int{
		"emptied":      0,
		"one line cut": bytes.LastIndexByte(text[:len(text)-1], '\n') + 1,
	} {
		if err := os.WriteFile(path, text[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if broken := verify(t, r).Broken; len(broken) != 1 || !strings.Contains(broken[0], "4 entries were signed") {
			t.Errorf("%s: found %q", name, broken)
		}
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, r, 4)
	// The end is signed as well: nothing can be added to it.
	more := registry.Rechain(t, append(text, text...), func(e *registry.Entry) { e.Seq = 0 })
	if err := os.WriteFile(path, append(text, more[len(more)/2:]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if broken := verify(t, r).Broken; len(broken) != 1 {
		t.Errorf("found %q", broken)
	}
}

// A segment ends at its limit, signed, and the next one goes on: nothing is lost between two, whoever
// records at that moment.
func TestFullSegmentsAreFollowedByOthers(t *testing.T) {
	r := registrytest.Open(t)
	w := writer(t, r.Home(), registry.SegmentLimit(16<<10))
	const goroutines, each = 4, 100
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for j := range each {
				if err := w.Record(t.Context(), call(fmt.Sprintf("%d-%d", i, j)), j%10 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if entries, err := w.Audit(t.Context(), local, registry.Filter{}); err != nil || len(entries) != goroutines*each {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	wantIntact(t, w, goroutines*each)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, r, goroutines*each)
	files := segments(t, r.Home())
	if len(files) < 5 {
		t.Fatalf("%d segments", len(files))
	}
	for _, path := range files {
		if info := must(os.Stat(path)); info.Size() > 17<<10 {
			t.Errorf("%s has %d bytes", path, info.Size())
		}
	}
	text := must(os.ReadFile(files[1]))
	if err := os.WriteFile(files[1], text[:bytes.IndexByte(text, '\n')+1], 0o600); err != nil {
		t.Fatal(err)
	}
	if broken := verify(t, r).Broken; len(broken) != 1 || !strings.Contains(broken[0], filepath.Base(files[1])+" line 1: the audit ends here") {
		t.Errorf("found %q", broken)
	}
}

// A full audit refuses calls and says what to do. It can be read and verified, state can be changed,
// and calls go on as soon as there is room.
func TestFullAuditRefusesToRecord(t *testing.T) {
	r := registrytest.OpenHome(t, t.TempDir(), &registry.Options{AuditLimit: 20 << 10})
	install(t, r, "notes")
	old := writer(t, r.Home(), nil)
	record(t, old, true, "old1", "old2", "old3", "old4", "old5")
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	archived := segment(t, r.Home())
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = r.Record(t.Context(), call("c"), n%2 == 0)
	}
	n--
	wantError(t, err, registry.ErrAuditFull)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(r.Home(), "audit")) || !strings.Contains(err.Error(), "archive") {
		t.Errorf("does not say what to do: %v", err)
	}
	wantError(t, r.Record(t.Context(), call("c"), false), registry.ErrAuditFull)
	wantError(t, r.SetConfig(t.Context(), local, "notes", "UNITS", "metric"), nil)
	if entries, err := r.Audit(t.Context(), local, registry.Filter{}); err != nil || len(entries) != n+7 {
		t.Errorf("%d entries, %v, want %d", len(entries), err, n+7)
	}
	wantIntact(t, r, n+7)
	var size int64
	for _, path := range segments(t, r.Home()) {
		size += must(os.Stat(path)).Size()
	}
	if size > 20<<10 || size < 19<<10 {
		t.Errorf("%d bytes of segments", size)
	}
	if err := os.Rename(archived, filepath.Join(t.TempDir(), "archived.jsonl")); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.Record(t.Context(), call("c"), true), nil)
}

// While the disk takes nothing, nothing is accepted for later, not even what could be batched: the
// effect would happen and its record be lost.
func TestNothingIsAcceptedBehindAFailedWrite(t *testing.T) {
	for name, partly := range map[string]bool{"nothing written": false, "half written": true} {
		t.Run(name, func(t *testing.T) { nothingBehindAFailedWrite(t, partly) })
	}
}

func nothingBehindAFailedWrite(t *testing.T, partly bool) {
	var full error
	r := registrytest.Open(t)
	registry.FailWrites(r, partly, func() error { return full })
	record(t, r, true, "c1")
	record(t, r, false, "c2")
	full = errors.New("disk full")
	registry.Tend(r)
	for _, durable := range []bool{false, true, false} {
		if err := r.Record(t.Context(), call("refused"), durable); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("durable %v: got %v", durable, err)
		}
	}
	full = nil
	record(t, r, false, "c3")
	registry.Tend(r)
	wantIntact(t, r, 3)
	// The same when it is a durable entry that fails first.
	full = errors.New("disk full")
	for _, durable := range []bool{true, false, false} {
		if err := r.Record(t.Context(), call("perhaps"), durable); err == nil {
			t.Errorf("durable %v: accepted", durable)
		}
	}
	full = nil
	record(t, r, true, "c4")
	if report := verify(t, r); len(report.Broken) != 0 || len(report.Torn) != 0 {
		t.Errorf("report %+v", report)
	}
}
