package host_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/host/sandbox"
	"github.com/writ-run/writ/registry"
)

// elsewhere are rows that another test shows: its file, and its name.
var elsewhere = map[string][2]string{
	"A client's key cannot be checked, or not in time (10 s)":         {"mcpserver/timedkeys_test.go", "TestKeysThatCannotBeCheckedLetNobodyIn"},
	"An effect cannot be recorded":                                    {"panic_test.go", "TestWithoutARecordNothingHappens"},
	"A tool's definition cannot be shown to clients as it was signed": {"mcpserver/observed_test.go", "TestWhatCannotBeShownIsBlockedAndCounted"},
	"More callers than are remembered":                                {"rate/rate_test.go", "TestInventedCallersResetNobody"},
	"What a call waits for does not answer and cannot be interrupted": {"watched_linux_test.go", "TestAnswerDoesNotWaitForAnOpenThatHangs"},
	"A list of tools cannot be made, or not in time (20 s)":           {"mcpserver/observed_test.go", "TestListStaysWhenNoneCanBeMade"},
	"The code cache cannot be used":                                   {"sandbox/cache_test.go", "TestCacheThatCannotBeWritten"},
	"The log cannot be written, or nobody reads standard error":       {"logging/logging_test.go", "TestAsyncNeverWaits"},
	"A grant was taken back, or cannot be read again after a change":  {"call_test.go", "TestRevocationEndsRunningCalls"},
	"What a tool wrote to keep cannot be kept":                        {"kv_test.go", "TestWhatCannotBeKeptFailsTheCall"},
	"A caller calls too often, or too many calls run":                 {"limits_test.go", "TestEveryLimitHasItsCodeAndItsText"},
}

var errDisk = errors.New("input/output error")

// TestFailModes holds the table of SECURITY.md to the code, row by row: what is closed does not run the
// guest, what is open answers.
func TestFailModes(t *testing.T) {
	rows := map[string]func(t *testing.T, h *fixture){
		"The store cannot be read, or not in time (5 s)": func(t *testing.T, h *fixture) {
			h.failing("Configured").notRun("docs_units", "")
		},
		"A call cannot be recorded": func(t *testing.T, h *fixture) {
			h.failing("Record call").notRun("docs_units", "could not record this call")
		},
		"A servlet's file or signature is not what was approved": func(t *testing.T, h *fixture) {
			spoil(t, h)
			h.failing("").notRun("docs_units", "")
		},
		"The guard cannot be made": func(t *testing.T, h *fixture) {
			f := h.failing("")
			f.host.NoGuard(errDisk)
			f.notRun("docs_units", "Writ failed")
		},
		"A secret cannot be opened": func(t *testing.T, h *fixture) {
			s := newSecretive(t, h)
			s.notRun("keyed_search", "secret")
		},
		"Arguments do not fit their schema": func(t *testing.T, h *fixture) {
			f := h.failing("")
			ran := f.watchGuest()
			a, err := f.host.CallTool(t.Context(), me, host.Request{Tool: "docs_read", Arguments: []byte(`{"path":7}`)})
			if err != nil || a.Status != host.StatusTool || *ran {
				t.Errorf("%+v, %v, ran %v", a, err, *ran)
			}
		},
		"A result cannot be checked": func(t *testing.T, h *fixture) {
			f := h.failing("")
			f.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
				return sandbox.Outcome{Output: []byte(`{"content":[{"type":"text","text":"canary"}],"inputRequests":{}}`)}
			})
			if a := f.call("docs_units", nil); a.Status != host.StatusTool || strings.Contains(text(t, a), "canary") {
				t.Errorf("%s", a.Result)
			}
		},
		"One servlet's file cannot be read while tools are listed": func(t *testing.T, h *fixture) {
			other := manifest()
			other.Name = "acme/other"
			in := h.install("other", other)
			f := h.failing("")
			if err := os.Remove(blobOf(t, h, in.Digest)); err != nil {
				t.Fatal(err)
			}
			tools, err := f.host.Tools(t.Context(), me)
			ready := map[string]bool{}
			for _, tool := range tools {
				ready[tool.Name] = tool.Ready
			}
			if err != nil || !ready["docs_units"] || ready["other_units"] || len(ready) != 14 {
				t.Errorf("%v, %v", ready, err)
			}
		},
		"How a call ended cannot be recorded": func(t *testing.T, h *fixture) {
			f := h.failing("Record answer")
			want(t, f.call("docs_units", nil), host.StatusOK, "metric")
		},
	}
	page, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## When something fails\n")
	section, _, _ = strings.Cut(section, "\n## ")
	table := regexp.MustCompile(`(?m)^\| (.*) \| .* \| (closed|open) \|$`).FindAllStringSubmatch(section, -1)
	if len(table) != len(rows)+len(elsewhere) {
		t.Errorf("the table has %d rows, and there are tests of %d", len(table), len(rows)+len(elsewhere))
	}
	for _, row := range table {
		t.Run(row[1], func(t *testing.T) {
			if place, ok := elsewhere[row[1]]; ok {
				source, err := os.ReadFile(place[0])
				if err != nil || !strings.Contains(string(source), "func "+place[1]+"(t *testing.T)") {
					t.Errorf("%s has no %s, %v", place[0], place[1], err)
				}
				return
			}
			show, ok := rows[row[1]]
			if !ok {
				t.Fatal("no test shows it")
			}
			h := newFixture(t, guard.Network{})
			h.install("docs", manifest())
			show(t, h)
		})
	}
}

// failing is another host over the fixture's home, in whose store one method fails.
func (h *fixture) failing(method string) *fixture {
	h.t.Helper()
	store := &faulty{Registry: h.reg, method: method, fail: func() error { return errDisk }}
	store.armed.Store(method != "")
	f := &fixture{t: h.t, reg: h.reg, docs: h.docs}
	f.adopt(host.NewOver(host.Config{Engine: engine}, store))
	return f
}

// watchGuest says whether a guest was run.
func (h *fixture) watchGuest() *bool {
	ran := new(bool)
	h.host.Runner(func(context.Context, sandbox.Call) sandbox.Outcome {
		*ran = true
		return sandbox.Outcome{Output: []byte(`{"content":[]}`)}
	})
	return ran
}

// notRun calls a tool, which must not run, and wants a part of the answer, or an error.
func (h *fixture) notRun(tool, part string) {
	h.t.Helper()
	ran := h.watchGuest()
	a, err := h.host.CallTool(h.t.Context(), me, host.Request{Tool: tool})
	if *ran {
		h.t.Error("the guest was run")
	}
	if err == nil && (a.Status == host.StatusOK || !strings.Contains(text(h.t, a), part)) {
		h.t.Errorf("%s: %s", a.Status, a.Result)
	}
}

func blobOf(t *testing.T, h *fixture, digest string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.reg.Home(), "blobs", "*"+digest[len(digest)-16:]+"*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	return files[0]
}

// spoil changes one byte of the servlet's code on disk.
func spoil(t *testing.T, h *fixture) {
	t.Helper()
	in, err := h.reg.Lookup(t.Context(), me, "docs")
	if err != nil {
		t.Fatal(err)
	}
	file := blobOf(t, h, in.Digest)
	data, err := os.ReadFile(file)
	if err == nil {
		data[len(data)/2] ^= 1
		err = os.Chmod(file, 0o600)
	}
	if err == nil {
		err = os.WriteFile(file, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// newSecretive is a host whose store opens no secret, with a servlet that needs one.
func newSecretive(t *testing.T, h *fixture) *fixture {
	t.Helper()
	m := signedIn()
	m.Name = "acme/keyed"
	h.install("keyed", m)
	h.regrant("keyed", false, func(g *capabilities.Grant) {
		api := g.Rights.HTTP["api"]
		api.Origin = "https://example.com"
		g.Rights.HTTP["api"] = api
	})
	f := &fixture{t: t, reg: h.reg, docs: h.docs}
	f.adopt(host.NewOver(host.Config{Engine: engine}, &closedVault{h.reg}))
	return f
}

// closedVault opens no secret.
type closedVault struct{ *registry.Registry }

func (closedVault) Secret(context.Context, capabilities.Caller, registry.Installation, string) (capabilities.SecretValue, error) {
	return capabilities.SecretValue{}, errDisk
}
