package guard

import (
	"context"
	"net/netip"
	"path/filepath"
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

// A flood of requests must not fill the audit: past the limit nothing is recorded, nothing allowed.
func TestEventsAreBounded(t *testing.T) {
	n := 0
	g, err := New(Config{Recorder: recorderFunc(func(e Event) { n++ })})
	if err != nil {
		t.Fatal(err)
	}
	defer g.End()
	for range maxEvents {
		g.Config(t.Context(), "K")
	}
	if _, err := g.Config(t.Context(), "K"); err == nil || err.Code != effect.Limit {
		t.Errorf("got %v", err)
	}
	for range 10 {
		g.Config(t.Context(), "K")
	}
	if n != maxEvents+1 {
		t.Errorf("%d events recorded, want %d", n, maxEvents+1)
	}
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
		x := exchange{origin: origin{scheme: "https", host: "api.acme.test", port: "443"}, method: "GET", path: canonical, decoded: decoded}
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
	for _, tt := range []struct {
		intent  string
		d       dialer
		address string
		allowed bool
	}{
		{"allow a public address", dialer{}, "1.1.1.1:443", true},
		{"deny plain http to it", dialer{plain: true}, "1.1.1.1:80", false},
		{"deny a private address", dialer{}, "192.168.1.5:443", false},
		{"allow it when opened", dialer{right: capabilities.HTTPRight{Private: lan}}, "192.168.1.5:443", true},
		{"allow plain http to it", dialer{right: capabilities.HTTPRight{Private: lan}, plain: true}, "192.168.1.5:80", true},
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
		{"allow a test's address", dialer{network: Network{Loopback: test}, plain: true}, "127.0.0.1:8080", true},
		{"deny another port of it", dialer{network: Network{Loopback: test}}, "127.0.0.1:8081", false},
		{"deny another address of it", dialer{network: Network{Loopback: test}}, "127.0.0.2:8080", false},
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
