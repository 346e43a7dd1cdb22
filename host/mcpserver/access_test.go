package mcpserver_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/writ-run/writ/capabilities"
	"github.com/writ-run/writ/host/mcpserver"
	"github.com/writ-run/writ/registry"
	"github.com/writ-run/writ/registry/registrytest"
)

var operator = capabilities.Local("default")

// newKey makes a key; a spec without spaces is for default, without a role for a user.
func newKey(t testing.TB, r *registry.Registry, spec registry.KeySpec) string {
	t.Helper()
	if spec.Spaces == nil {
		spec.Spaces = []string{"default"}
	}
	if spec.Role == "" {
		spec.Role = capabilities.RoleUser
	}
	text, _, err := r.CreateKey(t.Context(), operator, spec)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// serveAccess serves f at an address until the test ends.
func serveAccess(t testing.TB, f mcpserver.Tooler, listen string, access mcpserver.Access) (address string) {
	t.Helper()
	s, err := mcpserver.New(mcpserver.Config{Host: f, Version: "test", Access: access, Drain: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeHTTP(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ServeHTTP: %v", err)
		}
	})
	return l.Addr().String()
}

const discoverAt = "POST %s\n" + modernHeaders

// ask sends server/discover to a path with headers, each "Name: value".
func ask(t testing.TB, address, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	request := fmt.Sprintf(discoverAt, path)
	for _, h := range headers {
		request += h + "\n"
	}
	return roundTrip(t, address, request+discover)
}

func TestServersThatWouldLetStrangersInAreRefused(t *testing.T) {
	r := registrytest.Open(t)
	public := &url.URL{Scheme: "https", Host: "tools.acme.test"}
	certificate := func() *tls.Certificate { return nil }
	for name, row := range map[string]struct {
		listen string
		access mcpserver.Access
		want   error
	}{
		"everyone":                      {"0.0.0.0:0", mcpserver.Access{}, mcpserver.ErrNotLoopback},
		"everyone, over TLS":            {"0.0.0.0:0", mcpserver.Access{Certificate: certificate}, mcpserver.ErrNotLoopback},
		"keys in the clear":             {"0.0.0.0:0", mcpserver.Access{Keys: r}, mcpserver.ErrPlaintext},
		"every address of IPv6":         {"[::]:0", mcpserver.Access{Keys: r}, mcpserver.ErrPlaintext},
		"a proxy without a name":        {"127.0.0.1:0", mcpserver.Access{Keys: r, Proxied: true}, mcpserver.ErrNoPublicAddress},
		"a proxy, and nobody is asked":  {"127.0.0.1:0", mcpserver.Access{Proxied: true, Public: public}, mcpserver.ErrNotLoopback},
		"a proxy somewhere, and none":   {"127.0.0.1:0", mcpserver.Access{Keys: r, ProxyFrom: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, mcpserver.ErrNoProxy},
		"a tunnel, and nobody is asked": {"127.0.0.1:0", mcpserver.Access{Public: public}, mcpserver.ErrNotLoopback},
		"required, and none known":      {"127.0.0.1:0", mcpserver.Access{Require: true}, mcpserver.ErrNotLoopback},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", row.listen)
			if err != nil {
				t.Skipf("cannot listen on %s: %v", row.listen, err)
			}
			s, err := mcpserver.New(mcpserver.Config{Host: newFake(), Access: row.access})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := s.ServeHTTP(ctx, l); !errors.Is(err, row.want) {
				t.Errorf("%v, want %v", err, row.want)
			}
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				t.Error("the listener was left open")
			}
		})
	}
}

// Every request that is not let in, and beside each kind one that is and differs in that alone.
func TestRequestsWithoutARightKey(t *testing.T) {
	r := registrytest.Open(t)
	right := newKey(t, r, registry.KeySpec{Name: "ci", Spaces: []string{"default", "nothing"}})
	inAddress := newKey(t, r, registry.KeySpec{Name: "phone", URL: true})
	work := newKey(t, r, registry.KeySpec{Name: "desk", Spaces: []string{"work"}})
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	bearer := "Authorization: Bearer " + right
	for _, row := range []struct {
		name, path string
		headers    []string
		want       int
	}{
		{"control", "/mcp", []string{bearer}, 200},
		{"control: scheme in other case", "/mcp", []string{"Authorization: bearer " + right}, 200},
		{"no key", "/mcp", nil, 421},
		{"no key, no endpoint", "/", nil, 421},
		{"empty key", "/mcp", []string{"Authorization: Bearer"}, 401},
		{"another scheme", "/mcp", []string{"Authorization: Basic " + right}, 401},
		{"the key alone", "/mcp", []string{"Authorization: " + right}, 401},
		{"two keys", "/mcp", []string{bearer, bearer}, 400},
		{"key in the query", "/mcp?access_token=" + right, nil, 400},
		{"key in the query under another name", "/mcp?k=" + right, []string{bearer}, 400},
		{"another space that there is", "/s/work/mcp", []string{bearer}, 403},
		{"another space that there is not", "/s/other/mcp", []string{bearer}, 403},
		{"own space that there is not", "/s/nothing/mcp", []string{bearer}, 404},
		{"control: own space", "/s/work/mcp", []string{"Authorization: Bearer " + work}, 200},
		{"no endpoint", "/other", []string{bearer}, 404},
		{"control: key in the address", "/k/" + inAddress + "/mcp", nil, 200},
		{"control: the same as a header", "/mcp", []string{"Authorization: Bearer " + inAddress}, 200},
		{"key in the address that is for headers", "/k/" + right + "/mcp", nil, 401},
		{"no key in the address", "/k//mcp", nil, 401},
		{"key in the address for another space", "/k/" + inAddress + "/s/work/mcp", nil, 403},
		{"two keys, one in the address", "/k/" + inAddress + "/mcp", []string{bearer}, 400},
		{"key in the address twice", "/k/" + inAddress + "/k/" + inAddress + "/mcp", nil, 404},
		{"right key, wrong Host", "/mcp", []string{bearer, "Host: evil.example"}, 421},
		{"right key, web page", "/mcp", []string{bearer, "Origin: http://evil.example"}, 403},
	} {
		t.Run(row.name, func(t *testing.T) {
			res, body := ask(t, address, row.path, row.headers...)
			if res.StatusCode != row.want {
				t.Errorf("status %d, want %d: %s", res.StatusCode, row.want, body)
			}
			challenge := res.Header.Get("WWW-Authenticate")
			if (row.want == 401) != strings.Contains(challenge, `Bearer realm="writ", error="invalid_token"`) {
				t.Errorf("status %d with the challenge %q", res.StatusCode, challenge)
			}
			if strings.Contains(row.path, "/k/") && res.Header.Get("Referrer-Policy") != "no-referrer" && row.want != 400 {
				t.Error("the address may be sent to others as Referer")
			}
		})
	}
}

// Who presents a wrong key learns nothing from the answer, down to its last byte.
func TestWrongKeysAreRefusedAlike(t *testing.T) {
	now := time.Now()
	r := registrytest.OpenHome(t, t.TempDir(), &registry.Options{Now: func() time.Time { return now }})
	expired := newKey(t, r, registry.KeySpec{Name: "expired", Expires: now.Add(time.Hour)})
	revoked := newKey(t, r, registry.KeySpec{Name: "revoked"})
	if _, err := r.RevokeKey(t.Context(), operator, "revoked"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r, Anonymous: 401})
	date := regexp.MustCompile(`Date: [^\r]*`)
	answers := map[string]string{}
	for name, key := range map[string]string{
		"unknown": "writ_0123456789AB_" + strings.Repeat("0", 49), "expired": expired, "revoked": revoked, "no key of Writ": "secret",
	} {
		res, body := ask(t, address, "/mcp", "Authorization: Bearer "+key)
		head, err := httputil.DumpResponse(res, false)
		if err != nil {
			t.Fatal(err)
		}
		answers[date.ReplaceAllString(string(head), "")+body] = name
	}
	if len(answers) != 1 {
		t.Errorf("%d answers: %q", len(answers), answers)
	}
	res, body := ask(t, address, "/mcp")
	// In this form the official Python client shows the text, and the others at least the status.
	if want := `"id":null,"jsonrpc":"2.0"}`; res.Header.Get("Content-Type") != "application/json" || !strings.HasPrefix(body, `{"error":{"code":-32600,"message":"no MCP server answers here`) || !strings.HasSuffix(body, want) {
		t.Errorf("without a key: %s is no error of JSON-RPC", body)
	}
	if challenge := res.Header.Get("WWW-Authenticate"); res.StatusCode != 401 || challenge != `Bearer realm="writ"` {
		t.Errorf("without a key: status %d, challenge %q", res.StatusCode, challenge)
	}
}

// From the first key on clients need one, in a server that runs, also after the last one ended.
func TestFirstKeyCloses(t *testing.T) {
	r := registrytest.Open(t)
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	if res, _ := ask(t, address, "/mcp"); res.StatusCode != 200 {
		t.Fatalf("before the first key: status %d", res.StatusCode)
	}
	if res, _ := ask(t, address, "/mcp", "X-Forwarded-For: 203.0.113.9"); res.StatusCode != 403 {
		t.Errorf("through a proxy: status %d", res.StatusCode)
	}
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	for _, revoke := range []bool{false, true} {
		want := 200
		if revoke {
			want = 401
			if _, err := r.RevokeKey(t.Context(), operator, "ci"); err != nil {
				t.Fatal(err)
			}
		}
		if res, _ := ask(t, address, "/mcp"); res.StatusCode != 421 {
			t.Errorf("revoked %v, no key: status %d", revoke, res.StatusCode)
		}
		if res, _ := ask(t, address, "/mcp", "Authorization: Bearer "+key); res.StatusCode != want {
			t.Errorf("revoked %v: status %d", revoke, res.StatusCode)
		}
	}
}

// brokenKeys cannot be read.
type brokenKeys struct{ *registry.Registry }

func (brokenKeys) HasKeys(context.Context) (bool, error) { return false, registry.ErrDamaged }
func (brokenKeys) Authenticate(context.Context, string) (registry.AccessKey, error) {
	return registry.AccessKey{}, registry.ErrDamaged
}

func TestUnreadableKeysLetNobodyIn(t *testing.T) {
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	for _, require := range []bool{false, true} {
		address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: brokenKeys{r}, Require: require})
		if res, body := ask(t, address, "/mcp", "Authorization: Bearer "+key); res.StatusCode != 503 || strings.Contains(body, "damaged") {
			t.Errorf("required %v: status %d: %s", require, res.StatusCode, body)
		}
	}
}

func TestWrongKeysFromOneAddressHaveToWait(t *testing.T) {
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	public := &url.URL{Scheme: "https", Host: "tools.acme.test"}
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r, Proxied: true, Public: public})
	const host, wrong = "Host: tools.acme.test", "Authorization: Bearer wrong"
	for i := range 10 {
		// What stands before the proxy's own entry is the client's invention.
		from := fmt.Sprintf("X-Forwarded-For: 198.51.100.%d, 203.0.113.9", i)
		if res, body := ask(t, address, "/mcp", host, wrong, from); res.StatusCode != 401 {
			t.Fatalf("wrong key %d: status %d: %s", i, res.StatusCode, body)
		}
	}
	const from = "X-Forwarded-For: 203.0.113.9"
	res, _ := ask(t, address, "/mcp", host, wrong, from)
	if wait := res.Header.Get("Retry-After"); res.StatusCode != 429 || wait == "" || wait == "0" || !res.Close {
		t.Errorf("one more: status %d, Retry-After %q, connection kept: %v", res.StatusCode, wait, !res.Close)
	}
	if res, _ := ask(t, address, "/mcp", host, from, "Authorization: Bearer "+key); res.StatusCode != 200 {
		t.Errorf("a right key from the same address: status %d", res.StatusCode)
	}
	if res, _ := ask(t, address, "/mcp", host, wrong, "X-Forwarded-For: 203.0.113.10"); res.StatusCode != 401 {
		t.Errorf("a wrong key from another address: status %d", res.StatusCode)
	}
	if res, _ := ask(t, address, "/mcp", host, from, "Authorization: Bearer "+key, "X-Forwarded-Proto: http"); res.StatusCode != 403 {
		t.Errorf("a key that came in the clear: status %d", res.StatusCode)
	}
	if res, _ := ask(t, address, "/mcp", host, from, "Authorization: Bearer "+key, "Origin: https://tools.acme.test", "X-Forwarded-Proto: https"); res.StatusCode != 200 {
		t.Errorf("a page of the public address: status %d", res.StatusCode)
	}
	if res, _ := ask(t, address, "/mcp", "Host: other.acme.test", from, "Authorization: Bearer "+key); res.StatusCode != 421 {
		t.Errorf("another name: status %d", res.StatusCode)
	}
}

// Who reaches the listener beside the proxy is not served, whatever key it has.
func TestRequestsBesideTheProxy(t *testing.T) {
	r := registrytest.Open(t)
	key := newKey(t, r, registry.KeySpec{Name: "ci"})
	public := &url.URL{Scheme: "https", Host: "tools.acme.test"}
	for from, want := range map[string]int{"127.0.0.1/32": 200, "::/0": 403, "192.0.2.0/24": 403} {
		access := mcpserver.Access{Keys: r, Proxied: true, Public: public, ProxyFrom: []netip.Prefix{netip.MustParsePrefix(from)}}
		address := serveAccess(t, newFake(), "127.0.0.1:0", access)
		res, body := ask(t, address, "/mcp", "Host: tools.acme.test", "X-Forwarded-For: 127.0.0.1", "Authorization: Bearer "+key)
		if res.StatusCode != want {
			t.Errorf("a proxy at %s: status %d, want %d: %s", from, res.StatusCode, want, body)
		}
	}
}

func TestAttemptsAreForgottenAndBounded(t *testing.T) {
	now := time.Now()
	a := mcpserver.NewAttempts(func() time.Time { return now })
	for range 10 {
		if wait, _ := mcpserver.Failed(a, "192.0.2.1"); wait != 0 {
			t.Fatal("within the limit, and has to wait", wait)
		}
	}
	wait, first := mcpserver.Failed(a, "192.0.2.1")
	if wait != 6*time.Second || !first {
		t.Errorf("waits %v, first %v", wait, first)
	}
	if wait, first := mcpserver.Failed(a, "::ffff:192.0.2.1"); wait == 0 || first {
		t.Error("the same address, written as one of IPv6, is another; or it is told twice")
	}
	now = now.Add(wait)
	if wait, _ := mcpserver.Failed(a, "192.0.2.1"); wait != 0 {
		t.Error("has waited, and has to wait", wait)
	}
	for i := range 11 {
		wait, _ = mcpserver.Failed(a, fmt.Sprintf("2001:db8::%d", i))
	}
	if wait == 0 {
		t.Error("one network of IPv6 has as many attempts as it has addresses")
	}
	for i := range 3 * mcpserver.MaxAttempters {
		mcpserver.Failed(a, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
	}
	if n := mcpserver.Attempters(a); n > mcpserver.MaxAttempters {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestObserversListAndDoNotCall(t *testing.T) {
	r := registrytest.Open(t)
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	list := "POST /mcp\nMcp-Protocol-Version: 2026-07-28\nMcp-Method: tools/list\n%s" + `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{` + meta + `}}`
	for role, want := range map[string]int{capabilities.RoleUser: 200, capabilities.RoleObserver: 403} {
		bearer := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: role, Role: role}) + "\n"
		if _, body := roundTrip(t, address, fmt.Sprintf(list, bearer)); !strings.Contains(body, "t_echo") {
			t.Errorf("%s lists: %s", role, body)
		}
		res, body := roundTrip(t, address, modernCall("t_echo", bearer)+call("1", "t_echo"))
		if res.StatusCode != want || want == 403 && !strings.Contains(body, "does not allow") {
			t.Errorf("%s calls: status %d: %s", role, res.StatusCode, body)
		}
		if challenge := res.Header.Get("WWW-Authenticate"); (want == 403) != strings.Contains(challenge, "insufficient_scope") {
			t.Errorf("%s calls: challenge %q", role, challenge)
		}
		res, _ = roundTrip(t, address, "POST /mcp\n"+bearer+initialize)
		session := bearer + "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\nMcp-Protocol-Version: 2025-11-25\n"
		res, body = roundTrip(t, address, "POST /mcp\n"+session+`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_echo"}}`)
		if res.StatusCode != want {
			t.Errorf("%s calls in a session: status %d: %s", role, res.StatusCode, body)
		}
	}
}

// A session is of who opened it; whoever else knows its id has found nothing. Its calls are its
// principal's, also with a key that is newer than it.
func TestSessionsBelongToTheirKey(t *testing.T) {
	r := registrytest.Open(t)
	f := newFake()
	address := serveAccess(t, f, "127.0.0.1:0", mcpserver.Access{Keys: r})
	ana := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: "ana"}) + "\n"
	bo := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: "bo"}) + "\n"
	res, _ := roundTrip(t, address, "POST /mcp\n"+ana+initialize)
	session := "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\nMcp-Protocol-Version: 2025-11-25\n"
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for _, method := range []string{"POST", "GET", "DELETE"} {
		if res, body := roundTrip(t, address, method+" /mcp\n"+bo+session+ping); res.StatusCode != 404 {
			t.Errorf("%s by another: status %d: %s", method, res.StatusCode, body)
		}
	}
	if res, body := roundTrip(t, address, "POST /mcp\n"+ana+session+ping); res.StatusCode != 200 {
		t.Errorf("by its owner: status %d: %s", res.StatusCode, body)
	}
	text, key, err := r.RotateKey(t.Context(), operator, "ana", 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	close(f.release)
	rotated := "Authorization: Bearer " + text + "\n"
	_, body := roundTrip(t, address, "POST /mcp\n"+rotated+session+`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_slow"}}`)
	mustContain(t, body, `"done"`)
	if by := await(t, f.started); by != key.Principal()+"@default" {
		t.Errorf("the call is of %s", by)
	}
}

// A key that is revoked takes its running calls and open streams with it, of both eras, and no others.
func TestRevokedKeysEndWhatRuns(t *testing.T) {
	r := registrytest.Open(t)
	f := newFake()
	address := serveAccess(t, f, "127.0.0.1:0", mcpserver.Access{Keys: r})
	ana := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: "ana"}) + "\n"
	bo := "Authorization: Bearer " + newKey(t, r, registry.KeySpec{Name: "bo"}) + "\n"
	res, _ := roundTrip(t, address, "POST /mcp\n"+ana+initialize)
	session := ana + "Mcp-Session-Id: " + res.Header.Get("Mcp-Session-Id") + "\nMcp-Protocol-Version: 2025-11-25\n"

	var ended sync.WaitGroup
	for _, request := range []string{
		modernCall("t_slow", ana) + call("1", "t_slow"),
		"POST /mcp\n" + session + `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t_slow"}}`,
	} {
		ended.Go(func() { roundTrip(t, address, request) })
		await(t, f.started)
	}
	stream := openStream(t, address, ana)
	other := make(chan string, 1)
	go func() {
		_, body := roundTrip(t, address, modernCall("t_slow", bo)+call("2", "t_slow"))
		other <- body
	}()
	await(t, f.started)
	if _, err := r.RevokeKey(t.Context(), operator, "ana"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := await(t, f.ended); !errors.Is(err, context.Canceled) {
			t.Errorf("a call ended with %v", err)
		}
	}
	ended.Wait()
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	close(f.release)
	mustContain(t, await(t, other), `"done"`)
}

// A stream has no end of its own: it ends with the key it was opened with, and one that was opened without
// a key with the first that is made.
func TestStreamsEndWithTheirKey(t *testing.T) {
	var late atomic.Bool
	now := func() time.Time {
		if late.Load() {
			return time.Now().Add(time.Hour)
		}
		return time.Now()
	}
	r := registrytest.OpenHome(t, t.TempDir(), &registry.Options{Now: now})
	address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
	open := openStream(t, address, "")
	short := newKey(t, r, registry.KeySpec{Name: "short", Expires: time.Now().Add(30 * time.Minute)})
	if _, err := io.Copy(io.Discard, open); err != nil {
		t.Errorf("the stream without a key: %v", err)
	}
	long := newKey(t, r, registry.KeySpec{Name: "long"})
	expires := openStream(t, address, "Authorization: Bearer "+short+"\n")
	stays := openStream(t, address, "Authorization: Bearer "+long+"\n")
	late.Store(true)
	if _, err := io.Copy(io.Discard, expires); err != nil {
		t.Errorf("the stream of a key that expired: %v", err)
	}
	rest := make(chan struct{})
	go func() { io.Copy(io.Discard, stays); close(rest) }()
	if came(rest) {
		t.Error("the stream of another key ended, too")
	}
}

// openStream subscribes, and returns what follows the acknowledgement.
func openStream(t testing.TB, address, headers string) io.Reader {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	body := listen("1")
	fmt.Fprintf(conn, "POST /mcp HTTP/1.1\r\nHost: %s\r\n%sContent-Type: application/json\r\nAccept: */*\r\nMcp-Protocol-Version: 2026-07-28\r\nMcp-Method: subscriptions/listen\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
		address, strings.ReplaceAll(headers, "\n", "\r\n"), len(body), body)
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the subscription was not acknowledged: %v", err)
		}
		if strings.Contains(line, "acknowledged") {
			return lines
		}
	}
}

func TestUseOfKeysIsRecorded(t *testing.T) {
	r := registrytest.Open(t)
	text := newKey(t, r, registry.KeySpec{Name: "ci"})
	newKey(t, r, registry.KeySpec{Name: "idle"})
	t.Run("serving", func(t *testing.T) { // what is left is recorded at the end
		address := serveAccess(t, newFake(), "127.0.0.1:0", mcpserver.Access{Keys: r})
		ask(t, address, "/mcp", "Authorization: Bearer "+text)
	})
	keys, err := r.Keys(t.Context(), operator)
	if err != nil || len(keys) != 2 || keys[0].Used.IsZero() || !keys[1].Used.IsZero() {
		t.Errorf("%+v, %v", keys, err)
	}
}

func TestReadinessEndsWithTheServer(t *testing.T) {
	f := newFake()
	s := newPatientServer(t, f, patience)
	if s.Ready() {
		t.Error("ready before it listens")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeHTTP(ctx, l) }()
	answered := make(chan string, 1)
	go func() {
		_, body := roundTrip(t, l.Addr().String(), modernCall("t_slow", "")+call("1", "t_slow"))
		answered <- body
	}()
	await(t, f.started)
	if !s.Ready() {
		t.Error("not ready while it serves")
	}
	stop()
	for deadline := time.Now().Add(patience); s.Ready(); {
		if time.Now().After(deadline) {
			t.Fatal("ready although its end was asked for")
		}
		time.Sleep(time.Millisecond)
	}
	close(f.release)
	mustContain(t, await(t, answered), `"done"`)
	if err := await(t, done); err != nil {
		t.Error(err)
	}
}
