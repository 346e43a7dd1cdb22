package host_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/guard"
	"github.com/writ-run/writ/host"
)

// site is a TLS server on loopback under a public name, and who asked for names.
type site struct {
	origin string
	mux    *http.ServeMux
	net    guard.Network

	mu     sync.Mutex
	looked []string // names that were looked up
	served []string // what reached the server
}

func newSite(t *testing.T) *site {
	s := &site{}
	mux := http.NewServeMux()
	s.mux = mux
	mux.HandleFunc("GET /v1/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "weather ", r.URL.RawQuery) })
	mux.HandleFunc("POST /v1/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "posted") })
	mux.HandleFunc("GET /v1/near", redirect("/v1/ok"))
	mux.HandleFunc("GET /v1/outside", redirect("/secret"))
	mux.HandleFunc("GET /v1/away", redirect("https://evil.example.com/v1/ok"))
	mux.HandleFunc("GET /v1/metadata", redirect("http://169.254.169.254/latest"))
	mux.HandleFunc("/secret", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "SECRET") })
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.served = append(s.served, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	srv.StartTLS()
	t.Cleanup(srv.Close)
	addr := netip.MustParseAddrPort(srv.Listener.Addr().(*net.TCPAddr).String())
	s.origin = fmt.Sprintf("https://example.com:%d", addr.Port())
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	s.net = guard.Network{Roots: roots, Loopback: []netip.AddrPort{addr}, Lookup: func(_ context.Context, name string) ([]netip.Addr, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.looked = append(s.looked, name)
		return []netip.Addr{addr.Addr()}, nil
	}}
	return s
}

// handle adds a page, before anyone asks for it.
func (s *site) handle(pattern string, page http.HandlerFunc) { s.mux.HandleFunc(pattern, page) }

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// seen returns and forgets what was looked up and what reached the server.
func (s *site) seen() (looked, served string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	looked, served = strings.Join(s.looked, ","), strings.Join(s.served, ",")
	s.looked, s.served = nil, nil
	return looked, served
}

func TestFetchStaysInsideTheGrant(t *testing.T) {
	s := newSite(t)
	h := newFixture(t, s.net)
	h.install("w", manifest())
	h.regrant("w", false, func(g *capabilities.Grant) {
		api := g.Rights.HTTP["api"]
		api.Origin, api.Methods = s.origin, []string{"GET"}
		g.Rights.HTTP["api"] = api
	})
	for _, row := range []struct {
		name         string
		method, path string
		status       host.Status
		text         string
		served       string // all that may reach the server
		resolves     bool
	}{
		{"granted", "GET", "/v1/ok?city=Oslo", host.StatusOK, "weather city=Oslo", "GET /v1/ok", true},
		{"a redirect inside the grant", "GET", "/v1/near", host.StatusOK, "weather", "GET /v1/near,GET /v1/ok", true},
		{"a redirect to another path", "GET", "/v1/outside", host.StatusTool, "", "GET /v1/outside", true},
		{"a redirect to another host", "GET", "/v1/away", host.StatusTool, "", "GET /v1/away", true},
		{"a redirect to cloud metadata", "GET", "/v1/metadata", host.StatusTool, "", "GET /v1/metadata", true},
		{"a path outside is refused before any name is looked up", "GET", "/secret", host.StatusTool, "", "", false},
		{"so is a path that climbs out", "GET", "/v1/%2e%2e/secret", host.StatusTool, "", "", false},
		{"so is a method that was narrowed away", "POST", "/v1/ok", host.StatusTool, "", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.seen()
			a := h.call("w_fetch", args{"method": row.method, "path": row.path, "text": ""})
			want(t, a, row.status, row.text)
			looked, served := s.seen()
			if served != row.served {
				t.Errorf("the server saw %q", served)
			}
			if (looked != "") != row.resolves || strings.Contains(looked, "evil") {
				t.Errorf("looked up %q", looked)
			}
			if row.status != host.StatusOK && a.Denied == 0 {
				t.Error("nothing was counted as denied")
			}
			if got := text(t, a); strings.Contains(got, "SECRET") || strings.Contains(got, "127.0.0.1") {
				t.Errorf("the answer tells too much: %s", got)
			}
		})
	}
}

// The same server without the exception for tests: loopback is never dialled.
func TestFetchNeverDialsLoopback(t *testing.T) {
	s := newSite(t)
	s.net.Loopback = nil
	h := newFixture(t, s.net)
	h.install("w", manifest())
	h.regrant("w", false, func(g *capabilities.Grant) {
		api := g.Rights.HTTP["api"]
		api.Origin = s.origin
		g.Rights.HTTP["api"] = api
	})
	a := h.call("w_fetch", args{"method": "GET", "path": "/v1/ok", "text": ""})
	if _, served := s.seen(); a.Status != host.StatusTool || served != "" {
		t.Errorf("status %s, the server saw %q", a.Status, served)
	}
}
