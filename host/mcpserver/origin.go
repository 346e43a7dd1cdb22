package mcpserver

import (
	"net"
	"net/http"
	"strings"

	"github.com/writ-run/writ/capabilities"
)

// refusal is an HTTP answer to a request that is not let in.
type refusal struct {
	status int
	text   string
}

// admitted decides by its headers whether a request comes from a program of this machine that meant
// to talk to this server. It stops web pages, which can make a browser send requests to loopback:
// under a name of their own that they point at 127.0.0.1 (DNS rebinding), or across origins.
// There is no CORS header anywhere: no web page of another origin may read an answer.
func (f *front) admitted(r *http.Request) *refusal {
	if !f.ownHost(r.Host) {
		return &refusal{http.StatusMisdirectedRequest, "the Host header names another server; use the address that Writ listens on"}
	}
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host"} {
		if r.Header.Get(name) != "" {
			// A proxy or tunnel lets others reach a server that asks nobody who they are.
			return &refusal{http.StatusForbidden, "the request came through a proxy (" + name + "), which " + ErrNotLoopback.Error()}
		}
	}
	origins := r.Header.Values("Origin")
	if len(origins) > 1 || len(origins) == 1 && !strings.EqualFold(origins[0], "http://"+r.Host) {
		return &refusal{http.StatusForbidden, "the request comes from a web page of another origin"}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		// same-site is another port of this machine.
		if site != "same-origin" && site != "none" {
			return &refusal{http.StatusForbidden, "the request comes from a web page of another origin"}
		}
	}
	return nil
}

// ownHost says whether a Host header names this listener: by its address or as localhost. The port
// may be another, as behind a forwarded port; no page can have one of these names.
func (f *front) ownHost(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), "80"
	}
	for _, c := range port {
		if c < '0' || c > '9' {
			return false
		}
	}
	if name == "localhost" {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.Equal(f.listener.IP)
}

// spaceOf reads the space from a path, or returns false for a path that is no endpoint.
func spaceOf(path, byDefault string) (string, bool) {
	if path == "/mcp" {
		return byDefault, true
	}
	rest, ok := strings.CutPrefix(path, "/s/")
	if !ok {
		return "", false
	}
	name, ok := strings.CutSuffix(rest, "/mcp")
	return name, ok && capabilities.ValidSpace(name) == nil
}
