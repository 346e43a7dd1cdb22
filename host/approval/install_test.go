package approval_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func TestInstallCarriesOutThePlan(t *testing.T) {
	d := newDesk(t)
	plan := d.propose(t)
	in := d.install(t)
	if in.Alias != "files" || in.Grant.Plan != plan.Digest || in.Grant.Approver != "local" || in.Digest != plan.File {
		t.Errorf("installed %+v", in)
	}
	m := d.c.Servlet.Manifest()
	policy, err := capabilities.Effective(m, d.c.Servlet.ManifestDigest(), in.Grant, local, in.Alias, "write_file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if policy.Rights.FS["docs"].Mode != capabilities.ModeFull || len(policy.Rights.HTTP) > 0 {
		t.Errorf("a call may do %+v", policy.Rights)
	}
}

// A plan that nothing touched keeps its digest, whatever happens inside the directory.
func TestDigestDoesNotFlap(t *testing.T) {
	d := newDesk(t)
	d.choice.Allow = []string{"api"}
	before := d.propose(t)
	if err := os.WriteFile(filepath.Join(d.dir, "new file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d.choice.Tools = []string{"write_file", "read_file", "*", "read_file"}
	if after := d.propose(t); after.Digest != before.Digest {
		t.Errorf("the digest went from %s to %s:\n%s\n%s", before.Digest, after.Digest, before.Text, after.Text)
	}
}

func TestDigestBindsWhatIsGiven(t *testing.T) {
	d := newDesk(t)
	digests := map[string]string{}
	note := func(name string, plan approval.Plan) {
		t.Helper()
		if other, ok := digests[plan.Digest]; ok {
			t.Errorf("%s and %s have one digest", name, other)
		}
		digests[plan.Digest] = name
	}
	change := func(name string, f func(d *desk)) {
		t.Helper()
		changed := d
		changed.choice.Dirs = map[string]approval.Directory{"docs": {Path: d.dir}}
		f(&changed)
		note(name, changed.propose(t))
	}
	change("plain", func(*desk) {})
	change("fewer tools", func(d *desk) { d.choice.Tools = []string{"read_file"} })
	change("a site", func(d *desk) { d.choice.Allow = []string{"api"} })
	change("another directory", func(d *desk) { d.choice.Dirs["docs"] = approval.Directory{Path: t.TempDir()} })
	change("read only", func(d *desk) { d.choice.Dirs["docs"] = approval.Directory{Path: d.dir, ReadOnly: true} })
	change("another alias", func(d *desk) { d.choice.As = "mine" })
	change("another seq", func(d *desk) { d.c = read(t, seal(t, release("acme/files", 2), key("acme"))) })
	change("another key", func(d *desk) { d.c = read(t, seal(t, release("acme/files", 1), key("bob"))) })
	change("another text", func(d *desk) {
		m := release("acme/files", 1)
		m.Tools[0] = tool("read_file", "Reads a  file.", "")
		d.c = read(t, seal(t, m, key("acme")))
	})
	team := capabilities.Local("team")
	plan, err := approval.Propose(t.Context(), d.reg, team, d.c, d.choice)
	if err != nil {
		t.Fatal(err)
	}
	note("another space", plan)
}

func TestWhatChangedSinceItWasShownIsRefused(t *testing.T) {
	elsewhere := func(t *testing.T, d *desk) {
		if err := os.Remove(d.dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(t.TempDir(), d.dir); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name  string
		after func(t *testing.T, d *desk)
		want  error
	}{
		{"file", func(t *testing.T, d *desk) { d.c = read(t, seal(t, release("acme/files", 2), key("acme"))) }, approval.ErrPlanChanged},
		{"directory replaced by a link", elsewhere, approval.ErrPlanChanged},
		{"choice", func(_ *testing.T, d *desk) { d.choice.Allow = []string{"api"} }, approval.ErrPlanChanged},
		{"alias", func(_ *testing.T, d *desk) { d.choice.As = "other" }, approval.ErrPlanChanged},
		{"publisher known meanwhile", func(t *testing.T, d *desk) { // the screen said that it was not
			other := *d
			other.c, other.choice = read(t, seal(t, release("acme/other", 1), key("acme"))), approval.Choice{}
			other.install(t)
		}, approval.ErrPlanChanged},
		{"name taken by another key meanwhile", func(t *testing.T, d *desk) {
			other := *d
			other.c, other.choice = read(t, seal(t, release("acme/files", 1), key("mallory"))), approval.Choice{As: "theirs"}
			other.install(t)
		}, registry.ErrPublisher},
		{"alias taken meanwhile", func(t *testing.T, d *desk) {
			other := *d
			other.c, other.choice = read(t, seal(t, release("bob/files", 1), key("bob"))), approval.Choice{}
			other.install(t)
		}, registry.ErrExists},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			shown := d.propose(t)
			row.after(t, &d)
			check := unchanged(t, d.reg)
			if _, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, shown.Digest); !errors.Is(err, row.want) {
				t.Errorf("got %v, want %v", err, row.want)
			}
			check()
		})
	}
}

func TestNoDigestApprovesNothing(t *testing.T) {
	d := newDesk(t)
	good := d.propose(t).Digest
	check := unchanged(t, d.reg)
	for digest, want := range map[string]error{
		"":                       approval.ErrPlanChanged,
		strings.Repeat("0", 64):  approval.ErrPlanChanged,
		"0":                      approval.ErrDigest,
		"abc\x1b[2J":             approval.ErrDigest,
		strings.ToUpper(good):    approval.ErrDigest,
		good[:63]:                approval.ErrDigest,
		good + " ":               approval.ErrDigest,
		strings.Repeat("xy", 32): approval.ErrDigest,
	} {
		_, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, digest)
		if !errors.Is(err, want) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%q: got %v", digest, err)
		}
	}
	check()
}

func TestMissingDirectoryIsRefused(t *testing.T) {
	d := newDesk(t)
	shown := d.propose(t)
	if err := os.Remove(d.dir); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t, d.reg)
	_, err := approval.Install(t.Context(), d.reg, local, d.c, d.choice, shown.Digest)
	if err == nil || !strings.Contains(err.Error(), "no such directory") {
		t.Errorf("got %v", err)
	}
	check()
}

// Two terminals approve one plan at once: one of them gets it.
func TestConcurrentInstalls(t *testing.T) {
	home := t.TempDir()
	d := newDesk(t)
	shown := ""
	var wins, losses int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		reg := registrytest.OpenHome(t, home, nil)
		if shown == "" {
			d.reg = reg
			shown = d.propose(t).Digest
		}
		wg.Go(func() {
			_, err := approval.Install(t.Context(), reg, local, d.c, d.choice, shown)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				wins++
			case errors.Is(err, registry.ErrExists), errors.Is(err, approval.ErrPlanChanged):
				losses++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if wins != 1 || losses != 3 {
		t.Errorf("%d installed, %d were refused", wins, losses)
	}
}

func TestNarrowingAGrantNeedsNoApproval(t *testing.T) {
	d := newDesk(t)
	d.choice.Allow = []string{"api"}
	in := d.install(t)
	m := d.c.Servlet.Manifest()
	choice := approval.ChoiceOf(m, in)
	choice.Allow, choice.Tools = nil, []string{"read_file"}
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, "files", choice)
	if err != nil || plan.Widens != "" {
		t.Fatalf("widens %q, %v", plan.Widens, err)
	}
	changed, err := approval.Regrant(t.Context(), d.reg, local, "files", choice, "")
	if err != nil {
		t.Fatal(err)
	}
	if r := changed.Grant.Rights; len(r.HTTP) > 0 || len(r.Tools) != 1 || changed.Grant.Plan != plan.Digest {
		t.Errorf("granted %+v", changed.Grant)
	}
}

func TestWideningAGrantNeedsApproval(t *testing.T) {
	d := newDesk(t)
	in := d.install(t)
	m := d.c.Servlet.Manifest()
	for _, row := range []struct {
		name   string
		change func(*approval.Choice)
		widens string
	}{
		{"site", func(c *approval.Choice) { c.Allow = []string{"api"} }, `http "api"`},
		{"directory", func(c *approval.Choice) { c.Dirs["docs"] = approval.Directory{Path: t.TempDir()} }, `fs "docs"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			choice := approval.ChoiceOf(m, in)
			row.change(&choice)
			check := unchanged(t, d.reg)
			_, err := approval.Regrant(t.Context(), d.reg, local, "files", choice, "")
			if !errors.Is(err, approval.ErrNeedsApproval) || !strings.Contains(err.Error(), row.widens) {
				t.Errorf("got %v", err)
			}
			if _, err := approval.Regrant(t.Context(), d.reg, local, "files", choice, in.Grant.Plan); !errors.Is(err, approval.ErrPlanChanged) {
				t.Errorf("with the digest of the old plan: %v", err)
			}
			if _, err := approval.Regrant(t.Context(), d.reg, local, "files", choice, "abc"); !errors.Is(err, approval.ErrDigest) {
				t.Errorf("with no digest: %v", err)
			}
			check()
		})
	}
	choice := approval.ChoiceOf(m, in)
	choice.Allow = []string{"api"}
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, "files", choice)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := approval.Regrant(t.Context(), d.reg, local, "files", choice, plan.Digest)
	if err != nil || len(changed.Grant.Rights.HTTP) != 1 {
		t.Errorf("granted %+v, %v", changed.Grant, err)
	}
}

func TestRevokedGrantComesBackOnlyByApproval(t *testing.T) {
	d := newDesk(t)
	in := d.install(t)
	if _, err := d.reg.SetGrant(t.Context(), local, in.Alias, in.Revision, in.Grant, true); err != nil {
		t.Fatal(err)
	}
	choice := approval.ChoiceOf(d.c.Servlet.Manifest(), in)
	if _, err := approval.Regrant(t.Context(), d.reg, local, in.Alias, choice, ""); !errors.Is(err, approval.ErrNeedsApproval) {
		t.Errorf("got %v", err)
	}
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, choice)
	if err != nil {
		t.Fatal(err)
	}
	back, err := approval.Regrant(t.Context(), d.reg, local, in.Alias, choice, plan.Digest)
	if err != nil || back.Revoked {
		t.Errorf("got %+v, %v", back, err)
	}
}

// A sensitive directory that was approved stays; another one has to be named again.
func TestApprovedDangerStaysWithItsDirectory(t *testing.T) {
	user := t.TempDir()
	t.Setenv("HOME", user)
	for _, dir := range []string{".ssh", ".gnupg"} {
		if err := os.Mkdir(filepath.Join(user, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d := newDesk(t)
	d.choice.Dirs["docs"] = approval.Directory{Path: "~/.ssh"}
	d.choice.Danger = []string{"docs"}
	in := d.install(t)
	choice := approval.ChoiceOf(d.c.Servlet.Manifest(), in)
	if _, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, choice); err != nil {
		t.Error(err)
	}
	choice.Dirs["docs"] = approval.Directory{Path: "~/.gnupg"}
	if _, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, choice); !errors.Is(err, approval.ErrDanger) {
		t.Errorf("got %v", err)
	}
}

func TestChoiceOfIsWhatWasChosen(t *testing.T) {
	d := newDesk(t)
	d.choice.Allow = []string{"api"}
	d.choice.Dirs["docs"] = approval.Directory{Path: d.dir, ReadOnly: true}
	in := d.install(t)
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, in.Alias, approval.ChoiceOf(d.c.Servlet.Manifest(), in))
	if err != nil {
		t.Fatal(err)
	}
	have, _ := json.Marshal(in.Grant.Rights)
	again, _ := json.Marshal(plan.Rights)
	if string(have) != string(again) {
		t.Errorf("granted %s, and from the choice %s", have, again)
	}
}

// A change is no install: it says what is there now and what it would be.
func TestAChangeShowsBeforeAndAfter(t *testing.T) {
	d := newDesk(t)
	in := d.install(t)
	choice := approval.ChoiceOf(d.c.Servlet.Manifest(), in)
	same, err := approval.ProposeGrant(t.Context(), d.reg, local, "files", choice)
	if err != nil || !same.Unchanged || !strings.HasPrefix(same.Text, "Change what files holds: nothing of it changes so far.\n") || strings.Contains(same.Text, "->") {
		t.Errorf("%v, unchanged %v:\n%s", err, same.Unchanged, same.Text)
	}
	choice.Allow = []string{"api"}
	choice.Dirs["docs"] = approval.Directory{Path: d.dir, ReadOnly: true}
	plan, err := approval.ProposeGrant(t.Context(), d.reg, local, "files", choice)
	if err != nil || plan.Unchanged || plan.Widens == "" {
		t.Fatalf("%v, %+v", err, plan)
	}
	text := plan.Screen(300, false)
	for _, want := range []string{"Change what files holds.\n", "nothing -> same", d.dir + " -> " + d.dir + " (read only)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if _, err := d.reg.SetGrant(t.Context(), local, in.Alias, in.Revision, in.Grant, true); err != nil {
		t.Fatal(err)
	}
	back, err := approval.ProposeGrant(t.Context(), d.reg, local, "files", approval.ChoiceOf(d.c.Servlet.Manifest(), in))
	if err != nil || back.Unchanged || !strings.Contains(back.Screen(300, false), "nothing -> "+d.dir) {
		t.Errorf("after a revocation: %v\n%s", err, back.Text)
	}
}

// Each refusal of a name that is taken says what the two files are to each other, and the way on.
func TestTakenNamesSayTheWayOn(t *testing.T) {
	d := newDesk(t)
	d.install(t)
	for _, row := range []struct {
		name string
		c    *approval.Candidate
		want string
	}{
		{"the same file", d.c, `this is the same file: change what it holds with "writ grant files"`},
		{"a newer one", read(t, seal(t, release("acme/files", 2), key("acme"))), `this is a newer one: put it in its place with "writ upgrade files --from FILE"`},
		{"another servlet", read(t, seal(t, release("bob/files", 1), key("bob"))), `the name files is taken by acme/files 1.0.0: choose another with --as NAME, or free it with "writ remove files"`},
	} {
		_, err := approval.Propose(t.Context(), d.reg, local, row.c, approval.Choice{})
		if !errors.Is(err, registry.ErrExists) || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v", row.name, err)
		}
	}
}

func TestLoadSaysWhatToDo(t *testing.T) {
	home := t.TempDir()
	d := newDesk(t)
	d.reg = registrytest.OpenHome(t, home, nil)
	in := d.install(t)
	load := func(alias string) error {
		_, _, err := approval.Load(t.Context(), d.reg, local, alias)
		return err
	}
	if err := load("nosuch\x1b"); !errors.Is(err, registry.ErrNotFound) || err.Error() != `no servlet "nosuch\u001b" is installed: see "writ list"` {
		t.Errorf("got %v", err)
	}
	var blob string
	if err := filepath.WalkDir(home, func(path string, _ os.DirEntry, err error) error {
		if filepath.Base(path) == in.Digest {
			blob = path
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(blob, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(blob, []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	const mend = `: remove it with "writ remove files" and install it again from its file (settings are kept)`
	if err := load("files"); !errors.Is(err, registry.ErrDamaged) || err.Error() != "the file of files is damaged in Writ's home"+mend {
		t.Errorf("damaged: %v", err)
	}
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	if err := load("files"); !errors.Is(err, registry.ErrNotFound) || err.Error() != "the file of files is missing from Writ's home"+mend {
		t.Errorf("missing: %v", err)
	}
}
