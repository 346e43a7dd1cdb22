package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities/guard"
)

// library is a site on the public web, as far as a guard can tell: example.com resolves to it, every
// other name to an address inside.
type library struct {
	origin, address string
	network         guard.Network

	mu    sync.Mutex
	asked []string // guarded by mu
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	l := &library{}
	srv := httptest.NewTLSServer(l)
	t.Cleanup(srv.Close)
	at := netip.MustParseAddrPort(srv.Listener.Addr().(*net.TCPAddr).String())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	l.origin, l.address = fmt.Sprintf("https://example.com:%d", at.Port()), "https://"+at.String()
	l.network = guard.Network{Roots: roots, Loopback: []netip.AddrPort{at}, Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host == "example.com" {
			return []netip.Addr{at.Addr()}, nil
		}
		return []netip.Addr{netip.MustParseAddr("192.168.1.1")}, nil
	}}
	return l
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	l.asked = append(l.asked, r.URL.Path+" "+r.UserAgent())
	l.mu.Unlock()
	switch r.URL.Path {
	case "/robots.txt":
		fmt.Fprint(w, "User-agent: *\nDisallow: /private/\n")
	case "/moved":
		http.Redirect(w, r, "/book?page=1", http.StatusMovedPermanently)
	case "/inside":
		http.Redirect(w, r, "http://printer.example/", http.StatusFound)
	case "/self":
		http.Redirect(w, r, l.address+"/book", http.StatusFound)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<title>Tides</title><nav>menu</nav><main><p>High water at <b>six</b>, says <a href="/almanac">the almanac</a>.</main><script>steal()</script>`)
	}
}

// paths are what was asked for since the last time.
func (l *library) paths() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.Join(l.asked, ", ")
	l.asked = nil
	return text
}

// builtHere builds and signs a servlet that ships with Writ.
func builtHere(t *testing.T, home, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".wasm")
	for _, step := range [][]string{{"build", "../../servlets/" + name, "-o", file}, {"sign", file, "--key", built.key}} {
		if out, err := exec.Command(built.writ, append([]string{"--home", home}, step...)...).CombinedOutput(); err != nil {
			t.Fatalf("writ %v: %s", step, out)
		}
	}
	return file
}

// approved carries out install or grant as a person without a terminal does: plan, then approve.
func approved(t *testing.T, network guard.Network, home string, args ...string) {
	t.Helper()
	plan, said, _ := typed(t, network, home, "", append(args, "--plan", "--json")...)
	_, digest, ok := strings.Cut(plan, `"digest": "`)
	digest, _, _ = strings.Cut(digest, `"`)
	if out, said2, status := typed(t, network, home, "", append(args, "--approve", digest)...); !ok || status != exitOK {
		t.Fatal(plan, said, out, said2)
	}
}

// isLeast wants that a servlet asks for what is said and has no code for these kinds.
func isLeast(t *testing.T, home, file, asked string, never ...string) {
	t.Helper()
	out, said, status := typed(t, guard.Network{}, home, "", "inspect", file)
	for _, kind := range never {
		if !strings.Contains(out, "\nimpossible   "+kind+": ") {
			t.Errorf("it could have %s:\n%s%s", kind, out, said)
		}
	}
	if status != exitOK || !strings.Contains(out, asked) {
		t.Errorf("status %d, it does not say %q:\n%s%s", status, asked, out, said)
	}
}

// From the command line to a page and back, with the servlet that ships.
func TestPagesAreFetched(t *testing.T) {
	l := newLibrary(t)
	home := filepath.Join(t.TempDir(), "home")
	file := builtHere(t, home, "fetch")
	fetch := func(url string) (out, said string, status int) {
		return typed(t, l.network, home, "", "call", "fetch_fetch", fmt.Sprintf(`{"url":%q}`, url))
	}

	isLeast(t, home, file, "asked        web web: GET any public web page", "http", "config", "secret", "kv")
	plan, said, status := typed(t, l.network, home, "", "install", file, "--tools", "*", "--allow", "web", "--plan")
	if status == exitOK || !strings.Contains(said, "--danger web") {
		t.Errorf("--allow gives the web: %d %s %s", status, plan, said)
	}
	plan, _, _ = typed(t, l.network, home, "", "install", file, "--tools", "*", "--danger", "web", "--plan")
	for _, line := range []string{"DANGER: GET any public page of the", "DANGER: it can reach any public page of the web, and so send anything it gets to\n        anyone."} {
		if !strings.Contains(plan, line) {
			t.Errorf("the screen does not say %q:\n%s", line, plan)
		}
	}

	// Installed without it, nothing is sent.
	approved(t, l.network, home, "install", file, "--tools", "*")
	if out, said, status := fetch(l.origin + "/book"); status == exitOK || !strings.Contains(out+said, "not granted") || l.paths() != "" {
		t.Errorf("without a grant: %d %s %s", status, out, said)
	}
	approved(t, l.network, home, "grant", "fetch", "--tools", "*", "--danger", "web")
	const page = "# Tides\n\nHigh water at **six**, says [the almanac](%s/almanac)."
	out, said, status := fetch(l.origin + "/book?who=ana#top")
	if want := fmt.Sprintf("Contents of %s/book?who=ana (Markdown):\n\n"+page, l.origin, l.origin); status != exitOK || strings.TrimSpace(out) != want {
		t.Errorf("status %d, got:\n%s%s\nwant:\n%s", status, out, said, want)
	}
	if asked, agent := l.paths(), "Writ-fetch/1.0.0 (+model request)"; asked != "/robots.txt "+agent+", /book "+agent {
		t.Errorf("the server was asked for %s", asked)
	}
	if out, _, status := fetch(l.origin + "/moved"); status != exitOK || !strings.Contains(out, "/book?page=1 (Markdown)") {
		t.Errorf("a page that has moved: %d %s", status, out)
	}
	l.paths()

	for url, row := range map[string]struct{ want, asked string }{
		l.origin + "/private/x":                    {"robots.txt forbids it", "/robots.txt"},
		l.origin + "/inside":                       {"at an address that may not be reached", "/robots.txt /inside"},
		l.origin + "/self":                         {"the host must be a public DNS name", "/robots.txt /self"},
		l.address + "/book":                        {"the host must be a public DNS name", ""},
		"https://other.example/":                   {"at an address that may not be reached", ""},
		"http://169.254.169.254/latest/meta-data/": {"the host must be a public DNS name", ""},
		"https://ana:secret@example.com/":          {"has a user name or a password", ""},
		"file:///etc/passwd":                       {"not a full URL of a web page", ""},
	} {
		out, said, status := fetch(url)
		asked := strings.ReplaceAll(strings.ReplaceAll(l.paths(), " Writ-fetch/1.0.0 (+model request)", ""), ",", "")
		if status == exitOK || !strings.Contains(out+said, row.want) || asked != row.asked {
			t.Errorf("%s: status %d, the server was asked for %q; got %s %s", url, status, asked, out, said)
		}
	}

	out, said, _ = typed(t, l.network, home, "", "audit", "--json")
	for _, part := range []string{`"kind": "web"`, `"target": "` + l.origin + `/book"`, `"action": "dial"`, `"reason": "the address is not public: private"`} {
		if !strings.Contains(out, part) {
			t.Errorf("the audit does not have %s: %s", part, said)
		}
	}
	for _, part := range []string{"who=ana", "page=1", "ana:secret"} {
		if strings.Contains(out, part) {
			t.Errorf("the audit has %s", part)
		}
	}

	if _, said, status := typed(t, l.network, home, "", "revoke", "fetch"); status != exitOK {
		t.Error(said)
	}
	if _, _, status := fetch(l.origin + "/book"); status == exitOK || l.paths() != "" {
		t.Errorf("after the grant was taken back: %d", status)
	}
}

// The servlet that tells the time needs nothing, and each call sees the clock as it is then.
func TestTimeIsTold(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	file := builtHere(t, home, "time")
	isLeast(t, home, file, "get_current_time", "http", "web", "config", "secret", "kv")
	plan, _, _ := typed(t, guard.Network{}, home, "", "install", file, "--tools", "*", "--plan")
	if !strings.Contains(plan, "If it is malicious it can: mislead your AI.") {
		t.Errorf("it can more than it should:\n%s", plan)
	}
	approved(t, guard.Network{}, home, "install", file, "--tools", "*")
	out, said, status := typed(t, guard.Network{}, home, "", "call", "time_convert_time", `{"source_timezone":"Asia/Kathmandu","time":"06:30","target_timezone":"UTC"}`)
	if status != exitOK || !strings.Contains(out, "T06:30:00+05:45") || !strings.Contains(out, "T00:45:00+00:00") || !strings.Contains(out, `"-5.75h"`) {
		t.Errorf("status %d: %s %s", status, out, said)
	}
	now := func() string {
		out, said, status := typed(t, guard.Network{}, home, "", "call", "time_get_current_time", `{"timezone":"UTC"}`)
		if status != exitOK {
			t.Fatal(said)
		}
		return out
	}
	for first := now(); now() == first; { // to the second: it must move on
		if t.Context().Err() != nil {
			t.Fatal("the clock stands still")
		}
	}
	out, said, status = typed(t, guard.Network{}, home, "", "call", "time_get_current_time", `{"timezone":"Europe/Olso"}`)
	if status == exitOK || !strings.Contains(out+said, "near it are Europe/Oslo") {
		t.Errorf("status %d: %s %s", status, out, said)
	}
}
