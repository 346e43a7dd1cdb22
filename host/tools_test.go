package host_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
)

func (h *fixture) tools() map[string]host.Tool {
	h.t.Helper()
	tools, err := h.host.Tools(h.t.Context(), me)
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]host.Tool{}
	last := ""
	for _, tool := range tools {
		if tool.Name <= last {
			h.t.Errorf("%s after %s", tool.Name, last)
		}
		last = tool.Name
		out[tool.Name] = tool
	}
	return out
}

func TestToolsAreTheSignedOnesWithPrefixedNames(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	tools := h.tools()
	if len(tools) != 7 {
		t.Fatalf("%d tools", len(tools))
	}
	for name, wantDefinition := range map[string]string{
		// Nothing but the name and the hints differs from what was signed.
		"docs_write": `{"description":"Tool write","name":"docs_write","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}}},"annotations":{"title":"Write","idempotentHint":true,"openWorldHint":false}}`,
		"docs_read":  `{"description":"Tool read","name":"docs_read","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}},"annotations":{"readOnlyHint":true,"destructiveHint":false,"openWorldHint":false}}`,
		"docs_fetch": `{"description":"Tool fetch","name":"docs_fetch","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"method":{"type":"string"},"text":{"type":"string"}}}}`,
	} {
		if got := string(tools[name].Definition); got != wantDefinition {
			t.Errorf("got  %s\nwant %s", got, wantDefinition)
		}
		if !tools[name].Ready || tools[name].Alias != "docs" {
			t.Errorf("%+v", tools[name])
		}
	}
}

func TestNarrowingMakesHintsMoreHonest(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.regrant("docs", false, func(g *capabilities.Grant) {
		fs := g.Rights.FS["docs"]
		fs.Mode = capabilities.ModeRead
		g.Rights.FS["docs"] = fs
		api := g.Rights.HTTP["api"]
		api.Methods = []string{"GET"}
		g.Rights.HTTP["api"] = api
	})
	tools := h.tools()
	for _, name := range []string{"docs_write", "docs_fetch"} {
		if !strings.Contains(string(tools[name].Definition), `"readOnlyHint":true`) {
			t.Errorf("%s", tools[name].Definition)
		}
	}
	if strings.Contains(string(tools["docs_fetch"].Definition), "openWorldHint") {
		t.Errorf("a tool with a network claims a closed world: %s", tools["docs_fetch"].Definition)
	}
}

func TestOnlyGrantedToolsAreListed(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	h.tools() // so that there is a list to be outdated
	h.regrant("docs", false, func(g *capabilities.Grant) { g.Rights.Tools = []string{"read", "say"} })
	tools := h.tools()
	if len(tools) != 2 || tools["docs_read"].Name == "" || tools["docs_say"].Name == "" {
		t.Errorf("%v", tools)
	}
}

func TestServletsThatAreNotReadyStayListed(t *testing.T) {
	h := newFixture(t, guard.Network{})
	h.install("docs", manifest())
	if !h.tools()["docs_read"].Ready {
		t.Fatal("not ready")
	}
	// A folder vanishes without a change of the registry.
	if err := os.RemoveAll(h.docs); err != nil {
		t.Fatal(err)
	}
	tools := h.tools()
	if got := tools["docs_read"]; got.Ready || got.Why != `docs_read is not ready: the folder granted as "docs" is gone. Mend it with: writ grant docs --dir docs=PATH` {
		t.Errorf("%+v", got)
	}
	if !tools["docs_units"].Ready {
		t.Error("a tool that uses no folder is not ready")
	}
	if err := os.Mkdir(h.docs, 0o700); err != nil {
		t.Fatal(err)
	}
	if !h.tools()["docs_read"].Ready {
		t.Error("still not ready")
	}
	h.regrant("docs", true, nil)
	if got := h.tools()["docs_read"]; got.Ready || !strings.Contains(got.Why, "its grant was revoked. Mend it with: writ grant docs") {
		t.Errorf("%+v", got)
	}
	h.regrant("docs", true, func(g *capabilities.Grant) { *g = capabilities.Grant{} })
	if got := h.tools(); len(got) != 7 || got["docs_read"].Ready {
		t.Errorf("%v", got)
	}
}

func TestABrokenServletNeverHidesOthers(t *testing.T) {
	h := newFixture(t, guard.Network{})
	first := manifest()
	first.Name = "acme/first"
	in := h.install("a", first)
	h.install("b", manifest())
	removed := false
	err := filepath.WalkDir(filepath.Join(h.reg.Home(), "blobs"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, in.Digest) {
			removed = true
			return os.Remove(path)
		}
		return err
	})
	if err != nil || !removed {
		t.Fatalf("the file of a was not removed: %v", err)
	}
	tools := h.tools()
	if len(tools) != 14 || !tools["b_read"].Ready {
		t.Errorf("listed %v", tools)
	}
	// What was granted stays listed by its name, and says what happened.
	const why = "a_read is not ready: its file is damaged or missing. Mend it with: writ remove a, then install it again"
	got := tools["a_read"]
	if got.Ready || got.Alias != "a" || got.Why != why || string(got.Definition) != `{"name":"a_read","description":"`+why+`","inputSchema":{"type":"object"}}` {
		t.Errorf("listed %s, %+v", got.Definition, got)
	}
	want(t, h.call("a_units", args{}), host.StatusDenied, "a_units is not ready: its file is damaged or missing")
	want(t, h.call("b_units", args{}), host.StatusOK, "metric")
}

func TestWatchTellsOfChanges(t *testing.T) {
	h := newFixture(t, guard.Network{})
	ctx, stop := context.WithCancel(t.Context())
	told := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.host.Watch(ctx, func() {
			select {
			case told <- struct{}{}:
			case <-ctx.Done():
			}
		})
	}()
	h.install("docs", manifest())
	<-told
	h.regrant("docs", true, nil)
	<-told
	stop()
	<-done
}

func TestDefinePreservesWhatWasSigned(t *testing.T) {
	all := capabilities.Rights{}
	for _, row := range []struct {
		name, raw, want string
		rights          *capabilities.Rights
	}{
		{"order and escapes stay", `{"title":"\u0041/","name":"a","_meta":{"com.x/y":[1.0,1e2]}}`, `{"title":"\u0041/","name":"t_a","_meta":{"com.x/y":[1.0,1e2]}}`, nil},
		{"a name inside is left alone", `{"inputSchema":{"name":"a"},"name":"a"}`, `{"inputSchema":{"name":"a"},"name":"t_a"}`, nil},
		{"hints are added", `{"name":"a"}`, `{"name":"t_a","annotations":{"readOnlyHint":true,"destructiveHint":false,"openWorldHint":false}}`, &all},
		{"hints are replaced where they stand", `{"annotations":{"destructiveHint":true,"title":"x","readOnlyHint":false},"name":"a"}`, `{"annotations":{"destructiveHint":false,"title":"x","readOnlyHint":true,"openWorldHint":false},"name":"t_a"}`, &all},
		{"a right to write proves nothing", `{"name":"a","annotations":{"destructiveHint":false}}`, `{"name":"t_a","annotations":{"destructiveHint":false,"openWorldHint":false}}`,
			&capabilities.Rights{KV: &capabilities.KVRight{}}},
		{"a web page is an open world", `{"name":"a"}`, `{"name":"t_a","annotations":{"readOnlyHint":true,"destructiveHint":false}}`,
			&capabilities.Rights{Web: &capabilities.WebRight{Methods: []string{"GET"}}}},
		{"a web form is written to", `{"name":"a"}`, `{"name":"t_a"}`, &capabilities.Rights{Web: &capabilities.WebRight{Methods: []string{"POST"}}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := host.Define(json.RawMessage(row.raw), "t_a", row.rights)
			if err != nil || string(got) != row.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, row.want)
			}
		})
	}
	for _, raw := range []string{``, `[]`, `{"name":`, `{"name":"a"`} {
		if _, err := host.Define(json.RawMessage(raw), "t_a", nil); err == nil {
			t.Errorf("%q is accepted", raw)
		}
	}
}
