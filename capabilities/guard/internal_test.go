package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/capabilities/effect"
)

type forgetful struct{}

func (forgetful) Record(context.Context, Event) error { return nil }

// Where no mount can be made for a test, the guard is told that the granted directory was on another
// volume: then everything in it is foreign.
func TestOtherVolumeIsRefused(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	right := capabilities.FSRight{Guest: "/d", Path: dir, Mode: capabilities.ModeFull}
	g, err := New(Config{Recorder: forgetful{}, Policy: capabilities.Policy{
		Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{"d": right}}, Preopens: []capabilities.FSRight{right},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	if errno := g.Mkdir(3, "a"); errno != effect.Success {
		t.Fatal(errno)
	}
	g.mounts[0].volume++
	_, open := g.Open(t.Context(), effect.Open{Dir: 3, Path: "a", Read: true})
	_, create := g.Open(t.Context(), effect.Open{Dir: 3, Path: "b", Write: true, Create: true})
	_, stat := g.StatAt(3, "a", true)
	_, list := g.ReadDir(3, 0, 1)
	for what, errno := range map[string]effect.Errno{
		"open": open, "create": create, "stat": stat, "list": list,
		"mkdir": g.Mkdir(3, "b"), "rmdir": g.Rmdir(3, "a"), "rename": g.Rename(3, "a", 3, "b"), "touch": g.SetTimes(3, 1, 1),
	} {
		if errno != effect.ErrXDev {
			t.Errorf("%s: errno %d, want EXDEV", what, errno)
		}
	}
}

// A flood of requests must not fill the audit: past the limit one event tells so, then nothing is
// recorded and nothing allowed. The limit counts what is written, not requests.
func TestAuditOfACallIsBounded(t *testing.T) {
	for intent, target := range map[string]func(i int) string{
		"short names":       func(i int) string { return strconv.Itoa(i) },
		"long names":        func(i int) string { return strconv.Itoa(i) + strings.Repeat("n", 8000) },
		"names of escapes":  func(i int) string { return strconv.Itoa(i) + strings.Repeat("\u200b", 2000) },
		"names not of text": func(i int) string { return strconv.Itoa(i) + strings.Repeat("\xff", 4000) },
	} {
		for _, refusal := range []string{"", "key is not declared"} {
			t.Run(intent+" "+refusal, func(t *testing.T) {
				n, size, last := 0, 0, Event{}
				g, err := New(Config{Recorder: recorderFunc(func(e Event) {
					raw, _ := json.Marshal(e)
					n, size, last = n+1, size+len(raw), e
				})})
				if err != nil {
					t.Fatal(err)
				}
				defer g.End()
				for i := range maxRecorded/eventCost + 1 {
					if err := g.decide(t.Context(), capabilities.KindConfig, "get", target(i), refusal); err == errTooMany {
						break
					}
				}
				if last.Decision != "deny" || last.Reason != errTooMany.Error() {
					t.Errorf("after %d events the last is %.200v", n, last)
				}
				if size > 3*maxRecorded {
					t.Errorf("%d events of %d bytes", n, size)
				}
				before := n
				for range 10 {
					if err := g.decide(t.Context(), capabilities.KindConfig, "get", "K", refusal); err != errTooMany {
						t.Errorf("got %v", err)
					}
				}
				if _, err := g.Config(t.Context(), "K"); err == nil || err.Code != effect.Limit {
					t.Errorf("got %v", err)
				}
				if n != before {
					t.Errorf("%d events after the last", n-before)
				}
			})
		}
	}
}

// A refusal that is asked for again and again is counted, and the count recorded before anything else
// is, or at the end. What is allowed is recorded each time.
func TestRepeatedRefusalsAreCounted(t *testing.T) {
	var events []string
	g, err := New(Config{Recorder: recorderFunc(func(e Event) {
		events = append(events, fmt.Sprintf("%s %s %d", e.Decision, e.Target, e.Repeated))
	}), Policy: capabilities.Policy{Rights: capabilities.Rights{Config: []string{"K"}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range strings.Fields("A A A K K B A A A A") {
		g.Config(t.Context(), key)
	}
	want := "deny A 0, deny A 2, allow K 0, allow K 0, deny B 0, deny A 0"
	if got := strings.Join(events, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for range 2 {
		if err := g.End(); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Join(events, ", "); got != want+", deny A 3" {
		t.Errorf("at the end %s", got)
	}
	if allowed, denied := g.Effects(); allowed != 2 || denied != 8 {
		t.Errorf("%d allowed, %d denied", allowed, denied)
	}
}

// The record of a refusal is cut, that of an effect is not: a long way round must not hide a name.
func TestTargetsAreCutOnlyWhenRefused(t *testing.T) {
	var last Event
	g, err := New(Config{Recorder: recorderFunc(func(e Event) { last = e })})
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	long := strings.Repeat("a/../", 700) + "private/\u202e" + strings.Repeat("b/../", 100) + "name"
	g.decide(t.Context(), capabilities.KindFS, "open", long, "")
	if want := strings.ReplaceAll(long, "\u202e", `\u202e`); last.Target != want {
		t.Errorf("allowed: %q", last.Target)
	}
	g.decide(t.Context(), capabilities.KindFS, "open", strings.Repeat("é", 400), ruleEscape)
	if want := strings.Repeat("é", 256) + "…"; last.Target != want {
		t.Errorf("refused: %q", last.Target)
	}
}

// A new listing of a directory takes the room of the one that it replaces, and what the host reads for
// a guest that rewinds and rewinds is bounded.
func TestListingQuotas(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	right := capabilities.FSRight{Guest: "/d", Path: dir, Mode: capabilities.ModeRead}
	g, err := New(Config{Recorder: forgetful{}, Policy: capabilities.Policy{
		Rights: capabilities.Rights{FS: map[string]capabilities.FSRight{"d": right}}, Preopens: []capabilities.FSRight{right},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	list := func(want effect.Errno) {
		t.Helper()
		page, errno := g.ReadDir(3, 0, 100)
		if errno != want || errno == effect.Success && len(page) != 60 {
			t.Errorf("%d entries, errno %d, want %d", len(page), errno, want)
		}
	}
	g.spent.listed = maxListed - 100 // room for one listing, not for two
	for range 5 {
		list(effect.Success)
	}
	g.spent.listed = maxListed + 1
	list(effect.ErrDQuot)
	g.spent.listed = 0
	g.spent.read = maxRead - 100
	list(effect.Success)
	list(effect.ErrDQuot)
}

// What the guard matches is never looser than what the approval and the policy reckon with.
func FuzzMatchingIsNeverLooser(f *testing.F) {
	for _, seed := range []struct{ path, grant, origin string }{
		{"/v1/a", "/v1/", "https://api.acme.test"}, {"/v1", "/v1", "https://api.acme.test:8443"}, {"/v1/%41", "/v1/", "https://API.acme.test"},
		{"/v1/a%20b", "/v1/a%20b", "http://api.acme.test"}, {"/v10", "/v1", "https://10.0.0.1"}, {"/v1/*", "/v1/", "https://[::1]"},
		{"/é", "/%C3%A9", "https://acme.test:443"}, {"/a", "/a/../", "https://metadata.google.internal"}, {"/" + strings.Repeat("a", 600), "/", "https://0x7f.1"},
		{"/v1/a", "/v1/;", "user"}, {"/a//b", "/a/", "https://localhost"}, {"/a/", "/a//", "https://a.localdomain"},
	} {
		f.Add(seed.path, seed.grant, seed.origin)
	}
	escape := regexp.MustCompile(`%..|\*`) // a letter of a path, to rules that know no escapes
	f.Fuzz(func(t *testing.T, path, grant, from string) {
		if o, ok := parseOrigin(from); ok {
			if canonical, err := capabilities.ParseOrigin(from); err != nil || canonical != from || "https://"+o.authority != from {
				t.Fatalf("%q is read as %q, canonical %q, %v", from, o, canonical, err)
			}
		}
		canonical, _, err := canonicalPath(path)
		if err != nil {
			return
		}
		within := withinPaths(canonical, []string{grant})
		if plain := escape.ReplaceAllString(canonical, "x"); len(plain) <= 512 && within && !capabilities.PathCovers(grant, plain) {
			t.Fatalf("grant %q covers %q here, and not in the policy", grant, canonical)
		}
		if canonical == path && capabilities.PathCovers(grant, path) && !within {
			t.Fatalf("grant %q covers %q in the policy, and not here", grant, path)
		}
	})
}

type recorderFunc func(Event)

func (f recorderFunc) Record(_ context.Context, e Event) error { f(e); return nil }

// FuzzFilePath holds parsePath against what it promises: names that stay below, in one spelling.
func FuzzFilePath(f *testing.F) {
	for _, seed := range []string{
		"a", "a/b/c", "./a", "a//b/", "a/./b/.", "..", "a/..", "a/../..", "../a", "/a", "", "\x00", "a\\b", "CON", "x:",
		"a::$DATA", "b.", "b ", "..a", "a/.../b", "\xff", "é/ü", strings.Repeat("a/", 2100), strings.Repeat("n", 300), "COM¹.txt",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		p, errno := parsePath(path)
		if errno != effect.Success {
			if p != (filePath{}) {
				t.Fatalf("a refused path left %+v", p)
			}
			return
		}
		if !filepath.IsLocal(p.name) || strings.ContainsAny(p.name, "\x00\\") || strings.Contains(p.name, "//") || p.name[0] == '/' {
			t.Fatalf("%q gives %q", path, p.name)
		}
		if clean := filepath.Clean(path); filepath.Clean(p.name) != clean {
			t.Fatalf("%q gives %q, which is %q and not %q", path, p.name, filepath.Clean(p.name), clean)
		}
		again, errno := parsePath(p.name)
		if errno != effect.Success || again.name != p.name {
			t.Fatalf("%q gives %q, which gives %q (%d)", path, p.name, again.name, errno)
		}
		if below := p.below("dir"); !strings.HasPrefix(filepath.Clean(below)+"/", "dir/") {
			t.Fatalf("%q leaves its directory as %q", path, below)
		}
	})
}

// FuzzCanonicalPath holds the path of a request against what is promised of it: one spelling, no
// segment that moves, and the same bytes on the wire.
func FuzzCanonicalPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/v1/a", "/v1/../b", "/v1/%2e%2e/b", "/v1/%2fb", "/v1//b", "/v1/;x", "/v1/%3bx", "/v1/%252e", "/a b", "/é", "/%C3%A9",
		"/%zz", "/a?b", "/a#b", "/a\\b", "/%5c", "/\x00", "/%00", "/．．/a", "/%EF%BC%8E", "/a%", "/~a!$&'()*+,=:@", "/.hidden", "/a.", "/%41",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		canonical, decoded, err := canonicalPath(path)
		if err != nil {
			return
		}
		again, redecoded, err := canonicalPath(canonical)
		if err != nil || again != canonical || redecoded != decoded {
			t.Fatalf("%q gives %q, which gives %q, %v", path, canonical, again, err)
		}
		for _, bad := range []string{"//", "/../", "/./", "\\", ";", "%2F", "%2E", "%5C", "%3B", "?", "#", " "} {
			if strings.Contains(canonical+"/", bad) && !(bad == "//" && strings.HasSuffix(canonical, "/") && !strings.Contains(canonical, "//")) {
				t.Fatalf("%q gives %q, which has %q", path, canonical, bad)
			}
		}
		x := exchange{method: "GET", page: page{origin: origin{"https", "api.acme.test"}, path: canonical, decoded: decoded}}
		req, err := x.request(t.Context())
		if err != nil || req.URL.RequestURI() != canonical {
			t.Fatalf("%q is sent as %v, %v", canonical, req, err)
		}
		if !withinPaths(canonical, []string{"/"}) || withinPaths(canonical, []string{"/granted/"}) != strings.HasPrefix(decoded, "/granted/") {
			t.Fatalf("%q is matched wrongly", canonical)
		}
	})
}

func TestClassify(t *testing.T) {
	for want, list := range map[class]string{
		classPublic: "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 " +
			"198.17.255.255 198.20.0.0 223.255.255.255 11.0.0.0 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8",
		classLoopback:  "127.0.0.1 127.1.2.3 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::127.0.0.1",
		classPrivate:   "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255 fc00::1 fd12::1 ::ffff:10.0.0.1 64:ff9b::192.168.1.1",
		classLinkLocal: "169.254.0.1 169.254.169.253 fe80::1 febf::1 fec0::1 ::ffff:169.254.1.1",
		classMetadata: "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254 " +
			"::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b::a9fe:a9fe",
		classMulticast: "224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1 ::ffff:255.255.255.255",
		classNone:      "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0",
		classReserved:  "192.0.0.1 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 2001:db8::1 100::1 3fff::1 5f00::1",
		classEmbedded: "::7f00:1 ::8.8.8.8 2002:7f00:1::1 2001::1 2001:0:53aa:64c:0:0:80ff:fffe 192.88.99.1 64:ff9b:1::1 " +
			"2606:4700::5efe:127.0.0.1 2606:4700::200:5efe:10.0.0.1 2001:20::1",
		classUnknown: "4000::1 1::1 e000::1 64:ff9c::1 fe80::1%eth0 2606:4700::1%1",
	} {
		for address := range strings.FieldsSeq(list) {
			if got := classify(netip.MustParseAddr(address)); got != want {
				t.Errorf("%s is %q, want %q", address, got.name(), want.name())
			}
		}
	}
	if got := classify(netip.Addr{}); got != classUnknown {
		t.Errorf("no address is %q", got)
	}
}

// No prefix that an operator gives opens the host itself, its wire or its cloud.
func TestPermit(t *testing.T) {
	everything := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	lan := []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24"), netip.MustParsePrefix("fd12::/64")}
	test := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8080")}
	here := Network{Own: func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr("1.1.1.1")}, nil }}
	serving := func(at string) Network {
		n := Network{Own: here.Own, Listeners: &Listeners{}}
		n.Listeners.Add("@socket")
		n.Listeners.Add(at)
		return n
	}
	unknown := Network{Own: func() ([]netip.Addr, error) { return nil, errUnrecorded }}
	for _, tt := range []struct {
		intent  string
		d       dialer
		address string
		allowed bool
	}{
		{"allow a public address", dialer{}, "1.1.1.1:443", true},
		{"deny a private address", dialer{}, "192.168.1.5:443", false},
		{"allow it when opened", dialer{right: capabilities.HTTPRight{Private: lan}}, "192.168.1.5:443", true},
		{"allow it mapped", dialer{right: capabilities.HTTPRight{Private: lan}}, "[::ffff:192.168.1.5]:443", true},
		{"allow a unique local address when opened", dialer{right: capabilities.HTTPRight{Private: lan}}, "[fd12::5]:443", true},
		{"deny the neighbour network", dialer{right: capabilities.HTTPRight{Private: lan}}, "192.168.2.5:443", false},
		{"deny loopback though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "127.0.0.1:443", false},
		{"deny loopback 6 though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "[::1]:443", false},
		{"deny mapped loopback though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "[::ffff:127.0.0.1]:443", false},
		{"deny link-local though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "169.254.1.1:80", false},
		{"deny metadata though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "169.254.169.254:80", false},
		{"deny metadata in a private network though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "100.100.100.200:80", false},
		{"deny metadata 6 though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "[fd00:ec2::254]:80", false},
		{"deny everything's own address though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "0.0.0.0:80", false},
		{"deny 6to4 though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "[2002:7f00:1::1]:80", false},
		{"deny a zone though opened", dialer{right: capabilities.HTTPRight{Private: everything}}, "[fe80::1%1]:80", false},
		{"allow a test's address", dialer{network: Network{Loopback: test}}, "127.0.0.1:8080", true},
		{"deny another port of it", dialer{network: Network{Loopback: test}}, "127.0.0.1:8081", false},
		{"deny another address of it", dialer{network: Network{Loopback: test}}, "127.0.0.2:8080", false},
		{"allow a page at a public address", dialer{kind: capabilities.KindWeb}, "1.1.1.1:443", true},
		{"deny a page at this machine's public address", dialer{kind: capabilities.KindWeb, network: here}, "1.1.1.1:443", false},
		{"deny it mapped", dialer{kind: capabilities.KindWeb, network: here}, "[::ffff:1.1.1.1]:443", false},
		{"allow a page beside it", dialer{kind: capabilities.KindWeb, network: here}, "1.1.1.2:443", true},
		{"deny a page when this machine's addresses are not known", dialer{kind: capabilities.KindWeb, network: unknown}, "1.1.1.2:443", false},
		{"deny a site at Writ's own address", dialer{kind: capabilities.KindHTTP, network: serving("1.1.1.1:443")}, "1.1.1.1:443", false},
		{"deny it mapped", dialer{kind: capabilities.KindHTTP, network: serving("1.1.1.1:443")}, "[::ffff:1.1.1.1]:443", false},
		{"deny it where Writ serves at all addresses", dialer{kind: capabilities.KindHTTP, network: serving("[::]:443")}, "1.1.1.1:443", false},
		{"deny it though opened", dialer{right: capabilities.HTTPRight{Private: lan}, network: serving("192.168.1.5:8080")}, "192.168.1.5:8080", false},
		{"allow another port there", dialer{kind: capabilities.KindHTTP, network: serving("[::]:443")}, "1.1.1.1:444", true},
		{"allow another machine's same port", dialer{kind: capabilities.KindHTTP, network: serving("0.0.0.0:443")}, "1.1.1.2:443", true},
		{"allow a site that the operator chose at it", dialer{kind: capabilities.KindHTTP, network: here}, "1.1.1.1:443", true},
	} {
		t.Run(tt.intent, func(t *testing.T) {
			err := tt.d.permit(netip.MustParseAddrPort(tt.address))
			if (err == nil) != tt.allowed {
				t.Errorf("%s: %v", tt.address, err)
			}
			// The check at the socket is the same one, on the text that the system is given.
			if at := tt.d.control(t.Context(), "tcp", tt.address, nil); (at == nil) != tt.allowed {
				t.Errorf("at the socket: %v", at)
			}
		})
	}
}

// What a page's URL is matched as must be what is sent, recorded and read again.
func FuzzParsePage(f *testing.F) {
	for _, s := range []string{
		"https://example.com/a?b#c", "http://EXAMPLE.com:8080/ü b/%2F;//..", `https://a.b\@c.d/`, "//a.b/c", "https://[::ffff:7f00:1]/", "http://0x7f.1/",
		"https://a.b:443/?\"=%", "http://user@a.b/", "https://a.b/../../c?x[]={}", "file:///etc", "https://a.b:25", "?x", "??", "https://a.b%2e/",
	} {
		f.Add(s)
	}
	base := &url.URL{Scheme: "https", Host: "base.example", Path: "/d/e"}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePage(base, text)
		if err != nil {
			return
		}
		x := exchange{kind: capabilities.KindWeb, method: "GET", page: p}
		req, err := x.request(t.Context())
		if err != nil {
			t.Fatalf("%q is accepted and not sent: %v", text, err)
		}
		host, port, _ := strings.Cut(p.origin.authority, ":")
		if _, err := capabilities.ParseOrigin("https://" + host); err != nil || port != "" && foreignPort(port) || req.URL.User != nil {
			t.Fatalf("%q goes to %q", text, p.origin.authority)
		}
		want := x.target()
		if p.query != "" {
			want += "?" + p.query
		}
		if got := req.URL.String(); got != want || strings.ContainsAny(got, "\\#\r\n ") {
			t.Fatalf("%q is sent as %q and recorded as %q", text, got, x.target())
		}
		if again, err := parsePage(&url.URL{}, req.URL.String()); err != nil || again != p {
			t.Fatalf("%q gives %+v, which gives %+v, %v", text, p, again, err)
		}
	})
}

func TestRefusedPagesAreRecordedWithoutWhatIsSaidInThem(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.test/x?q=secret#y":   "https://a.test/x",
		"https://a.test#secret":         "https://a.test",
		"https://ana:secret@a.test/x":   "https://a.test/x",
		"https://10.0.0.1/@b.test/x":    "https://10.0.0.1/@b.test/x",
		"https:ana:secret@a.test":       "https:a.test",
		`https:\\ana:secret@a.test\x@y`: `https:\\a.test\x@y`,
		"//ana:secret@a.test/":          "//a.test/",
		"ftp://secret@a.test@b.test":    "ftp://b.test",
		"secret@a.test":                 "a.test",
		"":                              "",
		"mailto:ana@a.test":             "mailto:a.test",
		"https://":                      "https://",
	} {
		if got := withoutQuery(url); got != want {
			t.Errorf("%q is recorded as %q, want %q", url, got, want)
		}
	}
}
