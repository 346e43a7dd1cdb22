package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
)

// typed runs the command in this process, with standard input and a network of the test's own.
func typed(t *testing.T, network guard.Network, home, input string, args ...string) (out, said string, status int) {
	t.Helper()
	in, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	fmt.Fprint(w, input)
	w.Close()
	var stdout, stderr bytes.Buffer
	status = run(args, &app{stdin: in, stdout: &stdout, stderr: &stderr, network: network, getenv: func(name string) string {
		return map[string]string{"WRIT_HOME": home}[name]
	}})
	return stdout.String(), stderr.String(), status
}

// From the command line to the server and back: the server gets the secret, and what it repeats does
// not reach the answer.
func TestSecretReachesTheServerAlone(t *testing.T) {
	const token = "canary-5d1c77/token"
	var got string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		fmt.Fprintf(w, "you sent %q", got)
	}))
	defer srv.Close()
	// The certificate of a test server is for example.com, which resolves to it here.
	at := netip.MustParseAddrPort(srv.Listener.Addr().(*net.TCPAddr).String())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	network := guard.Network{Roots: roots, Loopback: []netip.AddrPort{at}, Lookup: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{at.Addr()}, nil
	}}
	home := filepath.Join(t.TempDir(), "home")
	if err := warm(home); err != nil { // this process is no writ, of which another could compile
		t.Fatal(err)
	}
	install := []string{"install", built.weather, "--allow", "account", "--host", fmt.Sprintf("mine=https://example.com:%d", at.Port()), "--tools", "*"}
	out, _, _ := typed(t, network, home, "", append(install, "--plan", "--json")...)
	_, digest, _ := strings.Cut(out, `"digest": "`)
	digest, _, _ = strings.Cut(digest, `"`)
	if out, said, status := typed(t, network, home, "", append(install, "--approve", digest)...); status != exitOK {
		t.Fatal(out, said)
	}
	if _, said, status := typed(t, network, home, "", "secret", "key", "use", "file"); status != exitOK {
		t.Fatal(said)
	}
	for _, c := range []string{token, token + "-2"} { // replaced between two calls
		if _, said, status := typed(t, network, home, c+"\r\n", "secret", "set", "weather", "API_KEY"); status != exitOK || strings.Contains(said, "canary") {
			t.Fatal(said)
		}
		out, said, status := typed(t, network, home, "", "call", "weather_mine")
		if status != exitOK || got != "Bearer "+c || !strings.Contains(out, `you sent "[secret]"`) || strings.Contains(out+said, "canary") {
			t.Errorf("status %d, the server got %q; the answer is %s %s", status, got, out, said)
		}
	}
	out, said, _ := typed(t, network, home, "", "audit", "--json")
	if !strings.Contains(out, `"secret": "API_KEY"`) || strings.Contains(out+said, "canary") {
		t.Errorf("the audit: %s %s", out, said)
	}
	if err := exec.Command("grep", "-rq", "canary", home).Run(); err == nil {
		t.Error("the home holds the secret in the open")
	}
}
