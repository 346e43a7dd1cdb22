package approval_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host/approval"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

func TestNothingIsGivenThatIsNotNamed(t *testing.T) {
	d := newDesk(t)
	d.choice = approval.Choice{}
	plan := d.propose(t)
	if r := plan.Rights; len(r.Tools)+len(r.FS)+len(r.HTTP)+len(r.Secret) > 0 || r.Web != nil || r.KV != nil {
		t.Errorf("an empty choice gives %+v", r)
	}
	want := "tools: --tools '*', or --tools A,B\nfs docs: --dir docs=PATH\nhttp api: --allow api"
	if got := strings.Join(plan.Missing, "\n"); got != want {
		t.Errorf("missing:\n%s\nwant:\n%s", got, want)
	}
}

func TestEverythingLeavesOnlyWhatAPersonMustName(t *testing.T) {
	d := newDesk(t)
	d.choice = approval.Everything(d.c.Servlet.Manifest())
	plan := d.propose(t)
	if len(plan.Rights.Tools) != 2 || len(plan.Rights.HTTP) != 1 {
		t.Errorf("gives %+v", plan.Rights)
	}
	if got := strings.Join(plan.Missing, "\n"); got != "fs docs: --dir docs=PATH" {
		t.Errorf("missing:\n%s", got)
	}
	for _, id := range approval.Everything(kitchenSink(t).Manifest).Danger {
		t.Errorf("it gives %s, which needs the word", id)
	}
}

func TestReadOnlyNarrowsADirectory(t *testing.T) {
	d := newDesk(t)
	d.choice.Dirs["docs"] = approval.Directory{Path: d.dir, ReadOnly: true}
	plan := d.propose(t)
	if mode := plan.Rights.FS["docs"].Mode; mode != capabilities.ModeRead {
		t.Errorf("mode is %q", mode)
	}
	if !strings.Contains(plan.Text, "none can change files") || !strings.Contains(plan.Text, "(read only)") || !strings.Contains(plan.Text, "same; 1 cannot change files") {
		t.Errorf("the screen says\n%s", plan.Text)
	}
	if strings.Contains(plan.Text, "kept data") && strings.Contains(plan.Text, "keep data between calls") {
		t.Errorf("one thing is said twice:\n%s", plan.Text)
	}
}

// What the guard would refuse at every call is refused here, and nothing else.
func TestOneDirectoryUnderTwoModesIsRefused(t *testing.T) {
	m := manifest("acme/two", "1.0.0", []json.RawMessage{tool("both", "Both.", "")},
		capabilities.Capabilities{FS: []capabilities.FS{
			{ID: "a", Guest: "/a", Mode: capabilities.ModeFull}, {ID: "b", Guest: "/b", Mode: capabilities.ModeRead},
		}}, map[string][]string{"both": {"fs:a", "fs:b"}})
	m.Seq, m.Expires = 1, "2999-01-01T00:00:00Z"
	d := desk{reg: registrytest.Open(t), c: read(t, seal(t, m, key("acme")))}
	dir := t.TempDir()
	for _, sub := range []string{"in", "out"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		name, a, b string
		readOnly   bool // a too
		refused    bool
	}{
		{"the same", "", "", false, true},
		{"the read only one inside", "", "in", false, true},
		{"the read only one around", "in", "", false, true},
		{"one inside, both read only", "", "in", true, false},
		{"apart", "in", "out", false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d.choice = approval.Choice{Tools: []string{"*"}, Dirs: map[string]approval.Directory{
				"a": {Path: filepath.Join(dir, row.a), ReadOnly: row.readOnly}, "b": {Path: filepath.Join(dir, row.b)},
			}}
			plan, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
			if refused := err != nil && strings.Contains(err.Error(), "for b overlaps ") && strings.Contains(err.Error(), " for a, which has another mode: ") &&
				!strings.Contains(err.Error(), "\n"); refused != row.refused {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			policy, err := capabilities.Effective(d.c.Servlet.Manifest(), d.c.Servlet.ManifestDigest(),
				capabilities.Grant{Servlet: "acme/two", Publisher: d.c.Servlet.KeyID(), Manifest: d.c.Servlet.ManifestDigest(), Rights: plan.Rights},
				local, "two", "both", nil)
			if err != nil {
				t.Fatal(err)
			}
			g, err := guard.New(guard.Config{Policy: policy, Recorder: silent{}})
			if err != nil {
				t.Fatalf("what was approved cannot be used: %v", err)
			}
			if err := g.End(); err != nil {
				t.Error(err)
			}
		})
	}
}

type silent struct{}

func (silent) Record(context.Context, guard.Event) error { return nil }

func TestChoiceIsRefusedByName(t *testing.T) {
	sink := kitchenSink(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dirs := func(id, path string) map[string]approval.Directory {
		return map[string]approval.Directory{id: {Path: path}}
	}
	odd := filepath.Join(t.TempDir(), "a\nb")
	if err := os.Mkdir(odd, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		choice approval.Choice
		want   string
	}{
		{"unknown id", approval.Choice{Allow: []string{"apo"}}, "it asks for: api, kv"},
		{"hostile id", approval.Choice{Allow: []string{"\x1b[2J\n"}}, `\u001b[2J\u000a`},
		{"directory as id", approval.Choice{Allow: []string{"in"}}, "--dir in=PATH"},
		{"open site as id", approval.Choice{Allow: []string{"mine"}}, "--host mine=https://HOST"},
		{"setting as id", approval.Choice{Allow: []string{"LANG"}}, `a setting needs no allowing: leave the flag out, and set it after installing with "writ config set ALIAS LANG VALUE"`},
		{"web without the word", approval.Choice{Allow: []string{"web"}}, "--danger web"},
		{"secret without the word", approval.Choice{Allow: []string{"secret:LICENCE"}}, "--danger secret:LICENCE"},
		{"unknown directory", approval.Choice{Dirs: dirs("inn", "/")}, "it asks for: in, out"},
		{"fixed site named", approval.Choice{Hosts: map[string]string{"api": "https://evil.example.com"}}, "--allow api"},
		{"unknown site", approval.Choice{Hosts: map[string]string{"x": "https://a.example.com"}}, "it asks for: mine"},
		{"unknown danger", approval.Choice{Danger: []string{"all"}}, "it asks for: in, out, web, secret:LICENCE"},
		{"egress secret as danger", approval.Choice{Danger: []string{"secret:SIGNING"}}, "no such thing"},
		{"unknown tool", approval.Choice{Tools: []string{"delete_all"}}, "it has: import_file, remember"},
		{"no directory", approval.Choice{Dirs: dirs("in", filepath.Join(t.TempDir(), "none"))}, "no such directory"},
		{"empty path", approval.Choice{Dirs: dirs("in", "")}, "no path given"},
		{"file as directory", approval.Choice{Dirs: dirs("in", file)}, "not a directory"},
		{"path that cannot be shown", approval.Choice{Dirs: dirs("in", odd)}, "cannot be shown"},
		{"http site", approval.Choice{Hosts: map[string]string{"mine": "http://a.example.com"}}, "https://"},
		{"address as site", approval.Choice{Hosts: map[string]string{"mine": "https://127.0.0.1"}}, "IP address"},
		{"this machine as site", approval.Choice{Hosts: map[string]string{"mine": "https://x.localhost"}}, "this machine"},
		{"site with a path", approval.Choice{Hosts: map[string]string{"mine": "https://a.example.com/x"}}, "host"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := sink.Propose(row.choice)
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("got %v, want one line with %q", err, row.want)
			}
		})
	}
}

func TestDangerIsGivenOnlyByName(t *testing.T) {
	sink := kitchenSink(t)
	plan, err := sink.Propose(approval.Everything(sink.Manifest))
	if err != nil {
		t.Fatal(err)
	}
	if plan.Rights.Web != nil || plan.Rights.Secret["LICENCE"] != "" {
		t.Errorf("Everything gives %+v", plan.Rights)
	}
	plan, err = sink.Propose(approval.Choice{Danger: []string{"web", "secret:LICENCE"}})
	if err != nil {
		t.Fatal(err)
	}
	if plan.Rights.Web == nil || plan.Rights.Secret["LICENCE"] != "guest" || plan.Rights.Secret["SIGNING"] != "" {
		t.Errorf("naming them gives %+v", plan.Rights)
	}
}

func TestDirectoryIsTheRealOne(t *testing.T) {
	d := newDesk(t)
	real, err := filepath.EvalSymlinks(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(d.dir, link); err != nil {
		t.Fatal(err)
	}
	d.choice.Dirs["docs"] = approval.Directory{Path: link + "/../" + filepath.Base(link) + "/."}
	if got := d.propose(t).Rights.FS["docs"].Path; got != real {
		t.Errorf("path is %s, want %s", got, real)
	}
}

func TestWritsOwnStateIsNeverGiven(t *testing.T) {
	d := newDesk(t)
	inside := filepath.Join(d.reg.Home(), "blobs")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(d.reg.Home(), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{d.reg.Home(), inside, filepath.Dir(d.reg.Home()), "/", link} {
		d.choice.Dirs["docs"] = approval.Directory{Path: path}
		d.choice.Danger = []string{"docs"}
		_, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
		if err == nil || !strings.Contains(err.Error(), "Writ's own state") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestSensitiveDirectoryNeedsTheWord(t *testing.T) {
	d := newDesk(t)
	user := t.TempDir()
	t.Setenv("HOME", user)
	ssh := filepath.Join(user, ".ssh")
	if err := os.Mkdir(ssh, 0o700); err != nil {
		t.Fatal(err)
	}
	d.choice.Dirs["docs"] = approval.Directory{Path: "~/.ssh"}
	_, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
	if !errors.Is(err, approval.ErrDanger) || !strings.Contains(err.Error(), "--danger docs") {
		t.Fatalf("got %v", err)
	}
	d.choice.Danger = []string{"docs"}
	plan := d.propose(t)
	if len(plan.Warnings) == 0 || !strings.Contains(plan.Warnings[0], "SSH keys") || !strings.Contains(plan.Text, "\nDANGER: ") {
		t.Errorf("warnings %q in\n%s", plan.Warnings, plan.Text)
	}
}

func TestSensitiveDirectories(t *testing.T) {
	user := t.TempDir()
	for _, dir := range []string{".ssh/keys", ".config/gh", "work/project", ".var/app", "dotfiles/aws"} {
		if err := os.MkdirAll(filepath.Join(user, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(user, "dotfiles/aws"), filepath.Join(user, ".aws")); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		path string
		want bool
	}{
		{user, true}, {filepath.Dir(user), true}, {"/", true}, {"/etc", true}, {"/proc", true}, {"/dev", true},
		{filepath.Join(user, ".ssh"), true}, {filepath.Join(user, ".ssh/keys"), true},
		{filepath.Join(user, ".config/gh"), true}, {filepath.Join(user, ".var"), true},
		{filepath.Join(user, "dotfiles/aws"), true}, {filepath.Join(user, "dotfiles"), true},
		{filepath.Join(user, "work"), false}, {filepath.Join(user, "work/project"), false},
	} {
		if why := approval.Sensitive(user, row.path); (why != "") != row.want {
			t.Errorf("%s: %q, want sensitive %v", row.path, why, row.want)
		}
	}
}

func TestPublisherIsPinnedToItsName(t *testing.T) {
	d := newDesk(t)
	d.install(t)
	other := read(t, seal(t, release("acme/files", 2), key("mallory")))
	check := unchanged(t, d.reg)
	_, err := approval.Propose(t.Context(), d.reg, local, other, approval.Choice{As: "other"})
	if !errors.Is(err, registry.ErrPublisher) {
		t.Fatalf("got %v", err)
	}
	for _, name := range []string{"acme", "mallory"} {
		print := capabilities.Fingerprint(capabilities.KeyID(key(name).Public().(ed25519.PublicKey)))
		if !strings.Contains(err.Error(), print) {
			t.Errorf("%q does not name %s's key %s", err, name, print)
		}
	}
	check()
}

func TestNewInstallIsRefused(t *testing.T) {
	d := newDesk(t)
	d.c = read(t, seal(t, release("acme/files", 5), key("acme")))
	d.install(t)
	expired := release("acme/late", 1)
	expired.Expires = "2026-01-02T00:00:00Z"
	for _, row := range []struct {
		name   string
		m      capabilities.Manifest
		choice approval.Choice
		want   string
	}{
		{"expired", expired, approval.Choice{}, "expired on 2026-01-02"},
		{"older", release("acme/files", 4), approval.Choice{As: "older"}, "older than one seen before"},
		{"alias taken", release("other/files", 1), approval.Choice{}, "--as"},
		{"bad alias", release("acme/more", 1), approval.Choice{As: "My_Files"}, "alias"},
		{"other space", release("acme/more", 1), approval.Choice{Space: "team"}, "space team"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := read(t, seal(t, row.m, key("acme")))
			check := unchanged(t, d.reg)
			_, err := approval.Propose(t.Context(), d.reg, local, c, row.choice)
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, row.want)
			}
			check()
		})
	}
}

func TestKnownPublisherIsSaid(t *testing.T) {
	d := newDesk(t)
	if plan := d.propose(t); plan.Known || !strings.Contains(plan.Text, "UNKNOWN KEY") {
		t.Errorf("at first:\n%s", plan.Text)
	}
	d.install(t)
	d.c = read(t, seal(t, release("acme/more", 1), key("acme")))
	if plan := d.propose(t); !plan.Known || strings.Contains(plan.Text, "UNKNOWN") {
		t.Errorf("afterwards:\n%s", plan.Text)
	}
}

func TestDevelopmentBuild(t *testing.T) {
	d := newDesk(t)
	text, err := d.reg.DevelopmentKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, err := capabilities.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	m := release("files", 0)
	m.Issued, m.Expires = "", ""
	for _, row := range []struct {
		name string
		by   ed25519.PrivateKey
		dev  bool
		want string
	}{
		{"not said", own, false, "add --dev"},
		{"of another home", key("mallory"), true, "of another home"},
		{"own", own, true, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			d.c, d.choice.Dev = read(t, seal(t, m, row.by)), row.dev
			plan, err := approval.Propose(t.Context(), d.reg, local, d.c, d.choice)
			switch {
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want %q", err, row.want)
			case row.want == "" && err != nil:
				t.Error(err)
			case row.want == "" && (!plan.Development || !strings.Contains(plan.Text, "DEVELOPMENT KEY")):
				t.Errorf("the screen does not say so:\n%s", plan.Text)
			}
		})
	}
}

func TestNearNameIsSaid(t *testing.T) {
	d := newDesk(t)
	d.install(t)
	d.c = read(t, seal(t, release("acme/file", 1), key("acme")))
	if plan := d.propose(t); !strings.Contains(plan.Text, "nearly that of acme/files") {
		t.Errorf("no warning in\n%s", plan.Text)
	}
}

func TestNearly(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"mcp-toolbox", "mcp-toolbx", true}, {"mcp-toolbx", "mcp-toolbox", true}, {"weather", "waether", true},
		{"github", "g1thub", true}, {"my-tool", "mytool", true}, {"a-b-c", "abc", true}, {"files", "xfiles", true},
		{"weather", "weather", false}, {"weather", "whether", false}, {"time", "notes", false}, {"", "ab", false},
	} {
		if got := approval.Nearly(row.a, row.b); got != row.want {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
}

func TestReadAndSendIsSaid(t *testing.T) {
	d := newDesk(t)
	d.choice.Allow = []string{"api"}
	for _, row := range []struct {
		tools []string
		want  string
	}{
		{[]string{"*"}, "what it reads can leave this machine"},
		{[]string{"write_file"}, "what it reads can leave this machine"},
		{[]string{"read_file"}, ""},
	} {
		d.choice.Tools = row.tools
		got := strings.Join(d.propose(t).Warnings, "\n")
		if row.want == "" && got != "" || !strings.Contains(got, row.want) {
			t.Errorf("%v: %q, want %q", row.tools, got, row.want)
		}
	}
}
