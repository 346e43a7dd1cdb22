package registry_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func call(id string) registry.Entry {
	return registry.Entry{
		Event: "call", Principal: "local", Space: capabilities.DefaultSpace, Alias: "notes", Call: id,
		Detail: json.RawMessage(`{"tool": "read", "ok": true}`),
	}
}

func record(t testing.TB, r *registry.Registry, durable bool, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := r.Record(t.Context(), call(id), durable); err != nil {
			t.Fatalf("recording %s: %v", id, err)
		}
	}
}

func verify(t testing.TB, r *registry.Registry) registry.Report {
	t.Helper()
	report, err := r.VerifyAudit(t.Context())
	if err != nil {
		t.Fatalf("verifying: %v", err)
	}
	return report
}

func wantIntact(t testing.TB, r *registry.Registry, entries int) {
	t.Helper()
	report := verify(t, r)
	if len(report.Broken) != 0 || len(report.Torn) != 0 || report.Entries != entries {
		t.Errorf("audit: %+v, want %d entries and nothing broken", report, entries)
	}
}

// segment returns the one segment file of a home.
func segment(t testing.TB, home string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "audit", "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("segments %q, %v, want one", files, err)
	}
	return files[0]
}

func TestEveryChangeIsAudited(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	in := install(t, r, "notes")
	in, err := r.SetGrant(ctx, local, "notes", in.Revision, in.Grant, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetGrant(ctx, local, "notes", in.Revision, in.Grant, false); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.SetConfig(ctx, local, "notes", "TOKEN", "canary-value"), nil)
	wantError(t, r.UnsetConfig(ctx, local, "notes", "TOKEN"), nil)
	wantError(t, r.Remove(ctx, local, "notes", true), nil)
	entries, err := r.Audit(ctx, local, registry.Filter{})
	var events []string
	for _, e := range entries {
		events = append(events, e.Event)
		if e.Principal != "local" || e.Alias != "notes" || bytes.Contains(e.Detail, []byte("canary")) {
			t.Errorf("entry %+v", e)
		}
	}
	want := []string{"install", "revoke", "grant", "config", "config", "remove"}
	if err != nil || !slices.Equal(events, want) {
		t.Errorf("audited %q, %v, want %q", events, err, want)
	}
	wantIntact(t, r, len(want))
}

func TestAuditMergesAndFilters(t *testing.T) {
	a := registrytest.Open(t)
	b := registrytest.OpenHome(t, a.Home(), nil)
	ctx := t.Context()
	install(t, a, "notes")
	for i := range 5 {
		record(t, a, false, fmt.Sprintf("a%d", i))
		record(t, b, true, fmt.Sprintf("b%d", i))
	}
	elsewhere := call("elsewhere")
	elsewhere.Space = "other"
	if err := a.Record(ctx, elsewhere, true); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		filter registry.Filter
		want   int
	}{
		"all":            {registry.Filter{}, 11},
		"one call":       {registry.Filter{Call: "a3"}, 1},
		"event":          {registry.Filter{Event: "install"}, 1},
		"alias":          {registry.Filter{Alias: "docs"}, 0},
		"since tomorrow": {registry.Filter{Since: time.Now().Add(24 * time.Hour)}, 0},
		"newest":         {registry.Filter{Limit: 3}, 3},
	} {
		entries, err := a.Audit(ctx, local, c.filter)
		if err != nil || len(entries) != c.want {
			t.Errorf("%s: %d entries, %v, want %d", name, len(entries), err, c.want)
		}
		if !slices.IsSortedFunc(entries, func(x, y registry.Entry) int { return x.Time.Compare(y.Time) }) {
			t.Errorf("%s: not in order of time", name)
		}
		if name == "newest" && entries[2].Call != "b4" {
			t.Errorf("the newest is %+v", entries[2])
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, a, 12)
}

func TestEntriesCannotForgeLines(t *testing.T) {
	r := registrytest.Open(t)
	good := call("id")
	good.Detail = json.RawMessage("{\n  \"a\" : \"x\\ny\"\n}")
	if err := r.Record(t.Context(), good, true); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*registry.Entry){
		"no event":            func(e *registry.Entry) { e.Event = "" },
		"newline in event":    func(e *registry.Entry) { e.Event = "call\n{}" },
		"escape in alias":     func(e *registry.Entry) { e.Alias = "\x1b[2J" },
		"call too long":       func(e *registry.Entry) { e.Call = strings.Repeat("x", 300) },
		"principal not text":  func(e *registry.Entry) { e.Principal = "\xff" },
		"detail no JSON":      func(e *registry.Entry) { e.Detail = json.RawMessage("{}\n{}") },
		"detail twice a name": func(e *registry.Entry) { e.Detail = json.RawMessage(`{"a":1,"a":2}`) },
		"detail too long":     func(e *registry.Entry) { e.Detail = json.RawMessage(`"` + strings.Repeat("x", 256<<10) + `"`) },
	} {
		e := call("id")
		change(&e)
		if err := r.Record(t.Context(), e, false); err == nil {
			t.Errorf("%s: was recorded", name)
		}
	}
	wantIntact(t, r, 1)
	text, err := os.ReadFile(segment(t, r.Home()))
	if err != nil || bytes.Count(text, []byte("\n")) != 1 {
		t.Errorf("segment %q, %v, want one line", text, err)
	}
}

func TestTamperingIsFound(t *testing.T) {
	lines := func(text []byte) [][]byte { return bytes.SplitAfter(text, []byte("\n")) }
	for name, c := range map[string]struct {
		change func(text []byte) []byte
		want   string // part of the report, with the line
	}{
		"control": {func(text []byte) []byte { return text }, ""},
		"edited":  {func(text []byte) []byte { return bytes.Replace(text, []byte(`"c3"`), []byte(`"x3"`), 1) }, "line 3: it was edited"},
		"spelled differently": {func(text []byte) []byte {
			return bytes.Replace(text, []byte(`"call":"c3"`), []byte(`"call": "c3"`), 1)
		}, "line 3: it was edited"},
		"deleted":     {func(text []byte) []byte { return slices.Concat(slices.Delete(lines(text), 2, 3)...) }, "line 3: it has number 4 instead of 3"},
		"first gone":  {func(text []byte) []byte { return slices.Concat(lines(text)[1:]...) }, "line 1: it has number 2"},
		"exchanged":   {func(text []byte) []byte { l := lines(text); l[1], l[2] = l[2], l[1]; return slices.Concat(l...) }, "line 2: it has number 3"},
		"repeated":    {func(text []byte) []byte { return slices.Concat(append(lines(text), lines(text)[4])...) }, "line 6: it has number 5"},
		"cut at end":  {func(text []byte) []byte { return slices.Concat(lines(text)[:4]...) }, "line 4: the audit ends here"},
		"cut in line": {func(text []byte) []byte { return text[:len(text)-5] }, "line 4: the audit ends here"},
		"emptied":     {func([]byte) []byte { return nil }, "line 0: the audit ends here"},
		"garbage":     {func([]byte) []byte { return bytes.Repeat([]byte("\x00"), 400<<10) }, "line 1 is longer"},
		"no JSON":     {func(text []byte) []byte { return append([]byte("x\n"), text...) }, "line 1: it is not an audit entry"},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.Open(t)
			writer, err := registry.Open(r.Home(), nil)
			if err != nil {
				t.Fatal(err)
			}
			install(t, writer, "notes")
			record(t, writer, false, "c1", "c2", "c3", "c4", "c5")
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			path := segment(t, r.Home())
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.change(text), 0o600); err != nil {
				t.Fatal(err)
			}
			broken := strings.Join(verify(t, r).Broken, "\n")
			if c.want == "" && broken != "" || !strings.Contains(broken, c.want) {
				t.Errorf("found %q, want %q", broken, c.want)
			}
			if c.want != "" && !strings.Contains(broken, filepath.Base(path)) {
				t.Errorf("does not name the file: %q", broken)
			}
		})
	}
}

// An attacker who knows the format writes the whole segment anew, every hash right. Only the signed
// checkpoint tells.
func TestRewrittenChainIsFound(t *testing.T) {
	r := registrytest.Open(t)
	writer, err := registry.Open(r.Home(), nil)
	if err != nil {
		t.Fatal(err)
	}
	record(t, writer, false, "c1", "c2")
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	path := segment(t, r.Home())
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, registry.Rechain(t, text, func(e *registry.Entry) { e.Call += "-forged" }), 0o600); err != nil {
		t.Fatal(err)
	}
	report := verify(t, r)
	if len(report.Broken) != 1 || !strings.Contains(report.Broken[0], "line 2: it is not the entry that was signed") {
		t.Errorf("found %q", report.Broken)
	}
	// The control: written anew without a change, the same bytes come out and nothing is found.
	if err := os.WriteFile(path, registry.Rechain(t, text, func(*registry.Entry) {}), 0o600); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, r, 2)
}

func TestDeletedAndForeignSegmentsAreFound(t *testing.T) {
	r := registrytest.Open(t)
	writer, err := registry.Open(r.Home(), nil)
	if err != nil {
		t.Fatal(err)
	}
	record(t, writer, true, "c1")
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	path := segment(t, r.Home())
	foreign := strings.Replace(path, ".jsonl", "-copy.jsonl", 1)
	if err := os.Rename(path, foreign); err != nil {
		t.Fatal(err)
	}
	broken := strings.Join(verify(t, r).Broken, "\n")
	for _, want := range []string{filepath.Base(path) + " is missing", filepath.Base(foreign) + ": the store knows nothing"} {
		if !strings.Contains(broken, want) {
			t.Errorf("found %q, want %q", broken, want)
		}
	}
}

func TestTamperingInsideTheStoreIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(tx registry.Tx) error
		want   string
	}{
		"control": {func(registry.Tx) error { return nil }, ""},
		"edited": {func(tx registry.Tx) error {
			return rewrite(tx, registry.KindAudit, 2, func(b []byte) []byte { return bytes.Replace(b, []byte("UNITS"), []byte("OTHER"), 1) })
		}, "audit record 2: it was edited"},
		"deleted": {func(tx registry.Tx) error { return rewrite(tx, registry.KindAudit, 2, nil) }, "audit record 2: it is missing"},
		"cut off": {func(tx registry.Tx) error { return rewrite(tx, registry.KindAudit, 3, nil) }, "audit record 2: the audit ends here, but 3"},
		"checkpoint edited": {func(tx registry.Tx) error {
			return rewrite(tx, registry.KindCheckpoint, 1, func(b []byte) []byte { return bytes.Replace(b, []byte(`"seq":3`), []byte(`"seq":2`), 1) })
		}, `checkpoint "store": signature does not hold`},
		"checkpoint gone": {func(tx registry.Tx) error { return rewrite(tx, registry.KindCheckpoint, 1, nil) }, "its checkpoint is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.Open(t)
			install(t, r, "notes")
			for _, value := range []string{"metric", "imperial"} {
				if err := r.SetConfig(t.Context(), local, "notes", "UNITS", value); err != nil {
					t.Fatal(err)
				}
			}
			if err := registry.StoreOf(r).Update(t.Context(), c.change); err != nil {
				t.Fatal(err)
			}
			broken := strings.Join(verify(t, r).Broken, "\n")
			if c.want == "" && broken != "" || !strings.Contains(broken, c.want) {
				t.Errorf("found %q, want %q", broken, c.want)
			}
		})
	}
}

// rewrite changes the nth record of a kind as someone could who has the home's key: under a seal
// that holds. Without a change it deletes the record.
func rewrite(tx registry.Tx, kind registry.Kind, n int, change func([]byte) []byte) error {
	var found registry.Record
	for rec, err := range tx.Range(kind, "", "") {
		if err != nil {
			return err
		}
		if n--; n == 0 {
			found = rec
		}
	}
	if change == nil {
		return tx.Delete(kind, found.Key, found.Version)
	}
	_, err := tx.Put(kind, found.Key, change(found.Value), found.Version)
	return err
}

func TestTornLastLineIsNoTampering(t *testing.T) {
	r := registrytest.Open(t)
	record(t, r, true, "c1", "c2") // no checkpoint covers them yet
	path := segment(t, r.Home())
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":3,"ti`)
	f.Close()
	reader := registrytest.OpenHome(t, r.Home(), nil)
	report := verify(t, reader)
	if len(report.Broken) != 0 || len(report.Torn) != 1 || !strings.Contains(report.Torn[0], "line 3") || report.Entries != 2 {
		t.Errorf("report %+v", report)
	}
	if entries, err := reader.Audit(t.Context(), local, registry.Filter{}); err != nil || len(entries) != 2 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	if err := os.Truncate(path, int64(len(must(os.ReadFile(path)))-12)); err != nil {
		t.Fatal(err)
	}
	// Whole lines, but the process never said that they are all.
	report = verify(t, reader)
	if len(report.Broken) != 0 || len(report.Torn) != 1 || !strings.Contains(report.Torn[0], "line 2: it ended without a checkpoint") {
		t.Errorf("report %+v", report)
	}
	wantIntact(t, r, 2) // the process itself knows that it goes on
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantIntact(t, reader, 2)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestManyRecordersOneChain(t *testing.T) {
	r := registrytest.Open(t)
	const goroutines, each = 8, 200 // more than one checkpoint's worth
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			for j := range each {
				if err := r.Record(t.Context(), call(fmt.Sprintf("%d-%d", i, j)), j%50 == 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	entries, err := r.Audit(t.Context(), local, registry.Filter{})
	if err != nil || len(entries) != goroutines*each {
		t.Errorf("%d entries, %v", len(entries), err)
	}
	wantIntact(t, r, goroutines*each)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, r.Record(t.Context(), call("late"), false), registry.ErrClosed)
}

func TestDurableIsOnDiskAndBatchedFollows(t *testing.T) {
	r := registrytest.Open(t)
	record(t, r, true, "durable")
	path := segment(t, r.Home())
	if text := must(os.ReadFile(path)); !bytes.Contains(text, []byte("durable")) {
		t.Errorf("Record returned before the entry was written: %q", text)
	}
	record(t, r, false, "batched")
	for !bytes.Contains(must(os.ReadFile(path)), []byte("batched")) {
		if t.Context().Err() != nil {
			t.Fatal("the batched entry was never written")
		}
		time.Sleep(time.Millisecond)
	}
	if info := must(os.Stat(path)); info.Mode().Perm() != 0o600 {
		t.Errorf("segment has mode %v", info.Mode())
	}
}

// A process that is killed has left checkpoints: what they cover cannot be cut off.
func TestCheckpointsAreSignedMeanwhile(t *testing.T) {
	r := registrytest.Open(t)
	const entries = 1100
	for i := range entries {
		record(t, r, false, fmt.Sprintf("c%d", i))
	}
	path := segment(t, r.Home())
	chain := strings.TrimSuffix(filepath.Base(path), ".jsonl")
	for signed := false; !signed; time.Sleep(time.Millisecond) {
		err := registry.StoreOf(r).View(t.Context(), func(tx registry.Tx) error {
			rec, err := tx.Get(registry.KindCheckpoint, chain)
			signed = bytes.Contains(rec.Value, fmt.Appendf(nil, `"seq":%d`, entries))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wantIntact(t, r, entries)
	text := must(os.ReadFile(path))
	cut := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	if err := os.Truncate(path, int64(cut)); err != nil {
		t.Fatal(err)
	}
	if broken := verify(t, r).Broken; len(broken) != 1 || !strings.Contains(broken[0], "1100 entries were signed") {
		t.Errorf("found %q", broken)
	}
}

// A clock that goes back changes nothing of the order in a chain.
func TestClockGoesBack(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	r := registrytest.OpenHome(t, t.TempDir(), &registry.Options{Now: func() time.Time {
		now = now.Add(-24 * time.Hour)
		return now
	}})
	install(t, r, "notes")
	record(t, r, true, "c1", "c2")
	wantIntact(t, r, 3)
}
