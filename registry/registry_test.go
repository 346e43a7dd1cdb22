package registry_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

var local = capabilities.Local(capabilities.DefaultSpace)

// fileOf is a servlet file for tests that do not run it.
func fileOf(text string) []byte { return []byte("\x00asm " + text) }

func install(t testing.TB, r *registry.Registry, alias string) registry.Installation {
	t.Helper()
	file := fileOf(alias)
	in, err := r.Install(t.Context(), local, registrytest.Installation(alias, file), file)
	if err != nil {
		t.Fatalf("installing %s: %v", alias, err)
	}
	return in
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("error is not one clean line: %q", err)
	}
}

func TestInstallLookupRemove(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	_, err := r.Lookup(ctx, local, "notes")
	wantError(t, err, registry.ErrNotFound)

	in := install(t, r, "notes")
	if in.Revision == 0 || in.Installed.IsZero() {
		t.Errorf("installed without revision or time: %+v", in)
	}
	got, err := r.Lookup(ctx, local, "notes")
	if err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("looked up\n%+v, %v, want\n%+v", got, err, in)
	}
	blob, err := r.Blob(ctx, in.Digest)
	if err != nil || string(blob) != string(fileOf("notes")) {
		t.Errorf("blob %q, %v", blob, err)
	}
	install(t, r, "docs")
	list, err := r.List(ctx, local)
	if err != nil || len(list) != 2 || list[0].Alias != "docs" || list[1].Alias != "notes" {
		t.Errorf("listed %+v, %v", list, err)
	}

	if err := r.Remove(ctx, local, "notes", false); err != nil {
		t.Fatal(err)
	}
	_, err = r.Lookup(ctx, local, "notes")
	wantError(t, err, registry.ErrNotFound)
	_, err = r.Blob(ctx, in.Digest)
	wantError(t, err, registry.ErrNotFound)
	wantError(t, r.Remove(ctx, local, "notes", false), registry.ErrNotFound)
}

func TestInstallRefuses(t *testing.T) {
	r := registrytest.Open(t)
	taken := install(t, r, "taken")
	file := fileOf("new")
	before := r.Generation()
	for name, c := range map[string]struct {
		change func(*registry.Installation)
		want   error // nil: any
	}{
		"alias taken": {func(in *registry.Installation) { in.Alias = "taken" }, registry.ErrExists},
		"name of another key": {func(in *registry.Installation) {
			in.Name, in.Publisher, in.Grant = taken.Name, strings.Repeat("b", 64), capabilities.Grant{}
		}, registry.ErrPublisher},
		"same seq, another file":  {func(in *registry.Installation) { in.Name, in.Grant = taken.Name, capabilities.Grant{} }, registry.ErrRollback},
		"another space":           {func(in *registry.Installation) { in.Space = "other" }, nil},
		"alias with upper case":   {func(in *registry.Installation) { in.Alias = "New" }, registry.ErrName},
		"alias that is a path":    {func(in *registry.Installation) { in.Alias = "../new" }, registry.ErrName},
		"alias too long":          {func(in *registry.Installation) { in.Alias = strings.Repeat("a", 25) }, registry.ErrName},
		"alias like a flag":       {func(in *registry.Installation) { in.Alias = "-new" }, registry.ErrName},
		"no name":                 {func(in *registry.Installation) { in.Name = "" }, nil},
		"name with NUL":           {func(in *registry.Installation) { in.Name = "a\x00b" }, nil},
		"name with escape":        {func(in *registry.Installation) { in.Name = "a\x1b[2J" }, nil},
		"no publisher":            {func(in *registry.Installation) { in.Publisher = "" }, nil},
		"no seq":                  {func(in *registry.Installation) { in.Seq = 0 }, nil},
		"development with seq":    {func(in *registry.Installation) { in.Development = true }, nil},
		"digest of another file":  {func(in *registry.Installation) { in.Digest = taken.Digest }, nil},
		"no digest":               {func(in *registry.Installation) { in.Digest = "" }, nil},
		"grant to another":        {func(in *registry.Installation) { in.Grant.Servlet = "acme/other" }, nil},
		"grant to another's key":  {func(in *registry.Installation) { in.Grant.Publisher = strings.Repeat("b", 64) }, nil},
		"source that is not text": {func(in *registry.Installation) { in.Source = "\xff" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := registrytest.Installation("new", file)
			c.change(&in)
			_, err := r.Install(t.Context(), local, in, file)
			if err == nil {
				t.Fatal("was installed")
			}
			if c.want == nil {
				c.want = err
			}
			wantError(t, err, c.want)
			_, err = r.Lookup(t.Context(), local, "new")
			wantError(t, err, registry.ErrNotFound)
		})
	}
	if r.Generation() != before {
		t.Error("a refused install changed the generation")
	}
	if entries, err := r.Audit(t.Context(), local, registry.Filter{}); err != nil || len(entries) != 1 {
		t.Errorf("%d audit entries, %v, want that of the one install", len(entries), err)
	}
	// The control: the same installation without a change is taken.
	if _, err := r.Install(t.Context(), local, registrytest.Installation("new", file), file); err != nil {
		t.Error(err)
	}
}

func TestNobodyIsRefused(t *testing.T) {
	r := registrytest.Open(t)
	install(t, r, "notes")
	ctx := t.Context()
	for name, by := range map[string]capabilities.Caller{
		"zero":         {},
		"no principal": {Space: capabilities.DefaultSpace},
		"no space":     {Principal: "local"},
		"NUL in space": {Principal: "local", Space: "default\x00notes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := fileOf("x")
			_, install := r.Install(ctx, by, registrytest.Installation("x", file), file)
			_, lookup := r.Lookup(ctx, by, "notes")
			_, list := r.List(ctx, by)
			_, grant := r.SetGrant(ctx, by, "notes", 1, capabilities.Grant{}, true)
			_, config := r.Config(ctx, by, "notes")
			_, audit := r.Audit(ctx, by, registry.Filter{})
			for method, err := range map[string]error{
				"Install": install, "Lookup": lookup, "List": list, "SetGrant": grant, "Config": config, "Audit": audit,
				"Remove":      r.Remove(ctx, by, "notes", true),
				"SetConfig":   r.SetConfig(ctx, by, "notes", "K", "V"),
				"UnsetConfig": r.UnsetConfig(ctx, by, "notes", "K"),
				"Record":      r.Record(ctx, registry.Entry{Event: "call", Principal: by.Principal, Space: by.Space}, false),
			} {
				if err == nil || errors.Is(err, registry.ErrNotFound) {
					t.Errorf("%s: %v", method, err)
				}
			}
		})
	}
}

func TestSpacesAreApart(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	other := capabilities.Local("other")
	in := install(t, r, "notes")
	if err := r.SetConfig(ctx, local, "notes", "UNITS", "metric"); err != nil {
		t.Fatal(err)
	}
	_, err := r.Lookup(ctx, other, "notes")
	wantError(t, err, registry.ErrNotFound)
	wantError(t, r.SetConfig(ctx, other, "notes", "UNITS", "x"), registry.ErrNotFound)
	wantError(t, r.Remove(ctx, other, "notes", true), registry.ErrNotFound)
	_, err = r.SetGrant(ctx, other, "notes", in.Revision, in.Grant, true)
	wantError(t, err, registry.ErrNotFound)
	if entries, err := r.Audit(ctx, other, registry.Filter{}); err != nil || len(entries) != 0 {
		t.Errorf("the other space sees %d audit entries, %v", len(entries), err)
	}

	// The same file in two spaces is one blob, which lives as long as one of them has it.
	twin := in
	twin.Space = "other"
	if _, err := r.Install(ctx, other, twin, fileOf("notes")); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(ctx, local, "notes", true); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Blob(ctx, in.Digest); err != nil {
		t.Errorf("the other space lost its file: %v", err)
	}
}

func TestGrantNeedsTheRevisionSeen(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	in := install(t, r, "notes")
	narrower := in.Grant
	narrower.Rights = capabilities.Rights{}
	revoked, err := r.SetGrant(ctx, local, "notes", in.Revision, narrower, true)
	if err != nil || !revoked.Revoked || revoked.Revision == in.Revision {
		t.Fatalf("revoking: %+v, %v", revoked, err)
	}
	// A grant that was decided on before the revocation does not undo it.
	_, err = r.SetGrant(ctx, local, "notes", in.Revision, in.Grant, false)
	wantError(t, err, registry.ErrConflict)
	got, err := r.Lookup(ctx, local, "notes")
	if err != nil || !got.Revoked || len(got.Grant.Rights.Tools) != 0 {
		t.Errorf("after the late grant: %+v, %v", got, err)
	}
	// Nor does it apply to a servlet that was removed and installed again.
	if err := r.Remove(ctx, local, "notes", false); err != nil {
		t.Fatal(err)
	}
	again := install(t, r, "notes")
	for _, old := range []uint64{0, in.Revision, revoked.Revision} {
		_, err = r.SetGrant(ctx, local, "notes", old, capabilities.Grant{}, false)
		wantError(t, err, registry.ErrConflict)
	}
	if again.Revision <= revoked.Revision {
		t.Errorf("revision %d was used before", again.Revision)
	}
}

func TestRatchetAndPinOutliveRemoval(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	try := func(seq uint64, text, publisher string, development bool) error {
		t.Helper()
		file := fileOf(text)
		in := registrytest.Installation("notes", file)
		in.Seq, in.Publisher, in.Grant.Publisher, in.Development = seq, publisher, publisher, development
		_, err := r.Install(ctx, local, in, file)
		if err == nil {
			err = r.Remove(ctx, local, "notes", true)
		}
		return err
	}
	_, err := r.PublisherOf(ctx, "acme/notes")
	wantError(t, err, registry.ErrNotFound)
	_, err = r.Publisher(ctx, registrytest.Publisher)
	wantError(t, err, registry.ErrNotFound)

	stranger := strings.Repeat("b", 64)
	wantError(t, try(0, "built here", stranger, true), nil)
	_, err = r.PublisherOf(ctx, "acme/notes")
	wantError(t, err, registry.ErrNotFound) // a development build pins nothing
	wantError(t, try(5, "five", registrytest.Publisher, false), nil)
	wantError(t, try(5, "five", registrytest.Publisher, false), nil)
	wantError(t, try(5, "another five", registrytest.Publisher, false), registry.ErrRollback)
	wantError(t, try(4, "four", registrytest.Publisher, false), registry.ErrRollback)
	wantError(t, try(6, "six", stranger, false), registry.ErrPublisher)
	wantError(t, try(0, "built here", stranger, true), nil)
	wantError(t, try(7, "seven", registrytest.Publisher, false), nil)

	if pin, err := r.PublisherOf(ctx, "acme/notes"); err != nil || pin != registrytest.Publisher {
		t.Errorf("pinned to %q, %v", pin, err)
	}
	known, err := r.Publisher(ctx, registrytest.Publisher)
	if err != nil || known.Seq["acme/notes"] != 7 || known.FirstSeen.IsZero() || known.KeyID != registrytest.Publisher {
		t.Errorf("publisher %+v, %v", known, err)
	}
	_, err = r.Publisher(ctx, stranger)
	wantError(t, err, registry.ErrNotFound)
}

func TestConfig(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	want := func(alias string, want map[string]string) {
		t.Helper()
		got, err := r.Config(ctx, local, alias)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("config of %s: %v, %v, want %v", alias, got, err, want)
		}
	}
	_, err := r.Config(ctx, local, "notes")
	wantError(t, err, registry.ErrNotFound)
	wantError(t, r.SetConfig(ctx, local, "notes", "UNITS", "metric"), registry.ErrNotFound)
	install(t, r, "notes")
	want("notes", map[string]string{})
	wantError(t, r.UnsetConfig(ctx, local, "notes", "UNITS"), registry.ErrNotFound)
	for _, value := range []string{"metric", "imperial\nand \x00 more"} {
		wantError(t, r.SetConfig(ctx, local, "notes", "UNITS", value), nil)
		want("notes", map[string]string{"UNITS": value})
	}
	for _, value := range []string{"\xff", strings.Repeat("v", 64<<10+1)} {
		if err := r.SetConfig(ctx, local, "notes", "UNITS", value); err == nil {
			t.Errorf("took a value of %d bytes", len(value))
		}
	}
	wantError(t, r.SetConfig(ctx, local, "notes", "LANG", "pt"), nil)
	wantError(t, r.UnsetConfig(ctx, local, "notes", "UNITS"), nil)
	want("notes", map[string]string{"LANG": "pt"})

	// Values outlive the servlet unless they are purged, but no other servlet inherits them.
	wantError(t, r.Remove(ctx, local, "notes", false), nil)
	file := fileOf("stranger")
	stranger := registrytest.Installation("notes", file)
	stranger.Name, stranger.Grant.Servlet = "evil/notes", ""
	if _, err := r.Install(ctx, local, stranger, file); err != nil {
		t.Fatal(err)
	}
	want("notes", map[string]string{})
	wantError(t, r.Remove(ctx, local, "notes", false), nil)
	install(t, r, "notes")
	want("notes", map[string]string{"LANG": "pt"})
	wantError(t, r.Remove(ctx, local, "notes", true), nil)
	install(t, r, "notes")
	want("notes", map[string]string{})
}

func TestWhatIsReturnedIsTheCallers(t *testing.T) {
	r := registrytest.Open(t)
	ctx := t.Context()
	file := fileOf("notes")
	in := registrytest.Installation("notes", file)
	fill(reflect.ValueOf(&in.Grant.Rights).Elem())
	if _, err := r.Install(ctx, local, in, file); err != nil {
		t.Fatal(err)
	}
	first, err := r.Lookup(ctx, local, "notes")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := r.Lookup(ctx, local, "notes")
	list, _ := r.List(ctx, local)
	scratch(reflect.ValueOf(&first.Grant.Rights).Elem())
	scratch(reflect.ValueOf(&list[0].Grant.Rights).Elem())
	third, _ := r.Lookup(ctx, local, "notes")
	if !reflect.DeepEqual(second, third) {
		t.Errorf("a caller changed what others get:\n%+v\n%+v", second.Grant.Rights, third.Grant.Rights)
	}
	if reflect.DeepEqual(first, second) {
		t.Error("BUG: the test changed nothing")
	}
}

// fill gives every field of v, however deep, a value; scratch overwrites everything that v shares.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("a")
	case reflect.Int:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().PkgPath() != "net/netip" {
			fill(v.Index(0))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value)
		v.SetMapIndex(reflect.ValueOf("a"), value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

func scratch(v reflect.Value) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			scratch(v.Index(i))
			if v.Index(i).Kind() == reflect.String {
				v.Index(i).SetString("changed")
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			scratch(v.Elem())
			for i := range v.Elem().NumField() {
				if f := v.Elem().Field(i); f.Kind() == reflect.String {
					f.SetString("changed")
				}
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			scratch(v.MapIndex(key))
		}
		v.SetMapIndex(reflect.ValueOf("more"), reflect.New(v.Type().Elem()).Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			scratch(v.Field(i))
		}
	}
}

func TestOtherProcessesChangesAreSeenAtOnce(t *testing.T) {
	a := registrytest.Open(t)
	b := registrytest.OpenHome(t, a.Home(), nil)
	ctx := t.Context()
	in := install(t, a, "notes")
	for range 3 {
		got, err := b.Lookup(ctx, local, "notes")
		if err != nil || got.Revoked != in.Revoked {
			t.Fatalf("%+v, %v", got, err)
		}
		if in, err = a.SetGrant(ctx, local, "notes", in.Revision, in.Grant, !in.Revoked); err != nil {
			t.Fatal(err)
		}
		if got, err = b.Lookup(ctx, local, "notes"); err != nil || got.Revoked != in.Revoked {
			t.Fatalf("the other process still has the old grant: %+v, %v", got, err)
		}
	}
}

func TestWatchTellsOfOtherProcesses(t *testing.T) {
	a := registrytest.Open(t)
	b := registrytest.OpenHome(t, a.Home(), nil)
	told := make(chan uint64, 100)
	ended := make(chan struct{})
	before := b.Generation()
	go func() {
		defer close(ended)
		b.Watch(t.Context(), func(generation uint64) { told <- generation })
	}()
	t.Cleanup(func() { <-ended })
	// Watch tells of changes after its start, so one is made until it tells.
	for i := 0; ; i++ {
		if i == 0 {
			install(t, a, "notes")
		} else if err := a.SetConfig(t.Context(), local, "notes", "K", strings.Repeat("v", i)); err != nil {
			t.Fatal(err)
		}
		select {
		case generation := <-told:
			if generation <= before {
				t.Errorf("told generation %d, had %d before", generation, before)
			}
			return
		case <-t.Context().Done():
			t.Fatal("never told")
		default:
		}
	}
}

func TestOrphansAreDroppedAtOpen(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	orphan := registrytest.Installation("gone", fileOf("gone")).Digest
	if err := registry.StoreOf(r).PutBlob(t.Context(), orphan, fileOf("gone")); err != nil {
		t.Fatal(err)
	}
	registrytest.OpenHome(t, r.Home(), nil)
	blobs, err := registry.StoreOf(r).Blobs(t.Context())
	if err != nil || !slices.Equal(blobs, []string{in.Digest}) {
		t.Errorf("blobs %q, %v", blobs, err)
	}
}

func TestInstallPutsADroppedFileBack(t *testing.T) {
	home := t.TempDir()
	var r *registry.Registry
	file := fileOf("notes")
	in := registrytest.Installation("notes", file)
	dropped := false
	// The moment after the file is in place is when another process's sweep may take it.
	r = registrytest.OpenHome(t, home, registry.AtStep(func(point string) {
		if point == "file renamed" && r != nil && !dropped {
			dropped = true
			if err := os.Remove(filepath.Join(home, "blobs", in.Digest)); err != nil {
				t.Error(err)
			}
		}
	}))
	if _, err := r.Install(t.Context(), local, in, file); err != nil || !dropped {
		t.Fatalf("%v, dropped: %v", err, dropped)
	}
	if _, err := r.Blob(t.Context(), in.Digest); err != nil {
		t.Error(err)
	}
}

func TestDamagedBlobIsRefusedAndHealed(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	path := filepath.Join(r.Home(), "blobs", in.Digest)
	if err := os.WriteFile(path, []byte("\x00asm evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := r.Blob(t.Context(), in.Digest)
	wantError(t, err, registry.ErrDamaged)
	if err := r.Remove(t.Context(), local, "notes", false); err != nil {
		t.Fatal(err)
	}
	install(t, r, "notes")
	if _, err := r.Blob(t.Context(), in.Digest); err != nil {
		t.Error(err)
	}
}
