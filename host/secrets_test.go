package host_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host"
	"github.com/writ-run/writ/registry"
)

// signedIn is the manifest of the guest with a service that needs a secret.
func signedIn() capabilities.Manifest {
	m := manifest()
	m.Tools = append(m.Tools, json.RawMessage(`{"name":"search","inputSchema":{"type":"object","properties":{"path":{"type":"string"},"method":{"type":"string"},"text":{"type":"string"},"raw":{"type":"string"}}}}`))
	m.Uses["search"] = []string{"http:api"}
	m.Capabilities.HTTP[0].Auth = &capabilities.Auth{Type: "header", Name: "Authorization", Value: "Bearer {secret:TOKEN}"}
	m.Capabilities.Secrets = []capabilities.Secret{{Key: "TOKEN", Use: "egress"}}
	return m
}

func (h *fixture) setSecret(alias, text string) {
	h.t.Helper()
	in, err := h.reg.Lookup(h.t.Context(), me, alias)
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := capabilities.NewSecretValue(text)
	if err == nil {
		_, err = h.reg.SetSecret(h.t.Context(), me, in, "TOKEN", v)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// to grants the capability "api" of an alias for the origin of s.
func (h *fixture) to(alias string, s *site) {
	h.regrant(alias, false, func(g *capabilities.Grant) {
		api := g.Rights.HTTP["api"]
		api.Origin = s.origin
		g.Rights.HTTP["api"] = api
	})
}

func (h *fixture) listedTool(name string) host.Tool {
	h.t.Helper()
	tools, err := h.host.Tools(h.t.Context(), me)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, tool := range tools {
		if tool.Name == name {
			return tool
		}
	}
	h.t.Fatalf("%s is not listed", name)
	return host.Tool{}
}

func TestUnsetSecretIsOneSentence(t *testing.T) {
	s := newSite(t)
	s.handle("/v1/me", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, len(r.Header.Get("Authorization"))) })
	h := newFixture(t, s.net)
	h.install("w", signedIn())
	h.to("w", s)
	ask := args{"method": "GET", "path": "/v1/me", "text": ""}
	const sentence = "w_fetch is not ready: its secret TOKEN is not set. Mend it with: writ secret set w TOKEN"
	want(t, h.call("w_fetch", ask), host.StatusDenied, sentence)
	if tool := h.listedTool("w_fetch"); tool.Ready || tool.Why != sentence {
		t.Errorf("listed as %+v", tool)
	}
	want(t, h.call("w_units", nil), host.StatusOK, "metric") // needs none
	if _, served := s.seen(); served != "" {
		t.Errorf("the server saw %q", served)
	}

	h.setSecret("w", "12345678")
	want(t, h.call("w_fetch", ask), host.StatusOK, "15")
	if tool := h.listedTool("w_fetch"); !tool.Ready {
		t.Errorf("listed as %+v", tool)
	}
	h.setSecret("w", "123456789") // replaced without a pause
	want(t, h.call("w_fetch", ask), host.StatusOK, "16")
	if err := h.reg.UnsetSecret(t.Context(), me, "w", "TOKEN"); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("w_fetch", ask), host.StatusDenied, sentence)

	h.setSecret("w", "12345678")
	if err := os.RemoveAll(filepath.Join(h.reg.Home(), "keys")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(h.reg.Home(), "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	want(t, h.call("w_fetch", ask), host.StatusOK, "15") // this process has the key
}

// spellings are a text as it is and in the encodings that a search must not miss.
func spellings(text string) []string {
	all := []string{text, hex.EncodeToString([]byte(text)), url.QueryEscape(text)}
	for offset := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString(append(make([]byte, offset), text...))
		all = append(all, encoded[2*offset:len(encoded)-2])
	}
	return all
}

func flipped(texts []string) string {
	var words []string
	for _, text := range texts {
		raw := []byte(text)
		for i := range raw {
			raw[i] = ^raw[i]
		}
		words = append(words, hex.EncodeToString(raw))
	}
	return strings.Join(words, " ")
}

// The guest uses its key, the server repeats it in every way, and it is nowhere that anyone but the
// server could see it: not in the guest's memory, the answer, the log, the audit, the store, or a
// temporary file. The control: another text, which the server repeats in the same ways and nothing
// masks, is found in all its spellings by the same search.
func TestCanaryIsNowhere(t *testing.T) {
	const canary, control = "can4ry/8c1d+55e0=3b7a", "c0ntrol/17af+9e2b=04d6"
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := newSite(t)
	s.handle("/v1/echo", func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if token != canary {
			t.Errorf("the server got %q", token)
		}
		w.Header().Set("ETag", token)
		for _, text := range []string{token, control} {
			fmt.Fprintln(w, text, hex.EncodeToString([]byte(text)), url.QueryEscape(text))
			for offset := range 3 {
				fmt.Fprintln(w, base64.StdEncoding.EncodeToString(append([]byte("xx")[:offset], text...)))
			}
		}
	})
	h := newFixture(t, s.net)
	var log bytes.Buffer
	made, err := host.New(host.Config{Registry: h.reg, Engine: engine, Network: s.net, Rate: host.Rate{Off: true}, Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	h.adopt(made)
	h.install("w", signedIn())
	h.to("w", s)
	h.setSecret("w", canary)
	a := h.call("w_search", args{"method": "GET", "path": "/v1/echo", "text": "", "raw": flipped(append(spellings(canary), spellings(control)...))})
	// The first six are the canary's, the others the control's.
	want(t, a, host.StatusOK, "[6 7 8 9 10 11]")

	entries, err := h.reg.Audit(t.Context(), me, registry.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	audit, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(audit), `"secret":"TOKEN"`) {
		t.Error("the audit does not say which secret was used")
	}
	places := map[string]string{"answer": string(a.Result), "log": log.String(), "audit": string(audit)}
	for _, dir := range []string{h.reg.Home(), temp} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			places[path] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for place, text := range places {
		for i, spelling := range spellings(canary) {
			if strings.Contains(text, spelling) {
				t.Errorf("%s holds the canary in spelling %d", place, i)
			}
		}
	}
	for i, spelling := range spellings(control) {
		if !strings.Contains(text(t, a), spelling) {
			t.Errorf("spelling %d of the control did not reach the answer: the search proves nothing", i)
		}
	}
}
