package host_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry/registrytest"
)

// reporting is a fixture whose Host hands a Report of each call to the channel.
func reporting(t *testing.T, configure func(*host.Config)) (*fixture, <-chan host.Report) {
	t.Helper()
	reports := make(chan host.Report, 16)
	h := &fixture{t: t, reg: registrytest.Open(t), docs: realDir(t)}
	cfg := host.Config{Registry: h.reg, Engine: engine, Rate: host.Rate{Off: true}, Reports: func(r host.Report) { reports <- r }}
	configure(&cfg)
	made, err := host.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.adopt(made)
	return h, reports
}

func effects(events []guard.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, strings.Join([]string{e.Kind, e.Action, e.Target, e.Decision}, " "))
	}
	return strings.Join(all, "; ")
}

// Whoever writes a servlet is told of each call what it came to, once, whether it was answered or not.
func TestEveryCallIsReported(t *testing.T) {
	h, reports := reporting(t, func(*host.Config) {})
	h.install("acme", manifest())
	if err := os.WriteFile(filepath.Join(h.docs, "a.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := h.call("acme_read", args{"path": "/docs/a.txt"})
	r := <-reports
	if r.Tool != "acme_read" || r.Answer.Call != answer.Call || r.Memory == 0 || r.Rung == "" || r.Fault != nil {
		t.Errorf("got %+v", r)
	}
	if got := effects(r.Effects); got != "fs open docs:/docs/a.txt allow" {
		t.Errorf("effects: %s", got)
	}
	want(t, h.call("acme_act", args{"do": "panic"}), host.StatusTool, "crashed")
	if r := <-reports; r.Fault == nil || r.Fault.Kind != sandbox.FaultExit && r.Fault.Kind != sandbox.FaultTrap || len(r.Answer.Logs) == 0 {
		t.Errorf("a crash: %+v, %v", r, r.Fault)
	}
	if _, err := h.host.CallTool(t.Context(), me, host.Request{Tool: "acme_nosuch"}); err == nil {
		t.Error("an unknown tool was called")
	}
	if r := <-reports; r.Tool != "acme_nosuch" || r.Reason != "unknown tool" {
		t.Errorf("an unknown tool: %+v", r)
	}
	if len(reports) > 0 {
		t.Errorf("%d reports too many", len(reports))
	}
}

// What a guest looks for outside of its directories is refused and told by a learning Host, and by no other;
// neither gives anything.
func TestLearningShowsTheRootAndGivesNothing(t *testing.T) {
	secret := filepath.Join(realDir(t), "secret.txt")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, learns := range []bool{false, true} {
		h, reports := reporting(t, func(cfg *host.Config) { cfg.Learns = learns })
		h.install("acme", manifest())
		answer := h.call("acme_read", args{"path": secret})
		if answer.Status == host.StatusOK || strings.Contains(string(answer.Result), `"text":"secret"`) {
			t.Fatalf("a file that was not granted: %s", answer.Result)
		}
		told := ""
		if learns {
			told = "fs open " + secret + " deny"
		}
		if got := effects((<-reports).Effects); got != told {
			t.Errorf("learns: %v: effects %q, want %q", learns, got, told)
		}
		// What was granted is as it was.
		if err := os.WriteFile(filepath.Join(h.docs, "a.txt"), []byte("hello"), 0o600); err != nil {
			t.Fatal(err)
		}
		want(t, h.call("acme_read", args{"path": "/docs/a.txt"}), host.StatusOK, "hello")
		<-reports
	}
}

// A Host whose caller has another home keeps that one closed too.
func TestNoGrantOverlapsAnotherHome(t *testing.T) {
	home := realDir(t)
	h, _ := reporting(t, func(cfg *host.Config) { cfg.State = []string{home} })
	h.docs = filepath.Join(home, "blobs")
	if err := os.Mkdir(h.docs, 0o700); err != nil {
		t.Fatal(err)
	}
	h.install("acme", manifest())
	want(t, h.call("acme_read", args{"path": "/docs/a.txt"}), host.StatusDenied, "overlaps what Writ keeps for itself")
	_, err := h.host.Tools(context.Background(), capabilities.Local(capabilities.DefaultSpace))
	if err != nil {
		t.Error(err)
	}
}
