package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

// newer is what takes the place of an installation, and its file.
func newer(in registry.Installation, text string, seq uint64) (registry.Installation, []byte) {
	file := fileOf(text)
	next := registrytest.Installation(in.Alias, file)
	next.Version, next.Seq, next.Revision = "2.0.0", seq, in.Revision
	return next, file
}

func TestUpgradeTakesThePlace(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	if err := r.SetConfig(t.Context(), local, "notes", "UNITS", "metric"); err != nil {
		t.Fatal(err)
	}
	before := r.Generation()
	next, file := newer(in, "second", 2)
	next.Grant.Rights.Tools = []string{"read", "write"}
	got, err := r.Upgrade(t.Context(), local, next, file)
	if err != nil {
		t.Fatal(err)
	}
	if got.Version != "2.0.0" || got.Revision <= in.Revision || r.Generation() <= before {
		t.Errorf("%+v, generation %d after %d", got, r.Generation(), before)
	}
	if now, err := r.Lookup(t.Context(), local, "notes"); err != nil || now.Digest != next.Digest || len(now.Grant.Rights.Tools) != 2 {
		t.Errorf("%+v, %v", now, err)
	}
	if values, err := r.Config(t.Context(), local, "notes"); err != nil || values["UNITS"] != "metric" {
		t.Errorf("the settings are %v, %v", values, err)
	}
	if _, err := r.Blob(t.Context(), in.Digest); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the file of before: %v", err)
	}
	if p, err := r.Publisher(t.Context(), in.Publisher); err != nil || p.Seq[in.Name] != 2 {
		t.Errorf("the ratchet is at %v, %v", p.Seq, err)
	}
	entries, err := r.Audit(t.Context(), local, registry.Filter{Event: "upgrade"})
	if err != nil || len(entries) != 1 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	var told struct {
		To         struct{ Digest, Version string }
		FromDigest string `json:"from_digest"`
		FromSeq    uint64 `json:"from_seq"`
	}
	if err := json.Unmarshal(entries[0].Detail, &told); err != nil || told.To.Digest != next.Digest || told.FromDigest != in.Digest || told.FromSeq != 1 {
		t.Errorf("the audit says %s, %v", entries[0].Detail, err)
	}
}

// A file that another space still has stays.
func TestUpgradeLeavesAnotherSpaceItsFile(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	team := capabilities.Local("team")
	file := fileOf("notes")
	theirs := registrytest.Installation("notes", file)
	theirs.Space = "team"
	if _, err := r.Install(t.Context(), team, theirs, file); err != nil {
		t.Fatal(err)
	}
	next, newFile := newer(in, "second", 2)
	if _, err := r.Upgrade(t.Context(), local, next, newFile); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Blob(t.Context(), in.Digest); err != nil {
		t.Error(err)
	}
	if now, err := r.Lookup(t.Context(), team, "notes"); err != nil || now.Digest != in.Digest {
		t.Errorf("the other space has %+v, %v", now, err)
	}
}

func TestUpgradeRefuses(t *testing.T) {
	r := registrytest.Open(t)
	file := fileOf("notes")
	first := registrytest.Installation("notes", file)
	first.Seq = 5
	in, err := r.Install(t.Context(), local, first, file)
	if err != nil {
		t.Fatal(err)
	}
	generation := r.Generation()
	for name, c := range map[string]struct {
		change func(*registry.Installation)
		want   error // nil: any
	}{
		"a lower seq":  {func(in *registry.Installation) { in.Seq = 4 }, registry.ErrRollback},
		"the same seq": {func(in *registry.Installation) { in.Seq = 5 }, registry.ErrRollback},
		"another name": {func(in *registry.Installation) { in.Name, in.Grant = "acme/other", capabilities.Grant{} }, registry.ErrPublisher},
		"another key": {func(in *registry.Installation) {
			in.Publisher, in.Grant = strings.Repeat("b", 64), capabilities.Grant{}
		}, registry.ErrPublisher},
		"a development build":   {func(in *registry.Installation) { in.Seq, in.Development = 0, true }, registry.ErrPublisher},
		"nothing there":         {func(in *registry.Installation) { in.Alias = "other" }, registry.ErrNotFound},
		"no revision":           {func(in *registry.Installation) { in.Revision = 0 }, registry.ErrConflict},
		"another revision":      {func(in *registry.Installation) { in.Revision++ }, registry.ErrConflict},
		"another space":         {func(in *registry.Installation) { in.Space = "team" }, nil},
		"another file's digest": {func(in *registry.Installation) { in.Digest = strings.Repeat("0", 64) }, nil},
		"another's grant":       {func(in *registry.Installation) { in.Grant.Servlet = "acme/other" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			next, file := newer(in, "second", 6)
			c.change(&next)
			_, err := r.Upgrade(t.Context(), local, next, file)
			if err == nil {
				t.Fatal("was upgraded")
			}
			if c.want == nil {
				c.want = err
			}
			wantError(t, err, c.want)
			if now, err := r.Lookup(t.Context(), local, "notes"); err != nil || now.Digest != in.Digest || now.Revision != in.Revision {
				t.Errorf("now there is %+v, %v", now, err)
			}
		})
	}
	if r.Generation() != generation {
		t.Error("a refused upgrade changed the generation")
	}
	// The control: the same without a change is taken.
	next, file2 := newer(in, "second", 6)
	if _, err := r.Upgrade(t.Context(), local, next, file2); err != nil {
		t.Error(err)
	}
}

// Whatever was there before at a higher number forbids a lower one, also under another alias.
func TestUpgradeMeetsTheRatchet(t *testing.T) {
	r := registrytest.Open(t)
	in := install(t, r, "notes")
	ahead, file := newer(in, "ahead", 9)
	ahead.Alias, ahead.Revision = "ahead", 0
	if _, err := r.Install(t.Context(), local, ahead, file); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(t.Context(), local, "ahead", false); err != nil {
		t.Fatal(err)
	}
	next, file := newer(in, "second", 2)
	_, err := r.Upgrade(t.Context(), local, next, file)
	wantError(t, err, registry.ErrRollback)
}

// Of many upgrades of one home at once, by processes that know nothing of each other, one wins.
func TestUpgradesAtOnce(t *testing.T) {
	home := t.TempDir()
	first := registrytest.OpenHome(t, home, patient)
	in := install(t, first, "notes")
	errs := make([]error, 8)
	digests := make([]string, len(errs))
	var work sync.WaitGroup
	for i := range errs {
		r := registrytest.OpenHome(t, home, patient)
		next, file := newer(in, strings.Repeat("x", i+1), uint64(2+i))
		digests[i] = next.Digest
		work.Go(func() { _, errs[i] = r.Upgrade(t.Context(), local, next, file) })
	}
	work.Wait()
	now, err := first.Lookup(t.Context(), local, "notes")
	if err != nil {
		t.Fatal(err)
	}
	won := 0
	for i, err := range errs {
		switch {
		case err == nil:
			won++
			if now.Digest != digests[i] {
				t.Errorf("%d won, and %s is there", i, now.Digest)
			}
		case !errors.Is(err, registry.ErrConflict):
			t.Errorf("%d: %v", i, err)
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	if _, err := first.Blob(t.Context(), now.Digest); err != nil {
		t.Error(err)
	}
}
