package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

const kilobyte = 1 << 10

// keeper installs a servlet that may keep data.
func keeper(t testing.TB, r *registry.Registry, by capabilities.Caller, alias string, change func(*registry.Installation)) registry.Installation {
	t.Helper()
	file := fileOf(alias)
	in := registrytest.Installation(alias, file)
	in.Space = by.Space
	in.Grant.Rights.KV = &capabilities.KVRight{QuotaKB: 1, Scope: capabilities.ScopeCaller}
	if change != nil {
		change(&in)
	}
	in, err := r.Install(t.Context(), by, in, file)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// mayKeep are the rights of a call.
func mayKeep(scope string) capabilities.Rights {
	return capabilities.Rights{KV: &capabilities.KVRight{QuotaKB: 1, Scope: scope}}
}

// opened is what a call of a caller sees.
func opened(t testing.TB, r *registry.Registry, by capabilities.Caller, in registry.Installation, scope string) *registry.KV {
	t.Helper()
	kv, err := r.KV(by, in, mayKeep(scope))
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

func set(key, value string) registry.KVChange {
	return registry.KVChange{Key: key, Value: []byte(value)}
}

func gone(key string) registry.KVChange { return registry.KVChange{Key: key, Delete: true} }

func keep(t testing.TB, kv *registry.KV, changes ...registry.KVChange) {
	t.Helper()
	if err := kv.Commit(t.Context(), changes, kilobyte); err != nil {
		t.Fatalf("keeping: %v", err)
	}
}

// wantKept checks all that a caller's servlet keeps: "key=value" for each.
func wantKept(t *testing.T, r *registry.Registry, by capabilities.Caller, in registry.Installation, want ...string) {
	t.Helper()
	page, err := opened(t, r, by, in, capabilities.ScopeCaller).List(t.Context(), "", "", 1000, 1<<20, true)
	var got []string
	for _, e := range page.Entries {
		got = append(got, e.Key+"="+string(e.Value))
	}
	if err != nil || page.More || !slices.Equal(got, want) {
		t.Errorf("%s keeps %q for %s, %v, %v; want %q", in.Alias, got, by.Principal, page.More, err, want)
	}
}

func TestWhatIsKeptStays(t *testing.T) {
	home := t.TempDir()
	r := registrytest.OpenHome(t, home, nil)
	in := keeper(t, r, local, "notes", nil)
	wantKept(t, r, local, in)
	before := r.Generation()
	keep(t, opened(t, r, local, in, "caller"), set("b", "2"), set("a\x00\x01", ""), set("ä", "\xff\x00"))
	keep(t, opened(t, r, local, in, "caller"), set("b", "3"), gone("ä"), gone("never"))
	if r.Generation() != before {
		t.Error("keeping data makes every process look everything up again")
	}
	again := registrytest.OpenHome(t, home, nil)
	wantKept(t, again, local, in, "a\x00\x01=", "b=3")
	value, err := opened(t, again, local, in, "caller").Get(t.Context(), "b")
	if err != nil || string(value) != "3" {
		t.Errorf("%q, %v", value, err)
	}
	all, err := r.Kept(t.Context(), local)
	if err != nil || len(all) != 1 || all[0].Keys != 2 || all[0].Bytes != 5 || all[0].Principal != "local" || !all[0].BelongsTo(in) {
		t.Errorf("%+v, %v", all, err)
	}
	wantIntact(t, r, 1)
}

// Nobody sees what is kept for another caller or space, by another alias, servlet or publisher, under
// whatever key.
func TestWhatIsKeptIsTheOwners(t *testing.T) {
	r := registrytest.Open(t)
	key := capabilities.Caller{Principal: "key:1", Space: local.Space, Roles: []string{capabilities.RoleUser}}
	work := capabilities.Local("work")
	in := keeper(t, r, local, "notes", nil)
	keep(t, opened(t, r, local, in, "caller"), set("k", "mine"))
	g := in.Grant
	g.Rights.KV = mayKeep("space").KV
	in, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, opened(t, r, local, in, "space"), set("k", "ours"))
	g.Rights.KV = mayKeep("caller").KV
	if in, err = r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false); err != nil {
		t.Fatal(err)
	}
	keep(t, opened(t, r, key, in, "caller"), set("k", "the key's"))
	atWork := keeper(t, r, work, "notes", nil)
	alias := keeper(t, r, local, "other", func(i *registry.Installation) { i.Name, i.Grant.Servlet = in.Name, in.Name; i.Seq++ })
	foreign, otherName := in, in
	foreign.Publisher = strings.Repeat("b", 64)
	otherName.Name = "acme/other"
	wantKept(t, r, local, in, "k=mine")
	wantKept(t, r, key, in, "k=the key's")
	wantKept(t, r, work, atWork)
	wantKept(t, r, local, alias)
	wantKept(t, r, local, foreign)
	wantKept(t, r, local, otherName)
	for range 2 { // for whoever asks first, and second
		if v, err := opened(t, r, key, in, "space").Get(t.Context(), "k"); err != nil || string(v) != "ours" {
			t.Errorf("of the space: %q, %v", v, err)
		}
	}
	// Names that would lead out, were they paths or prefixes of records.
	all, err := r.Kept(t.Context(), local)
	if err != nil || len(all) != 3 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, k := range []string{"../k", "\x00k", "default\x00local\x00notes", "", "\x01", "\xff", "k\x00"} {
		if v, err := opened(t, r, key, in, "caller").Get(t.Context(), k); !errors.Is(err, registry.ErrNotFound) {
			t.Errorf("%q: %q, %v", k, v, err)
		}
	}
	if _, err := r.KV(work, in, mayKeep("caller")); !errors.Is(err, registry.ErrCaller) {
		t.Errorf("of another space: %v", err)
	}
	if _, err := r.KV(capabilities.Caller{}, in, mayKeep("caller")); !errors.Is(err, registry.ErrCaller) {
		t.Errorf("of nobody: %v", err)
	}
	for _, scope := range []string{"", "world", "Caller"} {
		if _, err := r.KV(local, in, mayKeep(scope)); err == nil {
			t.Errorf("the scope %q", scope)
		}
	}
}

// What a call read is of one moment, and what it keeps rests on that.
func TestConflicts(t *testing.T) {
	ctx := t.Context()
	get := func(key string) func(*registry.KV) error {
		return func(kv *registry.KV) error {
			if _, err := kv.Get(ctx, key); !errors.Is(err, registry.ErrNotFound) {
				return err
			}
			return nil
		}
	}
	list := func(prefix string, values bool) func(*registry.KV) error {
		return func(kv *registry.KV) error {
			_, err := kv.List(ctx, prefix, "", 1000, 1<<20, values)
			return err
		}
	}
	for _, c := range []struct {
		name     string
		reads    func(*registry.KV) error
		others   []registry.KVChange
		conflict bool
	}{
		{"the key that was read is changed", get("a"), []registry.KVChange{set("a", "x")}, true},
		{"it is set to what it was", get("a"), []registry.KVChange{set("a", "1")}, true},
		{"it is deleted", get("a"), []registry.KVChange{gone("a")}, true},
		{"one that was not there is", get("new"), []registry.KVChange{set("new", "x")}, true},
		{"it is deleted and made again", get("a"), []registry.KVChange{gone("a"), set("a", "1")}, true},
		{"another key is changed", get("a"), []registry.KVChange{set("b", "x")}, false},
		{"another key comes", get("a"), []registry.KVChange{set("new", "x")}, false},
		{"a key comes after a list", list("", false), []registry.KVChange{set("new", "x")}, true},
		{"a key goes after a list", list("", false), []registry.KVChange{gone("b")}, true},
		{"a value is changed after a list without values", list("", false), []registry.KVChange{set("b", "x")}, false},
		{"a value is changed after a list with values", list("", true), []registry.KVChange{set("b", "x")}, true},
		{"a key that no one has is deleted after a list", list("", false), []registry.KVChange{gone("never")}, false},
		{"nothing was read", func(*registry.KV) error { return nil }, []registry.KVChange{set("a", "x")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := registrytest.Open(t)
			in := keeper(t, r, local, "notes", nil)
			keep(t, opened(t, r, local, in, "caller"), set("a", "1"), set("b", "2"))
			early, late := opened(t, r, local, in, "caller"), opened(t, r, local, in, "caller")
			if err := errors.Join(c.reads(early), c.reads(late)); err != nil {
				t.Fatal(err)
			}
			for _, change := range c.others {
				keep(t, opened(t, r, local, in, "caller"), change)
			}
			want := error(nil)
			if c.conflict {
				want = registry.ErrConflict
			}
			// Already at the next read, and at the commit.
			wantError(t, get("z")(late), want)
			wantError(t, early.Commit(ctx, []registry.KVChange{set("mine", "x")}, kilobyte), want)
			if c.conflict {
				wantError(t, late.Commit(ctx, []registry.KVChange{set("mine", "x")}, kilobyte), registry.ErrConflict)
			}
			v, err := opened(t, r, local, in, "caller").Get(ctx, "mine")
			if kept := err == nil && string(v) == "x"; kept == c.conflict {
				t.Errorf("kept: %v (%v)", kept, err)
			}
		})
	}
}

// What a call has read is looked at again only as far as that is quick: who has read more is overtaken by every
// change, and how much the host remembers for it has an end.
func TestReadingMuch(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	in := keeper(t, r, local, "notes", nil)
	large := bytes.Repeat([]byte{1}, registry.MaxKVValue)
	if err := opened(t, r, local, in, "caller").Commit(ctx, []registry.KVChange{{Key: "a", Value: large}, {Key: "b", Value: large}}, 8<<20); err != nil {
		t.Fatal(err)
	}
	few, many, same := opened(t, r, local, in, "caller"), opened(t, r, local, in, "caller"), opened(t, r, local, in, "caller")
	for i := range 2001 {
		if _, err := many.Get(ctx, fmt.Sprint("none", i)); !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		if _, err := few.Get(ctx, fmt.Sprint("none", i)); !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(err)
		}
	}
	for range 6 { // again is not more
		if _, err := same.Get(ctx, "a"); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, opened(t, r, local, in, "caller"), gone("b"))
	wantError(t, many.Commit(ctx, []registry.KVChange{set("c", "")}, 8<<20), registry.ErrConflict)
	wantError(t, few.Commit(ctx, []registry.KVChange{set("c", "")}, 8<<20), nil)
	wantError(t, same.Commit(ctx, []registry.KVChange{set("c", "")}, 8<<20), nil)

	kv := opened(t, r, local, in, "caller")
	for i := range 2 * registry.MaxKVKeys {
		if _, err := kv.Get(ctx, fmt.Sprint("none", i)); !errors.Is(err, registry.ErrNotFound) {
			t.Fatal(i, err)
		}
	}
	for range 2 {
		_, err := kv.Get(ctx, "a")
		wantError(t, err, registry.ErrKVReads)
	}
	_, err := kv.Get(ctx, "none0") // one that it has read
	wantError(t, err, registry.ErrNotFound)
}

// Five values of a MiB are more than what is read again.
func TestReadingLargeValues(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	in := keeper(t, r, local, "notes", nil)
	var all []registry.KVChange
	for i := range 5 {
		all = append(all, registry.KVChange{Key: fmt.Sprint(i), Value: bytes.Repeat([]byte{1}, registry.MaxKVValue)})
	}
	if err := opened(t, r, local, in, "caller").Commit(ctx, all, 8<<20); err != nil {
		t.Fatal(err)
	}
	for read, want := range map[int]error{3: nil, 5: registry.ErrConflict} {
		kv := opened(t, r, local, in, "caller")
		for i := range read {
			if _, err := kv.Get(ctx, fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := opened(t, r, local, in, "caller").Commit(ctx, []registry.KVChange{set("other", fmt.Sprint(read))}, 8<<20); err != nil {
			t.Fatal(err)
		}
		wantError(t, kv.Commit(ctx, []registry.KVChange{set("c", "")}, 8<<20), want)
	}
}

func TestQuotaOfWhatIsKept(t *testing.T) {
	r := registrytest.Open(t)
	in := keeper(t, r, local, "notes", nil)
	commit := func(quota int64, changes ...registry.KVChange) error {
		return opened(t, r, local, in, "caller").Commit(t.Context(), changes, quota)
	}
	half := strings.Repeat("x", 511)
	keep(t, opened(t, r, local, in, "caller"), set("a", half), set("b", half))
	wantError(t, commit(kilobyte, set("c", "")), registry.ErrKVQuota)
	wantError(t, commit(kilobyte, set("a", half+"y")), registry.ErrKVQuota)
	wantError(t, commit(kilobyte, set("c", half), gone("a")), nil)
	wantError(t, commit(10, set("b", half[1:])), nil) // less than before, of which there is too much
	wantError(t, commit(10, gone("b")), nil)
	wantKept(t, r, local, in, "c="+half)
	// The numbers are those of what is there.
	all, of, keys, err := opened(t, r, local, in, "caller").Size(t.Context(), "c")
	if err != nil || all != 512 || of != 512 || keys != 1 {
		t.Errorf("%d bytes, %d of them, %d keys, %v", all, of, keys, err)
	}
}

func TestTooManyKeys(t *testing.T) {
	r := registrytest.Open(t)
	in := keeper(t, r, local, "notes", nil)
	var all []registry.KVChange
	for i := range registry.MaxKVKeys {
		all = append(all, set(fmt.Sprintf("k%05d", i), ""))
	}
	const quota = 1 << 20
	if err := opened(t, r, local, in, "caller").Commit(t.Context(), all, quota); err != nil {
		t.Fatal(err)
	}
	err := opened(t, r, local, in, "caller").Commit(t.Context(), []registry.KVChange{set("more", "")}, quota)
	wantError(t, err, registry.ErrKVQuota)
	err = opened(t, r, local, in, "caller").Commit(t.Context(), []registry.KVChange{set("more", ""), gone("k00000")}, quota)
	wantError(t, err, nil)
	// Page by page, every key comes once and in order.
	kv, after, n := opened(t, r, local, in, "caller"), "", 0
	for {
		page, err := kv.List(t.Context(), "k", after, 999, 0, false)
		if err != nil || len(page.Entries) == 0 && n < registry.MaxKVKeys-1 {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			if n++; e.Key != fmt.Sprintf("k%05d", n) {
				t.Fatalf("key %d is %q", n, e.Key)
			}
			after = e.Key
		}
		if !page.More {
			break
		}
	}
	if n != registry.MaxKVKeys-1 {
		t.Errorf("%d keys", n)
	}
}

func TestListOfLargeValuesEndsEarly(t *testing.T) {
	r := registrytest.Open(t)
	in := keeper(t, r, local, "notes", nil)
	var all []registry.KVChange
	for i := range 8 {
		all = append(all, registry.KVChange{Key: fmt.Sprint(i), Value: bytes.Repeat([]byte{1}, registry.MaxKVValue)})
	}
	if err := opened(t, r, local, in, "caller").Commit(t.Context(), all, 16<<20); err != nil {
		t.Fatal(err)
	}
	kv := opened(t, r, local, in, "caller")
	if page, err := kv.List(t.Context(), "", "", 1000, 1<<20, true); err != nil || len(page.Entries) != 1 || !page.More || page.Passed != 2*(1+registry.MaxKVValue) {
		t.Errorf("with values: %d keys, %v, %d bytes, %v", len(page.Entries), page.More, page.Passed, err)
	}
	page, err := kv.List(t.Context(), "", "2", 1000, 1<<20, false)
	if n := len(page.Entries); err != nil || n == 0 || n > 4 || !page.More || page.Entries[0].Key != "3" || page.Passed < n<<20 {
		t.Errorf("without: %d keys, %v, %d bytes, %v", n, page.More, page.Passed, err)
	}
}

// A call whose grant is gone when it ends keeps nothing, and what was purged does not come back by it.
func TestCommitNeedsTheGrantAsItIs(t *testing.T) {
	for name, withdraw := range map[string]func(r *registry.Registry, in registry.Installation) error{
		"removed": func(r *registry.Registry, in registry.Installation) error {
			return r.Remove(t.Context(), local, in.Alias, true)
		},
		"revoked": func(r *registry.Registry, in registry.Installation) error {
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, in.Grant, true)
			return err
		},
		"narrowed": func(r *registry.Registry, in registry.Installation) error {
			g := in.Grant
			g.Rights.KV = nil
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
			return err
		},
		"narrowed to reading": func(r *registry.Registry, in registry.Installation) error {
			g := in.Grant
			g.Rights.KV = &capabilities.KVRight{QuotaKB: 1, Scope: "caller", ReadOnly: true}
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
			return err
		},
		"a smaller quota": func(r *registry.Registry, in registry.Installation) error {
			g := in.Grant
			g.Rights.KV = &capabilities.KVRight{Scope: "caller"}
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
			return err
		},
		"another scope": func(r *registry.Registry, in registry.Installation) error {
			g := in.Grant
			g.Rights.KV = mayKeep("space").KV
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
			return err
		},
		"the tool is taken out": func(r *registry.Registry, in registry.Installation) error {
			g := in.Grant
			g.Rights.Tools = []string{"another"}
			_, err := r.SetGrant(t.Context(), local, in.Alias, in.Revision, g, false)
			return err
		},
		"the same again": func(r *registry.Registry, in registry.Installation) error {
			if err := r.Remove(t.Context(), local, in.Alias, true); err != nil {
				return err
			}
			keeper(t, r, local, in.Alias, func(i *registry.Installation) { i.Grant = in.Grant })
			return nil
		},
		"another in its place": func(r *registry.Registry, in registry.Installation) error {
			if err := r.Remove(t.Context(), local, in.Alias, true); err != nil {
				return err
			}
			file := fileOf("another")
			next := registrytest.Installation(in.Alias, file)
			next.Name, next.Grant.Servlet, next.Grant.Rights.KV = "acme/another", "acme/another", in.Grant.Rights.KV
			_, err := r.Install(t.Context(), local, next, file)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := registrytest.Open(t)
			in := keeper(t, r, local, "notes", func(i *registry.Installation) { i.Grant.Rights.Tools = []string{"act"} })
			rights := mayKeep("caller")
			rights.Tools = []string{"act"}
			kv, err := r.KV(local, in, rights)
			if err != nil {
				t.Fatal(err)
			}
			if err := withdraw(r, in); err != nil {
				t.Fatal(err)
			}
			wantError(t, kv.Commit(t.Context(), []registry.KVChange{set("a", "1")}, kilobyte), registry.ErrKVWithdrew)
			if all, err := r.Kept(t.Context(), local); err != nil || len(all) > 0 {
				t.Errorf("kept: %+v, %v", all, err)
			}
		})
	}
}

func TestRemovingKeepsAndPurgingDoesNot(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	other := capabilities.Caller{Principal: "key:1", Space: local.Space}
	in := keeper(t, r, local, "notes", nil)
	bystander := keeper(t, r, local, "docs", nil)
	for _, by := range []capabilities.Caller{local, other} {
		keep(t, opened(t, r, by, in, "caller"), set("a", "1"))
	}
	keep(t, opened(t, r, local, bystander, "caller"), set("a", "docs"))
	if err := r.Remove(ctx, local, "notes", false); err != nil {
		t.Fatal(err)
	}
	in = keeper(t, r, local, "notes", nil)
	wantKept(t, r, local, in, "a=1")
	if err := r.Remove(ctx, local, "notes", true); err != nil {
		t.Fatal(err)
	}
	in = keeper(t, r, local, "notes", nil)
	wantKept(t, r, local, in)
	wantKept(t, r, other, in)
	wantKept(t, r, local, bystander, "a=docs")
}

func TestUpgradeFindsWhatWasKept(t *testing.T) {
	r := registrytest.Open(t)
	in := keeper(t, r, local, "notes", nil)
	running := opened(t, r, local, in, "caller") // a call of the version before, which goes on
	keep(t, opened(t, r, local, in, "caller"), set("a", "1"))
	next, file := newer(in, "new", 2)
	next.Grant.Rights.KV = in.Grant.Rights.KV
	next, err := r.Upgrade(t.Context(), local, next, file)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, running, set("b", "2"))
	wantKept(t, r, local, next, "a=1", "b=2")
}

func TestOperatorMendsWhatIsKept(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	in := keeper(t, r, local, "notes", nil)
	keep(t, opened(t, r, local, in, "caller"), set("a/1", "1"), set("a/2", "2"), set("a/22", ""), set("b", "3"))
	reader := opened(t, r, local, in, "caller")
	if _, err := reader.Get(ctx, "a/1"); err != nil {
		t.Fatal(err)
	}
	all, err := r.Kept(ctx, local)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	of := all[0]
	if v, err := r.KeptValue(ctx, local, of, "a/2"); err != nil || string(v) != "2" {
		t.Errorf("%q, %v", v, err)
	}
	for _, c := range []struct {
		prefix  string
		exactly bool
		removed int
	}{{"a/2", true, 1}, {"a/2", true, 0}, {"a/", false, 2}, {"z", false, 0}, {"", false, 1}, {"", false, 0}} {
		if n, err := r.DropKept(ctx, local, of, c.prefix, c.exactly); err != nil || n != c.removed {
			t.Errorf("removing %q: %d, %v; want %d", c.prefix, n, err, c.removed)
		}
	}
	// A call that read what is gone is told.
	wantError(t, reader.Commit(ctx, []registry.KVChange{set("c", "")}, kilobyte), registry.ErrConflict)
	if all, err := r.Kept(ctx, local); err != nil || len(all) > 0 {
		t.Errorf("%+v, %v", all, err)
	}
	user := capabilities.Caller{Principal: "key:1", Space: local.Space, Roles: []string{capabilities.RoleUser}}
	elsewhere := capabilities.Local("work")
	for name, by := range map[string]capabilities.Caller{"a user": user, "nobody": {}, "another space": elsewhere} {
		_, value := r.KeptValue(ctx, by, of, "b")
		_, drop := r.DropKept(ctx, by, of, "", false)
		for what, err := range map[string]error{
			"value": value, "drop": drop,
			"entries": r.KeptEntries(ctx, by, of, "", true, func(registry.KVEntry) error { return nil }),
		} {
			if !errors.Is(err, registry.ErrOperator) && !errors.Is(err, registry.ErrCaller) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	if _, err := r.Kept(ctx, user); !errors.Is(err, registry.ErrOperator) {
		t.Errorf("a user: %v", err)
	}
}

// keepAndDie changes what a servlet keeps, and is killed when it comes to a point.
func keepAndDie(home string, args []string) error {
	armed := false
	r, err := registry.Open(home, registry.AtStep(func(at string) {
		if armed && at == args[0] {
			die()
		}
	}))
	if err != nil {
		return err
	}
	ctx := context.Background()
	in, err := r.Lookup(ctx, local, "notes")
	if err != nil {
		return err
	}
	kv, err := r.KV(local, in, mayKeep("caller"))
	if err != nil {
		return err
	}
	armed = true
	err = kv.Commit(ctx, []registry.KVChange{set("a", "2"), set("b", "2"), gone("c")}, kilobyte)
	if err == nil {
		fmt.Println("acknowledged")
	}
	return err
}

// A process that is killed while it keeps something leaves all of it or nothing.
func TestKeepingKilledAnywhere(t *testing.T) {
	for point, done := range map[string]bool{"before commit": false, "after commit": true, "before acknowledgement": true, "never": true} {
		t.Run(point, func(t *testing.T) {
			r := registrytest.Open(t)
			in := keeper(t, r, local, "notes", nil)
			keep(t, opened(t, r, local, in, "caller"), set("a", "1"), set("c", "1"))
			out, err := child(t, "keep", r.Home(), point).CombinedOutput()
			if acknowledged := bytes.Contains(out, []byte("acknowledged")); acknowledged != (point == "never") || acknowledged != (err == nil) {
				t.Fatalf("the other process: %v\n%s", err, out)
			}
			want := []string{"a=1", "c=1"}
			if done {
				want = []string{"a=2", "b=2"}
			}
			wantKept(t, r, local, in, want...)
			wantKept(t, registrytest.OpenHome(t, r.Home(), nil), local, in, want...)
			if all, err := r.Kept(t.Context(), local); err != nil || len(all) != 1 || all[0].Keys != 2 || all[0].Bytes != 4 {
				t.Errorf("%+v, %v", all, err)
			}
			wantIntact(t, r, 1)
			keep(t, opened(t, r, local, in, "caller"), set("a", "3")) // and it goes on
		})
	}
}
