package guard_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// upstream is a server on loopback that goes by a public name, as far as a guard can tell: the name
// resolves to it, and its certificate is for the name.
type upstream struct {
	*httptest.Server
	origin  string
	at      netip.AddrPort
	network guard.Network
	lookups atomic.Int32
	hits    atomic.Int32
}

// serve starts an upstream for https://example.com:PORT.
func serve(t testing.TB, handler http.HandlerFunc) *upstream {
	return start(t, handler, (*httptest.Server).StartTLS, "https")
}

// servePlain starts one for http://example.com:PORT.
func servePlain(t testing.TB, handler http.HandlerFunc) *upstream {
	return start(t, handler, (*httptest.Server).Start, "http")
}

func start(t testing.TB, handler http.HandlerFunc, begin func(*httptest.Server), scheme string) *upstream {
	t.Helper()
	u := &upstream{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.hits.Add(1)
		handler(w, r)
	}))
	u.Config.ErrorLog = quiet
	begin(u.Server)
	t.Cleanup(u.Server.Close)
	u.at = netip.MustParseAddrPort(u.Listener.Addr().String())
	u.origin = fmt.Sprintf("%s://example.com:%d", scheme, u.at.Port())
	u.network = guard.Network{
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			u.lookups.Add(1)
			if host != "example.com" {
				return nil, errors.New("no such host")
			}
			return []netip.Addr{u.at.Addr()}, nil
		},
		Loopback: []netip.AddrPort{u.at},
	}
	if cert := u.Certificate(); cert != nil {
		u.network.Roots = x509.NewCertPool()
		u.network.Roots.AddCert(cert)
	}
	return u
}

// right grants the usual: GET and POST below /v1/.
func (u *upstream) right() capabilities.HTTPRight {
	return capabilities.HTTPRight{Origin: u.origin, Methods: []string{"GET", "HEAD", "POST"}, Paths: []string{"/v1/", "/exact"}}
}

// guard grants right as "api", with 20 calls.
func (u *upstream) guard(t testing.TB, right capabilities.HTTPRight) (*guard.Guard, *journal) {
	t.Helper()
	j := &journal{}
	return open(t, guard.Config{Recorder: j, Network: u.network, Policy: capabilities.Policy{
		Rights: capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"api": right}},
		Limits: capabilities.Limits{HTTPCalls: 20},
	}}), j
}

func get(path string) effect.HTTPRequest {
	return effect.HTTPRequest{Capability: "api", Method: "GET", Path: path}
}

// code is what a fetch came to.
func code(err *effect.Error) effect.Code {
	if err == nil {
		return effect.OK
	}
	return err.Code
}

func TestFetch(t *testing.T) {
	var got *http.Request
	var body []byte
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Add("Link", "<a>")
		w.Header().Add("Link", "<b>")
		w.Header().Set("X-RateLimit-Remaining", "7")
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("Server", "nginx on db-3.internal")
		w.Header().Set("Location", "http://10.0.0.1/")
		w.WriteHeader(201)
		io.WriteString(w, `{"ok":true}`)
	})
	g, j := u.guard(t, u.right())
	resp, err := g.Fetch(t.Context(), effect.HTTPRequest{
		Capability: "api", Method: "POST", Path: "/v1/a b/ü", Query: "q=1&filter[x]=%20",
		Header: []effect.Header{{Name: "Content-Type", Value: "text/plain"}, {Name: "x-custom", Value: "1"}, {Name: "X-Custom", Value: "2"}},
		Body:   []byte("hello"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Status != 201 || string(resp.Body) != `{"ok":true}` {
		t.Errorf("got %d %q", resp.Status, resp.Body)
	}
	var names []string
	for _, h := range resp.Header {
		names = append(names, h.Name+"="+h.Value)
	}
	names = slices.DeleteFunc(names, func(s string) bool { return strings.HasPrefix(s, "date=") })
	if want := []string{"content-type=application/json", "link=<a>", "link=<b>", "x-ratelimit-remaining=7"}; !slices.Equal(names, want) {
		t.Errorf("header %q, want %q", names, want)
	}
	if got.RequestURI != "/v1/a%20b/%C3%BC?q=1&filter[x]=%20" || got.Method != "POST" || string(body) != "hello" || got.ContentLength != 5 {
		t.Errorf("sent %s %s %q", got.Method, got.RequestURI, body)
	}
	if got.Host != strings.TrimPrefix(u.origin, "https://") || got.ProtoMajor != 1 {
		t.Errorf("sent to %q by %s", got.Host, got.Proto)
	}
	want := http.Header{
		"Accept-Encoding": {"gzip"}, "User-Agent": {"writ"}, "Content-Type": {"text/plain"},
		"X-Custom": {"1", "2"}, "Content-Length": {"5"},
	}
	if fmt.Sprint(got.Header) != fmt.Sprint(want) {
		t.Errorf("sent header %v, want %v", got.Header, want)
	}
	if lines := j.lines(); !slices.Equal(lines, []string{"allow POST api:/v1/a%20b/%C3%BC"}) {
		t.Errorf("records %q", lines)
	}
}

// What is refused by its grant sends nothing: no connection, and no DNS query that could carry data
// in a name.
func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	req := func(change func(*effect.HTTPRequest)) effect.HTTPRequest {
		r := get("/v1/x")
		change(&r)
		return r
	}
	header := func(name, value string) effect.HTTPRequest {
		return req(func(r *effect.HTTPRequest) { r.Header = []effect.Header{{Name: name, Value: value}} })
	}
	tests := map[string]struct {
		req  effect.HTTPRequest
		want effect.Code
	}{
		"deny another capability":         {req(func(r *effect.HTTPRequest) { r.Capability = "other" }), effect.Denied},
		"deny no capability":              {req(func(r *effect.HTTPRequest) { r.Capability = "" }), effect.Denied},
		"deny a method that is not there": {req(func(r *effect.HTTPRequest) { r.Method = "DELETE" }), effect.Denied},
		"deny a method in small letters":  {req(func(r *effect.HTTPRequest) { r.Method = "get" }), effect.Denied},
		"deny CONNECT":                    {req(func(r *effect.HTTPRequest) { r.Method = "CONNECT" }), effect.Denied},
		"deny TRACE":                      {req(func(r *effect.HTTPRequest) { r.Method = "TRACE" }), effect.Denied},
		"deny a method with a line break": {req(func(r *effect.HTTPRequest) { r.Method = "GET / HTTP/1.1\r\nX: " }), effect.Denied},
		"deny a body on GET":              {req(func(r *effect.HTTPRequest) { r.Body = []byte("x") }), effect.Invalid},
		"deny a body that is too large":   {req(func(r *effect.HTTPRequest) { r.Method, r.Body = "POST", make([]byte, 9<<20) }), effect.Limit},
		"deny a long query":               {req(func(r *effect.HTTPRequest) { r.Query = strings.Repeat("a", 9<<10) }), effect.Invalid},
		"deny 65 headers":                 {req(func(r *effect.HTTPRequest) { r.Header = slices.Repeat([]effect.Header{{Name: "X-A", Value: "1"}}, 65) }), effect.Limit},
		"deny 17 KiB of headers":          {header("X-A", strings.Repeat("a", 17<<10)), effect.Limit},
		"deny two content types": {req(func(r *effect.HTTPRequest) {
			r.Header = []effect.Header{{Name: "Content-Type", Value: "a/b"}, {Name: "content-type", Value: "c/d"}}
		}), effect.Invalid},
	}
	for _, name := range []string{
		"Host", "Connection", "TE", "Transfer-Encoding", "Content-Length", "Trailer", "Upgrade", "Keep-Alive", "Expect", "Via",
		"Proxy-Authorization", "Proxy-Connection", "Cookie", "Cookie2", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto",
		"X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-Method-Override", "Accept-Encoding", "Content-Encoding",
		"Origin", "Referer", "Metadata", "X-aws-ec2-metadata-token", "Sec-WebSocket-Version", "Sec-Fetch-Site", "HTTP2-Settings", ":authority",
		"", " Accept", "Accept ", "Accept:", "X A", "X\r\nHost", "X_Forwarded_For", "Ho\u017ft", "X-\x00", strings.Repeat("x-", 40),
	} {
		tests["deny header "+fmt.Sprintf("%.30q", name)] = struct {
			req  effect.HTTPRequest
			want effect.Code
		}{header(name, "x"), effect.Invalid}
	}
	for _, value := range []string{"a\r\nHost: evil", "a\nb", "a\rb", "a\x00b", "\x1b[2J", "é", "\x7f"} {
		tests["deny header value "+fmt.Sprintf("%q", value)] = struct {
			req  effect.HTTPRequest
			want effect.Code
		}{header("X-A", value), effect.Invalid}
	}
	for _, query := range []string{"a b", "a\r\nX: y", "a#b", "a=%zz", "%", "a=\x00", "a=é", `a="b"`, "a=<b>", "a\\b", "a|b"} {
		tests["deny query "+fmt.Sprintf("%q", query)] = struct {
			req  effect.HTTPRequest
			want effect.Code
		}{req(func(r *effect.HTTPRequest) { r.Query = query }), effect.Invalid}
	}
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	for intent, tt := range tests {
		t.Run(intent, func(t *testing.T) {
			g, j := u.guard(t, u.right())
			if _, err := g.Fetch(t.Context(), tt.req); code(err) != tt.want {
				t.Errorf("got %v, want code %d", err, tt.want)
			}
			if len(j.events) != 1 || j.events[0].Decision != "deny" || j.events[0].Reason == "" {
				t.Errorf("records %+v", j.events)
			}
		})
	}
	if u.lookups.Load() != 0 || u.hits.Load() != 0 {
		t.Errorf("%d lookups, %d requests", u.lookups.Load(), u.hits.Load())
	}
}

// Paths are matched by whole segments, in one spelling.
func TestPathsThatAreNotGranted(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	g, _ := u.guard(t, u.right())
	for _, path := range []string{
		"", "v1/x", "/", "/v1", "/v1x", "/v1x/", "/V1/x", "/v2/", "/exact/", "/exact/x", "/exac", "/admin", "//v1/x", "/v1//x", "/v1/x//",
		"/v1/../admin", "/v1/..", "/v1/.", "/v1/./x", "/./v1/x", "/v1/x/../../admin", "/v1/x/..", "/../v1/x",
		"/v1/%2e%2e/admin", "/v1/%2E./admin", "/v1/.%2e/admin", "/v1/%2e", "/v1/x%2ejson", "/v1%2fx", "/v1/%2Fx", "/v1/..%2fadmin", "/v1/..%5cadmin",
		"/v1/%5c..%5cadmin", `/v1/..\admin`, `/v1\..\admin`, "/v1/%252e%252e/admin", "/v1/%252f", "/v1/%25%32%65", "/v1/%c0%ae%c0%ae/admin", "/v1/%c0%af",
		"/v1/%e0%80%ae", "/v1/．．/admin", "/v1/%ef%bc%8e%ef%bc%8e/admin", "/v1/∕admin", "/v1/‥/admin",
		"/v1/..;/admin", "/v1/;/../admin", "/v1/x;y", "/v1/%3b", "/v1/..%3b/admin", "/v1/x?y", "/v1/x#y", "/v1/%", "/v1/%2", "/v1/%zz", "/v1/%u002e",
		"/v1/\x00", "/v1/%00", "/v1/%0a", "/v1/%0d%0aHost:evil", "/v1/x HTTP/1.1\r\nHost: evil", "/v1/\x7f", "/v1/\xff", "/v1/%ff", "/v1/%C2%85",
		"https://evil.test/v1/x", "//evil.test/v1/x", "/\\evil.test/v1/x", "@evil.test/v1/x", ":80/v1/x", ".evil.test/v1/x", "/v1/" + strings.Repeat("a", 9<<10),
		"/v1/" + strings.Repeat("é", 2<<10),
	} {
		if _, err := g.Fetch(t.Context(), get(path)); code(err) != effect.Denied && code(err) != effect.Invalid {
			t.Errorf("%.60q: %v", path, err)
		}
	}
	if u.lookups.Load() != 0 || u.hits.Load() != 0 {
		t.Errorf("%d lookups, %d requests", u.lookups.Load(), u.hits.Load())
	}
	for _, path := range []string{"/v1/", "/v1/x", "/v1/x/", "/exact", "/v1/a.b", "/v1/...", "/v1/%41", "/v1/a%20b", "/v1/50%25", "/v1/~a:@!$&'()*+,="} {
		if _, err := g.Fetch(t.Context(), get(path)); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// An origin is believed in its one spelling only, though the manifest and the approval have looked at
// it before. None of these is looked up.
func TestOriginsThatAreNotReached(t *testing.T) {
	lookups := 0
	network := guard.Network{Lookup: func(context.Context, string) ([]netip.Addr, error) {
		lookups++
		return nil, errors.New("looked up")
	}}
	for _, origin := range []string{
		"", "user", "*", "https://", "https://*", "https://*.acme.test", "acme.test", "//acme.test", "ftp://acme.test", "file:///etc/passwd",
		"gopher://acme.test", "HTTPS://acme.test", "https:acme.test", "https:/acme.test", "https:///acme.test", "https://acme.test/", "https://acme.test/v1",
		"https://acme.test?x", "https://acme.test#x", "https://user@acme.test", "https://a:b@acme.test", `https://acme.test\@evil.test`, "https://acme.test%2eevil.test",
		"https://Acme.test", "https://acme.test.", "https://.acme.test", "https://acme..test", "https://-acme.test", "https://acme-.test", "https://ac_me.test",
		"https://acme.test:", "https://acme.test:0", "https://acme.test:65536", "https://acme.test:0443", "https://acme.test:+443", "https://acme.test:https",
		"https://acme.test:443:443", "https://acme.test:443@evil.test", "https://acme test", "https://acme.test\r\nx", "https://acme.test\x00", "https://äcme.test",
		"https://localhost", "https://x.localhost", "https://ip6-localhost", "https://metadata.google.internal", "https://metadata.goog", "https://metadata",
		"https://instance-data", "https://127.0.0.1", "https://127.1", "https://127.0.1", "https://0", "https://0x7f.1", "https://0x7f000001", "https://2130706433",
		"https://017700000001", "https://0177.0.0.1", "https://127.0.0.1.", "https://127.000.000.001", "https://127。0。0。1", "https://１２７.0.0.1", "https://①②⑦.⓪.⓪.①",
		"https://169.254.169.254", "https://10.0.0.1", "https://8.8.8.8", "https://[::1]", "https://[::]", "https://[::ffff:127.0.0.1]", "https://[::ffff:7f00:1]",
		"https://[0:0:0:0:0:0:0:1]", "https://[fe80::1%25eth0]", "https://[fe80::1%eth0]", "https://[fd00:ec2::254]", "https://[2606:4700::1111]", "https://[::1", "https://::1",
		"https://[127.0.0.1]", "https://[acme.test]", "https://" + strings.Repeat("a", 64) + ".test", "https://" + strings.Repeat("a.", 130) + "test",
	} {
		u := &upstream{network: network}
		g, _ := u.guard(t, capabilities.HTTPRight{Origin: origin, Methods: []string{"GET"}, Paths: []string{"/"}})
		if _, err := g.Fetch(t.Context(), get("/")); code(err) != effect.Denied {
			t.Errorf("%.60q: %v", origin, err)
		}
	}
	if lookups != 0 {
		t.Errorf("%d lookups", lookups)
	}
	u := &upstream{network: network}
	g, _ := u.guard(t, capabilities.HTTPRight{Origin: "https://acme.test", Methods: []string{"GET"}, Paths: []string{"/"}})
	if _, err := g.Fetch(t.Context(), get("/")); code(err) != effect.Unavailable || lookups != 1 {
		t.Errorf("a good origin: %v, %d lookups", err, lookups)
	}
}

// A name is not an address: whatever it resolves to is judged when it is dialled.
func TestRebinding(t *testing.T) {
	for intent, answers := range map[string][]string{
		"loopback":           {"127.0.0.1"},
		"public, then not":   {"203.0.113.1", "127.0.0.1"},
		"two at once":        {"93.184.216.34 127.0.0.1"},
		"two at once, other": {"127.0.0.1 93.184.216.34"},
		"mapped":             {"::ffff:127.0.0.1"},
		"everything":         {"0.0.0.0"},
		"private":            {"10.0.0.1"},
		"metadata":           {"169.254.169.254"},
		"nat64":              {"64:ff9b::7f00:1"},
	} {
		t.Run(intent, func(t *testing.T) {
			u := serve(t, func(http.ResponseWriter, *http.Request) {})
			u.network.Loopback = nil // a real network from here on
			n := 0
			u.network.Lookup = func(context.Context, string) (addrs []netip.Addr, _ error) {
				for a := range strings.FieldsSeq(answers[min(n, len(answers)-1)]) {
					addrs = append(addrs, netip.MustParseAddr(a))
				}
				n++
				return addrs, nil
			}
			g, j := u.guard(t, u.right())
			for range answers {
				_, err := g.Fetch(t.Context(), get("/v1/x"))
				if code(err) != effect.Denied || strings.ContainsAny(err.Text, "0123456789") {
					t.Errorf("got %v", err)
				}
			}
			if u.hits.Load() != 0 {
				t.Error("the server was reached")
			}
			if last := j.events[len(j.events)-1]; last.Decision != "deny" || last.Action != "dial" {
				t.Errorf("last record %+v", last)
			}
		})
	}
}

// Plain http goes nowhere, not even to an address that may be dialled.
func TestPlainHTTPIsRefused(t *testing.T) {
	u := servePlain(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") })
	g, _ := u.guard(t, u.right())
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Denied || u.hits.Load() != 0 || u.lookups.Load() != 0 {
		t.Errorf("got %v, %d requests, %d lookups", err, u.hits.Load(), u.lookups.Load())
	}
}

// A method that no manifest can ask for does nothing, whatever a grant says.
func TestMethodsThatNoManifestHas(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	right := u.right()
	right.Methods = []string{"GET", "OPTIONS", "CONNECT", "TRACE", "PROPFIND", "get", ""}
	g, _ := u.guard(t, right)
	for _, method := range right.Methods[1:] {
		req := get("/v1/x")
		req.Method = method
		if _, err := g.Fetch(t.Context(), req); code(err) != effect.Denied || u.hits.Load() != 0 {
			t.Errorf("%q: %v, %d requests", method, err, u.hits.Load())
		}
	}
	if _, err := g.Fetch(t.Context(), get("/v1/x")); err != nil {
		t.Errorf("control: %v", err)
	}
}

// All that may be sent is sent: 64 fields, 16 KiB together.
func TestHeadersAtTheirLimit(t *testing.T) {
	fields, size := 0, 0
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		fields = len(r.Header["X-A"])
		for _, v := range r.Header["X-A"] {
			size += len("X-A") + len(v)
		}
	})
	g, _ := u.guard(t, u.right())
	req := get("/v1/x")
	req.Header = slices.Repeat([]effect.Header{{Name: "X-A", Value: strings.Repeat("a", effect.MaxHeaderBytes/effect.MaxHeaders-3)}}, effect.MaxHeaders)
	if _, err := g.Fetch(t.Context(), req); err != nil || fields != 64 || size != 16<<10 {
		t.Errorf("got %v, %d fields of %d bytes", err, fields, size)
	}
	req.Header[0].Value += "a"
	if _, err := g.Fetch(t.Context(), req); code(err) != effect.Limit {
		t.Errorf("one byte more: %v", err)
	}
}

// The environment's proxies would dial for the guest where the guard cannot look. Go reads these
// variables once per process, so the fetch happens in a process of its own.
func TestProxiesOfTheEnvironmentAreIgnored(t *testing.T) {
	if os.Getenv("HTTPS_PROXY") == "" {
		var asked atomic.Int32
		proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		defer proxy.Close()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		cmd.Env = os.Environ()
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
			cmd.Env = append(cmd.Env, name+"="+proxy.URL)
		}
		if out, err := cmd.CombinedOutput(); err != nil || asked.Load() != 0 {
			t.Errorf("the proxy was asked %d times: %v\n%s", asked.Load(), err, out)
		}
		return
	}
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	g, _ := u.guard(t, u.right())
	if _, err := g.Fetch(t.Context(), get("/v1/x")); err != nil {
		t.Error(err)
	}
}

func TestTLS(t *testing.T) {
	for intent, change := range map[string]func(*upstream){
		"deny a certificate of nobody": func(u *upstream) { u.network.Roots = x509.NewCertPool() },
		"deny another name": func(u *upstream) {
			u.origin = strings.Replace(u.origin, "example.com", "other.test", 1)
			u.network.Lookup = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{u.at.Addr()}, nil }
		},
		"deny TLS 1.1":    func(u *upstream) { u.TLS.MinVersion, u.TLS.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"deny plain text": func(u *upstream) { u.origin = strings.Replace(u.origin, "https", "http", 1) },
	} {
		t.Run(intent, func(t *testing.T) {
			u := serve(t, func(http.ResponseWriter, *http.Request) {})
			change(u)
			g, _ := u.guard(t, u.right())
			resp, err := g.Fetch(t.Context(), get("/v1/x"))
			if err == nil && resp.Status != 400 || u.hits.Load() != 0 { // Go's server answers plain text with 400 itself
				t.Errorf("got %d, %v, %d requests", resp.Status, err, u.hits.Load())
			}
		})
	}
}

// Nothing is sent that could not be recorded, and nothing beyond the budget.
func TestBudgetAndRecordComeFirst(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	g, j := u.guard(t, u.right())
	j.before = func(e guard.Event) {
		if u.lookups.Load() != 0 {
			t.Error("looked up before the record")
		}
	}
	j.fail = errors.New("disk full")
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Internal {
		t.Errorf("got %v", err)
	}
	if u.lookups.Load() != 0 || u.hits.Load() != 0 {
		t.Errorf("%d lookups, %d requests", u.lookups.Load(), u.hits.Load())
	}
	j.fail, j.before = nil, nil
	for i := range 25 { // one of 20 went to the failed record
		want := effect.OK
		if i >= 19 {
			want = effect.Limit
		}
		if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != want {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if u.hits.Load() != 19 {
		t.Errorf("%d requests", u.hits.Load())
	}
	allowed, denied := g.Effects()
	if allowed != 19 || denied != 7 {
		t.Errorf("effects: %d, %d", allowed, denied)
	}
}

// Connections are kept within a grant and never shared between two, or one grant's open network would
// be the other's.
func TestConnectionsStayWithTheirGrant(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	g := open(t, guard.Config{Network: u.network, Policy: capabilities.Policy{
		Rights: capabilities.Rights{HTTP: map[string]capabilities.HTTPRight{"one": u.right(), "two": u.right()}},
		Limits: capabilities.Limits{HTTPCalls: 20},
	}})
	from := func(id string) string {
		resp, err := g.Fetch(t.Context(), effect.HTTPRequest{Capability: id, Method: "GET", Path: "/v1/x"})
		if err != nil {
			t.Fatal(err)
		}
		return string(resp.Body)
	}
	one, two := from("one"), from("two")
	if one == two || from("one") != one || from("two") != two {
		t.Error("connections are shared between grants, or not kept within one")
	}
}

// What this binary does not build is refused, not left out: a request without its limits is another
// request.
func TestParamsAreRefused(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	right := u.right()
	right.Params = []capabilities.Param{{Name: "q", Max: 10}}
	g, _ := u.guard(t, right)
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Unsupported || u.hits.Load() != 0 {
		t.Errorf("got %v", err)
	}
}

// An address is no origin, not even one that may be dialled or was opened.
func TestAddressAsOriginIsRefused(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	right := u.right()
	right.Origin = "https://" + u.at.String()
	right.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	g, _ := u.guard(t, right)
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Denied || u.hits.Load() != 0 {
		t.Errorf("got %v, %d requests", err, u.hits.Load())
	}
	// By name, what the operator opened does not open loopback.
	right = u.right()
	right.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	u.network.Loopback = nil
	g, _ = u.guard(t, right)
	if _, err := g.Fetch(t.Context(), get("/v1/x")); code(err) != effect.Denied || u.hits.Load() != 0 {
		t.Errorf("loopback, opened by mistake: %v", err)
	}
}

// A request that has left and has no answer may have done what it asks for: the record says that nobody
// knows. One that never left is no such thing.
func TestWhatBecameOfARequestIsNotMadeUp(t *testing.T) {
	received := make(chan struct{}, 1)
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		received <- struct{}{}
		if strings.HasSuffix(r.URL.Path, "hang") {
			<-r.Context().Done()
		}
		panic(http.ErrAbortHandler)
	})
	right := u.right()
	right.Methods = []string{"POST"}
	g, j := u.guard(t, right)
	post := func(path string) effect.HTTPRequest {
		return effect.HTTPRequest{Capability: "api", Method: "POST", Path: path, Body: []byte("x")}
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-received; cancel() }()
	if _, err := g.Fetch(ctx, post("/v1/hang")); code(err) != effect.Cancelled {
		t.Errorf("cancelled on the way: %v", err)
	}
	if _, err := g.Fetch(t.Context(), post("/v1/drop")); code(err) != effect.Unavailable {
		t.Errorf("no answer: %v", err)
	}
	u.Close()
	if _, err := g.Fetch(t.Context(), post("/v1/gone")); code(err) != effect.Unavailable {
		t.Errorf("no server: %v", err)
	}
	want := []string{
		"allow POST api:/v1/hang", "unknown POST api:/v1/hang", "allow POST api:/v1/drop", "unknown POST api:/v1/drop", "allow POST api:/v1/gone",
	}
	if got := j.lines(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
