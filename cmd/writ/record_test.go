package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
)

// station is a site that wants a token, and repeats it.
func station(t *testing.T, token string) (network guard.Network, host string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer "+token {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Set-Cookie", "session="+token)
		fmt.Fprintf(w, `{"now":"12 degrees","you":%q}`, r.Header.Get("Authorization"))
	}))
	t.Cleanup(srv.Close)
	at := netip.MustParseAddrPort(srv.Listener.Addr().(*net.TCPAddr).String())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	return guard.Network{Roots: roots, Loopback: []netip.AddrPort{at}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{at.Addr()}, nil
	}}, fmt.Sprintf("https://example.com:%d", at.Port()), asked
}

// weatherToTest is the source of the weather servlet with a file of calls.
func weatherToTest(t *testing.T, calls string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/weather")); err != nil {
		t.Fatal(err)
	}
	sdk, err := filepath.Abs("../../sdk/go")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":             strings.Replace(string(mod), "../../../../sdk/go", sdk, 1),
		"tests/weather.json": calls,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What was recorded is answered without the network, and holds no secret: neither the one that was attached,
// nor what the server made of it. What the policy denies is denied with a recording too.
func TestRecordAndReplay(t *testing.T) {
	const token = "canary-77ab/word"
	network, host, asked := station(t, token)
	dir := weatherToTest(t, `{"calls":[
	{"name":"now","tool":"mine","arguments":{},"text":{"has":"12 degrees"}},
	{"name":"refused","tool":"mine","arguments":{},"without":["http:mine"],"error":"not granted"}
]}`)
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "home")
	if err := warm(home); err != nil {
		t.Fatal(err)
	}
	test := func(want int, args ...string) string {
		t.Helper()
		out, said, status := typed(t, network, home, "", append([]string{"test", dir, "--hostile", "off"}, args...)...)
		if status != want {
			t.Fatalf("%v: status %d, want %d: %s %s", args, status, want, out, said)
		}
		return out + said
	}
	if out := test(exitUsage, "--record"); !strings.Contains(out, "name it with --host mine=ORIGIN") {
		t.Error(out)
	}
	if out := test(exitTool, "--record", "--host", "mine="+host); !strings.Contains(out, "now") || asked.Load() != 0 {
		t.Errorf("without its secret %d requests were sent: %s", asked.Load(), out)
	}
	out := test(exitOK, "--record", "--host", "mine="+host, "--secret", "API_KEY="+secret)
	if !strings.Contains(out, "wrote tests/weather.exchanges.json") || asked.Load() != 1 {
		t.Errorf("%d requests: %s", asked.Load(), out)
	}
	kept, err := os.ReadFile(filepath.Join(dir, "tests", "weather.exchanges.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{`"mine": "` + host + `"`, `"request": "GET ` + host + `/v1/now"`, `"you": "[secret]"`, `"now": "12 degrees"`} {
		if !strings.Contains(string(kept), wanted) {
			t.Errorf("%s is not in %s", wanted, kept)
		}
	}
	if text := strings.ToLower(string(kept)); strings.Contains(text, "canary") || strings.Contains(text, "authorization") || strings.Contains(text, "cookie") {
		t.Errorf("kept %s", kept)
	}
	asked.Store(0)
	if out := test(exitOK); asked.Load() != 0 || !strings.Contains(out, "2 calls, 0 failed") {
		t.Errorf("%d requests: %s", asked.Load(), out)
	}
	// Another answer in the file is another answer of the tool: it is what is replayed.
	if err := os.WriteFile(filepath.Join(dir, "tests", "weather.exchanges.json"), []byte(strings.ReplaceAll(string(kept), "12 degrees", "rain")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := test(exitTool); !strings.Contains(out, "rain") {
		t.Error(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "tests", "weather.exchanges.json"), []byte(strings.ReplaceAll(string(kept), "/v1/now", "/v1/then")), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := test(exitTool); !strings.Contains(out, "request: GET "+host+"/v1/now is not recorded: its path is /v1/now, recorded is /v1/then") || asked.Load() != 0 {
		t.Error(out)
	}
}
