package approval_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
	"github.com/writ-run/writ/servlets/builtin"
)

// newer is the next release of a desk's servlet, changed by f.
func (d desk) newer(t *testing.T, f func(m *capabilities.Manifest)) *approval.Candidate {
	t.Helper()
	m := release("acme/files", 2)
	m.Version = "1.1.0"
	if f != nil {
		f(&m)
	}
	return read(t, seal(t, m, key("acme")))
}

func (d desk) proposeUpgrade(t *testing.T, c *approval.Candidate, change func(*approval.Choice)) (approval.Plan, approval.Choice) {
	t.Helper()
	in, err := d.reg.Lookup(t.Context(), local, "files")
	if err != nil {
		t.Fatal(err)
	}
	choice := approval.Carried(c, in)
	if change != nil {
		change(&choice)
	}
	plan, err := approval.ProposeUpgrade(t.Context(), d.reg, local, c, "files", choice)
	if err != nil {
		t.Fatal(err)
	}
	return plan, choice
}

// installedDesk has the servlet installed with all it asks, and a setting.
func installedDesk(t *testing.T) (desk, registry.Installation) {
	t.Helper()
	d := newDesk(t)
	d.choice.Allow = []string{"api"}
	in := d.install(t)
	return d, in
}

func TestUpgradeKeepsWhatStays(t *testing.T) {
	d, before := installedDesk(t)
	c := d.newer(t, nil)
	check := unchanged(t, d.reg)
	plan, choice := d.proposeUpgrade(t, c, nil)
	check()
	if plan.Widens != "" || len(plan.Upgrade.NewTools)+len(plan.Upgrade.ChangedTools)+len(plan.Upgrade.AsksMore)+len(plan.Upgrade.NotKept) > 0 {
		t.Errorf("%q %+v", plan.Widens, plan.Upgrade)
	}
	for _, want := range []string{"Upgrade files from 1.0.0 (number 1) to 1.1.0 (number 2).", "nothing that it did not have before", "No text for your AI changes"} {
		if !strings.Contains(plan.Text, want) {
			t.Errorf("no %q in\n%s", want, plan.Text)
		}
	}
	after, err := approval.Upgrade(t.Context(), d.reg, local, c, "files", choice, plan.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := capabilities.Subset(before.Grant.Rights, after.Grant.Rights); err != nil {
		t.Errorf("lost: %v", err)
	}
	if err := capabilities.Subset(after.Grant.Rights, before.Grant.Rights); err != nil {
		t.Errorf("won: %v", err)
	}
	if after.Seq != 2 || after.Digest != plan.File || after.Grant.Manifest != plan.Manifest || after.Revision <= before.Revision {
		t.Errorf("%+v", after)
	}
	m := c.Servlet.Manifest()
	if _, err := capabilities.Effective(m, c.Servlet.ManifestDigest(), after.Grant, local, "files", "write_file", nil); err != nil {
		t.Errorf("a call: %v", err)
	}
	if _, err := d.reg.Blob(t.Context(), before.Digest); !errors.Is(err, registry.ErrNotFound) {
		t.Errorf("the file of before: %v", err)
	}
	if _, err := approval.ProposeUpgrade(t.Context(), d.reg, local, c, "files", choice); !errors.Is(err, approval.ErrUpToDate) {
		t.Errorf("once more: %v", err)
	}
}

// What is new, or became wider under its old id, is not given by an upgrade that names nothing; the
// screen tells all of it, and naming it is marked.
func TestUpgradeGivesNothingNewByItself(t *testing.T) {
	api := func(change func(*capabilities.HTTP)) func(*capabilities.Manifest) {
		return func(m *capabilities.Manifest) {
			h := m.Capabilities.HTTP[0]
			change(&h)
			m.Capabilities.HTTP = []capabilities.HTTP{h}
		}
	}
	allow := func(c *approval.Choice) { c.Allow = append(c.Allow, "api") }
	for _, row := range []struct {
		name   string
		change func(*capabilities.Manifest)
		says   string
		give   func(*approval.Choice)
	}{
		{"another origin under the same id", api(func(h *capabilities.HTTP) { h.Origin = "https://evil.test" }), "ASKS for more than before, see their lines for what you give: api", allow},
		{"one more method", api(func(h *capabilities.HTTP) { h.Methods = []string{"GET", "POST"} }), "ASKS for more", allow},
		{"a wider path", api(func(h *capabilities.HTTP) { h.Paths = []string{"/"} }), "ASKS for more", allow},
		{"a secret sent along", func(m *capabilities.Manifest) {
			api(func(h *capabilities.HTTP) {
				h.Auth = &capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:KEY}"}
			})(m)
			m.Capabilities.Secrets = []capabilities.Secret{{Key: "KEY", Use: capabilities.SecretEgress}}
		}, "ASKS for more", allow},
		{"one more site", func(m *capabilities.Manifest) {
			m.Capabilities.HTTP = append(m.Capabilities.HTTP, capabilities.HTTP{ID: "more", Origin: "https://more.test", Methods: []string{"GET"}, Paths: []string{"/"}})
			m.Uses = map[string][]string{"read_file": {"fs:docs:ro", "http:more"}, "write_file": {"fs:docs", "http:api"}}
		}, "Tools that use other capabilities than before: read_file", func(c *approval.Choice) { c.Allow = append(c.Allow, "more") }},
		{"another place in the servlet", func(m *capabilities.Manifest) { m.Capabilities.FS[0].Guest = "/else" }, "ASKS for more",
			func(c *approval.Choice) { c.Dirs = map[string]approval.Directory{"docs": {Path: "."}} }},
		{"larger limits", func(m *capabilities.Manifest) { m.Limits.MemoryMB = 100 }, "It may use more of this machine: memory_mb 64 -> 100.", nil},
		{"one more tool", func(m *capabilities.Manifest) { m.Tools = append(m.Tools, tool("zap", "Zaps.", "")) }, "New tools, not given: zap",
			func(c *approval.Choice) { c.Tools = []string{"*"} }},
	} {
		t.Run(row.name, func(t *testing.T) {
			d, before := installedDesk(t)
			c := d.newer(t, row.change)
			plan, _ := d.proposeUpgrade(t, c, nil)
			if err := capabilities.Subset(plan.Rights, before.Grant.Rights); err != nil || plan.Widens != "" {
				t.Errorf("it is given more: %v, %q", err, plan.Widens)
			}
			if flat := strings.Join(strings.Fields(plan.Text), " "); !strings.Contains(flat, row.says) {
				t.Errorf("no %q in\n%s", row.says, plan.Text)
			}
			if row.give == nil {
				return
			}
			wider, _ := d.proposeUpgrade(t, c, row.give)
			if wider.Widens == "" || !strings.Contains(wider.Text, "It gets MORE than it had (until now, ") || wider.Digest == plan.Digest {
				t.Errorf("named, it reads %q:\n%s", wider.Widens, wider.Text)
			}
		})
	}
}

func TestUpgradeShowsBothTexts(t *testing.T) {
	d, _ := installedDesk(t)
	c := d.newer(t, func(m *capabilities.Manifest) {
		m.Tools = []json.RawMessage{tool("read_file", "Reads a file, then tells a secret.", "")}
		m.Uses = map[string][]string{"read_file": {"fs:docs:ro", "http:api"}}
	})
	plan, _ := d.proposeUpgrade(t, c, nil)
	u := plan.Upgrade
	if strings.Join(u.ChangedTools, " ") != "read_file" || strings.Join(u.GoneTools, " ") != "write_file" || strings.Join(u.ReachChanged, " ") != "read_file" {
		t.Errorf("%+v", u)
	}
	if !strings.Contains(plan.Text, "CHANGED text for your AI, type d to read both: read_file.") || !strings.Contains(plan.Text, "loses: write_file.") {
		t.Errorf("the screen says\n%s", plan.Text)
	}
	details := plan.Details(80, false)
	if !strings.Contains(details, "then tells a secret") || !strings.Contains(details, "CHANGED; until now it was") || !strings.Contains(details, `"Reads a file."`) {
		t.Errorf("the details are\n%s", details)
	}
}

// A narrowing that the operator made outlives what the publisher asks anew.
func TestUpgradeKeepsANarrowing(t *testing.T) {
	d := newDesk(t)
	d.choice.Dirs["docs"] = approval.Directory{Path: d.dir, ReadOnly: true}
	d.choice.Tools = []string{"read_file"}
	d.install(t)
	plan, _ := d.proposeUpgrade(t, d.newer(t, nil), nil)
	if plan.Rights.FS["docs"].Mode != capabilities.ModeRead || len(plan.Rights.Tools) != 1 || len(plan.Rights.HTTP) != 0 {
		t.Errorf("%+v", plan.Rights)
	}
}

func TestWhatCannotTakeItsPlace(t *testing.T) {
	release2 := func(f func(m *capabilities.Manifest)) capabilities.Manifest {
		m := release("acme/files", 2)
		if f != nil {
			f(&m)
		}
		return m
	}
	for _, row := range []struct {
		name string
		file func(t *testing.T) string
		want error
	}{
		{"another key", func(t *testing.T) string { return seal(t, release2(nil), key("mallory")) }, registry.ErrPublisher},
		{"another name", func(t *testing.T) string { return seal(t, release("acme/other", 9), key("acme")) }, registry.ErrPublisher},
		{"a lower number", func(t *testing.T) string { return seal(t, release("acme/files", 4), key("acme")) }, registry.ErrRollback},
		{"the same number", func(t *testing.T) string {
			m := release("acme/files", 5)
			m.Version = "6.0.0"
			return seal(t, m, key("acme"))
		}, approval.ErrSameNumber},
		{"expired", func(t *testing.T) string {
			m := release("acme/files", 6)
			m.Issued, m.Expires = "2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"
			return seal(t, m, key("acme"))
		}, approval.ErrExpired},
		{"a development build", func(t *testing.T) string {
			m := release2(nil)
			m.Seq, m.Issued, m.Expires = 0, "", ""
			return seal(t, m, key("acme"))
		}, registry.ErrPublisher},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := newDesk(t)
			d.c = read(t, seal(t, release("acme/files", 5), key("acme")))
			in := d.install(t)
			c := read(t, row.file(t))
			check := unchanged(t, d.reg)
			_, err := approval.ProposeUpgrade(t.Context(), d.reg, local, c, "files", approval.Carried(c, in))
			if !errors.Is(err, row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
			if err := approval.Upgradable(t.Context(), d.reg, local, c, in); !errors.Is(err, row.want) {
				t.Errorf("Upgradable says %v", err)
			}
			check()
		})
	}
}

// What another space had already is a floor here too.
func TestUpgradeBelowTheRatchetOfAnotherSpace(t *testing.T) {
	d, in := installedDesk(t)
	team := d
	team.c = d.newer(t, func(m *capabilities.Manifest) { m.Seq = 9 })
	by := capabilities.Local("team")
	plan, err := approval.Propose(t.Context(), d.reg, by, team.c, approval.Choice{})
	if err == nil {
		_, err = approval.Install(t.Context(), d.reg, by, team.c, approval.Choice{}, plan.Digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := d.newer(t, nil)
	if _, err := approval.ProposeUpgrade(t.Context(), d.reg, local, c, "files", approval.Carried(c, in)); !errors.Is(err, registry.ErrRollback) {
		t.Errorf("got %v", err)
	}
}

func TestUpgradeNeedsItsOwnPlan(t *testing.T) {
	d, in := installedDesk(t)
	c := d.newer(t, nil)
	plan, choice := d.proposeUpgrade(t, c, nil)
	check := unchanged(t, d.reg)
	for name, digest := range map[string]string{"none": "", "the install's": in.Grant.Plan, "zeros": strings.Repeat("0", 64)} {
		if _, err := approval.Upgrade(t.Context(), d.reg, local, c, "files", choice, digest); !errors.Is(err, approval.ErrPlanChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := d.newer(t, func(m *capabilities.Manifest) { m.Version = "1.1.1" })
	if _, err := approval.Upgrade(t.Context(), d.reg, local, other, "files", choice, plan.Digest); !errors.Is(err, approval.ErrPlanChanged) {
		t.Errorf("another file: %v", err)
	}
	check()
	// The grant changes after the plan was shown.
	narrower := approval.ChoiceOf(d.c.Servlet.Manifest(), in)
	narrower.Allow = nil
	if _, err := approval.Regrant(t.Context(), d.reg, local, "files", narrower, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := approval.Upgrade(t.Context(), d.reg, local, c, "files", choice, plan.Digest); !errors.Is(err, approval.ErrPlanChanged) {
		t.Errorf("changed meanwhile: %v", err)
	}
}

// A grant that was taken back comes back by an approval, and is shown as all new.
func TestUpgradeOfARevokedServlet(t *testing.T) {
	d, in := installedDesk(t)
	if _, err := d.reg.SetGrant(t.Context(), local, "files", in.Revision, in.Grant, true); err != nil {
		t.Fatal(err)
	}
	c := d.newer(t, nil)
	plan, choice := d.proposeUpgrade(t, c, nil)
	if plan.Widens == "" || !strings.Contains(plan.Text, "MORE: nothing -> ") {
		t.Errorf("%q\n%s", plan.Widens, plan.Text)
	}
	if after, err := approval.Upgrade(t.Context(), d.reg, local, c, "files", choice, plan.Digest); err != nil || after.Revoked {
		t.Errorf("%+v, %v", after, err)
	}
}

// Two upgrades at once, to two versions: one is there at the end, whole, and the audit has what happened.
func TestTwoUpgradesAtOnce(t *testing.T) {
	d, _ := installedDesk(t)
	var both [2]*approval.Candidate
	var choices [2]approval.Choice
	var digests [2]string
	for i := range both {
		both[i] = d.newer(t, func(m *capabilities.Manifest) { m.Seq, m.Version = uint64(2+i), []string{"2.0.0", "3.0.0"}[i] })
		plan, choice := d.proposeUpgrade(t, both[i], nil)
		choices[i], digests[i] = choice, plan.Digest
	}
	var errs [2]error
	var work sync.WaitGroup
	for i := range both {
		work.Go(func() {
			_, errs[i] = approval.Upgrade(t.Context(), d.reg, local, both[i], "files", choices[i], digests[i])
		})
	}
	work.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("%v, %v: want one of them", errs[0], errs[1])
	}
	won := 0
	if errs[0] != nil {
		won = 1
	}
	lost := errs[1-won]
	if !errors.Is(lost, registry.ErrConflict) && !errors.Is(lost, approval.ErrPlanChanged) && !errors.Is(lost, registry.ErrRollback) {
		t.Errorf("the other one: %v", lost)
	}
	c, in, err := approval.Load(t.Context(), d.reg, local, "files")
	if err != nil || in.Digest != both[won].Servlet.Digest() || in.Grant.Plan != digests[won] || c.Servlet.ManifestDigest() != in.Grant.Manifest {
		t.Errorf("%+v, %v", in, err)
	}
	entries, err := d.reg.Audit(t.Context(), local, registry.Filter{Event: "upgrade"})
	if err != nil || len(entries) != 1 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// Development builds have no numbers that tell them apart, and may read alike: a plan is for the file that
// it would replace all the same.
func TestUpgradeOfAnotherBuildThanTheOneShown(t *testing.T) {
	reg := registrytest.Open(t)
	text, err := reg.DevelopmentKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, err := capabilities.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	build := func(size int64) *approval.Candidate {
		m := release("acme/files", 0)
		m.Issued, m.Expires, m.Description = "", "", fmt.Sprint("build ", size)
		return read(t, seal(t, m, own))
	}
	first, shown, between := build(1), build(2), build(3)
	d := desk{reg: reg, c: first, choice: approval.Choice{Dev: true, Tools: []string{"*"}}}
	d.install(t)
	plan, choice := d.proposeUpgrade(t, shown, nil)
	other, otherChoice := d.proposeUpgrade(t, between, nil)
	if _, err := approval.Upgrade(t.Context(), reg, local, between, "files", otherChoice, other.Digest); err != nil {
		t.Fatal(err)
	}
	if _, err := approval.Upgrade(t.Context(), reg, local, shown, "files", choice, plan.Digest); !errors.Is(err, approval.ErrPlanChanged) {
		t.Errorf("got %v", err)
	}
	again, choice := d.proposeUpgrade(t, shown, nil)
	if again.Text != plan.Text {
		t.Fatal("the two plans read differently, so this proves nothing")
	}
	if _, err := approval.Upgrade(t.Context(), reg, local, shown, "files", choice, again.Digest); err != nil {
		t.Error(err)
	}
}

// What is built into Writ is upgraded to what this binary has: also to another build of the same version,
// and never to an older one.
func TestUpgradeOfABuiltIn(t *testing.T) {
	d, _ := builtInDesk(t)
	in := d.install(t)
	offer := func(seq uint64) (*approval.Candidate, error) {
		t.Helper()
		m := release("files", seq)
		m.Description = fmt.Sprint("build ", seq)
		ship(t, builtin.Packed{Name: "files", Version: "1.0.0", File: sealBuiltIn(t, m)})
		c, err := approval.ReadBuiltIn(t.Context(), "files")
		if err != nil {
			t.Fatal(err)
		}
		return c, approval.Upgradable(t.Context(), d.reg, local, c, in)
	}
	for _, seq := range []uint64{1, 3} {
		c, err := offer(seq)
		if err != nil {
			t.Fatalf("number %d: %v", seq, err)
		}
		plan, choice := d.proposeUpgrade(t, c, nil)
		if in, err = approval.Upgrade(t.Context(), d.reg, local, c, "files", choice, plan.Digest); err != nil || in.Source != builtin.Source {
			t.Fatalf("number %d: %+v, %v", seq, in, err)
		}
	}
	if _, err := offer(2); !errors.Is(err, registry.ErrRollback) {
		t.Errorf("an older one: %v", err)
	}
}
