package guard_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// shelf is a Keeper in memory.
type shelf struct {
	kept      map[string][]byte
	outdated  bool  // the moment has passed
	failing   error // what every method answers
	committed int
}

func (s *shelf) bytes() (n int64) {
	for k, v := range s.kept {
		n += int64(len(k) + len(v))
	}
	return n
}

func (s *shelf) fails() error {
	if s.outdated {
		return guard.ErrOutdated
	}
	return s.failing
}

func (s *shelf) Get(_ context.Context, key string) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	v, ok := s.kept[key]
	if !ok {
		return nil, guard.ErrNoKey
	}
	return v, nil
}

func (s *shelf) List(_ context.Context, prefix, after string, count, bytes int, values bool) (page guard.KeptPage, err error) {
	held := 0
	for _, key := range slices.Sorted(maps.Keys(s.kept)) {
		if !strings.HasPrefix(key, prefix) || key <= after {
			continue
		}
		if values {
			held += len(s.kept[key])
		}
		if len(page.Keys) > 0 && (len(page.Keys) == count || held > bytes) {
			page.More = true
			break
		}
		page.Keys = append(page.Keys, key)
		page.Passed += len(key) + len(s.kept[key])
		if values {
			page.Values = append(page.Values, s.kept[key])
		}
	}
	return page, s.fails()
}

func (s *shelf) Size(_ context.Context, key string) (all, of int64, keys int, err error) {
	if v, ok := s.kept[key]; ok {
		of = int64(len(key) + len(v))
	}
	return s.bytes(), of, len(s.kept), s.failing
}

func (s *shelf) Commit(_ context.Context, changes []guard.KeptChange, quota int64) error {
	if err := s.fails(); err != nil {
		return err
	}
	s.committed++
	for _, c := range changes {
		if delete(s.kept, c.Key); !c.Delete {
			s.kept[c.Key] = c.Value
		}
	}
	if s.bytes() > quota {
		return guard.ErrKeepFull
	}
	return nil
}

// keeping is a guard that may keep a KB on a shelf.
func keeping(t *testing.T, s *shelf, change func(*guard.Config)) (*guard.Guard, *diary) {
	t.Helper()
	if s.kept == nil {
		s.kept = map[string][]byte{}
	}
	rec := &diary{}
	cfg := guard.Config{Recorder: rec, Keeper: s, Policy: capabilities.Policy{Rights: capabilities.Rights{KV: &capabilities.KVRight{QuotaKB: 1, Scope: "caller"}}}}
	if change != nil {
		change(&cfg)
	}
	g, err := guard.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.End() })
	return g, rec
}

// diary keeps events, until it fails.
type diary struct {
	events []guard.Event
	fails  bool
}

func (j *diary) Record(_ context.Context, e guard.Event) error {
	if j.fails {
		return errors.New("disk full")
	}
	j.events = append(j.events, e)
	return nil
}

func (j *diary) String() string {
	var lines []string
	for _, e := range j.events {
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.Decision, e.Kind, e.Action, e.Target))
	}
	return strings.Join(lines, "\n")
}

func do(g *guard.Guard, op effect.KVOp, key, value string) (string, effect.Code) {
	resp, err := g.Keep(context.Background(), effect.KVRequest{Op: op, Key: key, Value: []byte(value)})
	if err != nil {
		return "", err.Code
	}
	return string(resp.Value), effect.OK
}

func TestACallSeesItsOwnWritesAndNobodyElseDoesBeforeTheCommit(t *testing.T) {
	s := &shelf{kept: map[string][]byte{"a": []byte("1"), "b": []byte("2")}}
	g, rec := keeping(t, s, nil)
	for _, step := range []struct {
		op         effect.KVOp
		key, value string
		want       string
		code       effect.Code
	}{
		{effect.KVGet, "a", "", "1", effect.OK},
		{effect.KVSet, "a", "new", "", effect.OK},
		{effect.KVGet, "a", "", "new", effect.OK},
		{effect.KVSet, "c", "", "", effect.OK},
		{effect.KVGet, "c", "", "", effect.OK},
		{effect.KVDelete, "b", "", "", effect.OK},
		{effect.KVDelete, "none", "", "", effect.OK},
		{effect.KVGet, "b", "", "", effect.NotFound},
		{effect.KVSet, "a", "newer", "", effect.OK},
	} {
		if got, code := do(g, step.op, step.key, step.value); got != step.want || code != step.code {
			t.Errorf("%s %s: %q, code %d; want %q, %d", step.op, step.key, got, code, step.want, step.code)
		}
	}
	if len(s.kept) != 2 || string(s.kept["a"]) != "1" {
		t.Errorf("kept before the commit: %q", s.kept)
	}
	if err := g.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.kept) != 2 || string(s.kept["a"]) != "newer" || s.kept["c"] == nil && len(s.kept["c"]) > 0 {
		t.Errorf("kept: %q", s.kept)
	}
	// Committing again does nothing, and nothing was done that is not in the audit.
	if err := g.Commit(t.Context()); err != nil || s.committed != 1 {
		t.Errorf("%d commits, %v", s.committed, err)
	}
	const want = "allow kv read what it keeps\nallow kv set a\nallow kv set c\nallow kv delete b\nallow kv delete none\nallow kv commit 4 keys"
	if rec.String() != want {
		t.Errorf("recorded\n%s\nwant\n%s", rec, want)
	}
}

// What the guest does with its memory after a write changes nothing of what is kept.
func TestAValueIsTakenWhenItIsSet(t *testing.T) {
	s := &shelf{}
	g, _ := keeping(t, s, nil)
	value := []byte("before")
	if _, err := g.Keep(t.Context(), effect.KVRequest{Op: effect.KVSet, Key: "a", Value: value}); err != nil {
		t.Fatal(err)
	}
	copy(value, "after!")
	if err := g.Commit(t.Context()); err != nil || string(s.kept["a"]) != "before" {
		t.Errorf("%q, %v", s.kept["a"], err)
	}
}

func TestKeepRefuses(t *testing.T) {
	long := strings.Repeat("k", effect.MaxKVKey+1)
	right := func(change func(*capabilities.KVRight)) func(*guard.Config) {
		return func(cfg *guard.Config) { change(cfg.Policy.Rights.KV) }
	}
	for _, c := range []struct {
		name   string
		change func(*guard.Config)
		req    effect.KVRequest
		code   effect.Code
	}{
		{"without a grant", func(cfg *guard.Config) { cfg.Policy.Rights.KV = nil }, effect.KVRequest{Op: effect.KVGet, Key: "a"}, effect.Denied},
		{"without a keeper", func(cfg *guard.Config) { cfg.Keeper = nil }, effect.KVRequest{Op: effect.KVGet, Key: "a"}, effect.Denied},
		{"without a quota", right(func(r *capabilities.KVRight) { r.QuotaKB = 0 }), effect.KVRequest{Op: effect.KVList}, effect.Denied},
		{"setting with the right to read", right(func(r *capabilities.KVRight) { r.ReadOnly = true }), effect.KVRequest{Op: effect.KVSet, Key: "a"}, effect.Denied},
		{"deleting with the right to read", right(func(r *capabilities.KVRight) { r.ReadOnly = true }), effect.KVRequest{Op: effect.KVDelete, Key: "a"}, effect.Denied},
		{"no key", nil, effect.KVRequest{Op: effect.KVGet}, effect.Invalid},
		{"a long key", nil, effect.KVRequest{Op: effect.KVSet, Key: long}, effect.Invalid},
		{"a long prefix", nil, effect.KVRequest{Op: effect.KVList, Prefix: long}, effect.Invalid},
		{"a key that is no text", nil, effect.KVRequest{Op: effect.KVGet, Key: "\xff"}, effect.Invalid},
		{"a large value", nil, effect.KVRequest{Op: effect.KVSet, Key: "a", Value: make([]byte, effect.MaxKVValue+1)}, effect.Invalid},
		{"another operation", nil, effect.KVRequest{Op: "drop", Key: "a"}, effect.Invalid},
		{"no operation", nil, effect.KVRequest{Key: "a"}, effect.Invalid},
		{"above the quota", nil, effect.KVRequest{Op: effect.KVSet, Key: "a", Value: make([]byte, 1024)}, effect.Limit},
		{"what cannot be recorded", func(cfg *guard.Config) { cfg.Recorder = &diary{fails: true} }, effect.KVRequest{Op: effect.KVSet, Key: "a"}, effect.Internal},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &shelf{kept: map[string][]byte{"old": nil}}
			g, _ := keeping(t, s, c.change)
			if _, err := g.Keep(t.Context(), c.req); err == nil || err.Code != c.code {
				t.Errorf("%v, want code %d", err, c.code)
			}
			if err := g.Commit(t.Context()); err != nil || s.committed > 0 || len(s.kept) != 1 {
				t.Errorf("kept %q, %v", s.kept, err)
			}
		})
	}
	t.Run("the zero guard", func(t *testing.T) {
		var g guard.Guard
		if _, code := do(&g, effect.KVGet, "a", ""); code == effect.OK {
			t.Error("it answers")
		}
	})
	t.Run("after the end of the call", func(t *testing.T) {
		s := &shelf{}
		g, _ := keeping(t, s, nil)
		do(g, effect.KVSet, "a", "1")
		g.End()
		if _, code := do(g, effect.KVGet, "a", ""); code == effect.OK {
			t.Error("it answers")
		}
		if err := g.Commit(t.Context()); err == nil || s.committed > 0 {
			t.Errorf("committed: %v", err)
		}
	})
}

// The commit is recorded before it happens: one that cannot be does not.
func TestCommitThatCannotBeRecorded(t *testing.T) {
	s := &shelf{}
	rec := &diary{}
	g, _ := keeping(t, s, func(cfg *guard.Config) { cfg.Recorder = rec })
	do(g, effect.KVSet, "a", "1")
	rec.fails = true
	if err := g.Commit(t.Context()); err == nil || s.committed > 0 {
		t.Errorf("%v, %d commits", err, s.committed)
	}
}

// As many keys as a servlet keeps can be written, however long they are and whatever they are made of; who does
// more than is recorded keeps nothing, and that is no failure of the host's.
func TestWritingManyLongKeys(t *testing.T) {
	large := func(cfg *guard.Config) { cfg.Policy.Rights.KV.QuotaKB = 8 << 10 }
	keys := func(do func(key string)) {
		for i := range 10_000 {
			do(fmt.Sprintf("%s%04d", strings.Repeat("\x00", effect.MaxKVKey-4), i))
		}
	}
	s := &shelf{}
	g, rec := keeping(t, s, large)
	keys(func(key string) {
		if _, code := do(g, effect.KVSet, key, ""); code != effect.OK {
			t.Fatalf("code %d", code)
		}
	})
	if err := g.Commit(t.Context()); err != nil || len(s.kept) != 10_000 {
		t.Errorf("%d keys, %v", len(s.kept), err)
	}
	if len(rec.events) != 10_001 || rec.events[0].Target == rec.events[1].Target {
		t.Errorf("%d events, the first of %s", len(rec.events), rec.events[0].Target)
	}
	s = &shelf{}
	g, _ = keeping(t, s, large)
	last := effect.OK
	keys(func(key string) {
		do(g, effect.KVSet, key, "")
		_, last = do(g, effect.KVDelete, key, "")
	})
	if err := g.Commit(t.Context()); last != effect.Limit || !errors.Is(err, guard.ErrManyEffects) || s.committed > 0 {
		t.Errorf("code %d, %v, %d commits", last, err, s.committed)
	}
}

func TestQuotaCountsWhatTheCallWrote(t *testing.T) {
	s := &shelf{kept: map[string][]byte{"old": make([]byte, 500)}}
	g, _ := keeping(t, s, nil)
	big := strings.Repeat("x", 500)
	for _, step := range []struct {
		op         effect.KVOp
		key, value string
		code       effect.Code
	}{
		{effect.KVSet, "new", big, effect.OK},
		{effect.KVSet, "one", big, effect.Limit},
		{effect.KVSet, "new", big + big, effect.Limit},
		{effect.KVSet, "new", big[:400], effect.OK},
		{effect.KVSet, "one", big[:100], effect.OK},
		{effect.KVDelete, "old", "", effect.OK},
		{effect.KVSet, "two", big, effect.OK},
		{effect.KVSet, "three", big, effect.Limit},
	} {
		if _, code := do(g, step.op, step.key, step.value); code != step.code {
			t.Errorf("%s %s, %d bytes: code %d, want %d", step.op, step.key, len(step.value), code, step.code)
		}
	}
	if err := g.Commit(t.Context()); err != nil || s.bytes() > 1024 {
		t.Errorf("%d bytes, %v", s.bytes(), err)
	}
	// Where the quota was made smaller than what is kept, less may be kept, and not more.
	s = &shelf{kept: map[string][]byte{"old": make([]byte, 3000)}}
	g, _ = keeping(t, s, nil)
	if _, code := do(g, effect.KVSet, "old", strings.Repeat("x", 2000)); code != effect.OK {
		t.Errorf("less than before: code %d", code)
	}
	if _, code := do(g, effect.KVSet, "new", "x"); code != effect.Limit {
		t.Errorf("more: code %d", code)
	}
}

// What a call is told after its moment has passed is not of one moment with what it was told before: from
// then on it is told nothing, and keeps nothing.
func TestOvertakenCallEndsInConflict(t *testing.T) {
	s := &shelf{kept: map[string][]byte{"a": nil}}
	g, _ := keeping(t, s, nil)
	do(g, effect.KVGet, "a", "")
	do(g, effect.KVSet, "b", "1")
	s.outdated = true
	if _, code := do(g, effect.KVGet, "a", ""); code != effect.Conflict {
		t.Errorf("code %d", code)
	}
	s.outdated = false
	for _, op := range []effect.KVOp{effect.KVGet, effect.KVSet, effect.KVDelete} {
		if _, code := do(g, op, "b", ""); code != effect.Conflict {
			t.Errorf("%s: code %d", op, code)
		}
	}
	if err := g.Commit(t.Context()); !errors.Is(err, guard.ErrOutdated) || s.committed > 0 || !g.Outdated() {
		t.Errorf("%v, %d commits", err, s.committed)
	}
}

func TestListsAreMergedWithWrites(t *testing.T) {
	s := &shelf{kept: map[string][]byte{}}
	for i := range 1500 {
		s.kept[fmt.Sprintf("k/%04d", i)] = []byte("kept")
	}
	g, _ := keeping(t, s, func(cfg *guard.Config) { cfg.Policy.Rights.KV.QuotaKB = 64 })
	want := maps.Clone(s.kept)
	for i := 0; i < 1500; i += 7 {
		key := fmt.Sprintf("k/%04d", i)
		do(g, effect.KVDelete, key, "")
		delete(want, key)
	}
	for _, key := range []string{"k/", "k/0000", "k/0013x", "k/1499", "k/9", "j", "l"} {
		do(g, effect.KVSet, key, "written")
		if strings.HasPrefix(key, "k/") {
			want[key] = []byte("written")
		}
	}
	for _, values := range []bool{false, true} {
		var got []string
		req := effect.KVRequest{Op: effect.KVList, Prefix: "k/", Values: values}
		for pages := 0; ; pages++ {
			resp, err := g.Keep(t.Context(), req)
			if err != nil || len(resp.Keys) > effect.MaxKVListed || pages > 5 {
				t.Fatalf("%d keys, %v", len(resp.Keys), err)
			}
			for i, key := range resp.Keys {
				if values && string(resp.Values[i]) != string(want[key]) {
					t.Errorf("%s: %q, want %q", key, resp.Values[i], want[key])
				}
			}
			got = append(got, resp.Keys...)
			if !resp.More {
				break
			}
			req.Cursor = resp.Keys[len(resp.Keys)-1]
		}
		if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Errorf("values %v: %d keys, want %d", values, len(got), len(want))
		}
	}
	// A page of keys that are all deleted is no end.
	for i := range 1400 {
		do(g, effect.KVDelete, fmt.Sprintf("k/%04d", i), "")
	}
	resp, err := g.Keep(t.Context(), effect.KVRequest{Op: effect.KVList, Prefix: "k/0001"})
	if err != nil || len(resp.Keys) > 1 || resp.More {
		t.Errorf("%q, %v", resp.Keys, err)
	}
	resp, err = g.Keep(t.Context(), effect.KVRequest{Op: effect.KVList, Prefix: "k/", Cursor: "k/0"})
	if err != nil || len(resp.Keys) == 0 || resp.Keys[0] != "k/0013x" {
		t.Errorf("%.3q, %v", resp.Keys, err)
	}
}

// A guest pays for what it makes the host read and list.
func TestReadingAllTheTimeEnds(t *testing.T) {
	s := &shelf{kept: map[string][]byte{"a": make([]byte, effect.MaxKVValue)}}
	g, _ := keeping(t, s, nil)
	reads := 0
	for ; reads < 100; reads++ {
		if _, code := do(g, effect.KVGet, "a", ""); code == effect.Limit {
			break
		}
	}
	if reads != 63 { // keys count too
		t.Errorf("%d MiB were read", reads)
	}
	g, _ = keeping(t, &shelf{failing: guard.ErrManyRead}, nil)
	if _, code := do(g, effect.KVGet, "a", ""); code != effect.Limit {
		t.Errorf("one key more than may be read: code %d", code)
	}
	// Keys that are not there, and values that a list leaves out, are work all the same.
	long := strings.Repeat("k", effect.MaxKVKey)
	g, _ = keeping(t, &shelf{}, nil)
	for reads = 0; reads < 1<<18; reads++ {
		if _, code := do(g, effect.KVGet, long, ""); code == effect.Limit {
			break
		}
	}
	if reads != 1<<17 {
		t.Errorf("%d keys that are not there were read", reads)
	}
	g, _ = keeping(t, s, nil)
	for reads = 0; reads < 100; reads++ {
		if _, err := g.Keep(t.Context(), effect.KVRequest{Op: effect.KVList}); err != nil {
			break
		}
	}
	if reads != 63 {
		t.Errorf("%d lists passed over a MiB each", reads)
	}
	g, _ = keeping(t, &shelf{}, nil)
	lists := 0
	for ; lists < 2000; lists++ {
		if _, err := g.Keep(t.Context(), effect.KVRequest{Op: effect.KVList}); err != nil {
			break
		}
	}
	if lists != 1000 {
		t.Errorf("%d pages were listed", lists)
	}
}
