package guard_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// A URL is asked for under the capability that has its origin and allows it, and nothing else is looked at.
func TestFetchByURL(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Method+" "+r.URL.RequestURI()) })
	upper := strings.Replace(u.origin, "https://example.com", "HTTPS://EXAMPLE.com", 1)
	cases := []struct {
		name, method, url string
		body              string // of the answer; empty: refused
		code              effect.Code
		target            string // as recorded
	}{
		{"granted", "GET", u.origin + "/v1/a?q=1", "GET /v1/a?q=1", effect.OK, "api:/v1/a"},
		{"in capitals", "GET", upper + "/v1/a", "GET /v1/a", effect.OK, "api:/v1/a"},
		{"with a fragment, which is not sent", "GET", u.origin + "/v1/a#part", "GET /v1/a", effect.OK, "api:/v1/a"},
		{"with letters and a query that no URL holds", "GET", u.origin + "/v1/ü b?q=ü", "GET /v1/%C3%BC%20b?q=%C3%BC", effect.OK, "api:/v1/%C3%BC%20b"},
		{"only the second one allows it", "DELETE", u.origin + "/v2/a", "DELETE /v2/a", effect.OK, "deleting:/v2/a"},
		{"a method that is not granted", "PUT", u.origin + "/v1/a", "", effect.Denied, "api:/v1/a"},
		{"a path that is not granted", "GET", u.origin + "/v3/a", "", effect.Denied, "api:/v3/a"},
		{"a path that climbs", "GET", u.origin + "/v1/../v3", "", effect.Invalid, "api:/v1/../v3"},
		{"a path that climbs in code", "GET", u.origin + "/v1/%2e%2e/v3", "", effect.Invalid, "api:/v1/%2e%2e/v3"},
		{"another origin", "GET", "https://example.org/v1/a?key=hidden", "", effect.Denied, "https://example.org/v1/a"},
		{"another port", "GET", "https://example.com:1/v1/a", "", effect.Denied, "https://example.com:1/v1/a"},
		{"without encryption", "GET", strings.Replace(u.origin, "https", "http", 1) + "/v1/a", "", effect.Denied, strings.Replace(u.origin, "https", "http", 1) + "/v1/a"},
		{"a host that only begins the same", "GET", strings.Replace(u.origin, "example.com", "example.com.evil.test", 1) + "/v1/a", "", effect.Denied, ""},
		{"a password", "GET", strings.Replace(u.origin, "https://", "https://ana:word@", 1) + "/v1/a", "", effect.Denied, u.origin + "/v1/a"},
		{"the granted host as a user", "GET", strings.Replace(u.origin, "https://example.com", "https://example.com:x@evil.test", 1), "", effect.Denied, ""},
		{"a backslash", "GET", u.origin + `\@evil.test/v1/a`, "", effect.Invalid, ""},
		{"this machine", "GET", u.URL + "/v1/a", "", effect.Denied, u.URL + "/v1/a"},
		{"another scheme", "GET", "file:///etc/passwd", "", effect.Invalid, ""},
		{"a part of a URL", "GET", "/v1/a", "", effect.Invalid, ""},
		{"too long", "GET", u.origin + "/v1/" + strings.Repeat("a", 20_000), "", effect.Invalid, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := &journal{}
			rights := map[string]capabilities.HTTPRight{
				"api":      u.right(),
				"deleting": {Origin: u.origin, Methods: []string{"DELETE"}, Paths: []string{"/v2/"}},
			}
			g := open(t, guard.Config{Recorder: j, Network: u.network, Policy: capabilities.Policy{
				Rights: capabilities.Rights{HTTP: rights}, Limits: capabilities.Limits{HTTPCalls: 20},
			}})
			before, looked := u.hits.Load(), u.lookups.Load()
			resp, err := g.Fetch(t.Context(), effect.HTTPRequest{URL: c.url, Method: c.method})
			if code(err) != c.code || string(resp.Body) != c.body {
				t.Errorf("answer %q, %v", resp.Body, err)
			}
			if c.code != effect.OK && (u.hits.Load() != before || u.lookups.Load() != looked) {
				t.Error("a refused request reached the network")
			}
			want := map[bool]string{true: "allow ", false: "deny "}[c.code == effect.OK] + c.method + " " + c.target
			if lines := j.lines(); len(lines) != 1 || c.target != "" && lines[0] != want || strings.Contains(lines[0], "hidden") {
				t.Errorf("recorded %q, want %s", lines, want)
			}
		})
	}
}

// What no origin covers is a page, if pages are granted; what one covers and forbids is no more than one.
func TestFetchByURLOfAPage(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "key "+r.Header.Get("Authorization"))
	})
	j := &journal{}
	g := open(t, guard.Config{Recorder: j, Network: u.network, Policy: capabilities.Policy{
		Rights: capabilities.Rights{
			Web:  &capabilities.WebRight{Methods: []string{"GET"}},
			HTTP: map[string]capabilities.HTTPRight{"api": {Origin: u.origin, Methods: []string{"POST"}, Paths: []string{"/v1/"}}},
		},
		Limits: capabilities.Limits{HTTPCalls: 20},
	}})
	resp, err := g.Fetch(t.Context(), effect.HTTPRequest{URL: u.origin + "/page", Method: "GET"})
	if err != nil || string(resp.Body) != "key " {
		t.Errorf("page %q, %v", resp.Body, err)
	}
	if want := []string{"allow GET " + u.origin + "/page"}; !slices.Equal(j.lines(), want) || j.events[0].Kind != string(capabilities.KindWeb) {
		t.Errorf("recorded %q", j.lines())
	}
	if _, err := g.Fetch(t.Context(), effect.HTTPRequest{URL: u.origin + "/page", Method: "POST", Body: []byte("x")}); code(err) == effect.OK {
		t.Error("a page was written")
	}
	if _, err := g.Fetch(t.Context(), effect.HTTPRequest{URL: u.URL + "/page", Method: "GET"}); code(err) != effect.Denied {
		t.Errorf("a page of this machine: %v", err)
	}
}
