package host_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

func TestCallReadsTheGrantedFolderAndNothingElse(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	if err := os.WriteFile(filepath.Join(h.docs, "a.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("docs_read", args{"path": "/docs/a.txt"}), host.StatusOK, "hello")
	for _, path := range []string{"/docs/../a.txt", "/etc/passwd", filepath.Join(h.docs, "a.txt")} {
		if got := text(t, h.call("docs_read", args{"path": path})); strings.Contains(got, "hello") || strings.Contains(got, "root:") {
			t.Errorf("%s was read: %s", path, got)
		}
	}
}

func TestRightsAreThoseOfTheTool(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	want(t, h.call("docs_write", args{"path": "/docs/a.txt", "text": "new"}), host.StatusOK, "written")
	if got, err := os.ReadFile(filepath.Join(h.docs, "a.txt")); err != nil || string(got) != "new" {
		t.Errorf("file is %q, %v", got, err)
	}
	// The same servlet, but a tool whose uses name no folder.
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
	h.regrant("docs", false, func(g *capabilities.Grant) {
		right := g.Rights.FS["docs"]
		right.Mode = capabilities.ModeRead
		g.Rights.FS["docs"] = right
	})
	want(t, h.call("docs_write", args{"path": "/docs/a.txt", "text": "x"}), host.StatusTool, "")
	if got, _ := os.ReadFile(filepath.Join(h.docs, "a.txt")); string(got) != "new" {
		t.Errorf("a narrowed grant wrote: %q", got)
	}
}

func TestConfigurationOfTheOperatorWins(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	if err := h.reg.SetConfig(t.Context(), me, "docs", "UNITS", "imperial"); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("docs_units", nil), host.StatusOK, "imperial")
}

func TestUnknownToolsAreErrorsOfTheProtocol(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	for _, name := range []string{"", "docs", "docs_", "docs_nothing", "other_read", "_read", "DOCS_read", "docs_read\x1b[2J", strings.Repeat("a", 1000) + "_b"} {
		_, err := h.host.CallTool(t.Context(), me, host.Request{Tool: name})
		if !errors.Is(err, host.ErrUnknownTool) {
			t.Errorf("%q: got %v", name, err)
		} else if strings.ContainsAny(err.Error(), "\x1b\n") || len(err.Error()) > 150 {
			t.Errorf("%q is quoted whole", name)
		}
	}
	// Another space has its own servlets.
	if _, err := h.host.CallTool(t.Context(), capabilities.Local("other"), host.Request{Tool: "docs_read"}); !errors.Is(err, host.ErrUnknownTool) {
		t.Errorf("another space: %v", err)
	}
}

func TestArgumentsThatBreakTheSchemaAreToolErrors(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	for _, row := range []struct{ name, arguments, text string }{
		{"a wrong type", `{"path":5}`, "Invalid arguments: path: must be a string, but is a number"},
		{"an unknown name", `{"pth":"a"}`, `Invalid arguments: unknown name "pth"`},
		{"not JSON", `{"path":`, "Invalid arguments: JSON"},
		{"a name twice", `{"path":"a","path":"b"}`, "duplicate name"},
		{"hidden direction", `{"path":"a` + "\u202e" + `b"}`, "U+202E"},
		{"no object", `[]`, "Invalid arguments: must be an object, but is an array"},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "docs_read", Arguments: json.RawMessage(row.arguments)})
			if err != nil {
				t.Fatal(err)
			}
			want(t, a, host.StatusTool, row.text)
			if got := h.events(a.Call); !slices.Equal(got, []string{"call", "answer tool error"}) {
				t.Errorf("audit: %q", got)
			}
		})
	}
}

func TestFaultsBecomeFixedSentences(t *testing.T) {
	h := newFixture(t, guard.Network{})
	m := manifest()
	m.Limits.WallMS = 1000
	m.Limits.ResultKB = 64
	h.install("t", m)
	for _, row := range []struct {
		do, text string
		refers   bool // to the audit
	}{
		{"panic", "The tool crashed. See `writ audit --call ", true},
		{"exit", "The tool crashed. See `writ audit --call ", true},
		{"strange", "The tool crashed. See `writ audit --call ", true},
		{"spin", "The tool did not answer within 1s and was ended.", true},
		{"sleep", "The tool did not answer within 1s and was ended.", true},
		{"flood", "The tool was ended at a limit: the result is larger than", true},
		{"fail", "SECRET", false}, // its own words
	} {
		t.Run(row.do, func(t *testing.T) {
			a := h.call("t_act", args{"do": row.do, "text": "SECRET\x1b[31m\u200b"})
			want(t, a, host.StatusTool, row.text)
			got := text(t, a)
			if row.refers && !strings.Contains(got, a.Call) {
				t.Errorf("no reference to %s: %s", a.Call, got)
			}
			if row.refers && strings.Contains(got, "SECRET") || strings.ContainsAny(got, "\x1b\u200b") {
				t.Errorf("guest text in the answer: %q", got)
			}
			if got := h.events(a.Call); len(got) < 2 || got[len(got)-1] != "answer tool error" {
				t.Errorf("audit: %q", got)
			}
		})
	}
}

func TestEffectsAreRecordedUnderTheCall(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	a := h.call("docs_write", args{"path": "/docs/a.txt", "text": "new"})
	got := h.events(a.Call)
	if len(got) < 3 || got[0] != "call" || got[len(got)-1] != "answer ok" || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "effect create allow") }) {
		t.Errorf("audit: %q", got)
	}
	if a.Allowed == 0 {
		t.Error("no effect was counted")
	}
	a = h.call("docs_read", args{"path": "/docs/../etc/passwd"})
	entries, err := h.reg.Audit(t.Context(), me, registry.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(string(e.Detail), h.docs) && e.Event != "install" {
			t.Errorf("a path of the host is in the record of a call: %s", e.Detail)
		}
	}
}

func TestNotReadyServletsSayHowToMendThem(t *testing.T) {
	for _, row := range []struct {
		name   string
		break_ func(*fixture)
		text   string
	}{
		{"the folder is gone", func(h *fixture) { os.RemoveAll(h.docs) },
			`docs_read is not ready: the folder granted as "docs" is gone. Mend it with: writ grant docs --dir docs=PATH`},
		{"the folder is a file now", func(h *fixture) {
			os.RemoveAll(h.docs)
			os.WriteFile(h.docs, nil, 0o600)
		}, "is not ready"},
		{"the folder became a link", func(h *fixture) {
			os.RemoveAll(h.docs)
			os.Symlink("/etc", h.docs)
		}, "docs_read is not ready: the folder granted as \"docs\" was moved, replaced by a link"},
		{"the grant was revoked", func(h *fixture) { h.regrant("docs", true, nil) },
			"docs_read is not ready: its grant was revoked. Mend it with: writ grant docs"},
		{"the tool was not granted", func(h *fixture) {
			h.regrant("docs", false, func(g *capabilities.Grant) { g.Rights.Tools = []string{"write"} })
		}, "docs_read is not ready: it is not granted. Mend it with: writ grant docs"},
		{"the grant is for another manifest", func(h *fixture) {
			h.regrant("docs", false, func(g *capabilities.Grant) { g.Manifest = strings.Repeat("0", 64) })
		}, "docs_read is not ready: it is not the version that was approved."},
		{"the file is damaged", func(h *fixture) { damageBlobs(h) },
			"docs_read is not ready: its file is damaged or missing. Mend it with: writ remove docs, then install it again"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			h.install("docs", manifest())
			docs := h.docs
			row.break_(h)
			a := h.call("docs_read", args{"path": "/docs/a.txt"})
			want(t, a, host.StatusDenied, row.text)
			if got := text(t, a); strings.Contains(got, docs) || strings.Contains(got, h.reg.Home()) || strings.Contains(got, "\n") {
				t.Errorf("not one sentence without host paths: %s", got)
			}
		})
	}
}

// A grant of a home that was written by hand, or whose folders were moved into one another since.
func TestFoldersThatOverlapSayHowToMendThem(t *testing.T) {
	h := newFixture(t, guard.Network{})
	m := manifest()
	m.Capabilities.FS = append(m.Capabilities.FS, capabilities.FS{ID: "more", Guest: "/more", Mode: capabilities.ModeRead})
	m.Uses["read"] = []string{"fs:docs", "fs:more"}
	h.install("docs", m) // both are the same folder
	want(t, h.call("docs_read", args{"path": "/docs/a.txt"}), host.StatusDenied,
		"overlaps what Writ keeps for itself or a folder that is granted with another mode. Mend it with: writ grant docs --dir more=PATH")
}

func damageBlobs(h *fixture) {
	err := filepath.WalkDir(filepath.Join(h.reg.Home(), "blobs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		data[len(data)/2] ^= 1
		return os.WriteFile(path, data, 0o600)
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestOneCompilationForConcurrentFirstCalls(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	var compiled atomic.Int32
	h.host.Compiles(func() { compiled.Add(1) })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if a := h.call("docs_units", nil); a.Status != host.StatusOK {
				t.Errorf("got %s", text(t, a))
			}
		})
	}
	all.Wait()
	if n := compiled.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
}

func TestIdleServletsAreUnloaded(t *testing.T) {
	h := &fixture{t: t, docs: realDir(t)}
	base := newFixture(t, guard.Network{})
	h.reg = base.reg
	h.adopt(host.NewOver(host.Config{Engine: engine, Loaded: 2}, base.reg))
	for _, alias := range []string{"a", "b", "c"} {
		m := manifest()
		m.Name = "acme/" + alias
		h.install(alias, m)
		want(t, h.call(alias+"_units", nil), host.StatusOK, "metric")
	}
	if n := h.host.Loaded(); n != 2 {
		t.Errorf("%d are loaded", n)
	}
	want(t, h.call("a_units", nil), host.StatusOK, "metric")
}

func TestFailedLoadsAreTriedAgain(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	hidden := filepath.Join(t.TempDir(), "blobs")
	blobs := filepath.Join(h.reg.Home(), "blobs")
	if err := os.Rename(blobs, hidden); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("docs_units", nil), host.StatusDenied, "its file is damaged or missing")
	if err := os.Rename(hidden, blobs); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
}

func TestRevocationEndsRunningCalls(t *testing.T) {
	for _, row := range []struct {
		name string
		take func(*fixture)
		ends bool
	}{
		{"revoke", func(h *fixture) { h.regrant("t", true, nil) }, true},
		{"remove", func(h *fixture) { h.reg.Remove(context.Background(), me, "t", false) }, true},
		{"narrow below what the call has", func(h *fixture) {
			h.regrant("t", false, func(g *capabilities.Grant) { g.Rights.Tools = []string{"read"} })
		}, true},
		{"another change leaves it alone", func(h *fixture) { h.reg.SetConfig(context.Background(), me, "t", "UNITS", "x") }, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			m := manifest()
			if !row.ends {
				m.Limits.WallMS = 2000
			}
			h.install("t", m)
			started := make(chan struct{}, 1)
			answer := make(chan host.Answer, 1)
			go func() {
				a, err := h.host.CallTool(t.Context(), me, host.Request{
					Tool: "t_act", Arguments: json.RawMessage(`{"do":"sleep","text":"on\u001b[31m it"}`),
					Progress: func(done, total float64, text string) {
						if text != "on it" {
							t.Errorf("progress text %q", text)
						}
						started <- struct{}{}
					},
				})
				if err != nil {
					t.Error(err)
				}
				answer <- a
			}()
			<-started
			row.take(h)
			a := <-answer // without the revocation it would sleep until its deadline, a minute
			if row.ends {
				want(t, a, host.StatusDenied, "its grant was taken back while it ran")
			} else {
				want(t, a, host.StatusTool, "did not answer within 2s")
			}
		})
	}
}

// A grant that is taken back between the lookup and the registration of a call is seen by no one but
// the call itself.
func TestRevocationJustBeforeTheCallIsRegistered(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.adopt(host.NewOver(host.Config{Engine: engine}, &meanwhile{Registry: h.reg, do: func() { h.regrant("docs", true, nil) }}))
	want(t, h.call("docs_units", nil), host.StatusOK, "metric")
	want(t, h.call("docs_units", nil), host.StatusDenied, "its grant was taken back")
}

// meanwhile does something after the lookup of every call but the first.
type meanwhile struct {
	*registry.Registry
	calls atomic.Int32
	do    func()
}

func (m *meanwhile) Record(ctx context.Context, e registry.Entry, durable bool) error {
	if e.Event == "call" && m.calls.Add(1) > 1 {
		m.do()
	}
	return m.Registry.Record(ctx, e, durable)
}

func TestCancelledCallsEndAtOnce(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	ctx, cancel := context.WithCancel(t.Context())
	_, err := h.host.CallTool(ctx, me, host.Request{
		Tool: "t_act", Arguments: json.RawMessage(`{"do":"sleep"}`),
		Progress: func(float64, float64, string) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := h.host.Running(); n != 0 {
		t.Errorf("%d calls are still registered", n)
	}
}

func TestCallsWaitForTheirTurn(t *testing.T) {
	for _, row := range []struct {
		name    string
		aliases []string
		most    int32
	}{
		{"of one servlet", []string{"t"}, 2},
		{"of all", []string{"t", "u"}, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newFixture(t, guard.Network{})
			h.adopt(host.NewOver(host.Config{Engine: engine, Running: 2, MaxRunning: 3}, h.reg))
			for _, alias := range row.aliases {
				m := manifest()
				m.Name = "acme/" + alias
				h.install(alias, m)
			}
			full := make(chan struct{}) // closed when as many run as may
			var once sync.Once
			var now, most atomic.Int32
			h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
				n := now.Add(1)
				defer now.Add(-1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if n == row.most {
					once.Do(func() { close(full) })
				}
				<-full
				return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
			})
			var all sync.WaitGroup
			for _, alias := range row.aliases {
				for range 10 {
					all.Go(func() { want(t, h.call(alias+"_act", args{}), host.StatusOK, "") })
				}
			}
			all.Wait()
			if n := most.Load(); n != row.most {
				t.Errorf("%d calls ran at a time, want %d", n, row.most)
			}
		})
	}
}

func TestCallsThatGetNoTurnSaySo(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.adopt(host.NewOver(host.Config{Engine: engine, Running: 1}, h.reg))
	m := manifest()
	m.Limits.WallMS = 1000
	h.install("t", m)
	inside, leave := make(chan struct{}), make(chan struct{})
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		inside <- struct{}{}
		<-leave
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	done := make(chan struct{})
	go func() { h.call("t_act", args{}); close(done) }()
	<-inside
	want(t, h.call("t_act", args{}), host.StatusHost, "t is busy")
	close(leave)
	<-done
}

func TestCloseWaitsForCallsAndRefusesNewOnes(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("t", manifest())
	started := make(chan struct{})
	answer := make(chan host.Answer, 1)
	go func() {
		a, _ := h.host.CallTool(t.Context(), me, host.Request{
			Tool: "t_act", Arguments: json.RawMessage(`{"do":"sleep"}`),
			Progress: func(float64, float64, string) { close(started) },
		})
		answer <- a
	}()
	<-started
	now, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.host.Close(now); err != nil {
		t.Fatal(err)
	}
	want(t, <-answer, host.StatusHost, "Writ is shutting down")
	want(t, h.call("t_act", args{}), host.StatusHost, "Writ is shutting down")
}
