package guard_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	neturl "net/url"
	"slices"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
	"github.com/writ-run/writ/capabilities/guard"
)

// browse grants the web with 20 calls.
func (u *upstream) browse(t testing.TB, methods ...string) (*guard.Guard, *journal) {
	t.Helper()
	j := &journal{}
	return open(t, guard.Config{Recorder: j, Network: u.network, Policy: capabilities.Policy{
		Rights: capabilities.Rights{Web: &capabilities.WebRight{Methods: methods}},
		Limits: capabilities.Limits{HTTPCalls: 20},
	}}), j
}

// anyName makes every name resolve to the upstream.
func (u *upstream) anyName() {
	u.network.Lookup = func(context.Context, string) ([]netip.Addr, error) {
		u.lookups.Add(1)
		return []netip.Addr{u.at.Addr()}, nil
	}
}

func page(url string) effect.WebRequest { return effect.WebRequest{Method: "GET", URL: url} }

func TestFetchPage(t *testing.T) {
	for name, serve := range map[string]func(testing.TB, http.HandlerFunc) *upstream{"https": serve, "http": servePlain} {
		t.Run(name, func(t *testing.T) {
			var got *http.Request
			u := serve(t, func(w http.ResponseWriter, r *http.Request) {
				got = r
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Set-Cookie", "session=1")
				io.WriteString(w, "<p>hello")
			})
			g, j := u.browse(t, "GET", "HEAD")
			req := page(u.origin + `/a//b;c/%2F/ü?q=a b&r="x"&s=100%#part`)
			req.Header = []effect.Header{{Name: "User-Agent", Value: "Reader/1"}, {Name: "Accept", Value: "text/html"}}
			resp, err := g.FetchPage(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			const path, query = "/a//b;c/%2F/%C3%BC", "?q=a%20b&r=%22x%22&s=100%25"
			if resp.Status != 200 || string(resp.Body) != "<p>hello" || resp.URL != u.origin+path+query {
				t.Errorf("got %d %q from %s", resp.Status, resp.Body, resp.URL)
			}
			for _, h := range resp.Header {
				if h.Name != "content-type" && h.Name != "date" {
					t.Errorf("the answer has %s: %s", h.Name, h.Value)
				}
			}
			want := http.Header{"Accept-Encoding": {"gzip"}, "User-Agent": {"Reader/1"}, "Accept": {"text/html"}}
			if got.RequestURI != path+query || fmt.Sprint(got.Header) != fmt.Sprint(want) {
				t.Errorf("sent %s with %v", got.RequestURI, got.Header)
			}
			// The query can hold what a person typed: it is not written down.
			if e := j.events[0]; len(j.events) != 1 || e.Kind != "web" || e.Action != "GET" || e.Target != u.origin+path || e.Decision != "allow" {
				t.Errorf("records %+v", j.events)
			}
			req.Method = "HEAD"
			if resp, err := g.FetchPage(t.Context(), req); err != nil || len(resp.Body) != 0 || got.Method != "HEAD" {
				t.Errorf("HEAD: %v, %q", err, resp.Body)
			}
		})
	}
}

// refusedPages are URLs that are refused for what they are, with the reason. PORT is the port of a
// server that answers: without the rule the request would reach it.
var refusedPages = map[string]struct {
	code effect.Code
	urls []string
}{
	"only http and https": {effect.Denied, []string{
		"ftp://example.com:PORT/", "file:///etc/passwd", "gopher://example.com:PORT/_x", "ws://example.com:PORT/", "javascript:alert(1)", "data:text/html,x",
		"dict://example.com:PORT/", "ldap://example.com:PORT/", "jar:http://example.com:PORT/!/", "view-source:https://example.com:PORT/", "mailto:a@example.com",
	}},
	"malformed": {effect.Invalid, []string{
		"", "/", "/page", "page", "example.com", "//example.com:PORT/", "https:", "https:/", "https://", "https:example.com:PORT/", "https:///example.com:PORT/",
		`https:\\example.com:PORT/`, `https://example.com\@10.0.0.1/`, `https://example.com:PORT\.evil.test/`, "https://exam ple.com:PORT/", "https://example.com:PORT/\r\nX: y",
		"https://example.com:PORT/\x00", "https://example.com:PORT/%", "https://example.com:port/", "https://example.com%2eevil.test:PORT/", "https://[::1/", "\thttps://example.com:PORT/",
		"https://example.com:PORT/" + strings.Repeat("a", 17<<10), "https://example.com:PORT/" + strings.Repeat("ü", 4<<10), "https://example.com:PORT/?" + strings.Repeat(`"`, 4<<10),
	}},
	"user name": {effect.Denied, []string{
		"https://ana@example.com:PORT/", "https://ana:pass@example.com:PORT/", "https://@example.com:PORT/", "https://10.0.0.1@example.com:PORT/", "https://example.com@10.0.0.1/",
	}},
	"public DNS name": {effect.Denied, []string{
		"https://127.0.0.1:PORT/", "https://127.1:PORT/", "https://127.0.1:PORT/", "https://0:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://0x7f.1:PORT/",
		"https://0177.0.0.1:PORT/", "https://017700000001:PORT/", "https://127.000.000.001:PORT/", "https://127.0.0.1.:PORT/", "https://[::1]:PORT/", "https://[::]:PORT/",
		"https://[::ffff:127.0.0.1]:PORT/", "https://[::ffff:7f00:1]:PORT/", "https://[::ffff:a9fe:a9fe]/", "https://[0:0:0:0:0:0:0:1]:PORT/", "https://[64:ff9b::7f00:1]:PORT/",
		"https://[fe80::1%25eth0]:PORT/", "https://[2606:4700::1111]/", "https://１２７.0.0.1:PORT/", "https://①②⑦.⓪.⓪.①:PORT/", "https://127。0。0。1:PORT/",
		"https://169.254.169.254/latest/meta-data/", "https://0xa9fea9fe/", "https://10.0.0.1/", "https://8.8.8.8/", "http://127.0.0.1:PORT/",
		"https://localhost:PORT/", "https://x.localhost:PORT/", "https://LOCALHOST:PORT/", "https://localhost.:PORT/", "https://localhost.localdomain:PORT/", "https://intranet:PORT/",
		"https://metadata.google.internal/", "https://metadata.goog:PORT/", "https://metadata:PORT/", "https://printer.local:PORT/", "https://db.internal:PORT/", "https://nas.lan:PORT/",
		"https://router.home.arpa:PORT/", "https://exämple.com:PORT/", "https://example.com.:PORT/", "https://exa_mple.com:PORT/",
		"https://example.com:/", "https://example.com:0/", "https://example.com:65536/", "https://example.com:0PORT/", "https://-example.com:PORT/", "https://*.example.com:PORT/",
	}},
	"another protocol": {effect.Denied, []string{
		"https://example.com:22/", "http://example.com:25/", "http://example.com:6667/", "http://example.com:143/", "https://example.com:465/", "http://example.com:2049/",
		"http://example.com:6000/", "http://example.com:53/", "http://example.com:389/", "http://example.com:1/",
		"http://example.com:6379/", "http://example.com:11211/", "http://example.com:3306/", "http://example.com:2375/", "http://example.com:9200/",
		"http://example.com:27017/", "http://example.com:5432/", "http://example.com:88/", "http://example.com:1023/", "http://example.com:444/",
	}},
}

// What is refused for what it is sends nothing: no connection, and no DNS query that could carry data
// in a name. Every name resolves to a server that would answer.
func TestPagesRefusedBeforeAnythingIsSent(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	u.anyName()
	for reason, row := range refusedPages {
		for _, url := range row.urls {
			url = strings.ReplaceAll(url, "PORT", fmt.Sprint(u.at.Port()))
			g, j := u.browse(t, "GET")
			_, err := g.FetchPage(t.Context(), page(url))
			if code(err) != row.code || !strings.Contains(err.Text, reason) {
				t.Errorf("%.60q: %v; want code %d, %s", url, err, row.code, reason)
			}
			if len(j.events) != 1 || j.events[0].Decision != "deny" || j.events[0].Kind != "web" || strings.Contains(j.events[0].Target, "ana") {
				t.Errorf("%.60q: records %+v", url, j.events)
			}
		}
	}
	if u.lookups.Load() != 0 || u.hits.Load() != 0 {
		t.Errorf("%d lookups, %d requests", u.lookups.Load(), u.hits.Load())
	}
	g, _ := u.browse(t, "GET")
	if _, err := g.FetchPage(t.Context(), page("HTTPS://Example.COM:"+fmt.Sprint(u.at.Port()))); err != nil || u.hits.Load() != 1 {
		t.Errorf("the control: %v", err)
	}
}

// A page is read without anything that could be a credential.
func TestPageRequestsThatAreRefused(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	with := func(change func(*effect.WebRequest)) effect.WebRequest {
		r := page(u.origin + "/")
		change(&r)
		return r
	}
	method := func(m string) effect.WebRequest { return with(func(r *effect.WebRequest) { r.Method = m }) }
	rows := map[string]struct {
		req  effect.WebRequest
		want effect.Code
	}{
		"deny a method that was not granted": {method("HEAD"), effect.Denied},
		"deny a method of no page":           {method("POST"), effect.Denied},
		"deny no method":                     {method(""), effect.Denied},
		"deny a body":                        {with(func(r *effect.WebRequest) { r.Body = []byte("x") }), effect.Invalid},
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "X-Auth-Token", "Host", "Referer", "Origin", "Proxy-Authorization", "Content-Type",
		"Metadata-Flavor", "X-aws-ec2-metadata-token", "Idempotency-Key", "Accept-Encoding", ""} {
		rows["deny header "+name] = struct {
			req  effect.WebRequest
			want effect.Code
		}{with(func(r *effect.WebRequest) { r.Header = []effect.Header{{Name: name, Value: "x"}} }), effect.Invalid}
	}
	rows["deny a line break in a header"] = struct {
		req  effect.WebRequest
		want effect.Code
	}{with(func(r *effect.WebRequest) { r.Header = []effect.Header{{Name: "User-Agent", Value: "x\r\nCookie: y"}} }), effect.Invalid}
	for intent, row := range rows {
		// POST is in the grant, as no manifest could ask for it: the guard does not believe the grant alone.
		g, j := u.browse(t, "GET", "POST", "")
		if _, err := g.FetchPage(t.Context(), row.req); code(err) != row.want || len(j.events) != 1 || j.events[0].Decision != "deny" {
			t.Errorf("%s: %v, records %+v", intent, err, j.events)
		}
	}
	for intent, rights := range map[string]capabilities.Rights{
		"nothing granted": {}, "no method granted": {Web: &capabilities.WebRight{}},
		"a site granted": {HTTP: map[string]capabilities.HTTPRight{"api": u.right(), "web": u.right()}},
	} {
		g := open(t, guard.Config{Network: u.network, Policy: capabilities.Policy{Rights: rights, Limits: capabilities.Limits{HTTPCalls: 20}}})
		if _, err := g.FetchPage(t.Context(), page(u.origin+"/v1/")); code(err) != effect.Denied {
			t.Errorf("%s: %v", intent, err)
		}
	}
	g, _ := u.browse(t, "GET", "HEAD")
	if _, err := g.Fetch(t.Context(), effect.HTTPRequest{Capability: "web", Method: "GET", Path: "/"}); code(err) != effect.Denied {
		t.Errorf("the web as a site: %v", err)
	}
	if u.hits.Load() != 0 {
		t.Errorf("%d requests", u.hits.Load())
	}
}

// A public name can have any address: it is judged as it is dialled, whatever was looked up before.
func TestPagesAtAddressesThatMayNotBeReached(t *testing.T) {
	for intent, answers := range map[string][]string{
		"loopback":                 {"127.0.0.1"},
		"loopback, IPv6":           {"::1"},
		"mapped":                   {"::ffff:127.0.0.1"},
		"everything":               {"0.0.0.0"},
		"private":                  {"10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1"},
		"carrier-grade NAT":        {"100.64.0.1"},
		"link-local":               {"169.254.7.7", "fe80::1"},
		"metadata":                 {"169.254.169.254", "fd00:ec2::254", "100.100.100.200"},
		"NAT64":                    {"64:ff9b::7f00:1"},
		"6to4":                     {"2002:7f00:1::"},
		"multicast":                {"224.0.0.1", "255.255.255.255"},
		"public and private":       {"93.184.216.34 127.0.0.1", "127.0.0.1 93.184.216.34"},
		"documentation, then home": {"203.0.113.1", "127.0.0.1"},
	} {
		t.Run(intent, func(t *testing.T) {
			u := servePlain(t, func(http.ResponseWriter, *http.Request) {})
			n := 0
			u.network.Lookup = func(context.Context, string) (addrs []netip.Addr, _ error) {
				for a := range strings.FieldsSeq(answers[min(n, len(answers)-1)]) {
					addrs = append(addrs, netip.MustParseAddr(a))
				}
				n++
				return addrs, nil
			}
			reachable := u.network.Loopback
			u.network.Loopback = nil // a real network from here on
			g, j := u.browse(t, "GET")
			for range answers {
				_, err := g.FetchPage(t.Context(), page(u.origin+"/"))
				if code(err) != effect.Denied || strings.ContainsAny(err.Text, "0123456789") {
					t.Errorf("got %v", err)
				}
			}
			if last := j.events[len(j.events)-1]; u.hits.Load() != 0 || last.Action != "dial" || last.Decision != "deny" {
				t.Errorf("%d requests, last record %+v", u.hits.Load(), last)
			}
			// The control: the same request arrives when only the address may be dialled.
			u.network.Loopback = reachable
			u.anyName()
			g, _ = u.browse(t, "GET")
			if _, err := g.FetchPage(t.Context(), page(u.origin+"/")); err != nil || u.hits.Load() != 1 {
				t.Errorf("the control: %v, %d requests", err, u.hits.Load())
			}
		})
	}
}

// A public page may redirect anywhere on the public web and nowhere else.
func TestRedirectedPages(t *testing.T) {
	var to string
	u := servePlain(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/start" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		io.WriteString(w, r.Host+r.RequestURI)
	})
	u.network.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		if strings.HasPrefix(host, "inner.") {
			return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
		}
		return []netip.Addr{u.at.Addr()}, nil
	}
	port := fmt.Sprint(u.at.Port())
	for location, want := range map[string]string{
		"/next?x=1#y":                    u.origin + "/next?x=1",
		"next":                           u.origin + "/next",
		"../../next":                     u.origin + "/next",
		"?x":                             u.origin + "/start", // and again: too often
		"//other.example:" + port + "/n": "http://other.example:" + port + "/n",
		"HTTP://Other.Example:" + port:   "http://other.example:" + port + "/",
		"/caf\xc3\xa9":                   u.origin + "/caf%C3%A9",
		"http://127.0.0.1:" + port:       "", "http://2130706433:" + port: "", "http://0x7f.1:" + port: "", "http://[::1]:" + port: "", "http://[::ffff:7f00:1]:" + port: "",
		"http://localhost:" + port: "", "http://ana:pass@example.com:" + port: "", "file:///etc/passwd": "", "ftp://example.com:" + port: "",
		"http://example.com:25/": "", "http://metadata.google.internal/": "", `\\example.com:` + port: "", "http:///x": "", "javascript:alert(1)": "",
		"http://inner.example:" + port + "/": "", "http://169.254.169.254/latest/": "",
	} {
		to = location
		g, j := u.browse(t, "GET")
		resp, err := g.FetchPage(t.Context(), page(u.origin+"/start"))
		switch {
		case location == "?x":
			if code(err) != effect.Unavailable || len(j.events) != 7 {
				t.Errorf("%s: %v, records %q", location, err, j.lines())
			}
		case want == "":
			if code(err) != effect.Denied || len(resp.Body) > 0 || j.events[len(j.events)-1].Decision != "deny" {
				t.Errorf("%s: %v, %q, records %q", location, err, resp.Body, j.lines())
			}
		default:
			if err != nil || resp.URL != want || "http://"+string(resp.Body) != want {
				t.Errorf("%s: %v, %s, %q; want %s", location, err, resp.URL, resp.Body, want)
			}
			// The hop is an event of its own, under the name of its own host.
			target, _, _ := strings.Cut(want, "?")
			if lines := j.lines(); !slices.Equal(lines, []string{"allow GET " + u.origin + "/start", "allow GET " + target}) {
				t.Errorf("%s: records %q", location, lines)
			}
		}
	}
}

// Pages and sites share one budget, and nothing is sent unrecorded.
func TestPagesAreCountedAndRecorded(t *testing.T) {
	u := serve(t, func(http.ResponseWriter, *http.Request) {})
	j := &journal{}
	g := open(t, guard.Config{Recorder: j, Network: u.network, Policy: capabilities.Policy{
		Rights: capabilities.Rights{Web: &capabilities.WebRight{Methods: []string{"GET"}}, HTTP: map[string]capabilities.HTTPRight{"api": u.right()}},
		Limits: capabilities.Limits{HTTPCalls: 3},
	}})
	for i, want := range []effect.Code{effect.OK, effect.OK, effect.OK, effect.Limit} {
		var err *effect.Error
		if i == 1 {
			_, err = g.Fetch(t.Context(), get("/v1/x"))
		} else {
			_, err = g.FetchPage(t.Context(), page(u.origin+"/"))
		}
		if code(err) != want {
			t.Errorf("exchange %d: %v", i, err)
		}
	}
	g, j = u.browse(t, "GET")
	j.fail = errors.New("disk full")
	if _, err := g.FetchPage(t.Context(), page(u.origin+"/")); code(err) != effect.Internal || u.hits.Load() != 3 {
		t.Errorf("unrecorded: %v, %d requests", err, u.hits.Load())
	}
}

// A call that may reach a site with a secret, and the web: no page gets the secret, and a page that has
// it from the site cannot hand it to the guest or to the audit.
func TestPagesGetNoSecrets(t *testing.T) {
	var sent []string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Authorization"))
		switch r.URL.Path {
		case "/moved":
			w.Header().Set("Location", "/by/"+neturl.PathEscape(value)+"?x=1")
			w.WriteHeader(http.StatusFound)
		case "/asked":
			w.Header().Set("Location", "/end?key="+neturl.QueryEscape(value))
			w.WriteHeader(http.StatusFound)
		default:
			io.WriteString(w, "it is "+sent[0])
		}
	})
	j := &journal{}
	right := u.right()
	right.Auth = &bearer
	g := open(t, guard.Config{Recorder: j, Network: u.network, Secrets: safe{"KEY": value}, Policy: capabilities.Policy{
		Rights: capabilities.Rights{
			HTTP: map[string]capabilities.HTTPRight{"api": right}, Web: &capabilities.WebRight{Methods: []string{"GET"}},
			Secret: map[string]string{"KEY": capabilities.SecretEgress},
		},
		Limits: capabilities.Limits{HTTPCalls: 20},
	}})
	if _, err := g.Fetch(t.Context(), get("/v1/x")); err != nil || len(sent) != 1 || sent[0] != "Bearer "+value {
		t.Fatalf("the site: %v, got %q", err, sent)
	}
	// The granted site itself, but as a page.
	if resp, err := g.FetchPage(t.Context(), page(u.origin+"/v1/x")); err != nil || string(resp.Body) != "it is [secret]" {
		t.Errorf("a page that repeats it: %v, %q", err, resp.Body)
	}
	if _, err := g.FetchPage(t.Context(), page(u.origin+"/moved")); code(err) != effect.Denied {
		t.Errorf("a redirect that has it in its path: %v", err)
	}
	resp, err := g.FetchPage(t.Context(), page(u.origin+"/asked"))
	if err != nil || resp.URL != u.origin+"/end?key=[secret]" {
		t.Errorf("a redirect that has it in its query: %v, %s", err, resp.URL)
	}
	for i, header := range sent[1:] {
		if header != "" {
			t.Errorf("page %d was asked for with %q", i, header)
		}
	}
	for _, e := range j.events {
		if strings.Contains(e.Target+e.Reason, "s3cr3t") {
			t.Errorf("the record has it: %+v", e)
		}
	}
}
